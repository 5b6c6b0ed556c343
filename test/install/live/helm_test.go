package live

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

const (
	release = "github-user-token-operator"
	chart   = "charts/github-user-token-operator"
	crd     = "crd/githubusertokens.githubusertoken.dev"
)

// crds are those of all kinds.
var crds = []string{crd, "crd/githubapps.githubusertoken.dev", "crd/clustergithubapps.githubusertoken.dev"}

// A release is installed, upgraded, uninstalled and installed again around resources that live on.
func TestHelmReleaseComesAndGoesAroundLiveResources(t *testing.T) {
	w := newWorld(t)
	if out := w.helm("lint", "--strict", chart); !strings.Contains(out, "0 chart(s) failed") {
		t.Error(out)
	}
	notes := w.helm("install", release, chart, "--namespace", stage.Namespace, "--create-namespace")
	if !strings.Contains(notes, "rollout status deployment/"+release) {
		t.Errorf("the notes do not say the next command:\n%s", notes)
	}
	w.kubectl(append([]string{"wait", "--for=condition=Established"}, crds...)...)
	w.start()
	w.createResources()
	before := w.pairs()

	w.helm("upgrade", release, chart, "--namespace", stage.Namespace, "--set", "handoff.enabled=true", "--set-string", "podLabels.upgraded=true")
	w.stop()
	w.start()
	w.serves()
	w.unchanged(before, "after an upgrade")

	w.helm("rollback", release, "--namespace", stage.Namespace)
	w.stop()
	w.start()
	w.serves()
	w.unchanged(before, "after a rollback")

	// The operator first, its resources later: they and the CRD stay.
	w.stop()
	w.helm("uninstall", release, "--namespace", stage.Namespace, "--wait")
	w.kubectl(append([]string{"get"}, crds...)...)
	w.unchanged(before, "after the operator was uninstalled")
	if left := w.kubectl("-n", stage.Namespace, "get", "deployments,services,serviceaccounts,networkpolicies,poddisruptionbudgets", "-l", "app.kubernetes.io/instance="+release, "-o", "name"); left != "" {
		t.Errorf("uninstalling leaves %s", left)
	}
	if left := w.kubectl("get", "clusterroles,clusterrolebindings,flowschemas,prioritylevelconfigurations", "-l", "app.kubernetes.io/instance="+release, "-o", "name"); left != "" {
		t.Errorf("uninstalling leaves %s", left)
	}

	// One that is deleted meanwhile waits for the operator.
	w.kubectl("-n", namespace, "delete", "ghut", "delete", "--wait=false")
	w.unchanged(before, "after a resource was deleted without an operator")
	w.helm("install", release, chart, "--namespace", stage.Namespace)
	w.start()
	w.gone("delete")
	if err := w.api.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "delete-token"}, &corev1.Secret{}); !apierrors.IsNotFound(err) {
		t.Errorf("the pair of a deleted resource: %v", err)
	}

	// In the right order nothing is left.
	w.kubectl("delete", "ghut", "--all", "--all-namespaces", "--timeout=1m")
	w.stop()
	w.helm("uninstall", release, "--namespace", stage.Namespace, "--wait")
	w.kubectl(append([]string{"delete", "--timeout=1m"}, crds...)...)
	w.kubectl("delete", "namespace", namespace, "--timeout=1m")
	after, err := w.GitHub.Presentations(t.Context())
	w.must(err)
	if len(after) != len(before.presentations) {
		t.Errorf("%d refresh tokens were presented since the beginning", len(after)-len(before.presentations))
	}
}

// Whoever uninstalls everything at once, CRDs and all, has resources that are stuck, and the documents say how to free them.
func TestHelmUninstalledBeforeItsResourcesIsFreedAsTheDocumentsSay(t *testing.T) {
	w := newWorld(t)
	w.helm("install", release, chart, "--namespace", stage.Namespace, "--create-namespace", "--set", "crds.keep=false")
	w.kubectl(append([]string{"wait", "--for=condition=Established"}, crds...)...)
	w.start()
	w.createResources()
	for _, app := range []client.Object{
		&v1alpha1.GitHubApp{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "mine"}, Spec: v1alpha1.GitHubAppSpec{ClientID: clientID}},
		&v1alpha1.ClusterGitHubApp{ObjectMeta: metav1.ObjectMeta{Name: "ours"}, Spec: v1alpha1.ClusterGitHubAppSpec{GitHubAppSpec: v1alpha1.GitHubAppSpec{ClientID: clientID}, InlineUse: v1alpha1.InlineUnrestricted}},
	} {
		w.must(w.api.Create(t.Context(), app))
		suite.Eventually(t, patience, "the operator has seen an App", func() (bool, string) {
			err := w.api.Get(t.Context(), client.ObjectKeyFromObject(app), app)
			return err == nil && len(app.GetFinalizers()) > 0, fmt.Sprint(err)
		})
	}
	w.stop()
	w.helm("uninstall", release, "--namespace", stage.Namespace)
	if finalizing := w.kubectl("get", crd, "-o", "jsonpath={.metadata.deletionTimestamp}"); finalizing == "" {
		t.Error("the CRD is not being deleted, so nothing is stuck")
	}
	for _, command := range documentedCommands(t, "### When the operator is gone already") {
		w.shell(command)
	}
	w.kubectl(append([]string{"wait", "--for=delete", "--timeout=1m"}, crds...)...)
	if stuck := w.kubectl("get", "secrets", "--all-namespaces", "-l", "githubusertoken.dev/role", "-o", `jsonpath={range .items[?(@.metadata.deletionTimestamp)]}{.metadata.name}{"\n"}{end}`); stuck != "" {
		t.Errorf("Secrets are stuck: %s", stuck)
	}
	w.kubectl("delete", "namespace", namespace, "--timeout=1m")
}
