package revocation

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// turns is a Limiter that gives out a turn when there is one.
type turns struct {
	left     int
	asked    []string
	given    int
	paused   []string
	canceled []string
}

func (l *turns) Acquire(app string, r ratelimit.Request) (bool, time.Time) {
	l.asked = append(l.asked, app+" for "+r.Namespace+" by "+r.ID)
	if l.left == 0 {
		return false, time.Now().Add(88 * time.Second)
	}
	l.left--
	l.given++
	return true, time.Time{}
}

func (l *turns) Pause(app string, _ time.Time) { l.paused = append(l.paused, app) }

func (l *turns) Cancel(id string) { l.canceled = append(l.canceled, id) }

func withTurns(t *testing.T, left int) (*world, *turns) {
	w, l := newWorld(t), &turns{left: left}
	w.noSecret = true
	w.revoker.options.Limiter = l
	return w, l
}

func TestRevocationDeletionWaitsForItsTurnAtTheCredentialsEndpointAndSaysSo(t *testing.T) {
	w, l := withTurns(t, 0)
	w.advance()
	for range 3 {
		step := w.advance()
		if in := step.RequeueAt.Sub(w.clock.Now()); step.Done || in < 87*time.Second || in > 88*time.Second {
			t.Errorf("%+v, in %s", step, in)
		}
	}
	if len(w.calls) != 0 {
		t.Errorf("GitHub was called by %q without a turn", w.calls)
	}
	if len(w.events) != 1 || !strings.Contains(w.events[0], "github.com takes 60 requests an hour") {
		t.Errorf("the events are %q", w.events)
	}
	if !slices.Equal(slices.Compact(l.asked), []string{"github.com/credentials for team-a by u1"}) {
		t.Errorf("asked %q", l.asked)
	}
	w.clock.Mono += 5 * time.Minute // Beyond the time for which GitHub itself is asked.
	l.left = 1
	w.advance()
	if step := w.advance(); !step.Done || !slices.Equal(w.calls, []string{"tokens github.com 10"}) || l.given != 1 || len(w.events) != 1 {
		t.Errorf("%+v after %q, %d turns and the events %q", step, w.calls, l.given, w.events)
	}
}

func TestRevocationDeletionDoesNotWaitForEverForItsTurn(t *testing.T) {
	w, l := withTurns(t, 0)
	took := w.finish()
	if took < maxTurnTime || took > maxTurnTime+time.Second || len(w.calls) != 0 {
		t.Errorf("it took %s, and GitHub was called by %q", took, w.calls)
	}
	if len(w.events) != 2 || !strings.Contains(w.events[1], "this namespace has no turn yet). The access token lives until") {
		t.Errorf("the events are %q", w.events)
	}
	if !slices.Equal(l.canceled, []string{"u1"}) {
		t.Errorf("canceled %q", l.canceled)
	}
}

func TestRevocationTurnThatCameIsUsedAfterAnExchangeIsSettled(t *testing.T) {
	w, l := withTurns(t, 0)
	w.advance()
	w.settling, l.left = 5*time.Second, 1
	w.advance()
	if len(w.calls) != 0 {
		t.Error("it did not wait for the exchange")
	}
	w.settling = 0
	w.advance()
	if step := w.advance(); !step.Done || l.given != 1 || len(w.calls) != 1 {
		t.Errorf("%+v after %q, with %d turns", step, w.calls, l.given)
	}
}

func TestRevocationNoTurnIsTakenWhereTheEndpointIsNotAsked(t *testing.T) {
	for name, edit := range map[string]func(*world){
		"the App revokes it": func(w *world) { w.noSecret = false },
		"nothing of it lives": func(w *world) {
			w.pair().AccessToken = credential.AccessToken{}
			w.pair().State.Verdict = &rotation.Verdict{Fingerprint: w.pair().RefreshToken.Fingerprint()}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, l := withTurns(t, 0)
			edit(w)
			w.finish()
			if len(l.asked) != 0 || len(w.events) != 0 {
				t.Errorf("asked for %q, events %q", l.asked, w.events)
			}
		})
	}
}

