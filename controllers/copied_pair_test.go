package controllers

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// velero changes the metadata of an object as velero restore does when it creates it in another namespace: labels,
// annotations and finalizers stay, whatever the API server has given it goes, and where it comes from is said.
func velero(object client.Object, namespace string) {
	object.SetNamespace(namespace)
	object.SetUID("")
	object.SetResourceVersion("")
	object.SetGeneration(0)
	object.SetCreationTimestamp(metav1.Time{})
	object.SetManagedFields(nil)
	labels := object.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels["velero.io/backup-name"], labels["velero.io/restore-name"] = "daily", "daily-1"
	object.SetLabels(labels)
}

// copyTo creates copies of a resource and its Secrets in another namespace, and goes there.
func (w *world) copyTo(namespace string, saved backup, change func(*corev1.Secret, *v1alpha1.GitHubUserToken)) {
	w.t.Helper()
	token := saved.token.DeepCopy()
	velero(token, namespace)
	token.OwnerReferences, token.Status = nil, v1alpha1.GitHubUserTokenStatus{}
	w.namespace = namespace
	for _, secret := range saved.secrets {
		made := secret.DeepCopy()
		velero(made, namespace)
		made.OwnerReferences = nil
		change(made, token)
		w.create(made)
	}
	w.create(token)
}

// isCopyOf is how a resource speaks that has a copy of another one's pair.
func isCopyOf(namespace, name string) refusal {
	return refusal{
		reason: v1alpha1.ReasonRefreshTokenInUse, says: fmt.Sprintf("is a copy: GitHubUserToken %s/%s holds the same refresh token", namespace, name),
		unauthorized: true,
	}
}

func unchanged(*corev1.Secret, *v1alpha1.GitHubUserToken) {}

// The access token of a copy is alive, which proves that its pair is the current one. It is the original's all the same.
func TestCopyOfALivePairInAnotherNamespaceIsRecognised(t *testing.T) {
	t.Parallel()
	each(t, map[string]struct {
		change func(*corev1.Secret, *v1alpha1.GitHubUserToken)
		down   bool
	}{
		"Velero with a namespace mapping": {change: unchanged},
		"with a word that a template gives for each restore": {change: func(_ *corev1.Secret, token *v1alpha1.GitHubUserToken) {
			metav1.SetMetaDataAnnotation(&token.ObjectMeta, v1alpha1.AnnotationAdopt, "true")
		}},
		"with the owner of the original": {change: func(secret *corev1.Secret, token *v1alpha1.GitHubUserToken) {
			secret.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(&metav1.ObjectMeta{Name: token.Name, UID: "6c1f0a52-0000-4000-8000-000000000007"}, v1alpha1.GroupVersion.WithKind("GitHubUserToken"))}
		}},
		"without a client secret":                                      {change: func(_ *corev1.Secret, token *v1alpha1.GitHubUserToken) { token.Spec.App.ClientSecretRef = nil }},
		"while the operator is down, so that either may be seen first": {change: unchanged, down: true},
	}, func(t *testing.T, c struct {
		change func(*corev1.Secret, *v1alpha1.GitHubUserToken)
		down   bool
	},
	) {
		w := newWorld(t, worldOptions{namespaces: 2})
		original, copied := w.namespaces[0], w.namespaces[1]
		before := w.start("octocat")
		saved := w.backUp("octocat")
		if c.down {
			w.stop()
		}
		w.copyTo(copied, saved, c.change)
		if c.down {
			w.startOperator(w.options)
		}
		w.refused("octocat", isCopyOf(original, "octocat"))
		w.restart()
		w.request("octocat", "now")
		w.refused("octocat", isCopyOf(original, "octocat"))
		w.quiet()
		w.presented(1)
		w.namespace = original
		w.samePair(before, w.ready("octocat"))
		w.request("octocat", "now")
		w.refreshed("octocat", 2)
		w.ready("octocat")

		// The original's chain goes on, and what the copy has is of no more use.
		w.namespace = copied
		w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonPairUnproven)
		w.quiet()
		w.presented(2)
		if w.get("octocat").Spec.App.ClientSecretRef == nil {
			return
		}
		w.seed("octocat", "octocat")
		w.ready("octocat")
		w.namespace = original
		w.ready("octocat")
	})
}

