package tokencheck

import (
	"hash/fnv"
	"time"

	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const (
	// confirmAfter is the longest time between an answer that a token is dead and the one that confirms it.
	confirmAfter = 5 * time.Second
	// deadCheck is the shortest time between two checks of a token that GitHub has said is dead, which are
	// there to notice a mistake: GitHub shuts out who presents bad tokens too often.
	deadCheck = 15 * time.Minute
	// afterTurn is when something is due that had no turn: a resource is woken when it has one, which is held for longer.
	afterTurn = time.Second
	// maxBackoff is the longest wait after something failed, unless GitHub or spec.checkInterval asks for more.
	maxBackoff = 30 * time.Minute
)

var (
	// userBackoff is between two tries to learn the account of a stored token.
	userBackoff = backoff.Backoff{First: 2 * time.Second, Max: maxBackoff}
	// refusedBackoff is between two checks that GitHub refuses because of a wrong client secret.
	refusedBackoff = backoff.Backoff{First: 10 * time.Second, Max: maxBackoff}
)

// unknownBackoff is between two checks that say nothing, of a token that is checked at an interval.
func unknownBackoff(every time.Duration) backoff.Backoff {
	return backoff.Backoff{First: 2 * time.Second, Max: min(every, maxBackoff)}
}

// note is what is remembered of one resource. Times are by the monotonic clock.
type note struct {
	// userTries counts the tries to learn the account, and userAt is when to try next.
	userTries int
	userAt    time.Duration
	// every is the time between two checks, and checkAt is the next.
	every, checkAt time.Duration
	// checkFailures counts the checks in a row that said nothing.
	checkFailures int
	// refused reports that GitHub refused the last check because of a wrong client secret.
	refused bool
	// ended reports that the chain was known to have come to its end when its token was last looked at.
	ended bool
	// suspect names the token that GitHub has once said is dead.
	suspect credential.Fingerprint
	// barredOnce reports that GitHub has once said that the account may do nothing.
	barredOnce bool
	// standing is what GitHub has said of the token beside whether it is alive; standingOf names the token of one that
	// may do nothing.
	standing   scope.Standing
	standingOf credential.Fingerprint
}

// work is what to ask GitHub now.
type work struct {
	learnUser, checkToken bool
	// next is in how long there is something to ask next; never zero.
	next time.Duration
}

// due says what to ask about a target at a time. What is to be asked now counts as asked: the next time is set
// at once, so that something that comes to nothing is repeated later each time.
func due(n note, t target, now time.Duration) (note, work) {
	var w work
	consider := func(at time.Duration) {
		if wait := max(at-now, time.Millisecond); w.next == 0 || wait < w.next {
			w.next = wait
		}
	}
	if t.userUnknown {
		if w.learnUser = now >= n.userAt; w.learnUser {
			n.userTries++
			n.userAt = now + userBackoff.After(n.userTries)
		}
		consider(n.userAt)
	} else {
		n.userTries, n.userAt = 0, 0
	}
	if t.interval == 0 {
		n.every = 0
		return n, w
	}
	every, confirm := pace(t.interval)
	if t.knownDead {
		every = max(every, deadCheck)
	}
	if n.every != every {
		n.every, n.checkAt = every, now+spread(t.owner, every)
	}
	if t.ended && !n.ended {
		n.checkAt = now
	}
	n.ended = t.ended
	if n.suspect != t.token {
		n.suspect = ""
	}
	if n.standing.IsBarred() && n.standingOf != t.token {
		n.standingOf, n.checkAt = t.token, now // It is another token, or only the status has told.
	}
	if w.checkToken = now >= n.checkAt; w.checkToken {
		n.checkAt = now + max(confirm, callTimeout)
	}
	consider(n.checkAt)
	return n, w
}

// foundDead takes GitHub's answer that a token is dead, and reports whether it is to be believed: when GitHub
// has said so before, or that is known. Otherwise the token is checked again in a moment.
func foundDead(n note, t target, now time.Duration) (note, bool) {
	if t.knownDead || n.suspect == t.token {
		return n, true
	}
	_, confirm := pace(t.interval)
	n.suspect, n.checkAt = t.token, now+confirm
	return n, false
}

// checked sets the time of the next check after an answer. retryAfter is for how long GitHub asks to wait; zero
// when it does not say.
func checked(n note, found answer, retryAfter, now time.Duration) note {
	wait := n.every
	switch {
	case (found == unknown || found == refused) && retryAfter > 0:
		n.checkFailures = 0
		wait = retryAfter
	case found == refused:
		n.checkFailures++
		wait = max(n.every, refusedBackoff.After(n.checkFailures))
	case found == unknown:
		n.checkFailures++
		wait = unknownBackoff(n.every).After(n.checkFailures)
	default:
		n.suspect, n.checkFailures = "", 0
	}
	n.refused = found == refused
	n.checkAt = now + wait
	return n
}

// reconsidered makes a check due that GitHub refused.
func reconsidered(n note, now time.Duration) note {
	if n.refused {
		n.refused, n.checkFailures, n.checkAt = false, 0, now
	}
	return n
}

// pace is the time between two checks, and between an answer that the token is dead and the check that
// confirms it: together no longer than the interval that was asked for.
func pace(interval time.Duration) (every, confirm time.Duration) {
	confirm = min(confirmAfter, interval/5)
	return interval - 2*confirm, confirm
}

// spread is a moment within a time, the same for each resource at every start: so the checks of many resources
// do not come all at once.
func spread(owner rotation.Owner, over time.Duration) time.Duration {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(owner.UID))
	return time.Duration(float64(hash.Sum32()) / (1 << 32) * float64(over))
}
