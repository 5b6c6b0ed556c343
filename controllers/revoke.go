package controllers

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// revokeTime is for how long GitHub is asked to end a pair whose resource is being deleted, counted from when
// the deletion was asked for. Then the resource goes all the same.
const revokeTime = 2 * time.Minute

// eventRevocationFailed is the reason of the event that tells of a token which outlives its resource.
const eventRevocationFailed = "RevocationFailed"

// ending is a pair that is to be ended at GitHub.
type ending struct {
	// app is the App (host/clientID) that the pair belongs to.
	app     string
	access  credential.AccessToken
	refresh credential.RefreshToken
	// issued is when the pair was asked for, and expires when the access token dies by itself; zero when never.
	issued, expires time.Time
	// verdict is what is known against the refresh token; nil when nothing is.
	verdict *rotation.Verdict
}

// host is the App's.
func (e ending) host() string {
	host, _, _ := strings.Cut(e.app, "/")
	return host
}

// tokens names the two tokens.
func (e ending) tokens() [2]credential.Fingerprint {
	return [2]credential.Fingerprint{e.access.Fingerprint(), e.refresh.Fingerprint()}
}

// isCondemned says whether GitHub has refused the refresh token, or there is none.
func (e ending) isCondemned() bool {
	return e.refresh.IsZero() || e.verdict != nil && e.verdict.Fingerprint == e.refresh.Fingerprint()
}

// ends are what this process remembers of the pairs of resources that are being deleted.
type ends struct {
	mu    sync.Mutex
	byUID map[types.UID]*endMemory
}

type endMemory struct {
	// done says that GitHub has ended the pair.
	done bool
	// tries counts the tries, next is the time of the next by the monotonic clock, err is why the last failed,
	// and living the pair that it failed to end.
	tries    int
	next     time.Duration
	err      error
	living   ending
	hopeless bool
	// ended are the pairs that GitHub has ended. The backup may hold the same one, and asked for it once more GitHub
	// would know no such token.
	ended map[[2]credential.Fingerprint]bool
}

func newEnds() *ends { return &ends{byUID: map[types.UID]*endMemory{}} }

func (e *ends) with(uid types.UID, use func(*endMemory)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.byUID[uid] == nil {
		e.byUID[uid] = &endMemory{}
	}
	use(e.byUID[uid])
}

func (e *ends) of(uid types.UID) (known endMemory) {
	e.with(uid, func(m *endMemory) { known = *m })
	return known
}

func (e *ends) hasEnded(uid types.UID, pair ending) (ended bool) {
	e.with(uid, func(m *endMemory) { ended = m.ended[pair.tokens()] })
	return ended
}

func (e *ends) hasNowEnded(uid types.UID, pair ending) {
	e.with(uid, func(m *endMemory) {
		if m.ended == nil {
			m.ended = map[[2]credential.Fingerprint]bool{}
		}
		m.ended[pair.tokens()] = true
	})
}

func (e *ends) forget(uid types.UID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.byUID, uid)
}

// endAtGitHub carries out deletionPolicy Revoke. It returns when to come back; zero when the resource may go:
// the pair has ended, or GitHub could not be brought to end it in time, which an event tells.
func (r *Reconciler) endAtGitHub(ctx context.Context, token *v1alpha1.GitHubUserToken) (time.Duration, error) {
	if token.Spec.DeletionPolicy != v1alpha1.DeletionPolicyRevoke {
		return 0, nil
	}
	known := r.ends.of(token.UID)
	left := token.DeletionTimestamp.Add(revokeTime).Sub(r.Clock.Now())
	wait := known.next - r.Clock.Monotonic()
	switch {
	case known.done:
		return 0, nil
	case known.hopeless, left <= 0 && known.tries > 0:
		revocations.WithLabelValues("given_up").Inc()
		r.warnOfLivingToken(token, known.living, known.err)
		r.ends.with(token.UID, func(m *endMemory) { m.done = true })
		return 0, nil
	case wait > 0:
		return min(wait, max(left, 0)+time.Millisecond), nil
	}
	if left > 0 {
		if again, err := r.settleFirst(ctx, token); again > 0 || err != nil {
			return again, err
		}
	}
	log := logf.FromContext(ctx)
	if err := r.Flights.Start(token.UID, func() { r.endPairs(log, token) }); err != nil {
		return time.Second, nil //nolint:nilerr // too many flights: it is tried again in time
	}
	return time.Minute, nil // Its landing has the resource reconciled before.
}

// settleFirst finds out about an exchange of unknown outcome before the pair is ended: it may have brought
// tokens that would live on. It returns when to come back; zero when there is nothing to find out.
func (r *Reconciler) settleFirst(ctx context.Context, token *v1alpha1.GitHubUserToken) (time.Duration, error) {
	v, err := r.gather(ctx, token)
	if err != nil {
		return 0, err
	}
	if v.pair == nil || v.pair.Intent == nil || !v.pair.Controlled {
		return 0, nil
	}
	decision := rotation.Decide(v.input)
	switch {
	case decision.Action == rotation.ActionWait:
		return min(max(decision.At.Sub(v.now), 100*time.Millisecond), revokeTime), nil
	case decision.Action != rotation.ActionResolve:
		return 0, nil
	}
	stop, err := r.launch(ctx, v, decision)
	switch {
	case err != nil:
		return 0, err
	case stop != nil && stop.stalled:
		return 0, nil // It cannot be found out; what is known of the pair is ended.
	case stop != nil:
		return time.Second, nil
	default:
		return time.Minute, nil // The landing has the resource reconciled before.
	}
}

