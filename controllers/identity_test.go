package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// account waits until the status tells the account of a token.
func (w *world) account(name string) *v1alpha1.User {
	w.t.Helper()
	var user *v1alpha1.User
	w.eventually("the account of "+name, func() (bool, string) {
		token := w.get(name)
		user = token.Status.User
		return user != nil, suite.Describe(token)
	})
	return user
}

// pinned is a resource that takes the tokens of one account only.
func (w *world) pinned(name string, user v1alpha1.UserSelector) *v1alpha1.GitHubUserToken {
	token := w.resource(name)
	token.Spec.User = &user
	return token
}

func TestAccountIsLearntOnceForALogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	asked := w.gh.Inject(githubtest.Delay(0).At(githubtest.UserEndpoint).Always())
	w.start("octocat")
	if user := w.account("octocat"); user.Login != "octocat" || user.ID == 0 {
		t.Errorf("the status tells of the account %+v", user)
	}
	w.request("octocat", "1")
	w.refreshed("octocat", 2)
	w.restart()
	w.request("octocat", "2")
	w.refreshed("octocat", 3)
	w.quiet()
	if n := asked.Hits(); n != 1 {
		t.Errorf("GitHub was asked %d times whose the token is, want once", n)
	}
	// A new login may be of another account.
	w.seed("octocat", "hubot")
	w.eventually("the account of the new login", func() (bool, string) {
		token := w.get("octocat")
		return token.Status.User != nil && token.Status.User.Login == "hubot", suite.Describe(token)
	})
}

func TestAccountThatCannotBeLearntHoldsNothingUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.gh.Inject(githubtest.Unavailable().At(githubtest.UserEndpoint).Always())
	w.startUnknown("octocat")
	w.request("octocat", "1")
	w.refreshed("octocat", 2)
	w.ready("octocat")
	if user := w.get("octocat").Status.User; user != nil {
		t.Errorf("the status tells of the account %+v, which nobody can know", user)
	}
	w.gh.ClearFaults()
	w.meter.leap(time.Hour) // The next question may be far off.
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
		metav1.SetMetaDataAnnotation(&token.ObjectMeta, "look", "again")
	})
	w.account("octocat")
}

func TestAccountTokenOfThePinnedAccountIsStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	user := w.gh.AddUser(githubtest.User{Login: "Octocat"})
	for name, pin := range map[string]v1alpha1.UserSelector{
		"by-login": {Login: "octoCAT"}, "by-id": {ID: user.ID}, "by-both": {Login: "octocat", ID: user.ID},
	} {
		w.seed(name, "octocat")
		w.create(w.pinned(name, pin))
		w.ready(name)
		if got := w.account(name); got.ID != user.ID || got.Login != "Octocat" {
			t.Errorf("%s: the status tells of the account %+v", name, got)
		}
	}
}

func TestAccountTokenOfAnotherAccountIsEndedAndNeverStored(t *testing.T) {
	t.Parallel()
	each(t, map[string]v1alpha1.UserSelector{
		"login": {Login: "octocat"}, "id": {ID: 1}, "the id of another login": {Login: "hubot", ID: 1},
	}, func(t *testing.T, pin v1alpha1.UserSelector) {
		w := newWorld(t, worldOptions{})
		w.gh.AddUser(githubtest.User{Login: "octocat", ID: 1})
		seed := w.seed("octocat", "hubot")
		w.create(w.pinned("octocat", pin))
		w.refused("octocat", refusal{reason: v1alpha1.ReasonWrongUser, says: "spec.user", unauthorized: true})
		if secret := w.find("octocat-token"); secret != nil && (access(secret) != "" || refresh(secret) != "") {
			t.Error("the pair of another account stands in the Secret")
		}
		w.eventually("the pair of the other account to be ended", func() (bool, string) {
			pair, known := w.gh.Last(seed)
			return known && !w.gh.Alive(pair.AccessToken) && !w.gh.Alive(pair.RefreshToken), "it is alive"
		})
		w.quiet()
		w.presented(1)
		if pin.Login != "octocat" {
			return
		}
		w.seed("octocat", "octocat")
		w.ready("octocat")
		w.account("octocat")
	})
}

