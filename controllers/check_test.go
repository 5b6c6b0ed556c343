package controllers

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// checkEvery is the shortest interval that the API takes.
const checkEvery = 10 * time.Second

// checked is a resource that asks to be checked as often as possible.
func (w *world) checked(name string) *v1alpha1.GitHubUserToken {
	token := w.resource(name)
	token.Spec.CheckInterval = &metav1.Duration{Duration: checkEvery}
	return token
}

// touch has the operator look at a resource, with an edit that asks for nothing.
func (w *world) touch(name string) {
	w.t.Helper()
	w.change(name, func(token *v1alpha1.GitHubUserToken) {
		metav1.SetMetaDataAnnotation(&token.ObjectMeta, v1alpha1.AnnotationAdopt, "nothing, at "+time.Now().Format(time.RFC3339Nano))
	})
}

// startChecked creates one, and makes its token so old that GitHub's answers about it count.
func (w *world) startChecked(name string) {
	w.t.Helper()
	w.seed(name, name)
	w.create(w.checked(name))
	w.ready(name)
	w.account(name)
	w.meter.leap(2 * youngToken)
}

func TestTokenCheckRevocationIsNoticedWithinTheIntervalAndRepairedByALogin(t *testing.T) {
	t.Parallel()
	each(t, map[string]bool{"with a client secret": true, "without": false}, func(t *testing.T, withSecret bool) {
		w := newWorld(t, worldOptions{})
		token := w.checked("octocat")
		if !withSecret {
			token.Spec.App.ClientSecretRef = nil
		}
		login := w.gh.MintFromDevice(clientID, "octocat").RefreshToken // It is refreshed without a client secret.
		w.secret("octocat-seed", map[string]string{"refresh_token": login})
		w.create(token)
		before := w.ready("octocat")
		w.account("octocat")
		w.meter.leap(2 * youngToken)
		revoked := time.Now()
		w.gh.RevokeGrant(clientID, "octocat")
		w.refused("octocat", refusal{reason: v1alpha1.ReasonRevoked, says: "revoked", unauthorized: true})
		t.Logf("noticed after %s of at most %s", time.Since(revoked).Round(time.Millisecond), checkEvery)
		w.samePair(before, w.pair("octocat-token"))
		w.quiet()
		w.presented(2) // Whether the refresh token has ended too can only be tried.
		// It is known after a restart, too, and nothing is tried with the dead token.
		w.restart()
		w.quiet()
		w.refused("octocat", refusal{reason: v1alpha1.ReasonRevoked, says: "revoked", unauthorized: true})
		w.presented(2)
		login = w.gh.MintFromDevice(clientID, "octocat").RefreshToken
		w.secret("octocat-seed", map[string]string{"refresh_token": login})
		w.ready("octocat")
		w.presented(3)
	})
}

// What says nothing about the token is no revocation.
func TestTokenCheckAnswerThatSaysNothingIsNoRevocation(t *testing.T) {
	t.Parallel()
	each(t, map[string]func() githubtest.Fault{
		"5xx":             githubtest.BadGateway,
		"429":             func() githubtest.Fault { return githubtest.RateLimited(429, time.Second, time.Time{}) },
		"secondary limit": func() githubtest.Fault { return githubtest.SecondaryRateLimit(time.Second) },
		"no answer":       githubtest.ResetConnection,
		"HTML":            func() githubtest.Fault { return githubtest.HTMLPage(200) },
		"a gateway's 404": func() githubtest.Fault { return githubtest.Respond(404, "application/json", `{"message":"Not Found"}`) },
	}, func(t *testing.T, fault func() githubtest.Fault) {
		w := newWorld(t, worldOptions{})
		w.startChecked("octocat")
		asked := w.gh.Inject(fault().At(githubtest.CheckEndpoint).Always())
		w.eventually("three checks", func() (bool, string) { return asked.Hits() >= 3, suite.Describe(w.get("octocat")) })
		w.ready("octocat")
		// The check goes on, and believes GitHub when it answers.
		asked.Remove()
		w.gh.RevokeGrant(clientID, "octocat")
		w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRevoked)
		w.presented(2)
	})
}

func TestTokenCheckRefusalOfAYoungTokenIsNoRevocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.seed("octocat", "octocat")
	w.create(w.checked("octocat"))
	w.ready("octocat")
	w.account("octocat")
	asked := w.gh.Inject(githubtest.RESTError(404, "Not Found").At(githubtest.CheckEndpoint).Always())
	w.eventually("a check", func() (bool, string) { return asked.Hits() >= 1, suite.Describe(w.get("octocat")) })
	w.meter.leap(2 * confirmAfter) // Were it believed, the second answer would be due by now.
	w.touch("octocat")
	w.quiet()
	w.ready("octocat")
	// It is asked again when the token is old enough, which a look notices at once after the leap.
	w.presented(1)
	w.meter.leap(2 * youngToken)
	w.touch("octocat")
	w.refreshed("octocat", 2)
}

