package controllers

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/shard"
)

// labelWorld is on the ClusterGitHubApps of a world.
const labelWorld = "world"

// home is the namespace in which the client secrets of the ClusterGitHubApps are.
func (w *world) home() string { return w.namespaces[len(w.namespaces)-1] }

// cacheOptions are those of the operator, which knows the ClusterGitHubApps of its own world only.
func (w *world) cacheOptions(selector shard.Selector) cache.Options {
	options := CacheOptions(w.watched, selector.Keys()...)
	for object, by := range options.ByObject {
		if _, ok := object.(*v1alpha1.ClusterGitHubApp); ok {
			by.Label = labels.SelectorFromSet(labels.Set{labelWorld: w.namespaces[0]})
			options.ByObject[object] = by
		}
	}
	return options
}

// newAppWorld is a world of a tenant, who has no client secret, and of the operator's own namespace, which has it.
func newAppWorld(t *testing.T, options worldOptions) *world {
	t.Helper()
	options.clusterApps, options.namespaces = true, max(2, options.namespaces)
	w := newWorld(t, options)
	for _, namespace := range w.namespaces[:len(w.namespaces)-1] {
		w.must(admin.Delete(w.ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "github-app"}}))
	}
	return w
}

func (w *world) appSpec() v1alpha1.GitHubAppSpec {
	return v1alpha1.GitHubAppSpec{Host: w.site.Host, ClientID: clientID, ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "github-app"}}
}

// offer creates a ClusterGitHubApp that allows the first namespace of the world, and returns its name.
func (w *world) offer(name string, edit func(*v1alpha1.ClusterGitHubAppSpec)) string {
	w.t.Helper()
	app := &v1alpha1.ClusterGitHubApp{
		ObjectMeta: metav1.ObjectMeta{Name: w.namespaces[0] + "-" + name, Labels: map[string]string{labelWorld: w.namespaces[0]}},
		Spec:       v1alpha1.ClusterGitHubAppSpec{GitHubAppSpec: w.appSpec(), AllowedNamespaces: w.only(w.namespaces[0])},
	}
	if edit != nil {
		edit(&app.Spec)
	}
	w.create(app)
	w.t.Cleanup(func() { w.force(app) })
	return app.Name
}

// only allows one namespace.
func (w *world) only(namespace string) v1alpha1.AllowedNamespaces {
	return v1alpha1.AllowedNamespaces{
		From: v1alpha1.NamespacesSelector, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
	}
}

// own creates a GitHubApp in the namespace.
func (w *world) own(name string, edit func(*v1alpha1.GitHubAppSpec)) {
	w.t.Helper()
	app := &v1alpha1.GitHubApp{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}, Spec: w.appSpec()}
	if edit != nil {
		edit(&app.Spec)
	}
	w.create(app)
}

// using is a resource that refers to an App.
func (w *world) using(name, kind, app string) *v1alpha1.GitHubUserToken {
	token := w.resource(name)
	token.Spec.App = v1alpha1.App{Ref: &v1alpha1.AppReference{Kind: kind, Name: app}}
	return token
}

func (w *world) usingShared(name, app string) *v1alpha1.GitHubUserToken {
	return w.using(name, v1alpha1.KindClusterGitHubApp, app)
}

// startUsing creates a resource that refers to an App, with a login, and waits until it is Ready.
func (w *world) startUsing(token *v1alpha1.GitHubUserToken) *corev1.Secret {
	w.t.Helper()
	w.seed(token.Name, token.Name)
	w.create(token)
	w.ready(token.Name)
	w.account(token.Name)
	return w.alive(token.Name + "-token")
}

// changeApp edits the spec of a ClusterGitHubApp.
func (w *world) changeApp(name string, edit func(*v1alpha1.ClusterGitHubAppSpec)) {
	w.t.Helper()
	w.edit(&v1alpha1.ClusterGitHubApp{ObjectMeta: metav1.ObjectMeta{Name: name}}, func(object client.Object) {
		edit(&object.(*v1alpha1.ClusterGitHubApp).Spec)
	})
}

