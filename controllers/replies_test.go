package controllers

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

// What comes in place of a pair, before GitHub has looked at the request: nothing is lost, and the next try
// succeeds.
func TestReplyWithoutAPairCostsNothingWhenGitHubDidNotExchange(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		fault  githubtest.Fault
		reason string
		// unknown says that nobody can know whether the token was exchanged.
		unknown bool
	}{
		"an HTML page with 200":    {githubtest.HTMLPage(200), v1alpha1.ReasonUnreadableReply, true},
		"an HTML page with 500":    {githubtest.HTMLPage(500), v1alpha1.ReasonGitHubUnavailable, true},
		"an empty body":            {githubtest.EmptyBody(), v1alpha1.ReasonUnreadableReply, true},
		"no JSON":                  {githubtest.NotJSON(), v1alpha1.ReasonUnreadableReply, true},
		"10 MB of nonsense":        {githubtest.Respond(200, "text/plain", strings.Repeat("x", 10<<20)), v1alpha1.ReasonUnreadableReply, true},
		"502":                      {githubtest.BadGateway(), v1alpha1.ReasonGitHubUnavailable, true},
		"503":                      {githubtest.Unavailable(), v1alpha1.ReasonGitHubUnavailable, true},
		"500":                      {githubtest.ServerError(), v1alpha1.ReasonGitHubUnavailable, true},
		"a reset":                  {githubtest.ResetConnection(), v1alpha1.ReasonGitHubUnavailable, true},
		"a closed connection":      {githubtest.CloseConnection(), v1alpha1.ReasonGitHubUnavailable, true},
		"an error not known today": {githubtest.OAuthError("quite_new_error"), v1alpha1.ReasonUnreadableReply, false},
	}
	each(t, cases, func(t *testing.T, c struct {
		fault   githubtest.Fault
		reason  string
		unknown bool
	},
	) {
		w := newWorld(t, worldOptions{})
		seed := w.seed("octocat", "octocat")
		fault := w.gh.Inject(c.fault.Always())
		w.create(w.resource("octocat"))
		w.refused("octocat", refusal{reason: c.reason, says: "The next try is at", retried: true})
		authorized := meta.FindStatusCondition(w.get("octocat").Status.Conditions, v1alpha1.ConditionAuthorized)
		if unknown := authorized.Reason == v1alpha1.ReasonOutcomeUnknown; authorized.Status != metav1.ConditionUnknown || unknown != c.unknown {
			t.Errorf("Authorized=%s, %s", authorized.Status, authorized.Reason)
		}
		w.settle()
		w.paced(seed)
		if !w.gh.Alive(seed) || w.gh.ExchangesOf(seed) != 0 {
			t.Fatal("the seed was exchanged")
		}
		fault.Remove()
		w.ready("octocat")
		if exchanged := w.gh.ExchangesOf(seed); exchanged != 1 {
			t.Errorf("the seed was exchanged %d times", exchanged)
		}
	})
}

// What comes in place of a pair after GitHub has made the exchange: the pair is lost, and that is what the
// resource says, after one more try that proves it. The next login heals.
func TestReplyLostReplyIsReportedAsSuch(t *testing.T) {
	t.Parallel()
	each(t, map[string]githubtest.Fault{
		"502":                                   githubtest.BadGateway().AfterCommit(),
		"500":                                   githubtest.ServerError().AfterCommit(),
		"an HTML page":                          githubtest.HTMLPage(200).AfterCommit(),
		"an empty body":                         githubtest.EmptyBody().AfterCommit(),
		"no reply":                              githubtest.DropReply(),
		"a reply cut before the tokens":         githubtest.CutBody(5),
		"a reply cut within the access token":   githubtest.CutBody(40),
		"a reply with neither token nor errors": githubtest.WithoutFields("access_token", "refresh_token"),
	}, func(t *testing.T, fault githubtest.Fault) {
		w := newWorld(t, worldOptions{spendsTwice: true})
		seed := w.seed("octocat", "octocat")
		w.gh.Inject(fault)
		w.create(w.resource("octocat"))
		w.refused("octocat", refusal{
			reason: v1alpha1.ReasonReplyLost, unauthorized: true,
			says: "the reply did not arrive whole, or the exchange was cut short before its outcome was stored. Authorize the App again",
		})
		w.quiet()
		if shown := len(w.gh.PresentationsOf(seed)); shown != 2 {
			t.Errorf("the seed was presented %d times, want twice", shown)
		}
		w.restart()
		w.quiet()
		w.seed("octocat", "octocat")
		w.ready("octocat")
		w.presented(3)
	})
}

// The new access token arrived and the new refresh token did not: workloads go on for as long as it lives.
func TestReplyHalfAPairIsUsedWhileItLives(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	w.gh.Inject(githubtest.CutBody(75))
	w.request("octocat", "1")
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonReplyLost)
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
	if now := w.find("octocat-token"); access(now) == access(before) || !w.gh.Alive(access(now)) || refresh(now) != "" {
		t.Error("the Secret does not hold the new access token alone")
	}
	w.quiet()
	w.presented(2)
	w.seed("octocat", "octocat")
	w.ready("octocat")
	w.presented(3)
}

