package controllers

import (
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// GitHub refuses a good refresh token once: an hour later it is presented once more, or at once when somebody asks, and the chain
// goes on without a login.
func TestRefusalTokenThatGitHubRefusesByMistakeIsPresentedOnceMore(t *testing.T) {
	t.Parallel()
	for name, lift := range map[string]func(*world){
		"when a person asks": func(w *world) { w.request("octocat", "please") },
		"an hour later": func(w *world) {
			w.meter.leap(rotation.AgainAfter + time.Minute)
			w.touch("octocat")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{})
			w.start("octocat")
			w.gh.Inject(githubtest.OAuthError("bad_refresh_token"))
			w.request("octocat", "now")
			w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonRefreshTokenRejected)
			w.says("octocat", v1alpha1.ConditionAuthorized, "presents it once more at")
			w.quiet()
			if shown := len(w.gh.Presentations()); shown != 2 {
				t.Fatalf("%d tokens have been presented before anybody asked, want 2", shown)
			}
			lift(w)
			w.ready("octocat")
			if shown := len(w.gh.Presentations()); shown != 3 {
				t.Errorf("%d tokens have been presented, want 3", shown)
			}
		})
	}
}

// A token that is refused twice waits for a login, whatever is asked, restarted or applied again.
func TestRefusalTokenThatIsRefusedTwiceIsNotPresentedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.start("octocat")
	w.gh.Inject(githubtest.OAuthError("bad_refresh_token").Times(2))
	w.request("octocat", "now")
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonRefreshTokenRejected)
	w.request("octocat", "again")
	w.eventually("the second refusal", func() (bool, string) { return len(w.gh.Presentations()) == 3, "" })
	w.request("octocat", "and again")
	w.quiet()
	w.meter.leap(2 * rotation.AgainAfter)
	w.restart()
	w.touch("octocat")
	w.quiet()
	if shown := len(w.gh.Presentations()); shown != 3 {
		t.Errorf("%d tokens have been presented, want 3", shown)
	}
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonRefreshTokenRejected)
	w.seed("octocat", "octocat")
	w.ready("octocat")
}

// The first login of a resource too can be refused by mistake.
func TestRefusalSeedThatGitHubRefusesByMistakeIsPresentedOnceMoreWhenAPersonAsks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.gh.Inject(githubtest.OAuthError("bad_refresh_token"))
	w.seed("octocat", "octocat")
	w.create(w.resource("octocat"))
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonRefreshTokenRejected)
	w.says("octocat", v1alpha1.ConditionAuthorized, "presents it once more at")
	w.touch("octocat")
	w.quiet()
	if shown := len(w.gh.Presentations()); shown != 1 {
		t.Fatalf("%d tokens have been presented before anybody asked, want 1", shown)
	}
	w.request("octocat", "please")
	w.ready("octocat")
}

// What GitHub has said stands nowhere while the API server refuses the verdict, and goes with the process. The next one finds the
// intent, does not know what came of it, and presents the token once more; what it says then is as careful as it has to be.
func TestRefusalThatCouldNotBeWrittenIsFoundOutAnewAfterARestart(t *testing.T) {
	t.Parallel()
	gate, once := &secretGate{}, sync.Once{}
	w := newWorld(t, worldOptions{config: gate.config, gh: githubtest.Options{}})
	before := w.start("octocat")
	w.gh.Revoke(refresh(before))
	w.gh.Configure(func(o *githubtest.Options) {
		o.OnPresentation = func(githubtest.Presentation) { once.Do(func() { gate.shut.Store(true) }) }
	})
	w.request("octocat", "1")
	w.condition("octocat", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonRefreshTokenRejected)
	w.settle()
	w.presented(2)
	w.stop()
	refused := gate.refused.Load()
	w.startOperator(w.options)
	w.eventually("a fence to be refused", func() (bool, string) { return gate.refused.Load() > refused, "nothing was written" })
	w.settle()
	w.presented(2) // Nothing is sent without a fence.
	gate.shut.Store(false)
	// What the process before has told of the token stands until this one knows more.
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonReplyLost)
	w.quiet()
	w.presented(3)
	w.seed("octocat", "octocat")
	w.ready("octocat")
}
