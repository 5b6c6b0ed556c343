package controllers

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

// What GitHub says of a token in its first minute counts for nothing. Of one that lives no longer no check can tell that it was
// revoked; then its refresh does, whenever within its life that was.
func TestTokenCheckRevocationOfAShortLivedTokenIsToldWithinItsLife(t *testing.T) {
	t.Parallel()
	const lifetime = 16 * time.Second
	each(t, map[string]time.Duration{
		"at once": 0, "after a check": checkEvery, "of a later token": lifetime,
	}, func(t *testing.T, after time.Duration) {
		w := newWorld(t, worldOptions{app: githubtest.App{AccessTokenLifetime: lifetime}})
		w.seed("octocat", "octocat")
		w.create(w.checked("octocat"))
		w.ready("octocat")
		issued := time.Now()
		w.eventually("the moment of the revocation", func() (bool, string) { return time.Since(issued) >= after, "not yet" })
		w.gh.RevokeGrant(clientID, "octocat")
		revoked := time.Now()
		w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonRefreshTokenRejected)
		if told := time.Since(revoked); told > lifetime {
			t.Errorf("it was told after %s", told)
		}
	})
}
