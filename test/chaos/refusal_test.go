package chaos

import (
	"fmt"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

// exchange asks for an exchange and keeps GitHub's reply to it until release is called.
func (s *subject) exchange() (release func()) {
	s.w.t.Helper()
	reply := s.w.gh.Inject(githubtest.Hold().AfterCommit().ForRefreshToken(s.holds()))
	s.request()
	s.w.arrived(s.name+": GitHub's reply", reply.Arrived())
	return reply.Release
}

// patchPair changes the pair Secret as an administrator.
func (s *subject) patchPair(patch string) {
	s.w.t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: s.pairName()}}
	s.w.must(s.w.admin.Patch(s.w.ctx, secret, client.RawPatch(types.MergePatchType, []byte(patch))))
}

func (s *subject) deletePair() {
	s.w.t.Helper()
	s.w.must(s.w.admin.Delete(s.w.ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: s.pairName()}}))
}

// refused waits until the API server has refused a commit of the subject with this status. It is called before
// the commit can be made.
func (s *subject) refused(r *replica) (wait func(want int)) {
	statuses := make(chan int, 1000)
	looking := r.proxy.inject(&apiFault{on: s.commit(), times: -1, seen: func(status int) {
		select {
		case statuses <- status:
		default:
		}
	}})
	return func(want int) {
		s.w.t.Helper()
		defer r.proxy.remove(looking)
		for end := time.After(s.w.patience); ; {
			select {
			case status := <-statuses:
				if status == want {
					return
				}
			case <-end:
				s.w.t.Fatalf("%s: no commit was refused with %d", s.name, want)
			}
		}
	}
}

// TestChaosSecretChangesDuringAnExchange does to Secrets and resources what people do, while GitHub's reply is
// on its way. All pairs are kept whose resource is.
func TestChaosSecretChangesDuringAnExchange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{namespaces: 2, clusterWide: true})
	r := w.replica()
	r.start()
	names := []string{"labelled", "immutable", "deleted", "forced", "ownerless", "resource-deleted", "seeded"}
	subjects := map[string]*subject{}
	for _, name := range names {
		subjects[name] = w.subject(name)
	}
	doomed := w.prepare("doomed", w.namespaces[1], clientID)
	w.must(doomed.apply())
	for _, s := range w.subjects {
		s.awaitReady()
	}
	var release []func()
	for _, s := range w.subjects {
		release = append(release, s.exchange())
	}

	// The commit meets a label edit.
	commit := r.proxy.inject(holdRequest(subjects["labelled"].commit()))
	subjects["immutable"].patchPair(`{"immutable":true}`)
	subjects["deleted"].deletePair()
	subjects["forced"].patchPair(`{"metadata":{"finalizers":null}}`)
	subjects["forced"].deletePair()
	subjects["ownerless"].patchPair(`{"metadata":{"ownerReferences":null}}`)
	w.must(w.admin.Delete(w.ctx, subjects["resource-deleted"].object()))
	subjects["resource-deleted"].gone = true
	subjects["seeded"].relogin()
	w.must(w.admin.Delete(w.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: doomed.namespace}}))
	doomed.gone = true
	for _, fault := range []string{
		"label edit", "immutable", "Secret deleted", "Secret deleted by force", "owner reference taken off",
		"resource deleted", "new login", "namespace deleted",
	} {
		totals.fault("people: " + fault + " in mid-exchange")
	}
	for _, release := range release {
		release()
	}
	w.arrived("the commit that is to conflict", commit.arrived)
	subjects["labelled"].patchPair(`{"metadata":{"labels":{"team":"a"}}}`)
	commit.release()
	w.settle(time.Time{})
	w.eventually("the namespace to be gone", func() (bool, string) {
		var namespace corev1.Namespace
		err := w.admin.Get(w.ctx, client.ObjectKey{Name: doomed.namespace}, &namespace)
		return apierrors.IsNotFound(err), conditionsOf(&namespace)
	})
	w.judge()
}

func conditionsOf(namespace *corev1.Namespace) string {
	var lines []string
	for _, c := range namespace.Status.Conditions {
		lines = append(lines, string(c.Type)+": "+c.Message)
	}
	return strings.Join(lines, "; ")
}

// awaitForbidden waits until the API server's authorizer, too, has noticed that the operator may not touch a Secret.
func (w *world) awaitForbidden(s *subject) {
	w.t.Helper()
	operator, err := client.New(w.identity, client.Options{Scheme: w.admin.Scheme()})
	w.must(err)
	w.eventually("the operator to be refused", func() (bool, string) {
		err := operator.Get(w.ctx, client.ObjectKey{Namespace: s.namespace, Name: s.name + "-token"}, &corev1.Secret{})
		return apierrors.IsForbidden(err), fmt.Sprint(err)
	})
}

