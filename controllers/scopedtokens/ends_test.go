package scopedtokens

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

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
