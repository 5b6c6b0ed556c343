//go:build e2e

package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// tree is a folder of manifests that is applied with pruning, again and again, as GitOps does.
type tree struct {
	t         *testing.T
	dir       string
	namespace string
}

const treeLabel = "example.com/tree"

// put writes a manifest.
func (g tree) put(object client.Object) {
	g.t.Helper()
	object.SetLabels(map[string]string{treeLabel: g.namespace})
	manifest, err := yaml.Marshal(object)
	if err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(g.file(object), manifest, 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// drop takes a manifest out.
func (g tree) drop(object client.Object) {
	g.t.Helper()
	if err := os.Remove(g.file(object)); err != nil {
		g.t.Fatal(err)
	}
}

func (g tree) file(object client.Object) string {
	return filepath.Join(g.dir, object.GetObjectKind().GroupVersionKind().Kind+"-"+object.GetName()+".yaml")
}

func (g tree) apply() {
	g.t.Helper()
	run(g.t, "-n", g.namespace, "apply", "--prune", "-l", treeLabel+"="+g.namespace,
		"--prune-allowlist=core/v1/Secret", "--prune-allowlist=core/v1/ConfigMap", "--prune-allowlist=apps/v1/Deployment",
		"--prune-allowlist=githubusertoken.dev/v1alpha1/GitHubUserToken", "-f", g.dir)
}

// TestE2EPruneAndApplyAgain takes everything out of a tree of manifests and puts it back.
func TestE2EPruneAndApplyAgain(t *testing.T) {
	t.Parallel()
	const namespace = "pruned"
	newNamespace(t, namespace, "restricted")
	k := token{t: t, namespace: namespace, name: "octocat", user: namespace}
	g := tree{t: t, dir: t.TempDir(), namespace: namespace}

	resource := func(policy v1alpha1.DeletionPolicy) *v1alpha1.GitHubUserToken {
		return octocat(namespace, func(spec *v1alpha1.GitHubUserTokenSpec) {
			spec.DeletionPolicy = policy
			spec.Outputs = []v1alpha1.Output{{
				Name: "octocat-access", Format: v1alpha1.OutputFormatOpaque,
				// What the operator makes bears the tree's label, but was not applied.
				Labels: map[string]string{treeLabel: namespace},
			}}
			spec.Secret.Labels = map[string]string{treeLabel: namespace}
		})
	}
	seed := func() *corev1.Secret {
		return &corev1.Secret{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
			ObjectMeta: metav1.ObjectMeta{Name: "octocat-seed"},
			StringData: map[string]string{"refresh_token": gh.Mint(clientID, k.user).RefreshToken},
		}
	}
	consumer := job{
		namespace: namespace, name: "pruned-reader", secret: "octocat-access",
		args: []string{"watch", "/github/access_token"},
	}.deployment()
	remains := &corev1.ConfigMap{ // kubectl applies no empty folder
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, ObjectMeta: metav1.ObjectMeta{Name: "remains"},
	}
	first := seed()
	g.put(remains)
	g.put(first)
	g.put(resource(v1alpha1.DeletionPolicyRetain))
	g.put(consumer)
	g.apply()
	k.awaitReady(deadline)
	g.awaitRead(k)

	t.Run("the seed is pruned after the import and applied again", func(t *testing.T) {
		before := k.newest()
		g.drop(first)
		g.apply()
		k.rotate()
		k.awaitReady(deadline)
		g.put(first)
		g.apply()
		k.rotate()
		k.awaitReady(deadline)
		if n := len(gh.PresentationsOf(first.StringData["refresh_token"])); n != 1 {
			t.Errorf("the seed was presented %d times", n)
		}
		if k.newest() == before {
			t.Error("there was no rotation")
		}
	})

	t.Run("all is pruned but the pair is retained, and all is applied again", func(t *testing.T) {
		before := k.newest()
		made := get(t, namespace, "octocat", &v1alpha1.GitHubUserToken{}).UID
		g.drop(first)
		g.drop(resource(""))
		g.drop(consumer)
		g.apply()
		g.awaitGone(&v1alpha1.GitHubUserToken{}, "octocat")
		g.awaitGone(&corev1.Secret{}, "octocat-seed")
		if left := get(t, namespace, "octocat-token", &corev1.Secret{}); string(left.Data[v1alpha1.KeyRefreshToken]) != before.RefreshToken {
			t.Error("the retained Secret does not hold the pair")
		}
		g.put(first)
		g.put(resource(v1alpha1.DeletionPolicyDelete))
		g.put(consumer)
		g.apply()
		k.awaitReady(deadline)
		g.awaitRead(k)
		if k.newest() != before {
			t.Error("the pair was exchanged, for no reason")
		}
		if get(t, namespace, "octocat", &v1alpha1.GitHubUserToken{}).UID == made {
			t.Error("the resource was never pruned")
		}
	})

	t.Run("all is pruned with the pair, and a new login is applied", func(t *testing.T) {
		g.drop(first)
		g.drop(resource(""))
		g.drop(consumer)
		g.apply()
		for _, secret := range []string{"octocat-seed", "octocat-token", "octocat-access"} {
			g.awaitGone(&corev1.Secret{}, secret)
		}
		g.awaitGone(&v1alpha1.GitHubUserToken{}, "octocat")
		g.put(seed())
		g.put(resource(v1alpha1.DeletionPolicyDelete))
		g.put(consumer)
		g.apply()
		k.awaitReady(deadline)
		g.awaitRead(k)
		k.rotate()
		k.awaitReady(deadline)
	})
	checkLedger(t)
}

// awaitRead waits until a pod of the tree reads the newest token.
func (g tree) awaitRead(k token) {
	g.t.Helper()
	eventually(g.t, 2*deadline, "a pod reads the token", func() error {
		if len(reports.seenBy("pruned-reader", fingerprint(k.newest()))) == 0 {
			return errors.New("no pod has told of it")
		}
		return nil
	})
}

func (g tree) awaitGone(object client.Object, name string) {
	g.t.Helper()
	eventually(g.t, deadline, name+" is gone", func() error {
		err := api.Get(g.t.Context(), types.NamespacedName{Namespace: g.namespace, Name: name}, object)
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		return errors.New("it is there")
	})
}
