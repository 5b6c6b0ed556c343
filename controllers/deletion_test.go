package controllers

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

func TestDeletionTakesThePairAlong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	w.remove(w.resourceNamed("octocat"))
	w.gone(w.resourceNamed("octocat"))
	w.gone(w.secretNamed("octocat-token"))
	if !w.gh.Alive(access(before)) {
		t.Error("deletionPolicy Delete killed the token at GitHub")
	}
	w.quiet()
	w.presented(1)
	if w.find("octocat-seed") == nil {
		t.Error("the seed is the user's and was deleted")
	}
	// The operator remembers nothing of it.
	if left := w.reconciler.memory.Len(); left != 0 {
		t.Errorf("%d resources are remembered that do not exist", left)
	}
}

// Whatever state a resource is in, it can be deleted.
func TestDeletionResourceInTroubleCanBeDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{spendsTwice: true})
	spent := w.seed("spent", "spent")
	w.spend(spent)
	w.create(w.resource("spent"))
	w.create(w.resource("no-seed"))
	w.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "foreign-token"}})
	w.seed("foreign", "foreign")
	w.create(w.resource("foreign"))
	suspended := w.resource("suspended")
	suspended.Spec.Suspend = true
	w.seed("suspended", "suspended")
	w.create(suspended)
	down := w.seed("down", "down")
	w.gh.Inject(githubtest.BadGateway().ForRefreshToken(down).Always())
	w.create(w.resource("down"))
	w.condition("spent", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonRefreshTokenRejected)
	w.condition("no-seed", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRefreshTokenMissing)
	w.condition("foreign", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSecretNotOwned)
	w.condition("suspended", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSuspended)
	w.condition("down", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonGitHubUnavailable)
	names := []string{"spent", "no-seed", "foreign", "suspended", "down"}
	for _, name := range names {
		w.remove(w.resourceNamed(name))
	}
	for _, name := range names {
		w.gone(w.resourceNamed(name))
		if name != "foreign" {
			w.gone(w.secretNamed(name + "-token"))
		}
	}
	if w.find("foreign-token") == nil {
		t.Error("a Secret of somebody else was deleted")
	}
}

func TestDeletionResourceDeletedInMidExchangeLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	held := w.gh.Inject(holdReply(refresh(before)))
	w.request("octocat", "1")
	w.arrived(held)
	w.remove(w.resourceNamed("octocat"))
	w.settle() // The operator knows of the deletion.
	if w.get("octocat").DeletionTimestamp == nil {
		t.Error("the resource is not being deleted")
	}
	held.Release()
	w.gone(w.resourceNamed("octocat"))
	w.gone(w.secretNamed("octocat-token"))
	w.quiet()
	w.presented(2)
}

func TestDeletionResourceDeletedWhileTheOperatorIsDownIsDealtWithAtItsStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.start("octocat")
	w.stop()
	w.remove(w.resourceNamed("octocat"))
	w.startOperator(w.options)
	w.gone(w.resourceNamed("octocat"))
	w.gone(w.secretNamed("octocat-token"))
}

func TestDeletionOfAResourceThatIsAppliedAgainReportsTheSpentSeed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{spendsTwice: true})
	w.start("octocat")
	w.remove(w.resourceNamed("octocat"))
	w.gone(w.resourceNamed("octocat"))
	w.create(w.resource("octocat"))
	w.refused("octocat", refusal{reason: v1alpha1.ReasonRefreshTokenRejected, says: "Authorize the App again", unauthorized: true})
	w.seed("octocat", "octocat")
	w.ready("octocat")
	w.presented(3)
}

