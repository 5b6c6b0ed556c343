package controllers

import (
	"slices"
	"strings"
	"sync"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// warnings are those that the API server has sent to a client.
type warnings struct {
	mu   sync.Mutex
	said []string
}

// HandleWarningHeader implements rest.WarningHandler.
func (w *warnings) HandleWarningHeader(_ int, _ string, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, text)
}

// after is what was said about spec.user while something was done.
func (w *warnings) after(do func()) []string {
	w.mu.Lock()
	w.said = nil
	w.mu.Unlock()
	do()
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.said), func(text string) bool { return !strings.Contains(text, saysUnpinned) })
}

// installUserWarning installs config/components/user-warning for the namespace of a world.
func (w *world) installUserWarning() {
	w.t.Helper()
	var policy admissionv1.ValidatingAdmissionPolicy
	var binding admissionv1.ValidatingAdmissionPolicyBinding
	for _, document := range kustomized(w.t, "components: [%[1]s/components/user-warning]\n") {
		var kind metav1.PartialObjectMetadata
		w.must(yaml.Unmarshal(document, &kind))
		switch kind.Kind {
		case "ValidatingAdmissionPolicy":
			w.must(yaml.UnmarshalStrict(document, &policy))
		case "ValidatingAdmissionPolicyBinding":
			w.must(yaml.UnmarshalStrict(document, &binding))
		}
	}
	if policy.Name == "" || binding.Spec.PolicyName != policy.Name {
		w.t.Fatalf("the binding of the policy %q is of %q", policy.Name, binding.Spec.PolicyName)
	}
	policy.Name += "-" + w.namespace
	binding.Name, binding.Spec.PolicyName = policy.Name, policy.Name
	binding.Spec.MatchResources = &admissionv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: w.namespace}}}
	for _, object := range []client.Object{&policy, &binding} {
		w.create(object)
		w.t.Cleanup(func() { w.force(object) })
	}
	w.eventually("the policy to be read without objection", func() (bool, string) {
		var now admissionv1.ValidatingAdmissionPolicy
		w.must(admin.Get(w.ctx, client.ObjectKeyFromObject(&policy), &now))
		checked := now.Status.TypeChecking
		if checked != nil && len(checked.ExpressionWarnings) > 0 {
			w.t.Errorf("the API server objects to its expressions: %v", checked.ExpressionWarnings)
		}
		return checked != nil && now.Status.ObservedGeneration == now.Generation, "it was not looked at yet"
	})
}

// The component warns whoever applies a resource by whose codes anybody can log in, and nobody else.
func TestUserWarningReachesWhoeverAppliesAResourceWithoutOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: deviceApp()})
	w.installUserWarning()
	var heard warnings
	config := rest.CopyConfig(plane.AdminConfig())
	config.QPS, config.WarningHandler, config.WarningHandlerWithContext = -1, &heard, nil
	person, err := client.New(config, client.Options{Scheme: scheme})
	w.must(err)
	w.eventually("the policy to be in force", func() (bool, string) {
		said := heard.after(func() { w.must(person.Create(w.ctx, w.withoutSeed("trial"), client.DryRunAll)) })
		return len(said) > 0, "nothing is said"
	})
	silent := func(what string, do func()) {
		t.Helper()
		if said := heard.after(do); len(said) > 0 {
			t.Errorf("%s: %v", what, said)
		}
	}
	speaks := func(what string, do func()) {
		t.Helper()
		if said := heard.after(do); len(said) != 1 {
			t.Errorf("%s: %v", what, said)
		}
	}
	named := func(name string) *v1alpha1.GitHubUserToken {
		token := w.withoutSeed(name)
		token.Spec.User = &v1alpha1.UserSelector{Login: "octocat"}
		return token
	}
	patch := func(body string) func() {
		return func() {
			w.must(person.Patch(w.ctx, w.withoutSeed("octocat"), client.RawPatch("application/merge-patch+json", []byte(body))))
		}
	}
	speaks("create", func() { w.must(person.Create(w.ctx, w.withoutSeed("octocat"))) })
	silent("create, with a name", func() { w.must(person.Create(w.ctx, named("named"))) })
	silent("create, with a seed", func() { w.must(person.Create(w.ctx, w.resource("seeded"), client.DryRunAll)) })
	withSeed := func(change func(*v1alpha1.GitHubUserTokenSpec)) func() {
		token := w.resource("seeded")
		change(&token.Spec)
		return func() { w.must(person.Create(w.ctx, token, client.DryRunAll)) }
	}
	speaks("create, with a seed and login", withSeed(func(spec *v1alpha1.GitHubUserTokenSpec) {
		spec.Login = &v1alpha1.Login{Methods: []v1alpha1.LoginMethod{v1alpha1.LoginMethodDeviceFlow}}
	}))
	speaks("create, with a seed and deviceFlow", withSeed(func(spec *v1alpha1.GitHubUserTokenSpec) { spec.DeviceFlow = &v1alpha1.DeviceFlow{} }))
	speaks("update", patch(`{"spec":{"suspend":true}}`))
	silent("update of an annotation", patch(`{"metadata":{"annotations":{"example.com/a":"b"}}}`))
	silent("update that changes nothing", patch(`{"spec":{"suspend":true}}`))
	silent("update of the status", func() {
		w.must(person.Status().Patch(w.ctx, w.withoutSeed("octocat"), client.RawPatch("application/merge-patch+json", []byte(`{"status":{"refreshCount":1}}`))))
	})
	silent("update that names the account", patch(`{"spec":{"user":{"login":"octocat"}}}`))
	speaks("update that takes it out", patch(`{"spec":{"user":null}}`))
}
