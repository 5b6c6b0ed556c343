package controllers

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

func TestRotationNothingIsExchangedBecauseOfAStartOrAnEditThatAsksForNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	same := func(why string) {
		w.t.Helper()
		w.quiet()
		w.samePair(before, w.ready("octocat"))
		if shown := len(w.gh.Presentations()); shown != 1 {
			t.Fatalf("after %s %d tokens have been presented, want 1", why, shown)
		}
	}
	same("the import")
	then := w.meter.read()
	w.restart()
	w.quiet()
	if writes, _, _ := w.meter.since(then); len(writes) > 0 {
		t.Errorf("a start with nothing to do wrote %v", writes)
	}
	same("a restart")
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
		token.Labels = map[string]string{"team": "a"}
		metav1.SetMetaDataAnnotation(&token.ObjectMeta, "purpose", "ci")
	})
	same("an edit of the labels")
	w.patchSecret("octocat-token", `{"metadata":{"labels":{"extra":"x"},"annotations":{"extra":"x"}}}`)
	same("labels on the Secret")
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
		token.Spec.Secret.Labels = map[string]string{"team": "a"}
		token.Spec.Secret.Annotations = map[string]string{"purpose": "ci"}
	})
	w.eventually("the labels of the spec", func() (bool, string) {
		secret := w.pair("octocat-token")
		return secret.Labels["team"] == "a" && secret.Annotations["purpose"] == "ci", fmt.Sprint(secret.Labels)
	})
	same("labels in the spec")
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
		token.Spec.Secret.Labels, token.Spec.Secret.Annotations = nil, nil
	})
	w.eventually("the labels of the spec to go", func() (bool, string) {
		secret := w.pair("octocat-token")
		_, purpose := secret.Annotations["purpose"]
		return secret.Labels["team"] == "" && !purpose, fmt.Sprint(secret.Labels)
	})
	if secret := w.pair("octocat-token"); secret.Labels["extra"] != "x" || secret.Annotations["extra"] != "x" {
		t.Error("labels that somebody else has put on the Secret were taken off")
	}
	same("labels taken out of the spec")
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
		token.Spec.RefreshBefore = &metav1.Duration{Duration: time.Hour}
	})
	w.settle()
	same("another refreshBefore that is not due")
	// Every resource is looked at again, as a resync does.
	for range 3 {
		w.reconciler.queue.add(types.NamespacedName{Namespace: w.namespace, Name: "octocat"})
	}
	same("a resync")
}

func TestRotationStatusThatSomebodyEditedIsRepaired(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.start("octocat")
	w.settle()
	before := w.get("octocat").Status
	for name, patch := range map[string]string{
		"a lie":         `{"status":{"secretName":"other","refreshCount":99,"lastRefreshTime":"2001-01-01T00:00:00Z"}}`,
		"nothing":       `{"status":null}`,
		"no conditions": `{"status":{"conditions":null}}`,
		"a condition":   `{"status":{"conditions":[{"type":"Stalled","status":"True","reason":"X","message":"x","lastTransitionTime":"2001-01-01T00:00:00Z"}]}}`,
	} {
		token := w.resourceNamed("octocat")
		w.must(admin.Status().Patch(w.ctx, token, client.RawPatch(types.MergePatchType, []byte(patch))))
		w.eventually("the status to be repaired after "+name, func() (bool, string) {
			token := w.get("octocat")
			now := *token.Status.DeepCopy()
			for i := range now.Conditions {
				if i < len(before.Conditions) {
					now.Conditions[i].LastTransitionTime = before.Conditions[i].LastTransitionTime
				}
			}
			return equality.Semantic.DeepEqual(before, now), fmt.Sprintf("%+v, want %+v", now, before)
		})
	}
	w.quiet()
	w.presented(1)
}

func TestRotationSuspendStopsExchangesAndLiftingItGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: githubtest.App{AccessTokenLifetime: 4 * time.Second}})
	w.seed("octocat", "octocat")
	token := w.resource("octocat")
	token.Spec.Suspend = true
	w.create(token)
	suspended := func(status metav1.ConditionStatus, reason string) {
		w.t.Helper()
		w.condition("octocat", v1alpha1.ConditionReady, status, reason)
	}
	suspended(metav1.ConditionFalse, v1alpha1.ReasonSuspended)
	w.quiet()
	w.presented(0)
	w.absent("octocat-token")
	suspend := func(yes bool) {
		w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Suspend = yes })
	}
	suspend(false)
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
	suspend(true)
	// The pair stays, past its expiry too, and nothing is asked for in vain.
	suspended(metav1.ConditionFalse, v1alpha1.ReasonSuspended)
	shown := len(w.gh.Presentations())
	pair := w.pair("octocat-token")
	w.request("octocat", "1")
	w.quiet()
	w.presented(shown)
	w.samePair(pair, w.pair("octocat-token"))
	// What protects the pair goes on.
	w.remove(w.secretNamed("octocat-token"))
	w.restored(pair)
	w.gh.UpdateApp(clientID, func(app *githubtest.App) { app.AccessTokenLifetime = time.Hour })
	suspend(false)
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
	w.quiet()
	w.presented(shown + 1)
}

func TestRotationRequestIsHonouredOncePerValue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.start("octocat")
	w.request("octocat", "today")
	w.refreshed("octocat", 2)
	w.ready("octocat")
	w.quiet()
	w.presented(2)
	w.restart()
	w.quiet()
	w.presented(2)
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
		delete(token.Annotations, v1alpha1.AnnotationRefreshRequestedAt)
	})
	w.quiet()
	w.request("octocat", "today") // Applied again by a tool.
	w.quiet()
	w.presented(2)
	w.stop()
	w.request("octocat", "tomorrow")
	w.startOperator(w.options)
	w.refreshed("octocat", 3)
	w.ready("octocat")
	w.quiet()
	w.presented(3)
	// A request that stands there from the beginning is honoured by the import itself.
	w.seed("hubot", "hubot")
	token := w.resource("hubot")
	metav1.SetMetaDataAnnotation(&token.ObjectMeta, v1alpha1.AnnotationRefreshRequestedAt, "at once")
	w.create(token)
	w.ready("hubot")
	w.quiet()
	w.presented(4)
}

// A request that fails is tried again until it is honoured.
func TestRotationRequestSurvivesAFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.start("octocat")
	w.gh.Inject(githubtest.BadGateway())
	w.request("octocat", "1")
	w.refreshed("octocat", 2)
	w.ready("octocat")
	w.quiet()
	w.presented(3)
}

// A healthy rotation costs three writes (fence, commit, status) and at most one read, and makes no event.
func TestRotationCostsThreeWritesAndOneRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.start("octocat")
	w.account("octocat")
	w.settle()
	const rotations = 3
	then := w.meter.read()
	for i := range rotations {
		w.request("octocat", fmt.Sprint(i))
		w.refreshed("octocat", int64(i)+2)
		w.settle()
	}
	writes, reads, _ := w.meter.since(then)
	if len(writes) != 3*rotations {
		t.Errorf("%d rotations cost %d writes: %v", rotations, len(writes), writes)
	}
	if len(reads) > rotations {
		t.Errorf("%d rotations cost %d reads: %v", rotations, len(reads), reads)
	}
	w.quiet()
	w.presented(1 + rotations)
}