// Two namespaces are restored with their names swapped, over what is there: each of two resources finds the other one's pair in
// its Secret.
func TestCopyOfEachOthersPairIsUsedByNeither(t *testing.T) {
	t.Parallel()
	each(t, map[string]struct{ down, oneByOne bool }{
		"while the operator runs": {}, "while the operator is down": {down: true},
		"one after the other, and the operator has seen each": {oneByOne: true},
	}, func(t *testing.T, c struct{ down, oneByOne bool }) {
		w := newWorld(t, worldOptions{namespaces: 2})
		var saved []*corev1.Secret
		for _, w.namespace = range w.namespaces {
			w.start("octocat")
			saved = append(saved, w.backUp("octocat").secrets[0])
		}
		if c.down {
			w.stop()
		}
		for i := range saved {
			w.namespace = w.namespaces[i]
			w.putBack(saved[1-i])
			if c.oneByOne { // Until the other one's Secret has it, nobody's state tells that the seed is spent, but the operator knows.
				w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRefreshTokenInUse)
			}
		}
		if c.down {
			w.startOperator(w.options)
		}
		for _, w.namespace = range w.namespaces {
			w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRefreshTokenInUse)
			w.condition("octocat", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRefreshTokenInUse)
			w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionUnknown, v1alpha1.ReasonPairUnproven)
			w.request("octocat", "please")
		}
		w.restart()
		w.quiet()
		w.presented(2)
		for i := range saved {
			if !w.gh.Alive(access(saved[i])) || !w.gh.Alive(refresh(saved[i])) {
				t.Errorf("the pair of %s was ended", w.namespaces[i])
			}
		}
		// It was a mistake, and is put right, of both at once: as soon as one of them has its own pair again, the state in the
		// other one's Secret is that of a chain which has never heard of its seed.
		w.stop()
		for i := range saved {
			w.namespace = w.namespaces[i]
			w.putBack(saved[i])
		}
		w.startOperator(w.options)
		for i := range saved {
			w.namespace = w.namespaces[i]
			w.honoured("octocat", "please") // What was asked for meanwhile is done now.
			if now := w.ready("octocat"); access(now) == access(saved[1-i]) {
				t.Error("the other one's pair is still there")
			}
		}
		w.presented(4)
	})
}

