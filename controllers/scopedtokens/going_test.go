package scopedtokens

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// removed has the resource removed, as its finalizer does.
func (w *world) removed() {
	w.t.Helper()
	for range 20 {
		again, err := w.Remove(w.t.Context(), w.token)
		if err != nil {
			w.t.Fatal(err)
		}
		if again == 0 {
			return
		}
		w.queue.Run()
	}
	w.t.Fatal("there is no end to it")
}

// Kubernetes deletes the Secrets itself where a resource is deleted in the foreground, or with its namespace. They stay until their tokens
// have ended, whatever process that is.
func TestScopedTokensEndThoughTheirSecretsAreDeletedBeforeTheirResource(t *testing.T) {
	w := newWorld(t, named("one"), named("two"))
	w.publish()
	w.clock.Mono = 6 * time.Hour
	w.exchange("ghu_second")
	w.publish()
	w.restart()
	w.clock.Mono += time.Minute
	w.token.DeletionTimestamp = new(metav1.NewTime(w.clock.Now()))
	w.cluster.delete("one")
	w.cluster.delete("two")
	w.removed()
	if len(w.hub.alive) != 0 || len(w.cluster.secrets) != 0 || len(w.events.told) != 0 {
		t.Errorf("%d tokens are alive, %d Secrets there; it told %q", len(w.hub.alive), len(w.cluster.secrets), w.events.told)
	}
}

func TestScopedOutputThatSomebodyDeletesIsPutBackWithItsTokens(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.publish()
	w.clock.Mono = 6 * time.Hour
	w.exchange("ghu_second")
	w.publish()
	w.restart()
	before := w.cluster.get("agent").UID
	w.cluster.delete("agent")
	w.settled()
	secret := w.cluster.get("agent")
	if secret == nil || secret.UID == before || secret.DeletionTimestamp != nil {
		t.Fatal("it was not made anew")
	}
	if token, all := w.held("agent"); token != "ghu_scoped2" || len(all) != 2 || w.hub.made != 2 || len(w.hub.revoked) != 0 {
		t.Errorf("it holds %s of %d, and %d were made", token, len(all), w.hub.made)
	}
	w.clock.Mono += overlap
	w.settled()
	if _, all := w.held("agent"); len(all) != 1 || len(w.hub.alive) != 1 {
		t.Errorf("it holds %d, and %d are alive", len(all), len(w.hub.alive))
	}
}

// In a namespace that is being deleted no Secret can be made: were it let go of before, its tokens would live on.
func TestScopedTokensEndWhereTheirNamespaceIsBeingDeleted(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.publish()
	terminating := apierrors.NewForbidden(secrets, "agent", errors.New("the namespace is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	w.cluster.noneMade = terminating
	w.cluster.before = func(verb, _ string) error {
		if verb == "create" {
			return terminating
		}
		return nil
	}
	w.clock.Mono += time.Minute
	w.cluster.delete("agent")
	w.sync()
	w.queue.Run()
	if len(w.hub.alive) != 0 || w.cluster.get("agent") != nil {
		t.Errorf("%d tokens are alive, and the Secret is there: %t", len(w.hub.alive), w.cluster.get("agent") != nil)
	}
}

// It is looked at once more where it cannot be found out whether another one can be made.
func TestScopedOutputThatIsBeingDeletedIsKeptWhileNothingIsKnown(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.publish()
	w.cluster.noneMade = apierrors.NewServiceUnavailable("away")
	w.cluster.delete("agent")
	w.sync()
	w.queue.Run()
	if found, _ := w.sync(); found == nil || w.cluster.get("agent") == nil || len(w.hub.revoked) != 0 {
		t.Errorf("it says %+v, the Secret is there: %t, %d tokens were ended", found, w.cluster.get("agent") != nil, len(w.hub.revoked))
	}
	w.cluster.noneMade = nil
	w.clock.Mono += time.Minute
	w.settled()
	if token, _ := w.held("agent"); token != "ghu_scoped1" || w.cluster.get("agent").DeletionTimestamp != nil {
		t.Errorf("it holds %q", token)
	}
}

// Whoever takes the finalizer off a resource by force leaves Secrets that would never go.
func TestScopedOutputsOfAResourceThatIsGoneAreLetGo(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.publish()
	name := types.NamespacedName{Namespace: "team-a", Name: "octocat"}
	before := errors.New("before")
	if err := w.Gone(t.Context(), name, before); !errors.Is(err, before) || w.cluster.get("agent") == nil {
		t.Errorf("%v, and the Secret, which nobody deletes, is there: %t", err, w.cluster.get("agent") != nil)
	}
	w.cluster.delete("agent")
	if err := w.Gone(t.Context(), name, nil); err != nil || w.cluster.get("agent") != nil {
		t.Errorf("%v, and the Secret is there: %t", err, w.cluster.get("agent") != nil)
	}
}

// A namespace takes the client secret with it: what waits for that would keep the namespace for long.
func TestScopedOutputsDoNotWaitLongForAClientSecretThatIsGone(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.publish()
	w.token.DeletionTimestamp = new(metav1.NewTime(w.clock.Now()))
	w.cluster.delete("agent")
	w.lacking = &problem.Problem{Reason: v1alpha1.ReasonClientSecretMissing, Stalled: true, Message: "There is no Secret \"github-app\"."}
	began := w.clock.Mono
	for range 100 {
		again, err := w.Remove(t.Context(), w.token)
		if err != nil {
			t.Fatal(err)
		}
		if again == 0 {
			break
		}
		if w.queue.Len() > 0 {
			w.queue.Run()
		} else {
			w.clock.Mono += again
		}
	}
	if took := w.clock.Mono - began; took < lackingTime || took > lackingTime+time.Second || w.cluster.get("agent") != nil {
		t.Errorf("it took %s, and the Secret is there: %t", took, w.cluster.get("agent") != nil)
	}
	if len(w.events.told) != 1 || !strings.Contains(w.events.told[0], "github-app") {
		t.Errorf("it told %q", w.events.told)
	}
}
