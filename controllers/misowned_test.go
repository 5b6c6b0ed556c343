package controllers

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// Somebody edits whose a Secret is. The state says it all the same: no pair goes to another resource, or with one that is gone.
func TestOwnerReferenceToSomebodyElseIsPutRight(t *testing.T) {
	t.Parallel()
	for name, owner := range map[string]func(w *world) metav1.OwnerReference{
		"another resource": func(w *world) metav1.OwnerReference {
			return *metav1.NewControllerRef(w.get("hubot"), v1alpha1.GroupVersion.WithKind("GitHubUserToken"))
		},
		"a workload that does not exist": func(*world) metav1.OwnerReference {
			yes := true
			return metav1.OwnerReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "22222222-1111-1111-1111-111111111111", Controller: &yes}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{})
			before, other := w.start("octocat"), w.start("hubot")
			to := owner(w)
			w.edit(before, func(object client.Object) { object.SetOwnerReferences([]metav1.OwnerReference{to}) })
			uid := w.get("octocat").UID
			w.eventually("the pair Secret with its owner", func() (bool, string) {
				live := w.find("octocat-token")
				if live == nil {
					return false, "it is gone"
				}
				controller := metav1.GetControllerOf(live)
				return live.DeletionTimestamp == nil && controller != nil && controller.UID == uid, "it is owned by somebody else"
			})
			w.quiet()
			if live := w.find("octocat-token"); refresh(live) != refresh(before) {
				t.Error("the pair is another one")
			}
			if live := w.find("hubot-token"); refresh(live) != refresh(other) {
				t.Error("the pair of the other resource is another one")
			}
			w.presented(2)
			w.ready("octocat")
			w.ready("hubot")
		})
	}
}

// Somebody labels an output as if it were a pair.
func TestOutputThatIsLabelledAsAPairIsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.startWith("octocat", v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatOpaque})
	before := w.find("octocat-token")
	w.edit(w.find("out"), func(object client.Object) {
		labels := object.GetLabels()
		labels[v1alpha1.LabelRole] = v1alpha1.RolePair
		object.SetLabels(labels)
	})
	w.touch("octocat")
	w.quiet()
	w.ready("octocat")
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionTrue, v1alpha1.ReasonRefreshTokenValid)
	if refresh(w.find("octocat-token")) != refresh(before) {
		t.Error("the pair is another one")
	}
	w.presented(1)
}