func TestDeletionRetainedPairIsTakenUpAgainWithoutAnExchange(t *testing.T) {
	t.Parallel()
	retained := func(w *world, name string) *corev1.Secret {
		w.t.Helper()
		w.seed(name, name)
		token := w.resource(name)
		token.Spec.DeletionPolicy = v1alpha1.DeletionPolicyRetain
		w.create(token)
		before := w.ready(name)
		w.settle()
		w.remove(w.resourceNamed(name))
		w.gone(w.resourceNamed(name))
		left := w.alive(name + "-token")
		w.samePair(before, left)
		if len(left.OwnerReferences) != 0 || len(left.Finalizers) != 0 {
			w.t.Errorf("the retained Secret still has owners %v or finalizers %v", left.OwnerReferences, left.Finalizers)
		}
		return left
	}
	again := func(w *world, name string, edit func(*v1alpha1.GitHubUserToken)) {
		w.t.Helper()
		token := w.resource(name)
		token.Spec.DeletionPolicy = v1alpha1.DeletionPolicyRetain
		if edit != nil {
			edit(token)
		}
		w.create(token)
	}
	t.Run("by the same name, seed and App", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, worldOptions{})
		before := retained(w, "octocat")
		again(w, "octocat", nil)
		w.samePair(before, w.ready("octocat"))
		w.quiet()
		w.presented(1)
		w.request("octocat", "1")
		w.refreshed("octocat", 2)
		w.ready("octocat")
		// It is protected as before.
		before = w.pair("octocat-token")
		w.remove(w.secretNamed("octocat-token"))
		w.restored(before)
	})
	t.Run("after its seed is gone", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, worldOptions{})
		before := retained(w, "octocat")
		w.remove(w.secretNamed("octocat-seed"))
		again(w, "octocat", nil)
		w.samePair(before, w.ready("octocat"))
		w.quiet()
		w.presented(1)
	})
	t.Run("after the operator was started anew", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, worldOptions{})
		before := retained(w, "octocat")
		w.restart()
		again(w, "octocat", nil)
		w.samePair(before, w.ready("octocat"))
		w.quiet()
		w.presented(1)
	})
	t.Run("not by a resource of another name", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, worldOptions{})
		before := retained(w, "octocat")
		again(w, "hubot", func(token *v1alpha1.GitHubUserToken) {
			token.Spec.Secret.Name = "octocat-token"
			token.Spec.RefreshTokenRef.Name = "octocat-seed"
		})
		w.refused("hubot", refusal{reason: v1alpha1.ReasonSecretNotOwned, says: "Delete it"})
		w.quiet()
		w.samePair(before, w.alive("octocat-token"))
		w.presented(1)
	})
	t.Run("not with another seed", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, worldOptions{})
		before := retained(w, "octocat")
		w.seed("octocat", "octocat")
		again(w, "octocat", nil)
		w.refused("octocat", refusal{reason: v1alpha1.ReasonSecretNotOwned, says: "holds the pair of a former resource of this name, and is not taken up"})
		w.quiet()
		w.samePair(before, w.alive("octocat-token"))
		w.presented(1)
		// Deleting the Secret, as the message says, heals.
		w.remove(w.secretNamed("octocat-token"))
		w.ready("octocat")
		w.presented(2)
	})
	t.Run("not for another App", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, worldOptions{})
		w.gh.AddApp(githubtest.App{ClientID: "Iv23liOTHER", Secrets: []string{clientSecret}})
		before := retained(w, "octocat")
		again(w, "octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.App.ClientID = "Iv23liOTHER" })
		w.refused("octocat", refusal{reason: v1alpha1.ReasonSecretNotOwned, says: "holds the pair of a former resource of this name, and is not taken up"})
		w.quiet()
		w.samePair(before, w.alive("octocat-token"))
		w.presented(1)
	})
}

func TestDeletionPairWhoseSecretWasDeletedJustBeforeItsResourceIsRetained(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.startRetained("octocat")
	w.stop()
	w.remove(w.secretNamed("octocat-token"))
	w.remove(w.resourceNamed("octocat"))
	w.startOperator(w.options)
	w.gone(w.resourceNamed("octocat"))
	left := w.alive("octocat-token")
	w.samePair(before, left)
	if len(left.OwnerReferences) != 0 || len(left.Finalizers) != 0 {
		t.Errorf("the retained Secret still has owners %v or finalizers %v", left.OwnerReferences, left.Finalizers)
	}
	w.presented(1)
}

func TestDeletionPairWhosePlaceWasTakenIsRetainedInItsBackup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.startRetained("octocat")
	backup := "github-user-token-backup-" + string(w.get("octocat").UID)
	held := w.gh.Inject(holdReply(refresh(before)))
	w.request("octocat", "1")
	w.arrived(held)
	w.patchSecret("octocat-token", `{"metadata":{"finalizers":null}}`)
	w.remove(w.secretNamed("octocat-token"))
	w.secret("octocat-token", map[string]string{"password": "somebody else's"})
	held.Release()
	w.eventually("the new pair in a backup", func() (bool, string) { return w.find(backup) != nil, "there is none" })
	w.remove(w.resourceNamed("octocat"))
	w.gone(w.resourceNamed("octocat"))
	left := w.alive(backup)
	if string(left.Data["refresh_token"]) == refresh(before) || len(left.OwnerReferences) != 0 || len(left.Finalizers) != 0 {
		t.Errorf("the backup holds the spent pair, or has owners %v or finalizers %v", left.OwnerReferences, left.Finalizers)
	}
	if foreign := w.find("octocat-token"); foreign == nil || string(foreign.Data["password"]) != "somebody else's" {
		t.Error("the Secret of somebody else was touched")
	}
	w.presented(2)
}

