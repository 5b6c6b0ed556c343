package controllers

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// fillQuota has the API server refuse each further Secret of the namespace, until it is lifted.
func (w *world) fillQuota() (lift func()) {
	w.t.Helper()
	var secrets corev1.SecretList
	w.must(admin.List(w.ctx, &secrets, inNamespace(w.namespace)))
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "secrets"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/secrets": *resource.NewQuantity(int64(len(secrets.Items)), resource.DecimalSI)}},
	}
	w.create(quota)
	w.eventually("the quota to count", func() (bool, string) {
		w.must(admin.Get(w.ctx, keyOfObject(quota), quota))
		used := quota.Status.Used["count/secrets"]
		return used.Value() == int64(len(secrets.Items)), used.String()
	})
	return func() {
		w.t.Helper()
		w.remove(quota)
	}
}

// reconciling waits until the condition Reconciling of a resource says this.
func (w *world) reconciling(name, part string) {
	w.t.Helper()
	w.eventually("Reconciling of "+name+" to say: "+part, func() (bool, string) {
		token := w.get(name)
		condition := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionReconciling)
		return condition != nil && condition.Status == metav1.ConditionTrue && strings.Contains(condition.Message, part), suite.Describe(token)
	})
}

// A quota keeps a pair Secret that somebody has deleted from being put back. Workloads go on reading it, since the finalizer
// holds it, and so its pair is refreshed there.
func TestRefusedWritePairIsRefreshedInADeletedSecretThatAQuotaKeepsFromBeingPutBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: githubtest.App{AccessTokenLifetime: 20 * time.Second}})
	before := w.start("octocat")
	lift := w.fillQuota()
	w.remove(w.secretNamed("octocat-token"))
	w.reconciling("octocat", "exceeded quota")
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
	w.request("octocat", "now")
	w.refreshed("octocat", 2)
	w.eventually("a token that works in the deleted Secret", func() (bool, string) {
		now := w.pair("octocat-token")
		return now.UID == before.UID && now.DeletionTimestamp != nil && refresh(now) != refresh(before) && w.gh.Alive(access(now)), now.ResourceVersion
	})
	w.reconciling("octocat", "exceeded quota")
	w.refreshed("octocat", 3) // The next one is due.
	w.restart()
	w.refreshed("octocat", 4)
	w.reconciling("octocat", "exceeded quota")
	lift()
	w.eventually("the Secret to be put back", func() (bool, string) {
		now := w.find("octocat-token") // Not there for a moment.
		return now != nil && now.UID != before.UID && now.DeletionTimestamp == nil, fmt.Sprint(now != nil)
	})
	w.ready("octocat")
	w.leftovers("octocat-token")
}

// A Secret that somebody has made immutable has to be replaced, which a quota may forbid. It is said that it does, and the
// status tells the truth when the token has expired.
func TestRefusedWriteQuotaThatKeepsAnImmutableSecretFromBeingReplacedIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: githubtest.App{AccessTokenLifetime: 10 * time.Second}})
	w.start("octocat")
	lift := w.fillQuota()
	w.patchSecret("octocat-token", `{"immutable":true}`)
	w.says("octocat", v1alpha1.ConditionReady, "The access token expired at")
	w.says("octocat", v1alpha1.ConditionReady, "exceeded quota")
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAPIServerUnavailable)
	w.gh.UpdateApp(clientID, func(app *githubtest.App) { app.AccessTokenLifetime = time.Hour })
	lift()
	w.ready("octocat")
	w.leftovers("octocat-token")
}

// Somebody takes the operator's right to write Secrets away. Nothing is sent, the status quotes the refusal and tells the truth at
// the expiry, and a Role that is put right is noticed soon, although nothing tells of it.
func TestRefusedWriteMissingPermissionIsToldAndHeals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noOperator: true, app: githubtest.App{AccessTokenLifetime: 20 * time.Second}})
	w.inRoles()(w.namespace)
	w.startOperator(w.options)
	w.start("octocat")
	whole := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "operator"}}
	w.must(admin.Get(w.ctx, keyOfObject(whole), whole))
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "reader"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "list", "watch"}},
		{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"*"}, Verbs: []string{"*"}},
		{APIGroups: []string{"events.k8s.io", ""}, Resources: []string{"events"}, Verbs: []string{"*"}},
	}}
	w.create(role)
	w.create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "reader"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name}, Subjects: whole.Subjects,
	})
	w.remove(whole)
	sent := len(w.gh.Presentations())
	w.reconciling("octocat", `cannot patch resource "secrets"`)
	w.says("octocat", v1alpha1.ConditionReady, "The access token expired at")
	w.says("octocat", v1alpha1.ConditionReady, `cannot patch resource "secrets"`)
	if now := len(w.gh.Presentations()); now > sent+1 { // The right may have gone just after an exchange had begun.
		t.Errorf("%d tokens were sent meanwhile", now-sent)
	}
	w.gh.UpdateApp(clientID, func(app *githubtest.App) { app.AccessTokenLifetime = time.Hour })
	w.create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: whole.Name}, RoleRef: whole.RoleRef, Subjects: whole.Subjects,
	})
	suite.Eventually(t, time.Minute, "a token that works", func() (bool, string) {
		return w.gh.Alive(access(w.pair("octocat-token"))), suite.Describe(w.get("octocat"))
	})
	w.ready("octocat")
}

// A policy refuses the operator's finalizer on a resource. The token is fetched and refreshed all the same, the status quotes the
// refusal, and the finalizer is there soon after it is allowed.
func TestAFinalizerThatIsRefusedIsToldAndStopsNoRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: githubtest.App{AccessTokenLifetime: 8 * time.Second}})
	release := w.deny(http.StatusForbidden, v1alpha1.GroupVersion.Group, "githubusertokens")
	w.seed("hubot", "hubot")
	w.create(w.resource("hubot"))
	w.isDenied(w.resourceNamed("hubot"))
	w.remove(w.resourceNamed("hubot"))
	w.seed("octocat", "octocat")
	w.create(w.resource("octocat"))
	w.refreshed("octocat", 3)
	w.reconciling("octocat", "no such thing")
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
	release()
	suite.Eventually(t, time.Minute, "the finalizer", func() (bool, string) {
		token := w.get("octocat")
		return slices.Contains(token.Finalizers, v1alpha1.Finalizer), suite.Describe(token)
	})
	w.eventually("the status to say nothing of it any more", func() (bool, string) {
		token := w.get("octocat")
		return meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionReconciling) == nil, suite.Describe(token)
	})
}

// A policy keeps the operator from releasing a resource that is deleted, whose namespace would be stuck without a word.
func TestADeletionThatIsRefusedIsToldAndHeals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.start("octocat")
	release := w.deny(http.StatusForbidden, "", "secrets")
	w.remove(w.get("octocat"))
	w.reconciling("octocat", "cannot be released yet")
	w.reconciling("octocat", "no such thing")
	release()
	suite.Eventually(t, time.Minute, "the resource to go", func() (bool, string) {
		token := &v1alpha1.GitHubUserToken{}
		err := admin.Get(w.ctx, types.NamespacedName{Namespace: w.namespace, Name: "octocat"}, token)
		return apierrors.IsNotFound(err), suite.Describe(token)
	})
}
