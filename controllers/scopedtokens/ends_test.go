package scopedtokens

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// The stand-in's scoped tokens outlive the user's.
func TestScopedTokensEndAtOnceWhenThePersonAsksForTheEndOfTheLogin(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.publish()
	w.clock.Mono = 6 * time.Hour
	w.exchange("ghu_second")
	w.publish()
	state := &w.pairs.pair.State
	state.Verdict = &rotation.Verdict{Reason: v1alpha1.ReasonRevokedOnRequest, Fingerprint: state.RefreshToken, Time: w.clock.Now()}
	w.settled()
	if len(w.hub.alive) != 0 || w.cluster.get("agent") != nil || w.hub.made != 2 {
		t.Errorf("%d tokens are alive, %d were made, the Secret is there: %t", len(w.hub.alive), w.hub.made, w.cluster.get("agent") != nil)
	}
	w.exchange("ghu_third")
	w.settled()
	if token, _ := w.held("agent"); !w.hub.alive[token] {
		t.Error("after another login it holds no token that works")
	}
}

func TestScopedTokenThatWentWithItsSecretIsNotToldOfForEver(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.publish()
	w.clock.Mono = 6 * time.Hour
	w.exchange("ghu_second")
	w.publish()
	w.clock.Mono += overlap
	w.hub.revoke = []error{errGateway, errGateway, errGateway, errGateway}
	for range 3 {
		w.settled()
		w.clock.Mono += time.Minute
	}
	if found, _ := w.settled(); found == nil || found.Reason != v1alpha1.ReasonScopedTokenNotRevoked {
		t.Fatalf("it says %+v", found)
	}
	w.hub.revoke = nil
	delete(w.cluster.secrets, "agent")
	if found, _ := w.settled(); found != nil {
		t.Errorf("without the Secret it says %+v", found)
	}
}

// Kubernetes removes the Secrets itself when a resource is deleted in the foreground, or with its namespace.
func TestScopedTokensWhoseSecretsWentBeforeTheirResourceAreToldOf(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.publish()
	w.settled()
	w.token.DeletionTimestamp = new(metav1.NewTime(w.clock.Now()))
	delete(w.cluster.secrets, "agent")
	for range 2 {
		if again, err := w.Remove(t.Context(), w.token); again != 0 || err != nil {
			t.Errorf("again in %s: %v", again, err)
		}
	}
	if len(w.events.told) != 1 || !strings.HasPrefix(w.events.told[0], EventScopedTokenNotRevoked) {
		t.Errorf("it told %q", w.events.told)
	}
}

func TestScopedTokensOfAnOrphanedOutputAreEnded(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.publish()
	w.cluster.edit("agent", func(s *corev1.Secret) { s.OwnerReferences = nil })
	w.token.DeletionTimestamp = new(metav1.NewTime(w.clock.Now()))
	w.token.Finalizers = []string{metav1.FinalizerOrphanDependents}
	for range 4 {
		if again, err := w.Remove(t.Context(), w.token); err != nil {
			t.Fatal(err)
		} else if again == 0 {
			break
		}
		w.queue.Run()
	}
	if len(w.hub.alive) != 0 {
		t.Errorf("%d tokens are alive; it told %q", len(w.hub.alive), w.events.told)
	}
}

// Whoever renames an output over and over, and deletes its Secret, has no more tokens made than who keeps its name.
func TestScopedTokensOfRenamedOutputsAreCounted(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.publish()
	for i := range 20 {
		clear(w.cluster.secrets)
		w.token.Generation++
		w.token.Spec.Outputs = []v1alpha1.Output{named(fmt.Sprintf("agent%d", i))}
		w.rounds(5)
	}
	if len(w.hub.alive) > maxTokens {
		t.Errorf("%d are alive", len(w.hub.alive))
	}
}

// Times that the operator cannot have written neither keep tokens alive nor outputs without.
func TestScopedOutputWithForgedTimesGoesOn(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.publish()
	w.clock.Mono = 6 * time.Hour
	w.exchange("ghu_second")
	w.publish()
	never := time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)
	l := w.ledger("agent")
	l.Retired[0].EndAt = never
	for range maxLost {
		l.Lost = append(l.Lost, never)
	}
	w.cluster.edit("agent", func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationScopedTokens] = l.text() })
	w.clock.Mono = 12 * time.Hour
	w.exchange("ghu_third")
	w.settled()
	w.clock.Mono += overlap
	w.settled()
	if token, _ := w.held("agent"); !w.hub.alive[token] || len(w.hub.alive) != 1 {
		t.Errorf("it holds a token that is alive: %t; %d are", w.hub.alive[token], len(w.hub.alive))
	}
}
