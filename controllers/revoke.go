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
	access  credential.AccessToken
	refresh credential.RefreshToken
	// expires is when the access token dies by itself; zero when never.
	expires time.Time
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

// endEach ends the pairs in all Secrets of a resource. It returns one that it could not end.
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
		pair := ending{access: live.AccessToken, refresh: live.RefreshToken, expires: live.State.ExpiresAt}
		if live.State.App != "" && live.State.App != app.Key() {
			continue // A pair of a former App: that App's credentials are not known here any more.
		}
		if err := r.endPair(ctx, app, pair); err != nil {
			return pair, err
		}
	}
	return ending{}, nil
}

// endPair ends one pair: through the App while the access token lives, which names the whole pair, and
// otherwise by its tokens, which are authority enough to end themselves. One that is dead already is no error.
func (r *Reconciler) endPair(ctx context.Context, app github.App, pair ending) error {
	ctx, cancel := context.WithTimeout(ctx, questionTimeout)
	defer cancel()
	expired := !pair.expires.IsZero() && !r.Clock.Now().Before(pair.expires)
	if !app.ClientSecret.IsZero() && !pair.access.IsZero() && !expired {
		err := r.GitHub.RevokeToken(ctx, app, pair.access)
		var failed *github.Error
		if err == nil || !errors.As(err, &failed) || (failed.Reason != github.IncorrectClientCredentials && failed.Reason != github.NotSupported) {
			return err
		}
	}
	return r.GitHub.RevokeCredentials(ctx, app.Host, pair.access, pair.refresh)
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
	lives := "and does not expire"
	if !pair.expires.IsZero() {
		lives = "and lives until " + clockTime(pair.expires)
	}
	r.Recorder.Eventf(token, nil, corev1.EventTypeWarning, eventRevocationFailed, "Revoke",
		"The token could not be ended at GitHub (%s), %s. To end it before, let its owner revoke the App at https://%s/settings/apps/authorizations.",
		words(err), lives, appHost(token))
}

// appHost is the host that people open in a browser.
func appHost(token *v1alpha1.GitHubUserToken) string {
	host, _, _ := strings.Cut(appOf(token).Key(), "/")
	return host
}
