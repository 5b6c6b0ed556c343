package handoff

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// kubeletPeriod is longer than it takes the kubelet to refresh a Secret volume by itself (60 to 80 s).
const kubeletPeriod = 2 * time.Minute

// plan is what is to be done for one resource.
type plan struct {
	// pods and restart: notify pods, restart workloads.
	pods, restart bool
	// permissions: find out whether the next handoff will be allowed, so that a lack shows before it matters.
	permissions bool
}

func (p plan) isEmpty() bool { return p == plan{} }

// note is what is remembered of one resource.
type note struct {
	// notified and restarted are what was last announced to pods and to workloads.
	notified, restarted announcement
	// late are the outputs that were late when last looked at, and caughtUp is when one of them was written.
	late     []string
	caughtUp time.Time
	// permitted is the generation of the spec for which the permissions were found sufficient.
	permitted int64
	// tried is the generation of the spec that was last carried out.
	tried int64
	// trouble is why that is incomplete; nil when it is not.
	trouble *trouble
}

// plan is what is left to do for a resource, of whose outputs some are late. It depends on nothing but the note,
// which it brings up to date, and its arguments.
func (n *note) plan(token *v1alpha1.GitHubUserToken, state *rotation.State, late []string, now time.Time) (left plan) {
	next := announcement{NameOf(state), late}
	n.notified.keep(token.AllOutputs())
	n.restarted.keep(token.AllOutputs())
	if haveCaughtUp(n.late, late) {
		n.caughtUp = now
	}
	n.late = late
	left.permissions = n.permitted != token.Generation
	// The kubelet refreshes volumes by itself in time, so pods are notified while that can still take a while.
	recent := now.Sub(state.IssuedAt) < kubeletPeriod || now.Sub(n.caughtUp) < kubeletPeriod
	left.pods = token.Spec.Handoff.Pods == v1alpha1.PodHandoffSync && recent && !n.notified.covers(next)
	if len(token.Spec.Handoff.Restart) > 0 && !n.restarted.covers(next) {
		if n.restarted.token != next.token && needsNoRestart(token, state) {
			n.restarted = announcement{token: next.token}
		} else {
			left.restart = true
		}
	}
	if left.isEmpty() || n.tried != token.Generation {
		n.trouble = nil
	}
	return left
}

// needsNoRestart reports whether workloads are not restarted for the current token by a process that remembers
// nothing of it: because they have waited for this first one, because the handoff was asked for just now and is
// about the tokens to come, or because the status records that it was done before.
func needsNoRestart(token *v1alpha1.GitHubUserToken, state *rotation.State) bool {
	last := token.Status.LastHandoffTime
	return state.Revision <= 1 || last == nil || last.Equal(TimeOf(state))
}
