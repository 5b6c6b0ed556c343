package controllers

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// orphanAndDelete is kubectl delete --cascade=orphan: the garbage collector takes the owner references off the Secrets, before the
// operator has looked at the deletion or after.
func (w *world) orphanAndDelete(name string) {
	w.t.Helper()
	w.must(admin.Delete(w.ctx, w.resourceNamed(name), client.PropagationPolicy(metav1.DeletePropagationOrphan)))
}

// The deletion policy is carried out all the same, and nothing is left that cannot be deleted.
func TestDeletionResourceThatIsDeletedWithoutItsSecretsTakesThemAlong(t *testing.T) {
	t.Parallel()
	each(t, map[string]struct {
		policy v1alpha1.DeletionPolicy
		down   bool
	}{
		"Delete":                             {v1alpha1.DeletionPolicyDelete, false},
		"Revoke":                             {v1alpha1.DeletionPolicyRevoke, false},
		"Retain":                             {v1alpha1.DeletionPolicyRetain, false},
		"Delete, while the operator is down": {v1alpha1.DeletionPolicyDelete, true},
		"Revoke, while the operator is down": {v1alpha1.DeletionPolicyRevoke, true},
		"Retain, while the operator is down": {v1alpha1.DeletionPolicyRetain, true},
	}, func(t *testing.T, c struct {
		policy v1alpha1.DeletionPolicy
		down   bool
	},
	) {
		w := newWorld(t, worldOptions{})
		w.seed("octocat", "octocat")
		token := w.resource("octocat")
		token.Spec.DeletionPolicy = c.policy
		token.Spec.Outputs = []v1alpha1.Output{{Name: "octocat-git", Format: v1alpha1.OutputFormatBasicAuth}}
		w.create(token)
		w.ready("octocat")
		w.account("octocat")
		pair := w.alive("octocat-token")
		w.output("octocat-git", access(pair))
		if c.down {
			w.stop()
		}
		w.orphanAndDelete("octocat")
		if c.down {
			w.eventually("the Secret to be orphaned", func() (bool, string) {
				return len(w.pair("octocat-token").OwnerReferences) == 0, "it has an owner"
			})
			w.startOperator(w.options)
		}
		w.gone(w.resourceNamed("octocat"))
		w.gone(w.secretNamed("octocat-git"))
		if c.policy == v1alpha1.DeletionPolicyRetain {
			w.isRetained(pair)
			return
		}
		w.gone(w.secretNamed("octocat-token"))
		if alive := w.gh.Alive(access(pair)); alive != (c.policy == v1alpha1.DeletionPolicyDelete) {
			t.Errorf("the access token is alive: %t", alive)
		}
	})
}
