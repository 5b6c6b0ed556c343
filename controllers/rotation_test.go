package controllers

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

func TestRotationSeedIsImportedOnceAndThePairIsReady(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	seed := w.seed("octocat", "octocat")
	w.create(w.resource("octocat"))
	ready := w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionTrue, v1alpha1.ReasonRefreshTokenValid)

	secret := w.pair("octocat-token")
	access := string(secret.Data[v1alpha1.KeyAccessToken])
	if !w.gh.Alive(access) {
		t.Error("the access token in the Secret is dead")
	}
	if got := w.gh.ExchangesOf(seed); got != 1 {
		t.Errorf("the seed was exchanged %d times, want once", got)
	}
	if string(secret.Data[v1alpha1.KeyTokenType]) != "bearer" || len(secret.Data[v1alpha1.KeyRefreshToken]) == 0 {
		t.Errorf("the Secret lacks a key: it has %d", len(secret.Data))
	}
	if secret.Data[v1alpha1.KeySeedRefreshToken] != nil || secret.Annotations[v1alpha1.AnnotationIntent] != "" {
		t.Error("the fence was left behind")
	}
	token := w.get("octocat")
	if token.Status.SecretName != "octocat-token" || token.Status.RefreshCount != 1 || token.Status.ObservedGeneration != token.Generation {
		t.Errorf("unexpected status: %+v", token.Status)
	}
	if lifetime := time.Until(token.Status.AccessTokenExpirationTime.Time); lifetime > 8*time.Hour || lifetime < 7*time.Hour+59*time.Minute {
		t.Errorf("the token is said to live for another %s, want 8 hours", lifetime)
	}
	if ready.ObservedGeneration != token.Generation {
		t.Error("Ready does not speak of the current generation")
	}
}

func TestRotationTokenIsRefreshedAheadOfItsExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: githubtest.App{AccessTokenLifetime: 8 * time.Second}})
	w.seed("octocat", "octocat")
	w.create(w.resource("octocat"))
	w.eventually("three refreshes", func() (bool, string) {
		token := w.get("octocat")
		return token.Status.RefreshCount >= 4, suite.Describe(token)
	})
	if spends := w.gh.DoubleSpends(); len(spends) != 0 {
		t.Errorf("%d tokens were presented after they had been spent", len(spends))
	}
	if violations := w.gh.Violations(); len(violations) != 0 {
		t.Errorf("the stand-in saw violations: %v", violations)
	}
	if !w.gh.Alive(string(w.pair("octocat-token").Data[v1alpha1.KeyAccessToken])) {
		t.Error("the access token in the Secret is dead")
	}
}
