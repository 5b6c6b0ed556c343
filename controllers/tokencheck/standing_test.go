package tokencheck

import (
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

var errSuspended = &github.Error{Reason: github.AccountSuspended, Host: "github.com"}

// withoutSecret makes the token itself the one that asks.
func (w *world) withoutSecret() *world {
	w.secretErr = errStore
	return w
}

func (w *world) standing() scope.Standing { return w.checks.Standing(w.scope()) }

func TestTokenCheckAnAccountThatMayDoNothing(t *testing.T) {
	for name, c := range map[string]struct {
		replies []reply
		secret  bool
		reason  string
		says    string
	}{
		"once is not believed":               {replies: []reply{{err: errSuspended}, {alive: true}}},
		"twice is":                           {replies: []reply{{err: errSuspended}}, reason: v1alpha1.ReasonAccountSuspended, says: "GitHub has suspended the account"},
		"an outage in between counts nobody": {replies: []reply{{err: errSuspended}, {err: errOutage}, {err: errSuspended}}, reason: v1alpha1.ReasonAccountSuspended, says: "suspended"},
		"an outage later takes nothing back": {replies: []reply{{err: errSuspended}, {err: errSuspended}, {err: errOutage}}, reason: v1alpha1.ReasonAccountSuspended, says: "suspended"},
		"until GitHub takes the token":       {replies: []reply{{err: errSuspended}, {err: errSuspended}, {alive: true}}},
		"what an App hears is about others":  {replies: []reply{{err: errSuspended}}, secret: true},
		"an account that has not paid":       {replies: []reply{{err: &github.Error{Reason: github.BillingIssue}}}, reason: v1alpha1.ReasonAppMisconfigured, says: "because of its billing"},
		"an address that was never verified": {replies: []reply{{err: &github.Error{Reason: github.UnverifiedEmail}}}, reason: v1alpha1.ReasonAppMisconfigured, says: "verified primary email"},
		"too many bad credentials":           {replies: []reply{{err: &github.Error{Reason: github.LoginAttemptsExceeded}}}},
		"something else that is forbidden":   {replies: []reply{{err: &github.Error{Reason: github.Forbidden}}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.replies...).checked()
			if !c.secret {
				w.withoutSecret()
			}
			w.pass(time.Minute)
			got := w.standing()
			if got.Reason != c.reason || !strings.Contains(got.Message, c.says) || (got.Message == "") != (c.reason == "") {
				t.Errorf("after %d checks: %+v", w.asked, got)
			}
			if w.marked != 0 {
				t.Error("it was taken for a revocation")
			}
		})
	}
}

// SAML and IP allow lists keep a token from one organization; it works elsewhere.
func TestTokenCheckWhatAnOrganizationKeepsFromAToken(t *testing.T) {
	for name, c := range map[string]struct {
		reply reply
		says  string
	}{
		"said beside a living token": {reply{alive: true, hidesFrom: "an organization hides"}, "An organization hides."},
		"single sign-on":             {reply{err: &github.Error{Reason: github.SingleSignOn}}, "the operator cannot check the token"},
		"an IP allow list":           {reply{err: &github.Error{Reason: github.AddressNotPermitted}}, "does not permit the operator's address"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.reply).checked().withoutSecret()
			w.pass(time.Minute)
			if got := w.standing(); got.IsBarred() || !strings.Contains(got.Message, c.says) {
				t.Errorf("it stands as %+v", got)
			}
			w.replies = []reply{{err: errOutage}}
			w.pass(time.Minute)
			if got := w.standing(); got.Message == "" {
				t.Error("an outage has taken it back")
			}
			w.replies = []reply{{alive: true}}
			w.pass(time.Minute)
			if got := w.standing(); got != (scope.Standing{}) {
				t.Errorf("afterwards it stands as %+v", got)
			}
		})
	}
}

// A restart is no reason to call the token good again, and what the status says is checked at once.
func TestTokenCheckWhatTheStatusSaysCountsUntilGitHubIsAsked(t *testing.T) {
	told := words.Barred(errSuspended)
	w := newWorld(t, reply{alive: true}).checked().withoutSecret()
	w.token.Status.Conditions = []metav1.Condition{{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonAccountSuspended, Message: told,
	}}
	if got := w.standing(); got != (scope.Standing{Reason: v1alpha1.ReasonAccountSuspended, Message: told}) {
		t.Errorf("before the first check it stands as %+v", got)
	}
	w.sync()
	if w.asked != 1 {
		t.Errorf("GitHub was asked %d times at once", w.asked)
	}
	if got := w.standing(); got != (scope.Standing{}) {
		t.Errorf("GitHub has taken the token, and it stands as %+v", got)
	}
	w = newWorld(t, reply{alive: true})
	w.token.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonAccountSuspended, Message: told}}
	if got := w.standing(); got != (scope.Standing{}) {
		t.Errorf("nobody asks, and it stands as %+v", got)
	}
}

// The next token is the same account's: it stands as the one before, and is asked about at once.
func TestTokenCheckTheNextTokenOfABarredAccountIsCheckedAtOnce(t *testing.T) {
	w := newWorld(t, reply{err: errSuspended}).checked().withoutSecret()
	w.pass(time.Minute)
	asked := w.asked
	w.live.AccessToken = credential.NewAccessToken("ghu_2")
	w.live.State.AccessToken = w.live.AccessToken.Fingerprint()
	if got := w.standing(); !got.IsBarred() {
		t.Error("the next token counts as good before anybody has asked")
	}
	w.sync()
	if w.asked != asked+1 || !w.standing().IsBarred() {
		t.Errorf("asked %d times at once, and it stands as %+v", w.asked-asked, w.standing())
	}
	w.pass(10 * time.Second)
	if more := w.asked - asked; more > 4 {
		t.Errorf("asked %d times in ten seconds", more)
	}
}

// Whose a token is is asked without spec.checkInterval, too, and answered in the same way.
func TestTokenCheckALoginWhoseAccountMayDoNothing(t *testing.T) {
	w := newWorld(t, reply{err: errSuspended})
	w.live.State.User = nil
	w.pass(10 * time.Second)
	if got := w.standing(); got.Reason != v1alpha1.ReasonAccountSuspended {
		t.Errorf("after %d questions it stands as %+v", w.asked, got)
	}
	w.replies = []reply{{user: github.User{Login: "octocat", ID: 7}}}
	w.pass(time.Hour)
	if got := w.standing(); got != (scope.Standing{}) || w.learnt != 1 {
		t.Errorf("afterwards it stands as %+v, and the account was learnt %d times", got, w.learnt)
	}
	if at := w.checks.Sync(logr.Discard(), w.scope()); !at.IsZero() || w.memory.Len() != 0 {
		t.Error("something is remembered of a resource about which there is nothing to ask")
	}
}
