package lifecycle

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Each round is one in which somebody has put another access token into the Secret, and a new one is got.
func TestContestOverTheAccessTokenPausesLongerEachTime(t *testing.T) {
	w := newWorld(t)
	token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: owner.Namespace, Name: owner.Name, UID: uid}}
	w.resource = token
	overwritten := func(change func(*rotation.Pair)) *note {
		found := pairAt("2", func(p *rotation.Pair) {
			p.AccessToken, p.RefreshToken = credential.NewAccessToken("a"), credential.NewRefreshToken("r")
			p.State.AccessToken, p.State.RefreshToken = p.AccessToken.Fingerprint(), p.RefreshToken.Fingerprint()
			change(p)
		})
		w.notes.seen(uid, found)
		w.hold(found)
		s := &scope.Scope{Token: token, Owner: owner, Ref: inPlace, Pair: found, Now: w.clock.Now()}
		if result := w.pairs.takeUp(t.Context(), s); result.State != Again {
			t.Fatalf("it was not taken up: %+v", result)
		}
		var known note
		w.notes.Peek(uid, func(m *note) { known = *m })
		return &known
	}
	mirrored := func(p *rotation.Pair) { p.AccessToken = credential.NewAccessToken("old") }
	for round := range 4 {
		if known := overwritten(mirrored); known.failure != nil {
			t.Fatalf("round %d waits: %+v", round+1, known.failure.problem)
		}
	}
	var last time.Duration
	for round := range 12 {
		known := overwritten(mirrored)
		if known.failure == nil || known.failure.problem.Reason != v1alpha1.ReasonContested || !strings.Contains(known.failure.problem.Message, "overwrites the access token") {
			t.Fatalf("round %d: %+v", round+5, known.failure)
		}
		wait := known.failure.retry.Monotonic - w.clock.Monotonic()
		if wait < last || wait > backoff.ContestPause || known.failure.problem.RetryAt.IsZero() {
			t.Errorf("round %d waits for %s, after %s", round+5, wait, last)
		}
		last = wait
		w.clock.pass(wait)
	}
	if last != backoff.ContestPause {
		t.Errorf("the longest pause is %s", last)
	}
	for name, change := range map[string]func(*rotation.Pair){
		"nothing was changed":        func(*rotation.Pair) {},
		"another refresh token came": func(p *rotation.Pair) { p.RefreshToken = credential.NewRefreshToken("r2") },
		"there was no access token":  func(p *rotation.Pair) { p.State.AccessToken = ""; mirrored(p) },
	} {
		if known := overwritten(change); known.failure != nil {
			t.Errorf("%s: it counts as a round: %+v", name, known.failure.problem)
		}
	}
	w.clock.pass(time.Hour)
	if known := overwritten(mirrored); known.failure != nil {
		t.Errorf("after an hour: %+v", known.failure.problem)
	}
}
