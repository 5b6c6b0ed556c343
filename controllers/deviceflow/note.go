package deviceflow

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// maxPollBackoff is the longest wait between polls that fail: a code does not live long.
const maxPollBackoff = time.Minute

// nextCode is the pause after a code that came to nothing, by how many its series has come to.
var nextCode = backoff.Backoff{First: time.Second, Max: retry.Max}

// note is what is remembered of one resource's device flow: when to ask GitHub again. The zero note, as after a
// restart, knows nothing: the Secret tells the code, its interval and its series. Times are by the monotonic
// clock.
type note struct {
	// code is the code that the rest speaks of; empty while there is none.
	code credential.Fingerprint
	// next is when to poll, or when to request another code.
	next time.Duration
	// over reports that GitHub takes the code no more, whatever the clock says.
	over bool
	// interval is the time between two polls.
	interval time.Duration
	// failures counts the failures in a row, and problem tells of the last; nil when there is nothing to tell.
	failures int
	problem  *problem.Problem
	// generation and asked are the resource's at that failure: a change of them is a reason to try at once.
	generation int64
	asked      string
}

// pending notes that the person has not entered the code yet. interval is the one that GitHub asks for by now.
func (n *note) pending(mono, interval time.Duration) {
	n.failures, n.problem = 0, nil
	n.interval = max(n.interval, interval)
	n.next = mono + n.interval
}

// failed notes that a step failed and is to be tried again, later each time.
func (n *note) failed(mono time.Duration, generation int64, asked string, p *problem.Problem, wait backoff.Backoff) {
	n.problem, n.generation, n.asked = p, generation, asked
	if n.code != "" && !n.over {
		wait.Max = maxPollBackoff
	}
	n.failures++
	n.next = mono + max(wait.After(n.failures), n.interval)
}

// ended notes that the code is of no more use. The next one follows, later each time. finally reports that
// none does: then the Secret says so, or else one more poll finds it out.
func (n *note) ended(mono time.Duration, codes int, finally bool) {
	n.over, n.failures, n.problem = !finally, 0, nil
	n.next = mono + nextCode.After(codes)
	if finally {
		n.next = mono + n.interval
	}
}