// A reply that is odd but holds a pair is a success: there is no other pair.
func TestReplyOddReplyWithAPairIsTaken(t *testing.T) {
	t.Parallel()
	each(t, map[string]githubtest.Fault{
		"10 MB behind the pair":            githubtest.HugeBody(10 << 20),
		"cut at the very end":              githubtest.CutBody(-2),
		"one byte at a time":               githubtest.SlowBody(2 * time.Millisecond),
		"labelled as a web page":           githubtest.ContentType("text/html"),
		"with fields nobody has heard of":  githubtest.WithField("quite_new", "x"),
		"without a type and lifetimes":     githubtest.WithoutFields("token_type", "expires_in", "refresh_token_expires_in"),
		"with a lifetime that is negative": githubtest.WithField("expires_in", -5),
		"with a lifetime of ages":          githubtest.WithField("expires_in", 1e18),
		"with a lifetime in words":         githubtest.WithField("expires_in", "soon"),
	}, func(t *testing.T, fault githubtest.Fault) {
		w := newWorld(t, worldOptions{})
		w.seed("octocat", "octocat")
		w.gh.Inject(fault)
		w.create(w.resource("octocat"))
		w.ready("octocat")
		w.quiet()
		w.presented(1)
		// The chain goes on from it.
		w.request("octocat", "1")
		w.refreshed("octocat", 2)
		w.ready("octocat")
		w.presented(2)
	})
}

// The access token alone does not tell whether a pair is stored: the one of before may come with a new refresh token.
func TestReplyWithTheAccessTokenOfBeforeIsStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.seed("octocat", "octocat")
	w.create(w.resource("octocat"))
	w.ready("octocat")
	before := w.pair("octocat-token")
	w.gh.Inject(githubtest.WithField("access_token", access(before)))
	w.request("octocat", "1")
	w.refreshed("octocat", 2)
	stored := w.pair("octocat-token")
	next, exchanged := w.gh.Successor(refresh(before))
	if !exchanged || access(stored) != access(before) || refresh(stored) != next.RefreshToken {
		t.Fatalf("exchanged: %v; the new refresh token is stored: %v", exchanged, refresh(stored) == next.RefreshToken)
	}
	w.quiet()
	w.presented(2)
	// The chain goes on from it.
	w.request("octocat", "2")
	w.refreshed("octocat", 3)
	w.ready("octocat")
	w.presented(3)
}

// Only a rate limit can keep a token from being refreshed for longer than retry.Max: a maintenance page may ask
// for a day, and the token would expire.
func TestReplyOutageThatAsksForADayIsLookedAtSooner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.start("octocat")
	w.gh.Inject(githubtest.Unavailable().WithHeader("Retry-After", "86400"))
	w.request("octocat", "1")
	w.refused("octocat", refusal{reason: v1alpha1.ReasonGitHubUnavailable, says: "The next try is at", retried: true, working: true})
	if next := w.get("octocat").Status.NextRefreshTime; next == nil || time.Until(next.Time) > retry.Max {
		t.Errorf("the next try is at %v", next)
	}
	w.start("hubot") // It is no limit of the App's.
	w.meter.leap(retry.Max)
	w.touch("octocat")
	w.refreshed("octocat", 2)
	w.ready("octocat")
	w.presented(4)
}

func TestReplyRateLimitIsKeptTo(t *testing.T) {
	t.Parallel()
	each(t, map[string]struct {
		fault   func() githubtest.Fault
		atLeast time.Duration
	}{
		"429 with Retry-After":           {func() githubtest.Fault { return githubtest.RateLimited(429, 3*time.Second, time.Time{}) }, 2 * time.Second},
		"403 with Retry-After":           {func() githubtest.Fault { return githubtest.RateLimited(403, 3*time.Second, time.Time{}) }, 2 * time.Second},
		"429 without":                    {func() githubtest.Fault { return githubtest.RateLimited(429, 0, time.Time{}) }, 50 * time.Second},
		"403 with a reset":               {func() githubtest.Fault { return githubtest.RateLimited(403, 0, time.Now().Add(time.Hour)) }, 57 * time.Minute},
		"a secondary limit":              {func() githubtest.Fault { return githubtest.SecondaryRateLimit(0) }, 50 * time.Second},
		"a secondary limit with seconds": {func() githubtest.Fault { return githubtest.SecondaryRateLimit(3 * time.Second) }, 2 * time.Second},
	}, func(t *testing.T, c struct {
		fault   func() githubtest.Fault
		atLeast time.Duration
	},
	) {
		w := newWorld(t, worldOptions{})
		seed := w.seed("octocat", "octocat")
		another := w.seed("hubot", "hubot")
		w.gh.Inject(c.fault())
		w.create(w.resource("octocat"))
		w.refused("octocat", refusal{reason: v1alpha1.ReasonRateLimited, says: "The next try is at", retried: true})
		if next := w.get("octocat").Status.NextRefreshTime; next != nil { // A short limit may be over by now.
			wait := next.Sub(w.gh.Presentations()[0].At)
			if wait < c.atLeast || (wait > c.atLeast+15*time.Second && wait > c.atLeast*11/10) {
				t.Errorf("the next try is %s after the first, want at least %s", wait, c.atLeast)
			}
		} else if c.atLeast > 10*time.Second {
			t.Error("the status does not say when the next try is")
		}
		// Another resource of the App waits as well.
		w.create(w.resource("hubot"))
		if c.atLeast > 10*time.Second {
			w.refused("hubot", refusal{reason: v1alpha1.ReasonRateLimited, says: "limit", retried: true})
			w.presented(1)
		}
		if !w.gh.Alive(seed) {
			t.Error("the seed is dead")
		}
		if c.atLeast > 10*time.Second {
			w.quiet()
			w.presented(1)
			return
		}
		w.ready("octocat")
		w.ready("hubot")
		w.presented(3)
		shown := w.gh.PresentationsOf(seed)
		if waited := shown[1].At.Sub(shown[0].At); waited < c.atLeast {
			t.Errorf("the second try came after %s", waited)
		}
		if waited := w.gh.PresentationsOf(another)[0].At.Sub(shown[0].At); waited < c.atLeast {
			t.Errorf("another resource of the App tried after %s", waited)
		}
	})
}
