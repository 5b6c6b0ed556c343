package handoff

import (
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// startPause is how long until work that there was no room for is started anew.
const startPause = time.Second

// Report is what Sync found.
type Report struct {
	// Problem is why some workloads were not notified; nil when all is well. It holds up no exchange.
	Problem *problem.Problem
	// RequeueAt is when to call Sync again, by the wall clock; zero when only a change, or the end of the work that
	// was started, can make a difference.
	RequeueAt time.Time
	// LastHandoff is what status.lastHandoffTime is to be, unchanged where nothing new is known; nil for none.
	LastHandoff *metav1.MicroTime
}

// Sync completes what a crash, a lack of permission or a passing failure has left undone, in work of its own. It
// never blocks. Call it after the outputs were synced.
func (h *Handoff) Sync(log logr.Logger, s *scope.Scope) Report {
	token, state := s.Token, s.Stored()
	if !isWanted(token) {
		if h != nil {
			h.notes.Drop(token.UID)
		}
		return Report{}
	}
	report := Report{LastHandoff: token.Status.LastHandoffTime}
	if h == nil {
		report.Problem = disabled()
		return report
	}
	if state == nil || !state.HasToken() || state.Owner != string(token.UID) {
		return report
	}
	late, mono := h.options.LateOutputs(token), h.options.Clock.Monotonic()
	var left plan
	var restarted bool
	h.notes.With(token.UID, func(n *note) {
		left = n.plan(token, state, late, s.Now)
		restarted = n.restarted.isComplete(NameOf(state))
		if n.trouble == nil {
			return
		}
		report.Problem = new(n.trouble.problem)
		next := n.trouble.retry.At(s.Now, mono)
		if !report.Problem.Stalled {
			report.Problem.RetryAt = next
		}
		if !n.trouble.retry.HasCome(mono) {
			left, report.RequeueAt = plan{}, next
		}
	})
	if left.restart && h.options.OutputsPending(token.UID) {
		left.restart = false // It follows when the outputs are written, which is being retried.
	}
	if !left.isEmpty() {
		token, pair := token.DeepCopy(), s.Pair.Clone()
		if err := h.options.Start(token, func() { h.carryOut(log, token, pair, left) }); err != nil {
			report.RequeueAt = s.Now.Add(startPause)
		}
	}
	switch {
	case len(token.Spec.Handoff.Restart) == 0:
		report.LastHandoff = nil
	case restarted:
		report.LastHandoff = TimeOf(state)
	}
	return report
}

// disabled is the problem of an operator that was not started for handoffs.
func disabled() *problem.Problem {
	return &problem.Problem{
		Reason: v1alpha1.ReasonHandoffDisabled, Stalled: true, Aside: true,
		Message: "spec.handoff has no effect: the operator runs without --enable-handoff. Its administrator can turn that on with config/components/handoff. The token itself is refreshed.",
	}
}
