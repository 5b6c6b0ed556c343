package hostile

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// plainGroup is the API group of a copy of the resource type that no operator serves.
const plainGroup = "plain.example.dev"

// plain is a client that makes, again and again, the three writes of a refresh and nothing else: how long they take tells
// what the machine and its API server can do meanwhile.
type plain struct {
	took   suite.Durations
	failed int
	ended  chan struct{}
}

// plain starts it. It ends with the context.
func (w *world) plain(ctx context.Context) *plain {
	w.t.Helper()
	w.plainType()
	namespace := w.namespace("plain", nil)
	member := w.member(namespace, "edit")
	w.create(&rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "plain"},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{plainGroup}, Resources: []string{"githubusertokens", "githubusertokens/status"}, Verbs: []string{"get", "patch"},
		}},
	})
	w.create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "plain"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "plain"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: namespace, Name: "member"}},
	})
	w.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "pair"}, StringData: map[string]string{"access_token": "none"}})
	resource := &unstructured.Unstructured{}
	resource.SetGroupVersionKind(schema.GroupVersionKind{Group: plainGroup, Version: "v1alpha1", Kind: "GitHubUserToken"})
	resource.SetNamespace(namespace)
	resource.SetName("plain")
	w.must(unstructured.SetNestedMap(resource.Object, map[string]any{
		"app": map[string]any{"clientID": "plain"}, "deviceFlow": map[string]any{},
	}, "spec"))
	w.eventually("the copy of the resource type to be served", func() (bool, string) {
		err := the.admin.Create(w.ctx, resource.DeepCopy())
		return err == nil, fmt.Sprint(err)
	})
	p := &plain{ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for n := 0; ; n++ {
			begin := time.Now()
			if err := refreshPlainly(ctx, member, resource.DeepCopy(), n); err == nil {
				p.took = append(p.took, time.Since(begin))
			} else if ctx.Err() == nil {
				p.failed++
			}
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	}()
	return p
}

// refreshPlainly makes the writes of a refresh: a patch of the Secret, another one of its data, and one of the status.
func refreshPlainly(ctx context.Context, c client.Client, resource client.Object, n int) error {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: resource.GetNamespace(), Name: "pair"}}
	if err := c.Patch(ctx, secret, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"annotations":{"intent":"%d"}}}`, n))); err != nil {
		return err
	}
	secret.Annotations = nil
	secret.Data = map[string][]byte{"access_token": fmt.Appendf(nil, "plain-%d", n)}
	if err := c.Update(ctx, secret); err != nil {
		return err
	}
	return c.Status().Patch(ctx, resource, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"status":{"refreshCount":%d}}`, n)))
}

// plainType installs the copy of the resource type, once.
func (w *world) plainType() {
	w.t.Helper()
	content, err := os.ReadFile(filepath.Join(the.stage.Root, "config", "crd", "bases", "githubusertoken.dev_githubusertokens.yaml"))
	w.must(err)
	crd := &unstructured.Unstructured{}
	w.must(yaml.Unmarshal(content, &crd.Object))
	crd.SetName("githubusertokens." + plainGroup)
	w.must(unstructured.SetNestedField(crd.Object, plainGroup, "spec", "group"))
	w.must(client.IgnoreAlreadyExists(the.admin.Create(w.ctx, crd)))
}