// GitHub may not know the token yet when it is to be ended.
func TestAccountTokenOfAnotherAccountIsEndedAsSoonAsGitHubKnowsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	notYet := w.gh.Inject(githubtest.RESTError(404, "Not Found").At(githubtest.DeleteTokenEndpoint).Times(2))
	w.gh.Inject(githubtest.RESTError(404, "Not Found").At(githubtest.RevokeEndpoint).Always()) // There is no such endpoint.
	seed := w.seed("octocat", "hubot")
	w.create(w.pinned("octocat", v1alpha1.UserSelector{Login: "octocat"}))
	w.refused("octocat", refusal{reason: v1alpha1.ReasonWrongUser, says: "spec.user", unauthorized: true})
	w.eventually("the pair of the other account to be ended", func() (bool, string) {
		pair, known := w.gh.Last(seed)
		return known && !w.gh.Alive(pair.AccessToken) && !w.gh.Alive(pair.RefreshToken), "it is alive"
	})
	if n := notYet.Hits(); n != 2 {
		t.Errorf("GitHub was told of %d times to end a token that it did not know", n)
	}
}

// While GitHub does not say whose a received pair is, the pair is kept, and the status says so.
func TestAccountPinnedLoginIsKeptUntilGitHubSaysWhoseItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	fault := w.gh.Inject(githubtest.Unavailable().At(githubtest.UserEndpoint).Always())
	w.seed("octocat", "octocat")
	w.create(w.pinned("octocat", v1alpha1.UserSelector{Login: "octocat"}))
	w.eventually("the status to tell why the pair is not stored", func() (bool, string) {
		token := w.get("octocat")
		return saysKept(token), suite.Describe(token)
	})
	if secret := w.find("octocat-token"); secret != nil && access(secret) != "" {
		t.Error("the pair stands in the Secret although nobody knows whose it is")
	}
	fault.Remove()
	w.ready("octocat")
	w.account("octocat")
	w.presented(1)
}

// GitHub's refusal of a new token counts when it has lasted. One after an outage, or before one, does not.
func TestAccountNewTokenIsDeadOnlyWhenGitHubGoesOnRefusingIt(t *testing.T) {
	t.Parallel()
	refuses, away := githubtest.RESTError(401, "Bad credentials"), githubtest.Unavailable()
	each(t, map[string]struct {
		before, after githubtest.Fault // deadAfter is over; a refusal follows
		dead          bool
	}{
		"refused all the time":    {before: refuses, after: refuses, dead: true},
		"refused after an outage": {before: away, after: refuses},
		"an outage in between":    {before: refuses, after: away},
	}, func(t *testing.T, c struct {
		before, after githubtest.Fault
		dead          bool
	},
	) {
		w := newWorld(t, worldOptions{})
		before := w.gh.Inject(c.before.At(githubtest.UserEndpoint).Always())
		seed := w.seed("octocat", "octocat")
		w.create(w.pinned("octocat", v1alpha1.UserSelector{Login: "octocat"}))
		w.eventually("the status to tell why the pair is not stored", func() (bool, string) {
			token := w.get("octocat")
			return saysKept(token), suite.Describe(token)
		})
		after := w.gh.Inject(c.after.At(githubtest.UserEndpoint).OnceReleased())
		last := w.gh.Inject(refuses.At(githubtest.UserEndpoint))
		before.Remove()
		w.arrived(after)
		w.meter.leap(deadAfter + time.Minute)
		after.Release()
		if c.dead {
			w.refused("octocat", refusal{reason: v1alpha1.ReasonRevoked, says: "revoked", unauthorized: true})
			return
		}
		w.ready("octocat")
		if after.Hits() != 1 || last.Hits() != 1 {
			t.Errorf("GitHub was asked %d and %d times", after.Hits(), last.Hits())
		}
		if pair, known := w.gh.Last(seed); !known || !w.gh.Alive(pair.RefreshToken) {
			t.Error("the pair is dead")
		}
		w.presented(1)
	})
}

