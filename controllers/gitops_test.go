package controllers

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// kubectl runs kubectl as an administrator, with objects as its standard input.
func (w *world) kubectl(objects []client.Object, args ...string) {
	w.t.Helper()
	var text bytes.Buffer
	for _, object := range objects {
		document, err := yaml.Marshal(object)
		w.must(err)
		text.WriteString("---\n")
		text.Write(document)
	}
	command := plane.Kubectl(w.ctx, append([]string{"--namespace=" + w.namespace}, args...)...)
	command.Stdin = &text
	if output, err := command.CombinedOutput(); err != nil {
		w.t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, suite.Tokens.ReplaceAll(output, []byte("[REDACTED]")))
	}
}

// manifests are a seed and a resource as they stand in Git.
func (w *world) manifests(name, refreshToken string) (seed *corev1.Secret, token *v1alpha1.GitHubUserToken) {
	w.t.Helper()
	seed = &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name + "-seed"},
		StringData: map[string]string{"refresh_token": refreshToken},
	}
	token = w.resource(name)
	token.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "GitHubUserToken"}
	token.Spec.Outputs = []v1alpha1.Output{{Name: name + "-out", Format: v1alpha1.OutputFormatOpaque}}
	return seed, token
}

func TestGitOpsArgoCDsTrackingIsNotCopiedToSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	seed, token := w.manifests("octocat", w.login("octocat"))
	labels := map[string]string{"app.kubernetes.io/instance": "my-app", "argocd.argoproj.io/instance": "my-app"}
	annotations := map[string]string{"argocd.argoproj.io/tracking-id": "my-app:githubusertoken.dev/GitHubUserToken:x/octocat", "argocd.argoproj.io/sync-wave": "-1"}
	for _, object := range []client.Object{seed, token} {
		object.SetLabels(labels)
		object.SetAnnotations(annotations)
	}
	w.kubectl([]client.Object{seed, token}, "apply", "-f", "-")
	pair := w.ready("octocat")
	for _, secret := range []*corev1.Secret{w.pair("octocat-token"), w.output("octocat-out", access(pair))} {
		for key := range labels {
			if _, copied := secret.Labels[key]; copied {
				t.Errorf("%s carries the label %s", secret.Name, key)
			}
		}
		for key := range annotations {
			if _, copied := secret.Annotations[key]; copied {
				t.Errorf("%s carries the annotation %s", secret.Name, key)
			}
		}
	}
}

func TestGitOpsApplyingAgainForEverChangesNothing(t *testing.T) {
	t.Parallel()
	each(t, map[string][]string{
		"client-side": {"apply", "-f", "-"},
		"server-side": {"apply", "--server-side", "--field-manager=gitops", "--force-conflicts", "-f", "-"},
	}, func(t *testing.T, apply []string) {
		w := newWorld(t, worldOptions{})
		seed, token := w.manifests("octocat", w.login("octocat"))
		w.kubectl([]client.Object{seed, token}, apply...)
		before := w.ready("octocat")
		w.output("octocat-out", access(before))
		w.quiet()
		for range 3 {
			w.kubectl([]client.Object{seed, token}, apply...)
		}
		w.quiet()
		w.presented(1)
		w.request("octocat", "a rotation in between")
		w.refreshed("octocat", 2)
		w.kubectl([]client.Object{seed, token}, apply...)
		w.quiet()
		w.presented(2)
		w.ready("octocat")
	})
}

func TestGitOpsPruneRemovesWhatLeftGitAndNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	seed, token := w.manifests("octocat", w.login("octocat"))
	prunable := map[string]string{"app": "tokens"}
	seed.Labels, token.Labels, token.Spec.Outputs[0].Labels, token.Spec.Secret.Labels = prunable, prunable, prunable, prunable
	prune := []string{
		"apply", "-f", "-", "--prune", "--selector=app=tokens",
		"--prune-allowlist=core/v1/Secret", "--prune-allowlist=githubusertoken.dev/v1alpha1/GitHubUserToken",
	}
	w.kubectl([]client.Object{seed, token}, prune...)
	before := w.ready("octocat")
	out := w.output("octocat-out", access(before))
	w.settle()
	w.kubectl([]client.Object{seed, token}, prune...)
	w.quiet()
	if now := w.pair("octocat-out"); now.UID != out.UID {
		t.Error("an output was pruned, although it is not from Git")
	}
	if now := w.alive("octocat-token"); now.UID != before.UID {
		t.Error("the pair was pruned, although it is not from Git")
	}

	w.kubectl([]client.Object{seed}, prune...)
	w.gone(w.resourceNamed("octocat"))
	w.vanishes("octocat-token")
	w.vanishes("octocat-out")
	w.presented(1)
}