// startRetained starts a resource whose pair is to outlive it.
func (w *world) startRetained(name string) *corev1.Secret {
	w.t.Helper()
	w.seed(name, name)
	token := w.resource(name)
	token.Spec.DeletionPolicy = v1alpha1.DeletionPolicyRetain
	w.create(token)
	w.ready(name)
	w.account(name)
	return w.alive(name + "-token")
}

func TestDeletionRetainingAndAdoptingLeaveAloneWhatOthersHavePutThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.startRetained("octocat")
	w.secret("app", nil)
	app := w.find("app")
	ours, err := json.Marshal(w.find("octocat-token").OwnerReferences[0])
	w.must(err)
	w.patchSecret("octocat-token", fmt.Sprintf(`{"metadata":{"finalizers":["example.com/audit","%s"],"ownerReferences":[%s,`+
		`{"apiVersion":"v1","kind":"Secret","name":"app","uid":"%s"}]}}`, v1alpha1.Finalizer, ours, app.UID))
	others := func(secret *corev1.Secret) bool {
		return slices.Contains(secret.Finalizers, "example.com/audit") &&
			slices.ContainsFunc(secret.OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == app.UID })
	}
	w.remove(w.resourceNamed("octocat"))
	w.gone(w.resourceNamed("octocat"))
	if left := w.find("octocat-token"); !others(left) || len(left.Finalizers) != 1 || len(left.OwnerReferences) != 1 {
		t.Errorf("a retained pair has finalizers %v and owners %v", left.Finalizers, left.OwnerReferences)
	}
	w.create(w.resource("octocat"))
	w.ready("octocat")
	if taken := w.find("octocat-token"); !others(taken) || len(taken.Finalizers) != 2 || len(taken.OwnerReferences) != 2 {
		t.Errorf("an adopted pair has finalizers %v and owners %v", taken.Finalizers, taken.OwnerReferences)
	}
	w.presented(1)
}

// Others hold a resource whose finalizer somebody has taken off by force. Its pair is there, and no event of its own lets it go.
func TestDeletionFinalizerThatWasTakenOffIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	token := w.resource("octocat")
	token.Spec.DeletionPolicy = v1alpha1.DeletionPolicyRetain
	token.Finalizers = []string{"example.com/mine"}
	w.seed("octocat", "octocat")
	w.create(token)
	t.Cleanup(func() { w.force(w.resourceNamed("octocat")) })
	w.ready("octocat")
	w.stop()
	w.remove(w.resourceNamed("octocat"))
	w.must(admin.Patch(w.ctx, w.resourceNamed("octocat"), client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":["example.com/mine"]}}`))))
	w.startOperator(w.options)
	w.condition("octocat", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonContested)
	w.says("octocat", v1alpha1.ConditionStalled, "octocat-token")
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
	if name := w.get("octocat").Status.SecretName; name != "octocat-token" {
		t.Errorf("the status names %q as its Secret, which is there", name)
	}
	w.eventually("one event", func() (bool, string) {
		events := w.eventsOf("octocat", v1alpha1.ReasonContested)
		return len(events) == 1, fmt.Sprint(len(events))
	})
	w.presented(1)
	w.remove(w.secretNamed("octocat-token")) // What the garbage collector does in the end.
	w.force(w.resourceNamed("octocat"))
	w.gone(w.resourceNamed("octocat"))
}

// Somebody takes the finalizer off the resource by force. The garbage collector deletes the pair Secret, and
// our finalizer must not hold it for ever.
func TestDeletionSecretWhoseResourceWasRemovedByForceIsReleased(t *testing.T) {
	t.Parallel()
	for _, down := range []bool{false, true} {
		t.Run(fmt.Sprintf("operator down: %t", down), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{})
			w.start("octocat")
			if down {
				w.stop()
			}
			// Both at once, so that the operator cannot put it back first.
			w.eventually("the resource to be gone", func() (bool, string) {
				token := w.resourceNamed("octocat")
				if err := admin.Get(w.ctx, keyOfObject(token), token); err != nil {
					return true, ""
				}
				w.remove(token)
				w.force(token)
				return false, "it has the finalizers " + fmt.Sprint(token.Finalizers)
			})
			if down {
				// To the new process it might be a Secret from a backup whose resource is still to come.
				then := w.meter.read()
				w.startOperator(w.options)
				w.awaitOrphan("octocat", then)
				w.pair("octocat-token")
				w.meter.leap(comeBackTime)
				w.reconciler.queue.add(keyOfObject(w.resourceNamed("octocat")))
			}
			w.gone(w.secretNamed("octocat-token"))
		})
	}
}

