package controllers

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

const oauthClientID = "Ov23liEXAMPLE"

// withOAuthApp is a world with an OAuth App that gives refresh tokens by the device flow only to who asks for them.
func withOAuthApp(t *testing.T, change func(*githubtest.App)) *world {
	t.Helper()
	w := newWorld(t, worldOptions{})
	app := githubtest.App{
		ClientID: oauthClientID, Kind: githubtest.OAuthApp, DeviceFlow: true, DeviceInterval: time.Second, OfflineAccess: true,
	}
	if change != nil {
		change(&app)
	}
	w.gh.AddApp(app)
	return w
}

// authorize has a person enter the code of a new resource that asks for some scopes, and returns what GitHub gave out.
func (w *world) authorize(name string, scopes ...string) githubtest.Pair {
	w.t.Helper()
	token := w.withoutSeed(name)
	token.Spec.App.ClientID, token.Spec.Login.Scopes = oauthClientID, scopes
	w.create(token)
	w.enter(w.code(name), "octocat")
	w.condition(name, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
	pair, found := w.gh.Newest(oauthClientID, "octocat")
	if !found || !w.gh.Alive(pair.AccessToken) {
		w.t.Fatal("GitHub gave out no pair")
	}
	return pair
}

func TestDeviceFlowOAuthAppGetsARefreshTokenByTheDeviceFlow(t *testing.T) {
	t.Parallel()
	w := withOAuthApp(t, nil)
	pair := w.authorize("octocat", "repo", "read:org")
	if got := strings.Split(pair.Scope, ","); !slices.Equal(got, []string{"repo", "read:org", "offline_access"}) {
		t.Errorf("the token has the scopes %q", got)
	}
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionTrue, v1alpha1.ReasonRefreshTokenValid)
	w.request("octocat", "1")
	w.refreshed("octocat", 2)
	if next, _ := w.gh.Newest(oauthClientID, "octocat"); next.Scope != pair.Scope || next.RefreshToken == "" {
		t.Errorf("the next pair has the scopes %q, and a refresh token: %t", next.Scope, next.RefreshToken != "")
	}
	// Other scopes count for the next code: what is stored goes on.
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Login.Scopes = []string{"gist"} })
	w.quiet()
	w.presented(1)
}

func TestDeviceFlowHostThatDoesNotKnowOfflineAccessOffersACodeAllTheSame(t *testing.T) {
	t.Parallel()
	w := withOAuthApp(t, func(app *githubtest.App) {
		app.OfflineAccess, app.InvalidScopes = false, []string{"offline_access", "rpeo"}
	})
	if pair := w.authorize("octocat", "repo"); pair.Scope != "repo" {
		t.Errorf("the token has the scopes %q", pair.Scope)
	}
	misspelt := w.withoutSeed("hubot")
	misspelt.Spec.App.ClientID, misspelt.Spec.Login.Scopes = oauthClientID, []string{"rpeo"}
	w.create(misspelt)
	w.refused("hubot", refusal{reason: v1alpha1.ReasonAppMisconfigured, says: "correct the scopes in the spec", retried: true})
	w.change("hubot", func(token *v1alpha1.GitHubUserToken) { token.Spec.Login.Scopes = []string{"repo"} })
	w.enter(w.code("hubot"), "octocat")
	w.condition("hubot", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
}
