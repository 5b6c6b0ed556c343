package lifecycle

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/webflow"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/clocks"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/rules"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/witness"
)

// note is what this process remembers of one resource's chain.
type note struct {
	// latest is the metadata of the pair Secret as this process last wrote it, for as long as the cache lags behind.
	latest *rotation.Pair
	// latestSince is when that was noted, by the monotonic clock.
	latestSince time.Duration
	// backupGone is the UID of a backup that was removed, or was found gone, and may still be in the cache.
	backupGone string
	// formerGone is the same of a pair Secret of a former name.
	formerGone string
	// seenVersion is the version of the pair Secret whose data was last known to agree with its state, and
	// ownVersion the one that this process last wrote: any other is somebody else's edit.
	seenVersion, ownVersion string
	// seenUID is the UID of the pair Secret of seenVersion.
	seenUID string
	// clocks run on the pair and its intent.
	clocks clocks.Clocks
	// chain is the newest state of the resource's own chain that this process has seen.
	chain witness.Chain
	// generation is that of the spec that was last looked at as a whole.
	generation int64
	// paced is how often in a row the read of the seed has waited.
	paced int
	// failure is why the last action came to nothing, until one succeeds or somebody changes something.
	failure *failure
	// contest is about the access token, which somebody else overwrites.
	contest backoff.Contest
	// moveBlocked is why the pair cannot move to the name that the spec asks for.
	moveBlocked *failure
	// restoreBlocked is why a pair Secret that was deleted is not put back.
	restoreBlocked *failure
	// held is why a resource that is being deleted is not released yet, and left the Secret that was let go of, without
	// its tokens, which leftTokens name, as it is to be stored.
	held *failure
	// unreleased is how many tries to release it have failed.
	unreleased int
	left       *rotation.Pair
	leftTokens tokens
	// leftAltered says that the answer to a write has shown that admission made something else of it, and leftUnanswered that
	// no answer has come that would have.
	leftAltered, leftUnanswered bool
	// committing says why a received pair is not stored yet; nil when there is nothing to say.
	committing *problem.Problem
	// overdue counts the reconciles in a row that have left a time that has passed.
	overdue int
	// retries counts the tries of a write after the exchange under way that failed.
	retries int
	// proven and proof are GitHub's answer about a pair that was restored from a backup, and provenAt is when it was given,
	// by the monotonic clock.
	proven   tokens
	proof    rules.Proof
	provenAt time.Duration
}

// tokens name a pair. One of the two does not tell pairs apart: GitHub may repeat the other.
type tokens struct{ access, refresh credential.Fingerprint }

func tokensOf(state *rotation.State) tokens { return tokens{state.AccessToken, state.RefreshToken} }

// failure is a problem that is tried again.
type failure struct {
	problem problem.Problem
	// tries counts the failures in a row with the same reason.
	tries int
	retry backoff.Due
	// generation and requested are the resource's at the failure: a change of them may have mended it. login is the login by the
	// web flow that was asked for.
	generation       int64
	requested, login string
}

// notes are the notes of all resources.
type notes struct {
	memory.Slot[note]

	clock rotation.Clock
}

// written remembers the metadata of a pair Secret that this process has just written.
func (n notes) written(uid types.UID, pair *rotation.Pair) {
	n.note(uid, pair, func(m *note) bool {
		m.committing, m.retries = nil, 0
		return true
	})
}

// read remembers the metadata of a pair Secret that was just read or written beside an exchange, unless something newer is remembered.
func (n notes) read(uid types.UID, pair *rotation.Pair) {
	n.note(uid, pair, func(m *note) bool { return m.latest == nil || isOlder(m.latest.Version, pair.Version) })
}

// note keeps the metadata of a pair. What stands in the place of the resource's own pair is not kept: no event
// would tell when it is gone.
func (n notes) note(uid types.UID, pair *rotation.Pair, wanted func(*note) bool) {
	if pair == nil {
		return
	}
	stripped, mono := pair.WithoutTokens(), n.clock.Monotonic()
	n.With(uid, func(m *note) {
		switch {
		case !wanted(m):
		case pair.Controlled && types.UID(pair.Owner.UID) == uid:
			m.latest, m.latestSince = stripped, mono
			m.seesChain(pair)
		default:
			m.latest = nil
		}
	})
}