func TestDeletionNamespaceWithResourcesCanBeDeleted(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]v1alpha1.DeletionPolicy{"Delete": v1alpha1.DeletionPolicyDelete, "Retain": v1alpha1.DeletionPolicyRetain} {
		t.Run("deletionPolicy "+name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{})
			for _, resource := range []string{"octocat", "hubot"} {
				w.seed(resource, resource)
				token := w.resource(resource)
				token.Spec.DeletionPolicy = policy
				w.create(token)
			}
			w.create(w.resource("no-seed"))
			w.ready("octocat")
			w.ready("hubot")
			w.remove(w.namespaceNamed(w.namespace))
			w.gone(w.namespaceNamed(w.namespace))
			w.presented(2)
		})
	}
	t.Run("in mid-exchange", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, worldOptions{})
		before := w.start("octocat")
		held := w.gh.Inject(holdReply(refresh(before)))
		w.request("octocat", "1")
		w.arrived(held)
		w.remove(w.namespaceNamed(w.namespace))
		w.eventually("the resource to be deleted", func() (bool, string) {
			return w.get("octocat").DeletionTimestamp != nil, "it is not"
		})
		held.Release()
		w.gone(w.namespaceNamed(w.namespace))
		w.presented(2)
		w.eventually("the exchange to end", func() (bool, string) {
			return w.reconciler.Runner.Count() == 0, "it has not"
		})
	})
	t.Run("in the first exchange", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, worldOptions{})
		seed := w.seed("octocat", "octocat")
		held := w.gh.Inject(holdReply(seed))
		w.create(w.resource("octocat"))
		w.arrived(held)
		w.remove(w.namespaceNamed(w.namespace))
		w.settle() // The operator knows of the deletion.
		held.Release()
		w.gone(w.namespaceNamed(w.namespace))
		w.presented(1)
	})
	t.Run("while the operator is down", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, worldOptions{})
		w.start("octocat")
		w.stop()
		w.remove(w.namespaceNamed(w.namespace))
		w.startOperator(w.options)
		w.gone(w.namespaceNamed(w.namespace))
		w.presented(1)
	})
}

// In a namespace that is being deleted nothing is exchanged any more, and the resource says why for as long
// as it is still there.
func TestDeletionInANamespaceThatIsBeingDeletedNothingIsExchanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noOperator: true})
	seed := w.seed("octocat", "octocat")
	w.create(w.resource("octocat"))
	release := w.forbidDeletion()
	w.remove(w.namespaceNamed(w.namespace))
	w.startOperator(w.options)
	w.refused("octocat", refusal{reason: v1alpha1.ReasonNamespaceTerminating, says: "The namespace is being deleted; nothing is exchanged.", retried: true})
	w.presented(0)
	if !w.gh.Alive(seed) {
		t.Error("the seed is dead")
	}
	release()
	w.gone(w.namespaceNamed(w.namespace))
}

// awaitOrphan waits until the garbage collector has deleted a Secret whose resource is gone, and the operator
// has begun to count the time for which it keeps it. then is a reading of the meter before that.
func (w *world) awaitOrphan(name string, then reading) {
	w.t.Helper()
	w.eventually("the deletion by the garbage collector to be noticed", func() (bool, string) {
		// It looks for the resource then, and for a resource that does not exist at no other time.
		_, reads, _ := w.meter.since(then)
		looked := slices.ContainsFunc(reads, func(read string) bool { return strings.HasSuffix(read, "/githubusertokens/"+name) })
		return looked, strings.Join(reads, ", ")
	})
	w.settle()
}

// forbidDeletion has the API server refuse to delete anything in the namespace, also for the namespace
// controller, until it is released.
func (w *world) forbidDeletion() (release func()) {
	w.t.Helper()
	name := "keep-" + w.namespace
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: w.namespace}},
				ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Delete},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{"", v1alpha1.GroupVersion.Group}, APIVersions: []string{"*"}, Resources: []string{"secrets", "githubusertokens"}},
				}}},
			},
			Validations: []admissionregistrationv1.Validation{{Expression: "false", Message: "nothing is deleted here yet"}},
		},
	}
	w.create(policy)
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}
	w.create(binding)
	release = func() {
		w.remove(binding)
		w.remove(policy)
	}
	w.t.Cleanup(release)
	w.eventually("deletions to be refused", func() (bool, string) {
		err := admin.Delete(w.ctx, w.secretNamed("github-app"), client.DryRunAll)
		return err != nil, "they are not"
	})
	return release
}
