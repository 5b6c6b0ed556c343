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

func TestKindsTokenThatDoesNotExpireIsReadyAndNeverRefreshed(t *testing.T) {
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

// An access token that expires came without a refresh token. A person is called at once, and not when it is dead.
func TestKindsTokenThatEndsForGoodIsReportedWhileItWorks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.seed("octocat", "octocat")
	w.gh.UpdateApp(clientID, func(app *githubtest.App) { app.NoRefreshToken = true })
	w.create(w.resource("octocat"))
	found := w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonRefreshTokenNotIssued)
	status := w.get("octocat").Status
	ends := status.AccessTokenExpirationTime.UTC().Format(time.RFC3339)
	for _, part := range []string{"ends for good at " + ends, "log in again before then", `new refresh token into key "refresh_token" of Secret "octocat-seed"`} {
		if !strings.Contains(found.Message, part) {
			t.Errorf("the message does not say %q: %s", part, found.Message)
		}
	}
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
	w.condition("octocat", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRefreshTokenNotIssued)
	w.eventually("one event", func() (bool, string) {
		return len(w.eventsOf("octocat", v1alpha1.ReasonRefreshTokenNotIssued)) > 0, suite.Describe(w.get("octocat"))
	})
	secret := w.pair("octocat-token")
	if status.NextRefreshTime != nil || secret.Annotations[v1alpha1.AnnotationNextRefreshAt] != "" || secret.Annotations[v1alpha1.AnnotationExpiresAt] == "" {
		t.Errorf("the next refresh is told although there is none: %v, %v", status.NextRefreshTime, secret.Annotations)
	}
	w.request("octocat", "1") // There is nothing that could be exchanged.
	w.restart()
	w.quiet()
	w.presented(1)
	w.gh.UpdateApp(clientID, func(app *githubtest.App) { app.NoRefreshToken = false })
	w.seed("octocat", "octocat")
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionTrue, v1alpha1.ReasonRefreshTokenValid)
	w.ready("octocat")
	w.presented(2)
}

// Nothing happens when it ends but that the time passes; with the device flow a code is offered before.
func TestKindsTokenThatEndsForGoodIsReportedWhenItHasEnded(t *testing.T) {
	t.Parallel()
	app := deviceApp()
	app.AccessTokenLifetime, app.NoRefreshToken = 20*time.Second, true
	w := newWorld(t, worldOptions{app: app})
	w.gh.UpdateApp(clientID, func(app *githubtest.App) { app.NoRefreshToken = false })
	w.seed("octocat", "octocat")
	login := w.login("hubot")
	w.gh.UpdateApp(clientID, func(app *githubtest.App) { app.NoRefreshToken = true })
	w.create(w.resource("octocat"))
	w.secret("hubot-seed", map[string]string{"refresh_token": login})
	token := w.resource("hubot")
	token.Spec.Login = suite.DeviceLogin()
	w.create(token)
	found := w.condition("hubot", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonRefreshTokenNotIssued)
	if !strings.Contains(found.Message, "The operator offers a code to enter at GitHub from ") {
		t.Errorf("the message does not say when: %s", found.Message)
	}
	w.noCode("hubot")
	code := w.code("hubot")
	if now := w.get("hubot").Status.AccessTokenExpirationTime.Time; !time.Now().Before(now) {
		t.Errorf("the code was offered after %s", now)
	}
	ended := w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRefreshTokenNotIssued)
	if !strings.Contains(ended.Message, "The access token expired at ") || !strings.Contains(ended.Message, "Authorize the App again") {
		t.Errorf("the message does not tell: %s", ended.Message)
	}
	w.condition("hubot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAuthorizationPending)
	w.gh.UpdateApp(clientID, func(app *githubtest.App) { app.NoRefreshToken = false })
	w.enter(code, "hubot")
	w.condition("hubot", v1alpha1.ConditionAuthorized, metav1.ConditionTrue, v1alpha1.ReasonRefreshTokenValid)
}

func TestKindsTokensOfEveryKindAndShapeAreKeptFresh(t *testing.T) {
	t.Parallel()
	each(t, map[string]githubtest.App{
		"an OAuth App":         {Kind: githubtest.OAuthApp, Scope: "repo,read:org"},
		"numbers as strings":   {NumbersAsStrings: true},
		"long tokens":          {AccessTokenLength: 500, RefreshTokenLength: 900},
		"tokens with dots":     {LongTokens: true},
		"unknown prefixes":     {AccessTokenPrefix: "ghx_", RefreshTokenPrefix: "ghy_"},
		"a lifetime of 5s":     {AccessTokenLifetime: 5 * time.Second},
		"a lifetime of a year": {AccessTokenLifetime: 365 * 24 * time.Hour},
		"a refresh token that ends before the access token":          {AccessTokenLifetime: time.Hour, RefreshTokenLifetime: 6 * time.Second},
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
		if lifetime > time.Minute && app.RefreshTokenLifetime != 6*time.Second {
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

func TestKindsRefreshTokenThatExpiredUnusedIsReportedAsSuch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: githubtest.App{AccessTokenLifetime: 16 * time.Second, RefreshTokenLifetime: 18 * time.Second}})
	w.start("octocat")
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Suspend = true })
	w.eventually("the refresh token to expire", func() (bool, string) {
		return !w.gh.Alive(refresh(w.pair("octocat-token"))), "it is alive"
	})
	w.meter.leap(2 * time.Second) // Past its expiry by the operator's clock as well: it is told in whole seconds.
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Suspend = false })
	w.refused("octocat", refusal{reason: v1alpha1.ReasonRefreshTokenExpired, says: "it was not used within its lifetime. Authorize the App again", unauthorized: true})
	w.quiet()
}
