package controllers

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// applyApp tries an App of a kind with a spec, without storing it, and returns it with its defaults.
func (w *world) applyApp(kind, spec string) (*unstructured.Unstructured, error) {
	w.t.Helper()
	var parsed map[string]any
	w.must(json.Unmarshal([]byte(spec), &parsed))
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": kind, "metadata": map[string]any{"name": "sample"}, "spec": parsed,
	}}
	if kind == v1alpha1.KindGitHubApp {
		object.SetNamespace(w.namespace)
	}
	return object, admin.Create(w.ctx, object, client.DryRunAll)
}

func TestValidationOfApps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noOperator: true})
	both := []string{v1alpha1.KindGitHubApp, v1alpha1.KindClusterGitHubApp}
	cluster := both[1:]
	for _, c := range []struct {
		kinds      []string
		spec, says string // empty when it is taken
	}{
		{both, `{"clientID":"Iv23liEXAMPLE"}`, ""},
		{both, `{"clientID":"Iv23liEXAMPLE","host":"octocorp.ghe.com","clientSecretRef":{"name":"a"},"webhookSecretRef":{"name":"a"},"tokenRequestsPerHour":100}`, ""},
		{both, `{"clientID":"Iv23liEXAMPLE","policy":{"user":"Required","includeRefreshToken":"Forbidden","deletionPolicies":["Revoke"],"outputFormats":["Netrc"],"outputHosts":["ghcr.io"]}}`, ""},
		{both, `{}`, "spec.clientID: Required value"},
		{both, `{"clientID":"a b"}`, saysClientID},
		{both, `{"clientID":"a","host":"https://github.com"}`, "must be a lower-case host name"},
		{both, `{"clientID":"a","tokenRequestsPerHour":-1}`, "should be greater than or equal to 1"},
		{both, `{"clientID":"a","clientSecretRef":{"name":"../x"}}`, saysName},
		{both, `{"clientID":"a","webhookSecretRef":{"name":"a","key":".."}}`, "must be a key of a Secret"},
		{both, `{"clientID":"a","policy":{"outputFormats":["Nonsense"]}}`, "Unsupported value"},
		{both, `{"clientID":"a","policy":{"outputHosts":["GHCR.io","[2001:db8::1]:8443"]}}`, ""},
		{both, `{"clientID":"a","policy":{"deletionPolicies":[]}}`, "should have at least 1 items"},
		{cluster, `{"clientID":"a","allowedNamespaces":{"from":"All"}}`, ""},
		{cluster, `{"clientID":"a","allowedNamespaces":{"from":"Selector","selector":{}}}`, ""},
		{cluster, `{"clientID":"a","allowedNamespaces":{"from":"Selector"}}`, "selector belongs to from: Selector, and that needs one"},
		{cluster, `{"clientID":"a","allowedNamespaces":{"from":"All","selector":{}}}`, "selector belongs to from: Selector, and that needs one"},
		{cluster, `{"clientID":"a","allowedNamespaces":{"from":"Same"}}`, "Unsupported value"},
		{cluster, `{"clientID":"a","inlineUse":"Unrestricted"}`, ""},
	} {
		for _, kind := range c.kinds {
			_, err := w.applyApp(kind, c.spec)
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s %s is answered with %v, want %q", kind, c.spec, err, c.says)
			}
		}
	}
	made, err := w.applyApp(v1alpha1.KindClusterGitHubApp, `{"clientID":"Iv23liEXAMPLE","clientSecretRef":{"name":"a"},"policy":{}}`)
	w.must(err)
	for path, want := range map[string]string{
		"spec.host": "github.com", "spec.allowedNamespaces.from": "None", "spec.inlineUse": "Restricted", "spec.clientSecretRef.key": "client_secret",
		"spec.policy.user": "Optional", "spec.policy.includeRefreshToken": "Allowed",
	} {
		if got, _, _ := unstructured.NestedString(made.Object, strings.Split(path, ".")...); got != want {
			t.Errorf("the default of %s is %q, want %q", path, got, want)
		}
	}
}