func TestGitOpsReplacingByForceIsDeletionAndCreation(t *testing.T) {
	t.Parallel()
	t.Run("a retained pair is taken up again", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, worldOptions{})
		seed, token := w.manifests("octocat", w.login("octocat"))
		token.Spec.DeletionPolicy = v1alpha1.DeletionPolicyRetain
		w.kubectl([]client.Object{seed, token}, "apply", "-f", "-")
		before := w.ready("octocat")
		former := w.get("octocat").UID
		w.kubectl([]client.Object{token}, "replace", "--force", "--timeout=30s", "-f", "-")
		after := w.ready("octocat")
		w.samePair(before, after)
		if w.get("octocat").UID == former {
			t.Error("the resource was not replaced")
		}
		w.output("octocat-out", access(before))
		w.quiet()
		w.presented(1)
	})
	t.Run("otherwise a new login is needed", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, worldOptions{spendsTwice: true})
		seed, token := w.manifests("octocat", w.login("octocat"))
		w.kubectl([]client.Object{seed, token}, "apply", "-f", "-")
		w.ready("octocat")
		w.kubectl([]client.Object{token}, "replace", "--force", "--timeout=30s", "-f", "-")
		w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonRefreshTokenRejected)
		w.quiet()
		w.seed("octocat", "octocat")
		w.output("octocat-out", access(w.ready("octocat")))
	})
}

func TestGitOpsHoldPutsARefreshOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: githubtest.App{AccessTokenLifetime: time.Hour}})
	w.startWith("octocat", v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatOpaque})
	due := w.get("octocat").Status.NextRefreshTime.Time
	expiry := w.get("octocat").Status.AccessTokenExpirationTime.Time
	hold := func(value string) {
		w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
			metav1.SetMetaDataAnnotation(&token.ObjectMeta, v1alpha1.AnnotationHoldUntil, value)
		})
	}
	next := func(what string, is func(time.Time) bool) time.Time {
		t.Helper()
		var at time.Time
		w.eventually(what, func() (bool, string) {
			at = w.get("octocat").Status.NextRefreshTime.Time
			text := at.UTC().Format(time.RFC3339)
			return is(at) && w.pair("octocat-token").Annotations[v1alpha1.AnnotationNextRefreshAt] == text &&
				w.pair("out").Annotations[v1alpha1.AnnotationNextRefreshAt] == text, text
		})
		return at
	}

	until := due.Add(5 * time.Minute).UTC().Truncate(time.Second)
	hold(until.Format(time.RFC3339))
	next("the refresh to be put off", until.Equal)
	w.says("octocat", v1alpha1.ConditionReady, "held until "+until.Format(time.RFC3339))

	hold(expiry.Add(24 * time.Hour).Format(time.RFC3339))
	latest := next("the refresh to be put off as far as is safe", func(at time.Time) bool { return at.After(until) })
	if margin := expiry.Sub(latest); margin < 3*time.Minute {
		t.Errorf("the refresh is put off to %s before the expiry", margin)
	}
	w.says("octocat", v1alpha1.ConditionReady, "too close to the expiry")

	hold("tomorrow")
	next("the refresh to be due as ever", due.Equal)
	w.says("octocat", v1alpha1.ConditionReady, `"tomorrow" is no time`)
	w.presented(1)
	w.quiet()
}

// kubectl replace, which Argo CD does for Replace=true, sends the manifest without what others have added: the finalizer is
// gone, and nothing else says so. It is put back at once, so that the deletion policy is carried out.
func TestGitOpsResourceThatIsReplacedKeepsItsDeletionPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.seed("octocat", "octocat")
	token := w.resource("octocat")
	token.Spec.DeletionPolicy = v1alpha1.DeletionPolicyRetain
	manifest := token.DeepCopy()
	w.create(token)
	before := w.ready("octocat")
	w.account("octocat")
	w.settle()
	for range 3 { // What a login leaves to be done may have the resource looked at once more.
		version := w.get("octocat").ResourceVersion
		w.kubectl([]client.Object{manifest}, "replace", "--filename=-")
		if w.get("octocat").ResourceVersion == version {
			t.Fatal("nothing was replaced, not even the finalizer")
		}
		w.eventually("the finalizer to be put back", func() (bool, string) {
			finalizers := w.get("octocat").Finalizers
			return slices.Contains(finalizers, v1alpha1.Finalizer), strings.Join(finalizers, ", ")
		})
		w.settle()
	}
	w.remove(w.resourceNamed("octocat"))
	w.gone(w.resourceNamed("octocat"))
	w.samePair(before, w.alive("octocat-token"))
	w.presented(1)
}
