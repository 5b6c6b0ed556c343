package lifecycle

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Another manager has just put the pair back under a name that the spec does not ask for any more, and the cache does
// not show it yet.
func TestAPairUnderAFormerNameThatTheCacheDoesNotShowIsRetained(t *testing.T) {
	former := rotation.Ref{Namespace: owner.Namespace, Name: "former"}
	for name, c := range map[string]struct {
		policy   v1alpha1.DeletionPolicy
		retained []rotation.Ref
		released bool
	}{
		"it is retained": {policy: v1alpha1.DeletionPolicyRetain, retained: []rotation.Ref{former}, released: true},
		"it is not looked for when it is not to be retained": {policy: v1alpha1.DeletionPolicyDelete, released: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.secrets[former] = pairAt("1", func(p *rotation.Pair) { p.Ref = former })
			token := &v1alpha1.GitHubUserToken{
				ObjectMeta: metav1.ObjectMeta{
					Namespace: owner.Namespace, Name: owner.Name, UID: uid, DeletionTimestamp: new(metav1.NewTime(start)), Finalizers: []string{v1alpha1.Finalizer},
				},
				Spec: v1alpha1.GitHubUserTokenSpec{DeletionPolicy: c.policy, Secret: v1alpha1.SecretTemplate{Name: "wanted"}},
			}
			if again, err := w.finalizer.finalize(t.Context(), token); again != 0 || err != nil {
				t.Errorf("again after %s, %v", again, err)
			}
			if !slices.Equal(w.retained, c.retained) || w.released != c.released {
				t.Errorf("%v were retained, and the resource was released: %t", w.retained, w.released)
			}
		})
	}
}
