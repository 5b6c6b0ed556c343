package controllers

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// inRoles makes a service account that has the operator's rights in namespaces only where bind is called, and has the
// operator work under it.
func (w *world) inRoles() (bind func(namespace string)) {
	w.t.Helper()
	const name = "operator"
	home := w.namespaces[0]
	w.create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: name}})
	account, err := plane.ServiceAccountConfig(w.ctx, home, name)
	w.must(err)
	w.options.config = func(config *rest.Config) { config.BearerToken = account.BearerToken }
	return func(namespace string) {
		w.t.Helper()
		w.create(&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "github-user-token-operator"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: home, Name: name}},
		})
	}
}

func TestNamespaceThatIsForbiddenKeepsNoOtherWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noOperator: true, namespaces: 2})
	bind := w.inRoles()
	one, two := w.namespaces[0], w.namespaces[1]
	bind(one)
	w.startOperator(w.options)
	w.start("octocat")
	if err := w.watched.Ready(nil); err != nil {
		t.Errorf("the operator is not ready: %v", err)
	}
	w.eventually("the other one to be reported", func() (bool, string) {
		return w.watched.Refused(two) != nil, fmt.Sprint(w.watched.Err(two))
	})
	w.namespace = two
	w.seed("octocat", "hubot")
	w.create(w.resource("octocat"))
	bind(two)
	const patience = 2 * time.Minute // The watches are tried again after up to a minute.
	suite.Eventually(t, patience, "the other namespace to be served", func() (bool, string) {
		token := w.get("octocat")
		return slices.ContainsFunc(token.Status.Conditions, func(c metav1.Condition) bool {
			return c.Type == v1alpha1.ConditionReady && c.Status == metav1.ConditionTrue
		}), suite.Describe(token)
	})
	w.ready("octocat")
}

// Where nothing can be watched the operator is not ready, and ends when it is told to.
func TestNamespacesThatAreAllForbiddenEndTheOperatorAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noOperator: true, namespaces: 2})
	w.inRoles()
	w.startOperator(w.options)
	w.eventually("both to be reported", func() (bool, string) {
		return w.watched.Refused(w.namespaces[0]) != nil && w.watched.Refused(w.namespaces[1]) != nil, "they are not"
	})
	if w.watched.Ready(nil) == nil {
		t.Error("the operator says that it is ready")
	}
	ended := make(chan struct{})
	go func() {
		w.stop()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(deadline):
		t.Errorf("it has not ended in %s", deadline)
	}
}
