package controllers

import (
	"testing"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// rests reports whether a start would find the resource at rest.
func rests(t *testing.T, w *world) bool {
	t.Helper()
	token := w.get("octocat")
	return isAtRest(token, w.reconciler.cachedPair(t.Context(), token))
}

// Nearly all that a start finds is at rest, or the others would wait for it.
func TestStartFindsAResourceAtRestThatIsWell(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	atRest := func(when string) {
		t.Helper()
		w.settle()
		w.eventually(when, func() (bool, string) {
			return rests(t, w), suite.Describe(w.get("octocat"))
		})
	}
	w.startWith("octocat", v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatOpaque})
	atRest("rest after the login")
	w.request("octocat", "1")
	w.refreshed("octocat", 2)
	atRest("rest after a refresh that was asked for")
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Suspend = true })
	atRest("rest of a suspended resource")
	w.restart()
	atRest("rest after a restart")
}

func TestStartFindsAResourceAtRestAfterALoginByCode(t *testing.T) {
	t.Parallel()
	w := withDevice(t, 0)
	w.create(w.withoutSeed("octocat"))
	code := w.code("octocat")
	if rests(t, w) {
		t.Error("it rests although somebody may have entered the code")
	}
	w.enter(code, "octocat")
	w.ready("octocat")
	w.eventually("rest", func() (bool, string) {
		return rests(t, w), suite.Describe(w.get("octocat"))
	})
}
