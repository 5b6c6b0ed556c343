package controllers

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

func TestATokenThatDoesNotExpireIsReadyAndNeverRefreshed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.seed("octocat", "octocat")
	w.gh.UpdateApp(clientID, func(app *githubtest.App) { app.NoExpiry = true })
	w.create(w.resource("octocat"))
	ready := w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenDoesNotExpire)
	if !strings.Contains(ready.Message, "expiry is switched off in the App") {
		t.Errorf("the message does not say why: %s", ready.Message)
	}
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionTrue, v1alpha1.ReasonNoRefreshToken)
	status := w.get("octocat").Status
	if status.AccessTokenExpirationTime != nil || status.NextRefreshTime != nil || status.RefreshTokenExpirationTime != nil {
		t.Errorf("the status speaks of an expiry: %+v", status)
	}
	secret := w.pair("octocat-token")
	if !w.gh.Alive(access(secret)) {
		t.Error("the access token is dead")
	}
	for _, key := range []string{v1alpha1.KeyRefreshToken, v1alpha1.KeyExpiresAt, v1alpha1.KeyRefreshTokenExpiresAt} {
		if _, present := secret.Data[key]; present {
			t.Errorf("the Secret has the key %s", key)
		}
	}
	w.quiet()
	w.request("octocat", "1") // There is nothing that could be exchanged.
	w.restart()
	w.quiet()
	w.presented(1)
	// It is put back like any other.
	w.remove(w.secretNamed("octocat-token"))
	w.eventually("the Secret to be put back", func() (bool, string) {
		now := w.find("octocat-token")
		return now != nil && now.UID != secret.UID && access(now) == access(secret), "it is not"
	})
	// Expiry is switched on again: a new login brings a pair.
	w.gh.UpdateApp(clientID, func(app *githubtest.App) { app.NoExpiry = false })
	w.seed("octocat", "octocat")
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
	w.ready("octocat")
	w.presented(2)
}

func TestTokensOfEveryKindAndShapeAreKeptFresh(t *testing.T) {
	t.Parallel()
	each(t, map[string]githubtest.App{
		"an OAuth App":         {Kind: githubtest.OAuthApp, Scope: "repo,read:org"},
		"numbers as strings":   {NumbersAsStrings: true},
		"long tokens":          {AccessTokenLength: 500, RefreshTokenLength: 900},
		"tokens with dots":     {LongTokens: true},
		"unknown prefixes":     {AccessTokenPrefix: "ghx_", RefreshTokenPrefix: "ghy_"},
		"a lifetime of 5s":     {AccessTokenLifetime: 5 * time.Second},
		"a lifetime of a year": {AccessTokenLifetime: 365 * 24 * time.Hour},
		"a refresh token that lives no longer than the access token": {AccessTokenLifetime: time.Hour, RefreshTokenLifetime: time.Hour},
	}, func(t *testing.T, app githubtest.App) {
		w := newWorld(t, worldOptions{app: app})
		w.start("octocat")
		lifetime := app.AccessTokenLifetime
		if lifetime == 0 {
			lifetime = 8 * time.Hour
		}
		status := w.get("octocat").Status
		if told := status.AccessTokenExpirationTime.Sub(status.LastRefreshTime.Time); (told - lifetime).Abs() > 2*time.Second {
			t.Errorf("the token is said to live for %s, want %s", told, lifetime)
		}
		if lifetime > time.Minute {
			w.quiet()
			w.presented(1)
			w.request("octocat", "1")
		}
		w.eventually("the next pair", func() (bool, string) {
			return w.get("octocat").Status.RefreshCount >= 2, suite.Describe(w.get("octocat"))
		})
		w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
	})
}

func TestARefreshTokenThatExpiredUnusedIsReportedAsSuch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: githubtest.App{AccessTokenLifetime: 6 * time.Second, RefreshTokenLifetime: 8 * time.Second}})
	w.start("octocat")
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Suspend = true })
	w.eventually("the refresh token to expire", func() (bool, string) {
		return !w.gh.Alive(refresh(w.pair("octocat-token"))), "it is alive"
	})
	time.Sleep(1200 * time.Millisecond) // Past its expiry by the operator's clock as well: it is told in whole seconds.
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Suspend = false })
	w.refused("octocat", refusal{reason: v1alpha1.ReasonRefreshTokenExpired, says: "it was not used within its lifetime. Authorize the App again", unauthorized: true})
	w.quiet()
}
