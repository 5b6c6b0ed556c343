package controllers

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// maxQuestions is how many questions about tokens are asked at once. They have a limit of their own and are
// no flights, so that no exchange waits for one.
const maxQuestions = 32

// question is one about the stored access token of a resource.
type question struct {
	uid    types.UID
	owner  rotation.Owner
	ref    rotation.Ref
	app    github.App
	policy rotation.Policy
	// access names the token.
	access credential.Fingerprint
	// interval is spec.checkInterval; zero when it is off.
	interval time.Duration
	// revoked says that GitHub has said that the token is dead.
	revoked bool
}

func (q question) name() types.NamespacedName {
	return types.NamespacedName{Namespace: q.owner.Namespace, Name: q.owner.Name}
}

// questions says when to ask GitHub what. After a restart it is empty, and all begins anew.
type questions struct {
	mu    sync.Mutex
	clock rotation.Clock
	byUID map[types.UID]*questionMemory
	under *Flights
}

// questionMemory is what is remembered of one resource. Times are by the monotonic clock.
type questionMemory struct {
	// learnTries counts the questions whose the login is, and learnNext is when to ask it next.
	learnTries int
	learnNext  time.Duration
	// every is the time between two checks, and checkNext is the next.
	every, checkNext time.Duration
	checkTries       int
	// refused says that GitHub did not take the last check as a question.
	refused bool
	// suspect names the token that GitHub has once said is dead.
	suspect credential.Fingerprint
}

func newQuestions(clock rotation.Clock) *questions {
	return &questions{clock: clock, byUID: map[types.UID]*questionMemory{}, under: NewFlights(maxQuestions)}
}

// ask puts the questions about a token that are due: whose it is, when that is not known, and whether it is
// alive, at the interval that the resource asks for. None of them stands in the way of anything.
func (r *Reconciler) ask(ctx context.Context, v *view) {
	state := v.stored()
	if state == nil || !state.HasToken() || v.pair.Deleting || state.Owner != v.owner.UID || state.App != v.input.App ||
		(state.Expires() && !v.now.Before(state.ExpiresAt)) {
		r.questions.forget(v.token.UID)
		return
	}
	asked := question{
		uid: v.token.UID, owner: v.owner, ref: v.ref, app: appOf(v.token), policy: v.input.Policy, access: state.AccessToken,
		revoked: state.AccessTokenEnded,
	}
	switch {
	case !asked.revoked && endsAccessToken(state):
		// There is nothing to ask: an exchange has ended the token.
	case v.token.Spec.CheckInterval != nil:
		asked.interval = v.token.Spec.CheckInterval.Duration
	case asked.revoked:
		asked.interval = revokedCheck // A webhook has told; a mistake is to be noticed all the same.
	}
	learn, check, next := r.questions.due(asked, state.User == nil && !asked.revoked)
	if next > 0 {
		v.device.consider(v.now.Add(next))
	}
	if (!learn && !check) || r.GitHub.CheckHost(asked.app.Host) != nil {
		return
	}
	log, token := logf.FromContext(ctx), v.token
	err := r.questions.under.Start(asked.uid, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*questionTimeout)
		defer cancel()
		if check {
			if secret, stop, err := r.seeds.clientSecret(ctx, token); err == nil && stop == nil {
				asked.app.ClientSecret = secret // Without it the token itself is tried.
			}
			r.check(ctx, log, asked)
		}
		if learn {
			r.learnUser(ctx, log, asked)
		}
	})
	if err != nil {
		v.device.consider(v.now.Add(time.Second + firstCheck(v.owner, 10*time.Second)))
	}
}

// due says what to ask now, and in how long there is something to ask next; zero when there is nothing. What
// is to be asked now counts as asked: the next time is set at once, so that a question that comes to nothing
// is repeated later each time.
func (q *questions) due(asked question, unknownUser bool) (learn, check bool, next time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !unknownUser && asked.interval == 0 {
		delete(q.byUID, asked.uid)
		return false, false, 0
	}
	if q.under.Busy(asked.uid) {
		return false, false, 0 // Its end has the resource looked at again.
	}
	if q.under.Full() {
		return false, false, time.Second + firstCheck(asked.owner, 30*time.Second)
	}
	m, mono := q.of(asked.uid), q.clock.Monotonic()
	consider := func(at time.Duration) {
		if wait := max(at-mono, time.Millisecond); next == 0 || wait < next {
			next = wait
		}
	}
	if unknownUser {
		if learn = mono >= m.learnNext; learn {
			m.learnNext = mono + min(2*time.Second<<min(m.learnTries, 12), maxIdentityBackoff)
			m.learnTries++
		}
		consider(m.learnNext)
	} else {
		m.learnTries, m.learnNext = 0, 0
	}
	if asked.interval == 0 {
		m.every = 0
		return learn, false, next
	}
	every, confirm := pace(asked.interval)
	if asked.revoked {
		every = max(every, revokedCheck)
	}
	if m.every != every {
		m.every, m.checkNext = every, mono+firstCheck(asked.owner, every)
	}
	if m.suspect != "" && m.suspect != asked.access {
		m.suspect = ""
	}
	if check = mono >= m.checkNext; check {
		m.checkNext = mono + max(confirm, questionTimeout)
	}
	consider(m.checkNext)
	return learn, check, next
}

// confirms notes that GitHub says that the token is dead, and says whether it had said so before. Otherwise it
// is asked again in a moment.
func (q *questions) confirms(asked question) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	m := q.of(asked.uid)
	if m.suspect == asked.access {
		return true
	}
	_, confirm := pace(asked.interval)
	m.suspect, m.checkNext = asked.access, q.clock.Monotonic()+confirm
	return false
}

// checked sets the time of the next check.
func (q *questions) checked(asked question, found answer, retryAfter time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	m := q.of(asked.uid)
	wait := m.every
	switch {
	case (found == answerUnknown || found == answerRefused) && retryAfter > 0:
		m.checkTries = 0
		wait = retryAfter
	case found == answerRefused:
		wait = max(m.every, min(10*time.Second<<min(m.checkTries, 10), maxIdentityBackoff))
		m.checkTries++
	case found == answerUnknown:
		wait = min(m.every, 2*time.Second<<min(m.checkTries, 10))
		m.checkTries++
	default:
		m.suspect, m.checkTries = "", 0
	}
	m.refused = found == answerRefused
	m.checkNext = q.clock.Monotonic() + wait
}

// reconsider asks again soon what GitHub did not take as a question: somebody may have mended what was wrong with it.
func (q *questions) reconsider(uid types.UID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if m := q.byUID[uid]; m != nil && m.refused {
		m.refused, m.checkTries, m.checkNext = false, 0, q.clock.Monotonic()
	}
}

// forget drops what is remembered of a resource without a token, or that is gone.
func (q *questions) forget(uid types.UID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.byUID, uid)
}

func (q *questions) of(uid types.UID) *questionMemory {
	m := q.byUID[uid]
	if m == nil {
		m = &questionMemory{}
		q.byUID[uid] = m
	}
	return m
}