// An access token can end alone, as one that was reported as leaked does. The refresh token brings another. Where
// GitHub is wrong about it the same is done, and not without end.
func TestTokenCheckAccessTokenThatHasEndedAloneIsReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.startChecked("octocat")
	before := w.pair("octocat-token")
	w.must(w.reconciler.GitHub.RevokeCredentials(w.ctx, w.site.Host, credential.NewAccessToken(access(before)), credential.RefreshToken{}))
	if w.gh.Alive(access(before)) || !w.gh.Alive(refresh(before)) {
		t.Fatal("the access token has not ended alone")
	}
	w.refreshed("octocat", 2)
	w.ready("octocat")
	w.quiet()
	w.presented(2)
	if notes := w.eventsOf("octocat", v1alpha1.ReasonRevoked); len(notes) > 0 {
		t.Errorf("a person was called: %v", notes)
	}

	// GitHub says so of the next one as well.
	w.meter.leap(2 * youngToken)
	wrong := w.gh.Inject(githubtest.RESTError(404, "Not Found").At(githubtest.CheckEndpoint).Always())
	w.touch("octocat")
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAccessTokenEnded)
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionUnknown, v1alpha1.ReasonAccessTokenEnded)
	w.condition("octocat", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonAccessTokenEnded)
	w.quiet()
	w.presented(2)
	// It takes that back.
	wrong.Remove()
	w.meter.leap(2 * deadCheck)
	w.touch("octocat")
	w.ready("octocat")
	w.quiet()
	w.presented(2)
	// It does not, and an hour is over.
	w.gh.Inject(githubtest.RESTError(404, "Not Found").At(githubtest.CheckEndpoint).Always())
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAccessTokenEnded)
	w.meter.leap(time.Hour)
	w.touch("octocat")
	w.refreshed("octocat", 3)
	w.presented(3)
}

// Why the refresh token is of no more use is known when a reply was lost, and was told.
func TestTokenCheckLostReplyIsNoRevocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{spendsTwice: true})
	w.startChecked("octocat")
	asked := w.gh.Inject(githubtest.Delay(0).At(githubtest.CheckEndpoint).Always())
	w.gh.Inject(githubtest.DropReply())
	w.request("octocat", "1")
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonReplyLost)
	w.settle()
	checks := asked.Hits()
	for range 3 {
		w.meter.leap(2 * youngToken)
		w.touch("octocat")
		w.quiet()
	}
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonReplyLost)
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonReplyLost)
	if now := asked.Hits(); now != checks {
		t.Errorf("GitHub was asked %d times about a token that an exchange has ended", now-checks)
	}
	if notes := w.eventsOf("octocat", v1alpha1.ReasonRevoked); len(notes) > 0 {
		t.Errorf("it is called a revocation: %v", notes)
	}
}

// Wrong credentials are not sent again and again, and corrected ones are used at once.
func TestTokenCheckQuestionThatGitHubRefusesIsAskedLessAndLess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.startChecked("octocat")
	w.secret("github-app", map[string]string{"client_secret": "wrong"})
	asked := w.gh.Inject(githubtest.Delay(0).At(githubtest.CheckEndpoint).Always())
	// Some of them, for the first may have been with the right secret still.
	for want := range 7 {
		w.meter.leap(10 * time.Second << want)
		w.touch("octocat")
		w.eventually("a question", func() (bool, string) { return asked.Hits() > want, suite.Describe(w.get("octocat")) })
		w.settle()
	}
	w.quiet()
	asks := asked.Hits()
	w.meter.leap(2 * checkEvery)
	w.touch("octocat")
	w.quiet()
	if now := asked.Hits(); now != asks {
		t.Errorf("after %d refusals GitHub was asked again within %s", asks, 2*checkEvery)
	}
	w.secret("github-app", map[string]string{"client_secret": clientSecret})
	w.eventually("a question with the right secret", func() (bool, string) { return asked.Hits() > asks, suite.Describe(w.get("octocat")) })
}

func TestTokenCheckNothingIsCheckedUnlessAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	asked := w.gh.Inject(githubtest.Delay(0).At(githubtest.CheckEndpoint).Always())
	w.start("octocat")
	w.account("octocat")
	w.gh.RevokeGrant(clientID, "octocat")
	w.meter.leap(time.Hour)
	w.touch("octocat")
	w.quiet()
	if n := asked.Hits(); n != 0 {
		t.Errorf("GitHub was asked %d times whether the token is alive", n)
	}
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, "")
}

// What has ended a refresh token may have ended the access token as well: nobody is told that it works until it expires.
func TestTokenCheckTokenThatEndedWithItsRefreshTokenIsNotCalledGood(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.start("octocat")
	w.account("octocat")
	w.meter.leap(2 * youngToken)
	w.gh.RevokeGrant(clientID, "octocat")
	w.request("octocat", "now")
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonRefreshTokenRejected)
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRefreshTokenRejected)
	w.quiet()
}