func saysKept(token *v1alpha1.GitHubUserToken) bool {
	for _, c := range token.Status.Conditions {
		if c.Type == v1alpha1.ConditionReconciling && len(c.Message) > 0 && strings.Contains(c.Message, "kept safe") {
			return true
		}
	}
	return false
}

// A chain that was admitted is not thrown away because somebody edits spec.user.
func TestAccountAnotherPinReportsTheChainAndLeavesIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	w.account("octocat")
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.User = &v1alpha1.UserSelector{Login: "hubot"} })
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonWrongUser)
	stalled := w.condition("octocat", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonWrongUser)
	if !strings.Contains(stalled.Message, "octocat") || !strings.Contains(stalled.Message, "correct spec.user") {
		t.Errorf("the message does not tell whose the pair is and what to do: %s", stalled.Message)
	}
	w.quiet()
	w.samePair(before, w.alive("octocat-token"))
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.User = &v1alpha1.UserSelector{Login: "octocat"} })
	w.samePair(before, w.ready("octocat"))
	w.presented(1)
}

// Who may write the pair Secret can put any token there, but not in the name of another account.
func TestAccountLoginOfAnotherAccountPastedIntoThePairSecretIsReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.seed("octocat", "octocat")
	w.create(w.pinned("octocat", v1alpha1.UserSelector{Login: "octocat"}))
	w.ready("octocat")
	w.account("octocat")
	w.patchSecret("octocat-token", fmt.Sprintf(`{"stringData":{"refresh_token":%q}}`, w.login("hubot")))
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonWrongUser)
	if user := w.account("octocat"); user.Login != "hubot" {
		t.Errorf("the status tells of the account %+v", user)
	}
}

// When GitHub has not said whose a pair is for as long as access tokens live, it is not waited for any longer: the pair is ended, the outbox is free, and a person is asked for another login.
func TestAccountPinnedLoginIsGivenUpWhenItsTokenHasDiedUnknown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{
		app:        githubtest.App{AccessTokenLifetime: 3 * verifyTime},
		controller: func(o *Options) { o.MaxConcurrentExchanges = 1 },
	})
	fault := w.gh.Inject(githubtest.Unavailable().At(githubtest.UserEndpoint).Always())
	seed := w.seed("octocat", "octocat")
	w.create(w.pinned("octocat", v1alpha1.UserSelector{Login: "octocat"}))
	w.eventually("the status to tell why the pair is not stored", func() (bool, string) {
		token := w.get("octocat")
		return saysKept(token), suite.Describe(token)
	})
	// Meanwhile it takes nobody's place.
	w.startUnknown("hubot")
	w.meter.leap(verifyTime + time.Minute)
	w.refused("octocat", refusal{reason: v1alpha1.ReasonUserUnknown, says: "Authorize the App again", unauthorized: true})
	if secret := w.find("octocat-token"); secret != nil && (access(secret) != "" || refresh(secret) != "") {
		t.Error("a pair of nobody knows whom stands in the Secret")
	}
	if pair, known := w.gh.Last(seed); !known || w.gh.Alive(pair.AccessToken) || w.gh.Alive(pair.RefreshToken) {
		t.Error("the pair lives on at GitHub")
	}
	w.eventually("the outbox to be free", func() (bool, string) {
		records, err := w.reconciler.Outbox.List()
		w.must(err)
		return len(records) == 0, "it holds a record"
	})
	fault.Remove()
	w.seed("octocat", "octocat")
	w.ready("octocat")
	w.account("octocat")
}
