package controllers

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// tenant is somebody with the cluster role edit in the namespace.
func (w *world) tenant() client.Client {
	w.t.Helper()
	w.create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "tenant"}})
	w.create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "tenant"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: w.namespace, Name: "tenant"}},
	})
	config, err := plane.ServiceAccountConfig(w.ctx, w.namespace, "tenant")
	w.must(err)
	config.QPS = -1
	tenant, err := client.New(config, client.Options{Scheme: scheme})
	w.must(err)
	return tenant
}

// A tenant with the rights of edit uses what is offered, and can neither look at it nor change it.
func TestAppRightsOfATenant(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t, worldOptions{})
	shared := w.offer("shared", nil)
	tenant := w.tenant()
	w.seed("octocat", "octocat")
	w.eventually("the rights to be those of the aggregated role", func() (bool, string) {
		err := tenant.Create(w.ctx, w.usingShared("octocat", shared))
		return err == nil || apierrors.IsAlreadyExists(err), errorText(err)
	})
	w.ready("octocat")
	own := &v1alpha1.GitHubApp{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "mine"}, Spec: w.appSpec()}
	w.must(tenant.Create(w.ctx, own))
	w.must(tenant.Delete(w.ctx, own))
	app := w.clusterApp(shared)
	for what, err := range map[string]error{
		"read a ClusterGitHubApp":   tenant.Get(w.ctx, client.ObjectKeyFromObject(app), app),
		"list ClusterGitHubApps":    tenant.List(w.ctx, &v1alpha1.ClusterGitHubAppList{}),
		"create a ClusterGitHubApp": tenant.Create(w.ctx, &v1alpha1.ClusterGitHubApp{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Spec: v1alpha1.ClusterGitHubAppSpec{GitHubAppSpec: w.appSpec()}}),
		"delete a ClusterGitHubApp": tenant.Delete(w.ctx, w.clusterApp(shared)),
		"write a GitHubApp's status": func() error {
			forged := &v1alpha1.GitHubApp{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "mine"}}
			return tenant.Status().Patch(w.ctx, forged, client.RawPatch("application/merge-patch+json", []byte(`{"status":{"tokens":0}}`)))
		}(),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("to %s is answered with %v", what, err)
		}
	}
}

func containsAll(text string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}
