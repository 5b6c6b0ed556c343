package controllers

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// ofLetGo is the condition of a pair Secret that has just lost its owner.
const ofLetGo = `request.operation == "UPDATE" && ` + ofPair + ` && has(oldObject.metadata.ownerReferences) && !has(object.metadata.ownerReferences)`

// With an owner the garbage collector would take the pair along with its resource, and without its state the next resource
// could not know it. So the resource stays, says so, and nothing is written until it can be.
func TestDeletionResourceStaysWhileAdmissionDoesNotLetGoOfItsPair(t *testing.T) {
	t.Parallel()
	each(t, map[string]struct{ patch, says string }{
		"it puts the owner back": {
			`JSONPatch{op: "add", path: "/metadata/ownerReferences", value: oldObject.metadata.ownerReferences}`, "the owner reference",
		},
		"it takes the state away": {`JSONPatch{op: "remove", path: "` + pointer(v1alpha1.AnnotationState) + `"}`, v1alpha1.AnnotationState},
	}, func(t *testing.T, c struct{ patch, says string }) {
		w := newWorld(t, worldOptions{})
		w.startRetained("octocat")
		release := w.alter(ofLetGo, c.patch)
		before := w.pair("octocat-token")
		w.remove(w.resourceNamed("octocat"))
		found := w.condition("octocat", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonAlteredByAdmission)
		for _, want := range []string{"The resource is being deleted and cannot be released yet", "octocat-token", c.says, v1alpha1.LabelRole} {
			if !strings.Contains(found.Message, want) {
				t.Errorf("the condition does not speak of %q: %s", want, found.Message)
			}
		}
		w.settle()
		now := w.pair("octocat-token")
		if now.ResourceVersion != before.ResourceVersion || len(now.OwnerReferences) != 1 || !slices.Contains(now.Finalizers, v1alpha1.Finalizer) {
			t.Errorf("the Secret was written: its owners are %v and its finalizers %v", now.OwnerReferences, now.Finalizers)
		}
		release()
		w.request("octocat", "now") // Otherwise it is tried again some minutes later.
		w.gone(w.resourceNamed("octocat"))
		w.isRetained(before)
		w.create(w.resource("octocat"))
		w.samePair(before, w.ready("octocat"))
		w.presented(1)
	})
}

// isRetained fails the test unless a pair was left behind as it was.
func (w *world) isRetained(before *corev1.Secret) {
	w.t.Helper()
	left := w.alive(before.Name)
	w.samePair(before, left)
	if len(left.OwnerReferences) != 0 || len(left.Finalizers) != 0 {
		w.t.Errorf("the retained Secret still has owners %v or finalizers %v", left.OwnerReferences, left.Finalizers)
	}
}

// Without our finalizer on the resource nobody would carry out its deletionPolicy. Its workloads get their token all the same.
func TestDeletionResourceWhoseFinalizerIsTakenOffSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	release := w.alterAlso(v1alpha1.GroupVersion.Group, "githubusertokens", ofResource+` && has(object.metadata.finalizers)`, `JSONPatch{op: "remove", path: "/metadata/finalizers"}`)
	w.seed("octocat", "octocat")
	w.create(w.resource("octocat"))
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
	found := w.condition("octocat", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonAlteredByAdmission)
	for _, want := range []string{"spec.deletionPolicy cannot be carried out", "the finalizers of GitHubUserTokens"} {
		if !strings.Contains(found.Message, want) {
			t.Errorf("the condition does not speak of %q: %s", want, found.Message)
		}
	}
	w.quiet()
	release()
	w.request("octocat", "now")
	w.eventually("the finalizer", func() (bool, string) {
		return slices.Contains(w.get("octocat").Finalizers, v1alpha1.Finalizer), "it is not there"
	})
	w.refreshed("octocat", 2)
	w.ready("octocat")
}

// A resource whose finalizer is put back would be there for ever.
func TestDeletionResourceWhoseFinalizerIsPutBackSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.startRetained("octocat")
	release := w.alterAlso(v1alpha1.GroupVersion.Group, "githubusertokens", ofResource+` && has(object.metadata.deletionTimestamp) && !has(object.metadata.finalizers)`,
		`JSONPatch{op: "add", path: "/metadata/finalizers", value: ["`+v1alpha1.Finalizer+`"]}`)
	w.remove(w.resourceNamed("octocat"))
	found := w.condition("octocat", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonAlteredByAdmission)
	if !strings.Contains(found.Message, "the finalizers of GitHubUserTokens") {
		t.Errorf("the condition does not say what is wrong: %s", found.Message)
	}
	w.isRetained(before)
	release()
	w.request("octocat", "now")
	w.gone(w.resourceNamed("octocat"))
	w.isRetained(before)
}
