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
	// given is the last code that GitHub has given this process, or has said of that nobody has entered it yet. The Secret may
	// name a code that somebody else has made up.
	given givenCode
	// late is about how long a request waits for its turn among those of others, in whole minutes; zero when nobody notices.
	late time.Duration
}

// givenCode is a code with the key of the App for which GitHub has given it: whoever may write the Secret may name it for another.
type givenCode struct {
	app  string
	code credential.Fingerprint
}

// noticed is from when on it is told that a request waits for its turn.
const noticed = 20 * time.Second

// lateness is what is told of a wait. Minutes are enough for a person, and change seldom.
func lateness(wait time.Duration) time.Duration {
	if wait <= noticed {
		return 0
	}
	return (wait + time.Minute - 1).Truncate(time.Minute)
}

// pending notes that the person has not entered the code yet. interval is the one that GitHub asks for by now. known reports
// that GitHub has said so of this code, for the App: to be told to be slower is no word about it.
func (n *note) pending(mono, interval time.Duration, app string, known bool) {
	n.failures, n.problem = 0, nil
	if known {
		n.given = givenCode{app, n.code}
	}
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
	n.over, n.failures, n.problem, n.given = !finally, 0, nil, givenCode{}
	n.next = mono + nextCode.After(codes)
	if finally {
		n.next = mono + n.interval
	}
}