// TestChaosAPIServerRefusesACommit takes away, while a pair is on its way, what is needed to store it.
func TestChaosAPIServerRefusesACommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	r := w.replica()
	r.start()
	forbidden, denied403, admission := w.subject("forbidden"), w.subject("denied"), w.subject("admission")
	lostFence, lostCommit, twice := w.subject("lost-fence"), w.subject("lost-commit"), w.subject("twice")
	for _, s := range w.subjects {
		s.awaitReady()
	}

	// Replies that are lost on the way, and a commit that is applied twice.
	r.proxy.inject(loseReply(lostFence.fence()))
	r.proxy.inject(loseReply(lostCommit.commit()))
	r.proxy.inject(&apiFault{kind: "applied twice", on: twice.commit(), twice: true})
	for _, s := range []*subject{lostFence, lostCommit, twice} {
		s.rotate()
	}

	// RBAC: somebody deletes the RoleBinding.
	release, wait := forbidden.exchange(), forbidden.refused(r)
	binding := w.binding(w.namespaces[0])
	w.must(w.admin.Delete(w.ctx, binding))
	totals.fault("API server: RoleBinding deleted")
	w.awaitForbidden(forbidden)
	release()
	wait(403)
	w.create(w.binding(w.namespaces[0]))
	forbidden.awaitReady()

	// Some gateway says no for a while.
	release = denied403.exchange()
	no := r.proxy.inject(&apiFault{
		kind: "commit refused", on: denied403.commit(), times: 5, deny: denied(403, metav1.StatusReasonForbidden, "exceeded quota"),
	})
	release()
	denied403.awaitReady()
	if hits := r.proxy.hitsOf(no); hits != 5 {
		t.Errorf("the commit was tried %d times against a refusal, want 5", hits)
	}

	// An admission policy denies all changes of Secrets in the namespace.
	release, wait = admission.exchange(), admission.refused(r)
	lift := w.denySecretUpdates(w.namespaces[0])
	totals.fault("API server: admission policy")
	release()
	wait(422)
	lift()
	admission.awaitReady()

	// A quota keeps the Secret of a first exchange from being created: nothing is sent.
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespaces[0], Name: "secrets"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/secrets": resource.MustParse("0")}},
	}
	limited := w.prepare("limited", w.namespaces[0], clientID)
	w.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: limited.namespace, Name: "limited-seed"},
		StringData: map[string]string{"refresh_token": limited.logins[0]},
	})
	w.create(quota)
	totals.fault("API server: quota")
	w.eventually("the quota to count", func() (bool, string) {
		err := w.admin.Create(w.ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: limited.namespace, GenerateName: "probe-"}})
		return apierrors.IsForbidden(err), "a Secret was created"
	})
	w.must(w.admin.Create(w.ctx, limited.resource()))
	limited.awaitReason(v1alpha1.ConditionReady, v1alpha1.ReasonAPIServerUnavailable)
	if n := len(w.gh.PresentationsOf(limited.logins[0])); n != 0 {
		t.Errorf("the token was presented %d times without a fence", n)
	}
	w.must(w.admin.Delete(w.ctx, quota))
	w.judge()
}

// denySecretUpdates installs an admission policy and returns when it counts.
func (w *world) denySecretUpdates(namespace string) (lift func()) {
	w.t.Helper()
	name := "deny-" + namespace
	policy := &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Update},
					Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"secrets"}},
				},
			}}},
			Validations: []admissionv1.Validation{{Expression: "false", Message: "Secrets are frozen"}},
		},
	}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
			MatchResources: &admissionv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{
				MatchLabels: map[string]string{"kubernetes.io/metadata.name": namespace},
			}},
		},
	}
	w.create(policy)
	w.create(binding)
	w.t.Cleanup(func() {
		_ = w.admin.Delete(w.t.Context(), binding) // gone already, unless the test has failed
		_ = w.admin.Delete(w.t.Context(), policy)
	})
	w.eventually("the admission policy to count", func() (bool, string) {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "github-app"}}
		err := w.admin.Patch(w.ctx, secret, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"probe":"`+time.Now().Format("150405.000")+`"}}}`)), client.DryRunAll)
		return apierrors.IsInvalid(err), "the change was allowed"
	})
	return func() {
		w.must(w.admin.Delete(w.ctx, binding))
		w.must(w.admin.Delete(w.ctx, policy))
	}
}
