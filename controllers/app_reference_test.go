package controllers

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

func TestAppIsSharedWithoutItsSecret(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t, worldOptions{})
	shared := w.offer("shared", nil)
	w.startUsing(w.usingShared("octocat", shared))
	w.presented(1)
	w.request("octocat", "again")
	w.refreshed("octocat", 2)
	w.presented(2)
}

func TestAppOfTheNamespaceIsUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{}) // Also by an operator that knows no ClusterGitHubApps.
	w.own("mine", nil)
	w.startUsing(w.using("octocat", v1alpha1.KindGitHubApp, "mine"))
	w.presented(1)
}

// What is made in whatever order works in the end, and nothing is exchanged before.
func TestAppThatIsMadeLaterIsUsedAtOnce(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t, worldOptions{})
	w.seed("octocat", "octocat")
	w.create(w.using("octocat", v1alpha1.KindGitHubApp, "mine"))
	w.seed("hubot", "hubot")
	w.create(w.usingShared("hubot", w.namespace+"-shared"))
	w.says("octocat", v1alpha1.ConditionStalled, "There is no GitHubApp mine in this namespace.")
	w.isNotUsable("hubot")
	w.presented(0)
	w.secret("github-app", map[string]string{"client_secret": clientSecret})
	w.own("mine", nil)
	w.offer("shared", nil)
	w.ready("octocat")
	w.ready("hubot")
	w.presented(2)
}

// Of an App that is not offered to a namespace nothing is learnt there: it is as if there were none.
func TestAppThatIsNotOfferedIsToldLikeOneThatIsNotThere(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t, worldOptions{})
	hidden := w.offer("hidden", func(spec *v1alpha1.ClusterGitHubAppSpec) {
		spec.AllowedNamespaces, spec.ClientID, spec.Host = v1alpha1.AllowedNamespaces{}, "Iv23liHIDDEN", "nowhere.example"
	})
	for name, app := range map[string]string{"octocat": hidden, "hubot": w.namespace + "-absent"} {
		token := w.usingShared(name, app)
		token.Spec.Outputs = []v1alpha1.Output{{Name: name + "-out", Format: v1alpha1.OutputFormatNetrc}}
		w.seed(name, name)
		w.create(token)
	}
	w.isNotUsable("octocat")
	w.isNotUsable("hubot")
	w.quiet()
	one, other := w.get("octocat"), w.get("hubot")
	if len(one.Status.Conditions) != len(other.Status.Conditions) {
		t.Errorf("of the one that is not offered is said %s, of the other %s", describeAll(one.Status.Conditions), describeAll(other.Status.Conditions))
	}
	for i := range one.Status.Conditions {
		a, b := one.Status.Conditions[i], other.Status.Conditions[i]
		if a.Type != b.Type || a.Status != b.Status || a.Reason != b.Reason {
			t.Errorf("%v is said of the one that is not offered, and %v of the one that is not there", a, b)
		}
	}
	w.presented(0)
}

func TestAppIsUsableWhenTheLabelsOfTheNamespaceSaySo(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t, worldOptions{})
	shared := w.offer("shared", func(spec *v1alpha1.ClusterGitHubAppSpec) {
		spec.AllowedNamespaces.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": w.namespace}}
	})
	w.seed("octocat", "octocat")
	w.create(w.usingShared("octocat", shared))
	w.isNotUsable("octocat")
	label := func(value string) {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}
		w.edit(namespace, func(object client.Object) { object.SetLabels(map[string]string{"team": value}) })
	}
	label(w.namespace)
	pair := w.ready("octocat")
	label("another")
	w.isNotUsable("octocat")
	w.samePair(pair, w.alive("octocat-token")) // Nothing is revoked.
	w.presented(1)
}

// Whatever the tenant writes beside the reference, also past the CRD's validation, neither the host nor the secret is theirs
// to choose.
func TestAppReferenceTakesNoHostAndNoSecret(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t, worldOptions{})
	shared := w.offer("shared", nil)
	for name, edit := range map[string]func(*v1alpha1.App){
		"a host":          func(app *v1alpha1.App) { app.Host = "evil.example" },
		"a client ID":     func(app *v1alpha1.App) { app.ClientID = "Iv23liEVIL" },
		"a client secret": func(app *v1alpha1.App) { app.ClientSecretRef = &v1alpha1.ClientSecretReference{Name: "mine"} },
	} {
		token := w.usingShared("octocat", shared)
		edit(&token.Spec.App)
		if err := admin.Create(w.ctx, token); err == nil {
			t.Errorf("a reference with %s beside it is taken", name)
		}
	}
	neither := w.usingShared("octocat", shared)
	neither.Spec.App = v1alpha1.App{Host: w.site.Host}
	if err := admin.Create(w.ctx, neither); err == nil {
		t.Error("a resource without an App is taken")
	}
	kind := w.using("octocat", "Secret", shared)
	if err := admin.Create(w.ctx, kind); err == nil {
		t.Error("a reference to something else is taken")
	}
}

// With Roles alone nothing cluster-wide can be read.
func TestAppOfTheClusterIsOffWithRolesAloneAndSaysSo(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t, worldOptions{noOperator: true})
	shared := w.offer("shared", func(spec *v1alpha1.ClusterGitHubAppSpec) { spec.AllowedNamespaces = v1alpha1.AllowedNamespaces{} })
	bind := w.inRoles()
	bind(w.namespaces[0])
	bind(w.namespaces[1])
	w.startOperator(w.options) // It may not read them, although nobody has told it so.
	w.seed("octocat", "octocat")
	w.create(w.usingShared("octocat", shared))
	w.says("octocat", v1alpha1.ConditionStalled, "This operator has no ClusterGitHubApps")
	w.secret("github-app", map[string]string{"client_secret": clientSecret})
	w.startUnknown("hubot") // Inline nothing is bound.
	if err := w.watched.Ready(nil); err != nil {
		t.Errorf("the operator is not ready: %v", err)
	}
}