func TestRevocationRateLimitOfTheCredentialsEndpointHoldsForAll(t *testing.T) {
	w, l := withTurns(t, 10)
	w.byToken = []error{&github.Error{Reason: github.RateLimited, RetryAfter: 40 * time.Second}, nil}
	w.finish()
	if !slices.Equal(l.paused, []string{"github.com/credentials"}) {
		t.Errorf("paused %q", l.paused)
	}
	w, l = withTurns(t, 10)
	w.noSecret, w.byApp = false, []error{&github.Error{Reason: github.RateLimited, RetryAfter: 40 * time.Second}, nil}
	w.finish()
	if len(l.paused) != 0 {
		t.Errorf("a limit of the App has paused %q", l.paused)
	}
}

func TestRevocationPairThatIsNotLetInWaitsForItsTurn(t *testing.T) {
	w, l := withTurns(t, 0)
	record := rotation.Record{Owner: scope.OwnerOf(w.token), App: "github.com/Iv23li", Reply: &github.Reply{SentAt: w.clock.Now()}}
	work := runner.Subject{UID: w.token.UID, Namespace: w.token.Namespace, Host: "github.com"}
	w.clock.OnSleep = func() {
		if !w.runner.Busy(work.UID) || w.runner.Full(work) {
			t.Errorf("while it waits it is busy %t, and there is no place for others %t", w.runner.Busy(work.UID), w.runner.Full(work))
		}
	}
	err := w.runner.Start(work, func() {
		if !w.runner.Full(work) {
			t.Fatal("an exchange takes no place")
		}
		w.revoker.Unadmitted(t.Context(), scope.InlineApp(w.token).App, record, github.Tokens{
			AccessToken: credential.NewAccessToken("ghu_1"), RefreshToken: credential.NewRefreshToken("ghr_1"), ExpiresAt: w.clock.Now().Add(8 * time.Hour),
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	w.queued.Run()
	var slept time.Duration
	for _, pause := range w.clock.Slept {
		slept += pause
	}
	if slept.Round(time.Second) != maxTurnTime || len(w.calls) != 0 || len(w.events) != 1 || len(l.canceled) != 1 {
		t.Errorf("after %s GitHub was called by %q, with the events %q, canceled %q", slept, w.calls, w.events, l.canceled)
	}
	if first := l.asked[0]; strings.Contains(first, "ghu_") || !strings.HasPrefix(first, "github.com/credentials for team-a by unadmitted ") {
		t.Errorf("asked for %q", first)
	}
	told := slices.Compact(w.told)
	if len(told) != 1 || !strings.Contains(told[0], "must not be stored") || !strings.Contains(told[0], "this namespace has no turn yet") {
		t.Errorf("the status says %q", told)
	}
}

// A client secret that GitHub is not known to take is tried when it is the turn of the namespace, too.
func TestRevocationDeletionWaitsForItsTurnToHaveItsClientSecretTried(t *testing.T) {
	w := newWorld(t)
	w.turnIn = 88 * time.Second
	w.advance()
	for range 3 {
		step := w.advance()
		if in := step.RequeueAt.Sub(w.clock.Now()); step.Done || in < 87*time.Second || in > 88*time.Second {
			t.Errorf("%+v, in %s", step, in)
		}
	}
	if len(w.calls) != 0 || len(w.events) != 1 || !strings.Contains(w.events[0], "whether github.com takes the client secret is not known yet, and at most 60 such requests an hour") {
		t.Errorf("GitHub was called by %q, the events are %q", w.calls, w.events)
	}
	w.clock.Mono += 5 * time.Minute
	w.turnIn = 0
	w.advance()
	if step := w.advance(); !step.Done || !slices.Equal(w.calls, []string{"app github.com/Iv23li"}) || len(w.events) != 1 {
		t.Errorf("%+v after %q, and the events %q", step, w.calls, w.events)
	}
}

func TestRevocationDeletionDoesNotWaitForEverToHaveItsClientSecretTried(t *testing.T) {
	w, _ := withTurns(t, 0)
	w.noSecret, w.turnIn = false, 88*time.Second
	if took := w.finish(); took < maxTurnTime || took > maxTurnTime+time.Second || len(w.calls) != 0 {
		t.Errorf("it took %s, and GitHub was called by %q", took, w.calls)
	}
}

// The tokens' own endpoint needs no client secret, and has a limit of its own.
func TestRevocationWhoseClientSecretWouldHaveItsTurnTooLateIsDoneByTheTokens(t *testing.T) {
	const byApp, byTokens = "app github.com/Iv23li", "tokens github.com 10"
	unsupported := failure(github.NotSupported)
	for name, c := range map[string]struct {
		left    int
		later   func(*world, *turns)
		byToken error
		calls   []string
		took    time.Duration
	}{
		"at once, where there is a turn":                {left: 1, calls: []string{byTokens}},
		"or when there is one":                          {later: func(_ *world, l *turns) { l.left = 1 }, calls: []string{byTokens}, took: 4 * time.Minute},
		"or the secret is tried after all":              {later: func(w *world, _ *turns) { w.turnIn = 0 }, calls: []string{byApp}, took: 4 * time.Minute},
		"also where the host has no such endpoint":      {left: 1, byToken: unsupported, later: func(w *world, _ *turns) { w.turnIn = 0 }, calls: []string{byTokens, byApp}, took: 4 * time.Minute},
		"and is given up where there is no turn at all": {later: func(*world, *turns) {}, took: maxTurnTime},
	} {
		t.Run(name, func(t *testing.T) {
			w, l := withTurns(t, c.left)
			w.noSecret, w.turnIn, w.byToken = false, time.Hour, []error{c.byToken}
			for range 2 {
				w.advance()
			}
			if c.later != nil {
				w.clock.Mono += 4 * time.Minute // One of the limiters wakes it.
				c.later(w, l)
			}
			took := w.finish()
			if c.later != nil {
				took += 4 * time.Minute
			}
			if !slices.Equal(w.calls, c.calls) || took < c.took || took > c.took+2*time.Second {
				t.Errorf("GitHub was called by %q, and it took %s; want %q, %s", w.calls, took, c.calls, c.took)
			}
		})
	}
}

func TestRevocationPairThatIsNotLetInIsEndedByItsTokensWhereTheSecretWouldBeTriedTooLate(t *testing.T) {
	for name, c := range map[string]struct {
		byToken error
		slept   time.Duration
	}{
		"the host takes it":             {nil, 0},
		"the host has no such endpoint": {failure(github.NotSupported), maxTurnTime},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := withTurns(t, 10)
			w.noSecret, w.turnIn, w.byToken = false, time.Hour, []error{c.byToken}
			record := rotation.Record{Owner: scope.OwnerOf(w.token), App: "github.com/Iv23li", Reply: &github.Reply{SentAt: w.clock.Now()}}
			w.revoker.Unadmitted(t.Context(), scope.InlineApp(w.token).App, record, github.Tokens{
				AccessToken: credential.NewAccessToken("ghu_1"), RefreshToken: credential.NewRefreshToken("ghr_1"), ExpiresAt: w.clock.Now().Add(8 * time.Hour),
			})
			var slept time.Duration
			for _, pause := range w.clock.Slept {
				slept += pause
			}
			if !slices.Equal(w.calls, []string{"tokens github.com 10"}) || slept.Round(time.Second) != c.slept {
				t.Errorf("GitHub was called by %q, after %s", w.calls, slept)
			}
		})
	}
}

// A turn that comes late is of no use when the first answer to its request is an outage that nobody outlasts.
func TestRevocationThatHasWaitedForItsTurnHasTimeForItsRequest(t *testing.T) {
	outage := []error{failure(github.ServerError), failure(github.ServerError), nil}
	t.Run("of a resource that is deleted", func(t *testing.T) {
		w, l := withTurns(t, 0)
		w.advance()
		w.clock.Mono += 5 * time.Minute
		l.left, w.byToken = 10, outage
		w.finish()
		if len(w.calls) != len(outage) {
			t.Errorf("GitHub was called by %q; the events are %q", w.calls, w.events)
		}
	})
	t.Run("of a pair that is not let in", func(t *testing.T) {
		w, l := withTurns(t, 0)
		w.byToken = outage
		began := w.clock.Mono
		w.clock.OnSleep = func() {
			if w.clock.Mono-began > 5*time.Minute {
				l.left = 10
			}
		}
		record := rotation.Record{Owner: scope.OwnerOf(w.token), App: "github.com/Iv23li", Reply: &github.Reply{SentAt: w.clock.Now()}}
		w.revoker.Unadmitted(t.Context(), scope.InlineApp(w.token).App, record, github.Tokens{
			AccessToken: credential.NewAccessToken("ghu_1"), RefreshToken: credential.NewRefreshToken("ghr_1"), ExpiresAt: w.clock.Now().Add(8 * time.Hour),
		})
		if len(w.calls) != len(outage) {
			t.Errorf("GitHub was called by %q; the events are %q", w.calls, w.events)
		}
	})
}