// changeOwn edits the spec of a GitHubApp.
func (w *world) changeOwn(name string, edit func(*v1alpha1.GitHubAppSpec)) {
	w.t.Helper()
	w.edit(&v1alpha1.GitHubApp{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}, func(object client.Object) {
		edit(&object.(*v1alpha1.GitHubApp).Spec)
	})
}

func (w *world) edit(object client.Object, edit func(client.Object)) {
	w.t.Helper()
	w.eventually("the edit of "+object.GetName(), func() (bool, string) {
		w.must(admin.Get(w.ctx, client.ObjectKeyFromObject(object), object))
		edit(object)
		err := admin.Update(w.ctx, object)
		return err == nil, "the API server answers " + errorText(err)
	})
}

func errorText(err error) string {
	if err == nil {
		return "nothing"
	}
	return err.Error()
}

// isNotUsable waits until a resource says of its App all that a tenant is to learn of one, and no more.
func (w *world) isNotUsable(name string) {
	w.t.Helper()
	stalled := w.condition(name, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonAppNotUsable)
	if stalled.Message != scope.AppNotUsable {
		w.t.Errorf("%s says %q", name, stalled.Message)
	}
}

// appStatus is the status of an App: of a ClusterGitHubApp, or of a GitHubApp of the namespace.
func (w *world) appStatus(kind, name string) v1alpha1.GitHubAppStatus {
	w.t.Helper()
	if kind == v1alpha1.KindGitHubApp {
		var app v1alpha1.GitHubApp
		w.must(admin.Get(w.ctx, client.ObjectKey{Namespace: w.namespace, Name: name}, &app))
		return app.Status
	}
	var app v1alpha1.ClusterGitHubApp
	w.must(admin.Get(w.ctx, client.ObjectKey{Name: name}, &app))
	return app.Status
}

// appCondition waits for a condition of an App, and returns its message.
func (w *world) appCondition(kind, name, condition string, status metav1.ConditionStatus, reason string) (message string) {
	w.t.Helper()
	w.eventually(condition+" of "+name+" to be "+string(status)+", "+reason, func() (bool, string) {
		conditions := w.appStatus(kind, name).Conditions
		found := meta.FindStatusCondition(conditions, condition)
		if found == nil {
			return false, describeAll(conditions)
		}
		message = found.Message
		return found.Status == status && found.Reason == reason, describeAll(conditions)
	})
	return message
}

func describeAll(conditions []metav1.Condition) (text string) {
	for _, c := range slices.Backward(conditions) {
		text += c.Type + "=" + string(c.Status) + " (" + c.Reason + ": " + c.Message + ") "
	}
	return text
}

func (w *world) clusterApp(name string) *v1alpha1.ClusterGitHubApp {
	return &v1alpha1.ClusterGitHubApp{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

// hasReason reports whether a condition of a resource has a reason.
func (w *world) hasReason(name, reason string) bool {
	w.t.Helper()
	return slices.ContainsFunc(w.get(name).Status.Conditions, func(c metav1.Condition) bool { return c.Reason == reason })
}

// tenantsDoNotRead makes sure that neither the status of resources nor the events about them hold a text.
func (w *world) tenantsDoNotRead(names []string, text string) {
	w.t.Helper()
	for _, name := range names {
		if told := describeAll(w.get(name).Status.Conditions); strings.Contains(told, text) {
			w.t.Errorf("%s tells of %q: %s", name, text, told)
		}
	}
	var events eventsv1.EventList
	w.must(admin.List(w.ctx, &events, client.InNamespace(w.namespace)))
	for _, event := range events.Items {
		if strings.Contains(event.Note, text) {
			w.t.Errorf("an event tells of %q: %s", text, event.Note)
		}
	}
}