// doubt drops the last written metadata: a write made on the strength of it was refused.
func (n notes) doubt(uid types.UID) {
	n.Peek(uid, func(m *note) { m.latest = nil })
}

// seen notes that the data of the pair Secret agrees with its state in this version.
func (n notes) seen(uid types.UID, pair *rotation.Pair) {
	n.With(uid, func(m *note) { m.seenVersion, m.seenUID = pair.Version, pair.UID })
}

// isAnother reports whether a pair Secret is not the one that was last looked at.
func (n notes) isAnother(uid types.UID, pair *rotation.Pair) (another bool) {
	n.Peek(uid, func(m *note) { another = m.isAnother(pair) })
	return another
}

func (m *note) isAnother(pair *rotation.Pair) bool { return m.seenUID != "" && m.seenUID != pair.UID }

// arrivalTime is for how long a Secret that was written and is missing from the cache may still be on its way
// there. Then it counts as gone; were it not, its creation would find it.
const arrivalTime = 2 * time.Minute

// newest is the newer of what the cache shows and what was last written. A Secret that was written and is
// missing from the cache has either not arrived there yet, or is gone; which of them the next write tells.
func (m *note) newest(ref rotation.Ref, cached *rotation.Pair, mono time.Duration) *rotation.Pair {
	switch {
	case m.latest == nil || m.latest.Ref != ref:
		return cached
	case cached == nil && mono-m.latestSince < arrivalTime, cached != nil && isOlder(cached.Version, m.latest.Version):
		return m.latest
	case cached == nil:
		m.latest = nil
		return nil
	default:
		m.latest = nil // The cache has caught up.
		return cached
	}
}

// wasEdited reports whether somebody else has written the pair Secret since it was last looked at. What was
// there when this process began is taken as it is.
func (m *note) wasEdited(version string) bool {
	return m.seenVersion != "" && version != m.seenVersion && version != m.ownVersion
}

// fail notes a failure and when to try again: later each time.
func (n notes) fail(token *v1alpha1.GitHubUserToken, p problem.Problem, wait backoff.Backoff) *problem.Problem {
	n.With(token.UID, func(m *note) {
		m.failure = n.again(m.failure, token, p, wait)
		p = m.failure.problem
	})
	return &p
}

// again is the failure that follows a former one.
func (n notes) again(former *failure, token *v1alpha1.GitHubUserToken, p problem.Problem, wait backoff.Backoff) *failure {
	next := &failure{problem: p, generation: token.Generation, requested: scope.RequestOf(token), login: webflow.ValueOf(token), tries: 1}
	sameSpec := former != nil && former.generation == next.generation && former.requested == next.requested && former.login == next.login
	if sameSpec && former.problem.Reason == p.Reason {
		next.tries = former.tries + 1
	}
	next.retry = backoff.DueIn(wait.After(next.tries), n.clock.Now(), n.clock.Monotonic())
	next.problem.RetryAt = next.retry.Wall
	return next
}

// succeed forgets the last failure.
func (n notes) succeed(uid types.UID) {
	n.Peek(uid, func(m *note) { m.failure = nil })
}

// current is the failure as a problem, with the time of the next try by today's wall clock. It stays the same
// at each look, unless the wall clock was set.
func (f *failure) current(now time.Time, mono time.Duration) *problem.Problem {
	p := f.problem
	p.RetryAt = f.retry.At(now, mono)
	return &p
}

// proofLasts is for how long it is believed that an access token is alive: somebody else may exchange its pair.
const proofLasts = time.Minute

// proofOf is what GitHub has said of a pair, as far as that still counts. A dead token stays dead.
func (m *note) proofOf(state *rotation.State, mono time.Duration) rules.Proof {
	if m.proven != tokensOf(state) || m.proof == rules.ProofAlive && mono-m.provenAt > proofLasts {
		return rules.ProofNone
	}
	return m.proof
}

// isOlder compares two resourceVersions of Secrets. Versions that cannot be compared count as not older.
func isOlder(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order < 0
}
