package controllers

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
)

// A finalizer that somebody takes off each time is put back after ten seconds at most, also when the report that says when to
// come back is made after that.
func TestContestFinalizerIsPutBackInTimeWhenTheReportIsLate(t *testing.T) {
	clock := &meter{}
	r := &Reconciler{Clock: clock, contests: memory.NewSlot[contests](memory.NewStore())}
	s := &scope.Scope{Token: &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{UID: "uid-1"}}}
	r.finalizerIsContested(s.Token.UID)
	for range 100 {
		s.Now = clock.Now()
		if r.mayHold(s.Token.UID) {
			r.held(s.Token.UID)
			continue
		}
		clock.leap(finalizerPause) // Something else takes its time.
		found, lookAt := r.finalizerProblem(s)
		if found == nil || lookAt.IsZero() || lookAt.After(s.Now) {
			t.Fatalf("its wait has passed, and it is looked at in %s: %+v", lookAt.Sub(s.Now), found)
		}
		if found, lookAt := r.finalizerProblem(s); found == nil || !lookAt.After(s.Now) {
			t.Fatalf("when somebody has put it back it is looked at in %s: %+v", lookAt.Sub(s.Now), found)
		}
	}
}
