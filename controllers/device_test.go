package controllers

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// deviceApp is an App with the device flow, whose codes may be polled each second.
func deviceApp() githubtest.App {
	return githubtest.App{DeviceFlow: true, DeviceInterval: time.Second}
}

// withoutSeed is a resource that has nothing but the device flow, and no client secret.
func (w *world) withoutSeed(name string) *v1alpha1.GitHubUserToken {
	token := w.resource(name)
	token.Spec.RefreshTokenRef, token.Spec.App.ClientSecretRef = nil, nil
	token.Spec.Login = suite.DeviceLogin()
	return token
}

// code waits until a resource shows a code other than the given ones, and returns it.
func (w *world) code(name string, others ...string) string {
	w.t.Helper()
	var code string
	w.eventually("a code of "+name, func() (bool, string) {
		token := w.get(name)
		if token.Status.Authorization == nil {
			return false, suite.Describe(token)
		}
		code = token.Status.Authorization.UserCode
		if slices.Contains(others, code) {
			return false, "the same code as before; " + suite.Describe(token)
		}
		return true, ""
	})
	return code
}

// enter does what the person does at GitHub's page.
func (w *world) enter(code, login string) {
	w.t.Helper()
	w.must(w.gh.ApproveDevice(code, login))
}

func TestDeviceFlowPersonAuthorizesByEnteringTheCodeThatTheStatusShows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: deviceApp()})
	w.create(w.withoutSeed("octocat"))
	code := w.code("octocat")
	w.refused("octocat", refusal{reason: v1alpha1.ReasonAuthorizationPending, says: "enter the code " + code, unauthorized: true, retried: true})
	token := w.get("octocat")
	if uri := token.Status.Authorization.VerificationURI; uri != w.site.URL+"/login/device" {
		t.Errorf("the code is to be entered at %s", uri)
	}
	if left := time.Until(token.Status.Authorization.ExpirationTime.Time); left < 14*time.Minute || left > 15*time.Minute {
		t.Errorf("the code is said to be good for %s", left)
	}
	w.enter(code, "octocat")
	w.ready("octocat")
	w.noCode("octocat")
	token = w.get("octocat")
	if token.Status.Authorization != nil || token.Status.RefreshCount != 1 {
		t.Errorf("unexpected status: %+v", token.Status)
	}
	w.eventually("the account in the status", func() (bool, string) {
		user := w.get("octocat").Status.User
		return user != nil && user.Login == "octocat" && user.ID > 0, suite.Describe(w.get("octocat"))
	})
	w.quiet()
	// The chain goes on without a client secret.
	w.request("octocat", "1")
	w.refreshed("octocat", 2)
	w.ready("octocat")
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionTrue, v1alpha1.ReasonRefreshTokenValid)
	w.presented(1)
}