// endPairs is the flight that ends all pairs of a resource.
func (r *Reconciler) endPairs(log logr.Logger, token *v1alpha1.GitHubUserToken) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*questionTimeout)
	defer cancel()
	living, err := r.endEach(ctx, token)
	if err == nil {
		revocations.WithLabelValues("ended").Inc()
		log.Info("The pair was ended at GitHub")
	} else {
		log.Info("The pair could not be ended at GitHub", "why", words(err))
	}
	r.ends.with(token.UID, func(m *endMemory) {
		m.done, m.err, m.living, m.hopeless = err == nil, err, living, isHopeless(err)
		pause := min(time.Second<<min(m.tries, 10), maxAdmitBackoff)
		var failed *github.Error
		if errors.As(err, &failed) {
			pause = max(pause, min(failed.RetryAfter, revokeTime))
		}
		m.tries++
		m.next = r.Clock.Monotonic() + pause
	})
}

// endEach ends the pairs in all Secrets of a resource. It returns one that it could not end, if it can one that is
// worth another try.
func (r *Reconciler) endEach(ctx context.Context, token *v1alpha1.GitHubUserToken) (ending, error) {
	refs, err := r.secretsOf(ctx, token)
	if err != nil {
		return ending{}, err
	}
	app := appOf(token)
	secret, stop, err := r.seeds.clientSecret(ctx, token)
	if err == nil && stop == nil {
		app.ClientSecret = secret // Without it the tokens themselves are authority enough.
	}
	var living ending
	var failed error
	for _, ref := range refs {
		live, err := r.Store.Get(ctx, ref)
		switch {
		case errors.Is(err, rotation.ErrNotFound):
			continue
		case err != nil:
			return ending{}, err
		case !live.Controlled || live.Owner.UID != string(token.UID):
			continue
		}
		pair := ending{
			app: app.Key(), access: live.AccessToken, refresh: live.RefreshToken,
			issued: live.State.IssuedAt, expires: live.State.ExpiresAt, verdict: live.State.Verdict,
		}
		issuer := app
		if live.State.App != "" && live.State.App != app.Key() {
			pair.app = live.State.App
			issuer = github.App{Host: pair.host()} // Its credentials are not known here any more.
		}
		if r.ends.hasEnded(token.UID, pair) {
			continue
		}
		if err := r.endPair(ctx, issuer, pair); err == nil {
			r.ends.hasNowEnded(token.UID, pair)
		} else if failed == nil || isHopeless(failed) {
			living, failed = pair, err
		}
	}
	return living, failed
}

// endPair ends one pair: through the App while the access token lives, which names the whole pair, and
// otherwise by its tokens, which are authority enough to end themselves. That the App knows no such access token
// says nothing of the refresh token, and of a young pair nothing at all.
func (r *Reconciler) endPair(ctx context.Context, app github.App, pair ending) error {
	if pair.access.IsZero() && pair.refresh.IsZero() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, questionTimeout)
	defer cancel()
	now := r.Clock.Now()
	age := now.Sub(pair.issued)
	young := age >= 0 && age < youngToken
	dead := pair.access.IsZero() || !pair.expires.IsZero() && !now.Before(pair.expires)
	var unknown error
	if !app.ClientSecret.IsZero() && !dead {
		err := r.GitHub.RevokeToken(ctx, app, pair.access)
		var failed *github.Error
		switch {
		case err == nil || !errors.As(err, &failed):
			return err
		case failed.Reason == github.TokenInvalid:
			unknown, dead = err, !young
		case failed.Reason != github.IncorrectClientCredentials && failed.Reason != github.NotSupported:
			return err
		}
	}
	if unknown != nil && dead && pair.isCondemned() {
		return nil
	}
	err := r.GitHub.RevokeCredentials(ctx, app.Host, pair.access, pair.refresh)
	switch {
	case !isHopeless(err):
		return err
	case unknown != nil && young:
		return unknown // The App may know the token in a moment.
	case dead && pair.isCondemned():
		return nil
	default:
		return err
	}
}

// isHopeless says whether there is no use in asking GitHub again.
func isHopeless(err error) bool {
	var failed *github.Error
	if !errors.As(err, &failed) {
		return false
	}
	switch failed.Reason {
	case github.NotSupported, github.HostMalformed, github.HostNotAllowed, github.InvalidRequest:
		return true
	default:
		return false
	}
}

// warnOfLivingToken tells, by an event, of a token that should have been ended and was not.
func (r *Reconciler) warnOfLivingToken(token *v1alpha1.GitHubUserToken, pair ending, err error) {
	host := pair.host()
	if host == "" {
		host = ending{app: appOf(token).Key()}.host() // It could not even be looked at.
	}
	lives := ""
	switch {
	case pair.access.IsZero():
	case pair.expires.IsZero():
		lives = " The access token does not expire."
	default:
		lives = " The access token lives until " + clockTime(pair.expires) + " at most."
	}
	if !pair.refresh.IsZero() {
		lives += " The refresh token may live for months."
	}
	r.Recorder.Eventf(token, nil, corev1.EventTypeWarning, eventRevocationFailed, "Revoke",
		"The token could not be ended at GitHub (%s).%s To end it before, let its owner revoke the App at https://%s/settings/apps/authorizations.",
		words(err), lives, host)
}
