package controllers

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

func TestSeedNewLoginWinsOverAWorkingChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	login := w.seed("octocat", "octocat")
	w.eventually("the new login to be exchanged", func() (bool, string) {
		return w.gh.ExchangesOf(login) == 1 && access(w.pair("octocat-token")) != access(before), suite.Describe(w.get("octocat"))
	})
	w.refreshed("octocat", 1)
	after := w.ready("octocat")
	if last, _ := w.gh.Last(login); last.AccessToken != access(after) {
		t.Error("the Secret does not hold the pair of the new login")
	}
	w.quiet()
	w.presented(2)
}

func TestSeedNewLoginWinsOverADeadChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	w.gh.Revoke(refresh(before))
	w.request("octocat", "1")
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonRefreshTokenRejected)
	w.quiet()
	w.presented(2)
	w.seed("octocat", "octocat")
	w.ready("octocat")
	w.quiet()
	w.presented(3)
}

func TestSeedBadNewSeedDoesNotHurtAWorkingChain(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		change    func(w *world)
		says      string
		presented int
	}{
		"of another kind": {func(w *world) {
			w.secret("octocat-seed", map[string]string{"refresh_token": "ghp_abc"})
		}, seeds.UnusablePrefix, 0},
		"empty": {func(w *world) {
			w.secret("octocat-seed", map[string]string{"refresh_token": ""})
		}, seeds.UnusablePrefix, 0},
		"without its key": {func(w *world) {
			w.patchSecret("octocat-seed", `{"data":{"refresh_token":null,"other":"eA=="}}`)
		}, seeds.UnusablePrefix, 0},
		"unknown to GitHub": {func(w *world) {
			w.secret("octocat-seed", map[string]string{"refresh_token": "ghr_nobodyeverissuedthis"})
		}, "The newer login in the seed was refused (RefreshTokenRejected), so the chain before it goes on.", 1},
	}
	each(t, cases, func(t *testing.T, c struct {
		change    func(w *world)
		says      string
		presented int
	},
	) {
		w := newWorld(t, worldOptions{})
		before := w.start("octocat")
		c.change(w)
		w.says("octocat", v1alpha1.ConditionAuthorized, c.says)
		w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
		w.samePair(before, w.ready("octocat"))
		w.quiet()
		w.presented(1 + c.presented)
		w.restart()
		w.quiet()
		w.says("octocat", v1alpha1.ConditionAuthorized, c.says)
		w.presented(1 + c.presented)
		w.request("octocat", "1") // Which also has a refused login presented once more.
		w.refreshed("octocat", 2)
		w.ready("octocat")
		w.presented(2 + 2*c.presented)
		// A good login ends it.
		w.seed("octocat", "octocat")
		w.refreshed("octocat", 1)
		w.ready("octocat")
		w.presented(3 + 2*c.presented)
		if message := w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionTrue, "").Message; message != "The refresh token is believed to be good." {
			t.Errorf("Authorized still says %q", message)
		}
	})
}

func TestSeedAfterItsImportChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	seed := w.seed("octocat", "octocat")
	w.create(w.resource("octocat"))
	before := w.ready("octocat")
	same := func() {
		w.t.Helper()
		w.quiet()
		w.samePair(before, w.ready("octocat"))
		w.presented(1)
	}
	// GitOps applies it again, with another label.
	w.secret("octocat-seed", map[string]string{"refresh_token": seed, "comment": "again"})
	same()
	// It is deleted and made anew, by another tool.
	w.remove(w.secretNamed("octocat-seed"))
	same()
	w.secret("octocat-seed", map[string]string{"refresh_token": seed})
	same()
	w.stop()
	w.remove(w.secretNamed("octocat-seed"))
	w.secret("octocat-seed", map[string]string{"refresh_token": seed + "\n"})
	w.startOperator(w.options)
	same()
	// The reference is moved to another Secret with the same token, and to one that does not exist.
	w.secret("copy", map[string]string{"token": seed})
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
		token.Spec.RefreshTokenRef = &v1alpha1.RefreshTokenReference{Name: "copy", Key: "token"}
	})
	w.observed("octocat")
	same()
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
		token.Spec.RefreshTokenRef = &v1alpha1.RefreshTokenReference{Name: "nowhere"}
	})
	w.observed("octocat")
	same()
	// A rollback puts a former seed back after a newer login: it is known to be spent.
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
		token.Spec.RefreshTokenRef = &v1alpha1.RefreshTokenReference{Name: "octocat-seed"}
	})
	login := w.seed("octocat", "octocat")
	w.eventually("the new login", func() (bool, string) { return w.gh.ExchangesOf(login) == 1, suite.Describe(w.get("octocat")) })
	w.settle()
	w.secret("octocat-seed", map[string]string{"refresh_token": seed})
	w.quiet()
	w.ready("octocat")
	w.presented(2)
}

// A login that arrives while an exchange is under way: the exchange ends as it must, and then the login wins.
func TestSeedNewLoginDuringAnExchangeWins(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	held := w.gh.Inject(holdReply(refresh(before)))
	w.request("octocat", "1")
	w.arrived(held)
	login := w.seed("octocat", "octocat")
	w.settle() // The operator has looked at it, if it does so meanwhile.
	held.Release()
	w.eventually("the new login to be exchanged", func() (bool, string) {
		last, _ := w.gh.Last(login)
		return w.gh.ExchangesOf(login) == 1 && access(w.pair("octocat-token")) == last.AccessToken, suite.Describe(w.get("octocat"))
	})
	w.ready("octocat")
	w.quiet()
	w.presented(3)
}

// GitHub refuses a login by an App that it does not know. That says nothing good of the pair, which is of the former App.
func TestSeedChangedAppThatGitHubDoesNotKnowSaysWhoseThePairIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.App.ClientID = "Iv23liUNKNOWN" })
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonAppChanged)
	w.seed("octocat", "octocat")
	w.condition("octocat", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonIncorrectClientCredentials)
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonAppChanged)
	w.says("octocat", v1alpha1.ConditionAuthorized, "In the way of a login by the App of spec.app")
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
	w.samePair(before, w.alive("octocat-token"))
}

func TestSeedChangedAppWaitsForALoginAndComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	const other = "Iv23liOTHER"
	w.gh.AddApp(githubtest.App{ClientID: other, Secrets: []string{clientSecret}})
	before := w.start("octocat")
	use := func(id string) {
		w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.App.ClientID = id })
	}
	use(other)
	w.refused("octocat", refusal{
		reason: v1alpha1.ReasonAppChanged, unauthorized: true, working: true,
		says: "belongs to another App or host than spec.app. Authorize the App again",
	})
	w.quiet()
	w.presented(1)
	w.samePair(before, w.alive("octocat-token"))
	// Nothing is exchanged on request either.
	w.request("octocat", "1")
	w.quiet()
	w.presented(1)
	// Back again, and the chain goes on as if nothing had been (the request is honoured now).
	use(clientID)
	w.refreshed("octocat", 2)
	w.ready("octocat")
	w.quiet()
	w.presented(2)
	// And over to the other App for good, with a login.
	use(other)
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonAppChanged)
	login := w.gh.Mint(other, "octocat").RefreshToken
	w.minted = append(w.minted, login)
	w.secret("octocat-seed", map[string]string{"refresh_token": login})
	w.eventually("the login of the other App", func() (bool, string) { return w.gh.ExchangesOf(login) == 1, suite.Describe(w.get("octocat")) })
	w.ready("octocat")
	w.presented(3)
}