// The backup of a pair that is just being replaced is copied to another namespace, without its owner. There it is nobody's: its name
// and its state speak of a resource that is not there. It is not used, and can be deleted although it has our finalizer.
func TestCopyOfABackupIsOfNoUseInAnotherNamespace(t *testing.T) {
	t.Parallel()
	each(t, map[string]struct{ withResource, down bool }{
		"alone":                                 {},
		"alone, found at the start":             {down: true},
		"beside a resource of the name":         {withResource: true},
		"beside a resource, found at the start": {withResource: true, down: true},
	}, func(t *testing.T, c struct{ withResource, down bool }) {
		w := newWorld(t, worldOptions{namespaces: 2})
		before := w.start("octocat")
		copied := before.DeepCopy()
		velero(copied, w.namespaces[1])
		copied.Name = "github-user-token-backup-" + string(w.get("octocat").UID)
		copied.Labels[v1alpha1.LabelRole] = v1alpha1.RoleBackup
		copied.OwnerReferences = nil
		w.namespace = w.namespaces[1]
		exchanges := 1
		var own *corev1.Secret
		if c.withResource {
			own = w.start("octocat")
			exchanges++
		}
		if c.down {
			w.stop()
		}
		w.create(copied)
		if !c.down {
			w.settle()
		}
		w.remove(copied)
		if c.down {
			w.startOperator(w.options)
		}
		w.settle()
		w.meter.leap(comeBackTime)
		w.must(client.IgnoreNotFound(admin.Patch(w.ctx, w.secretNamed(copied.Name), client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"touched":"x"}}}`)))))
		w.vanishes(copied.Name)
		if c.withResource {
			w.samePair(own, w.ready("octocat"))
		}
		w.namespace = w.namespaces[0]
		w.samePair(before, w.ready("octocat"))
		w.quiet()
		w.presented(exchanges)
		w.request("octocat", "now")
		w.refreshed("octocat", 2)
		w.ready("octocat")
		w.presented(exchanges + 1)
	})
}

// Who has the original of a copied pair is gone: the copy is all there is.
func TestCopyIsTakenUpWhenItsOriginalIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{namespaces: 2})
	before := w.start("octocat")
	w.copyTo(w.namespaces[1], w.backUp("octocat"), unchanged)
	w.refused("octocat", isCopyOf(w.namespaces[0], "octocat"))
	w.namespace = w.namespaces[0]
	w.remove(w.resourceNamed("octocat"))
	w.gone(w.resourceNamed("octocat"))
	w.namespace = w.namespaces[1]
	w.samePair(before, w.ready("octocat"))
	w.request("octocat", "now")
	w.refreshed("octocat", 2)
	w.presented(2)
}

// A copy that is deleted with its tokens must not take the original's along.
func TestCopyThatIsDeletedLeavesTheOriginalsTokensAlone(t *testing.T) {
	t.Parallel()
	each(t, map[string]v1alpha1.DeletionPolicy{
		"Revoke": v1alpha1.DeletionPolicyRevoke, "Delete": v1alpha1.DeletionPolicyDelete, "Retain": v1alpha1.DeletionPolicyRetain,
	}, func(t *testing.T, policy v1alpha1.DeletionPolicy) {
		w := newWorld(t, worldOptions{namespaces: 2})
		before := w.start("octocat")
		withPolicy := func(_ *corev1.Secret, token *v1alpha1.GitHubUserToken) { token.Spec.DeletionPolicy = policy }
		w.copyTo(w.namespaces[1], w.backUp("octocat"), withPolicy)
		w.refused("octocat", isCopyOf(w.namespaces[0], "octocat"))
		w.remove(w.resourceNamed("octocat"))
		w.gone(w.resourceNamed("octocat"))
		if policy == v1alpha1.DeletionPolicyRetain { // What was left there is no better than what it was copied from.
			w.create(w.resource("octocat"))
			w.refused("octocat", isCopyOf(w.namespaces[0], "octocat"))
		}
		w.namespace = w.namespaces[0]
		w.samePair(before, w.ready("octocat"))
		w.request("octocat", "now")
		w.refreshed("octocat", 2)
		w.ready("octocat")
		w.presented(2)
	})
}

// Of a pair that was retained a copy is made, and taken up in another namespace. What was retained is the copy then.
func TestCopyRetainedPairThatLivesOnInACopyIsNotTakenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{namespaces: 2})
	before := w.startRetained("octocat")
	saved := w.backUp("octocat")
	w.remove(w.resourceNamed("octocat"))
	w.gone(w.resourceNamed("octocat"))
	saved.secrets = []*corev1.Secret{w.pair("octocat-token")}
	w.copyTo(w.namespaces[1], saved, unchanged)
	w.samePair(before, w.ready("octocat"))
	w.namespace = w.namespaces[0]
	w.create(w.resource("octocat"))
	w.refused("octocat", isCopyOf(w.namespaces[1], "octocat"))
	w.namespace = w.namespaces[1]
	w.request("octocat", "now")
	w.refreshed("octocat", 2)
	w.ready("octocat")
	w.presented(2)
}

// Fingerprints stand in annotations, where a tenant can read and write them. Only the token itself is a proof.
func TestCopyOfAFingerprintStandsInNobodysWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{namespaces: 2})
	w.start("octocat")
	w.request("octocat", "first")
	w.refreshed("octocat", 2)
	before := w.ready("octocat")
	saved := w.backUp("octocat")
	w.namespace = w.namespaces[1]
	w.create(w.resource("thief")) // It has no seed.
	thief := w.get("thief")
	forged := saved.secrets[0].DeepCopy()
	velero(forged, w.namespace)
	forged.Name = "thief-token"
	forged.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(thief, v1alpha1.GroupVersion.WithKind("GitHubUserToken"))}
	forged.Annotations[v1alpha1.AnnotationState] = strings.NewReplacer(
		string(saved.token.UID), string(thief.UID), `"octocat"`, `"thief"`).Replace(forged.Annotations[v1alpha1.AnnotationState])
	forged.Data = map[string][]byte{v1alpha1.KeyAccessToken: []byte("ghu_none"), v1alpha1.KeyRefreshToken: []byte("ghr_none")}
	w.create(forged)
	w.condition("thief", v1alpha1.ConditionReady, metav1.ConditionTrue, "") // Until GitHub is asked.

	// The owner's pair comes back from a backup, and is still the owner's to exchange.
	w.namespace = w.namespaces[0]
	w.lose(saved)
	w.bringBack(saved, withoutOwner, nil)
	w.samePair(before, w.ready("octocat"))
	w.request("octocat", "now")
	w.refreshed("octocat", 3)
	w.ready("octocat")
	forgeries := len(w.gh.PresentationsOf("ghr_none")) // The thief's, who may try what it has made up.
	if forgeries > 1 {
		t.Errorf("what was made up was presented %d times", forgeries)
	}
	w.presented(3 + forgeries)
}
