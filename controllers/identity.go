package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const (
	// questionTimeout bounds a question to GitHub that is no exchange.
	questionTimeout = 10 * time.Second
	// deadAfter is for how long GitHub must refuse a token with which a login began before it counts as dead.
	// GitHub refuses good tokens too while they are seconds old.
	deadAfter = 2 * time.Minute
	// admitTime is for how long at most GitHub is asked whose a received pair is: the lifetime that it gives to
	// access tokens. Its token dies then, and cannot be asked about any more.
	admitTime = 8 * time.Hour
	// maxAdmitBackoff is the longest wait between two questions whose a received pair is.
	maxAdmitBackoff = 15 * time.Second
	// maxIdentityBackoff is the longest wait between two questions whose a stored pair is.
	maxIdentityBackoff = 30 * time.Minute
)

// matches says whether an account is the one that is pinned. Logins differ by more than upper and lower case.
func matches(pin rotation.UserPin, user rotation.User) bool {
	if pin.ID != 0 && pin.ID != user.ID {
		return false
	}
	return pin.Login == "" || strings.EqualFold(pin.Login, user.Login)
}

// isAnotherUser says whether the chain is known to belong to another account than spec.user, as it may after
// spec.user was changed.
func isAnotherUser(v *view) bool {
	pin, state := pinOf(v.token), v.stored()
	return pin != nil && state != nil && state.User != nil && !matches(*pin, *state.User)
}

func anotherUser(v *view) string {
	user := v.stored().User
	return fmt.Sprintf("The pair belongs to %s (id %d), which is not the account of spec.user.", user.Login, user.ID)
}

// wrongUser reports a chain that belongs to another account. It was good when it was stored, so it is
// neither ended nor left to expire: who changes spec.user back finds it as it was.
func wrongUser(v *view) *obstacle {
	return &obstacle{
		reason: v1alpha1.ReasonWrongUser, stalled: true, unauthorized: true, beside: true,
		message: anotherUser(v) + " It is refreshed all the same, and is replaced by the next login of that account. " + whatToDo(v.token) + " Or correct spec.user.",
	}
}

// admit is the Rotator's Admit. It asks GitHub whose a fresh pair is until there is an answer: the pair is in
// the outbox and cannot be had again, so only an answer, the end of the resource, or that of the access token
// ends it. A new token that GitHub refuses is asked about again for deadAfter; an outage in between proves nothing,
// so that it begins anew.
func (r *Reconciler) admit(ctx context.Context, app github.App, record rotation.Record, tokens github.Tokens) (*rotation.User, error) {
	began := r.Clock.Monotonic()
	patience := r.admitWithin(record, tokens)
	wait := 250 * time.Millisecond
	var refusedSince *time.Duration
	for try := 1; ; try++ {
		user, err := r.whose(ctx, app.Host, tokens)
		if err == nil {
			if !matches(*record.User, user) {
				return nil, fmt.Errorf("%w: it is %s (id %d)", rotation.ErrWrongUser, user.Login, user.ID)
			}
			return &user, nil
		}
		var failed *github.Error
		switch now := r.Clock.Monotonic(); {
		case !errors.As(err, &failed) || failed.Reason != github.TokenInvalid:
			refusedSince = nil
		case refusedSince == nil:
			refusedSince = &now
		case now-*refusedSince >= deadAfter:
			return nil, rotation.ErrPairDead
		}
		if !r.isWanted(ctx, record.Owner) {
			return nil, rotation.ErrOwnerGone
		}
		if r.Clock.Monotonic()-began >= patience {
			return nil, fmt.Errorf("%w: %s", rotation.ErrUserUnknown, words(err))
		}
		if try > 2 {
			r.Flights.StandAside(types.UID(record.Owner.UID))
			r.reportTrouble(record.Owner, "A new pair has been received and is kept safe, but it is not stored before GitHub has told whose it is, because of spec.user: "+
				words(err)+". It is tried again every few seconds.")
		}
		pause := wait
		if failed != nil {
			pause = min(max(wait, failed.RetryAfter), time.Minute)
		}
		_ = r.Clock.Sleep(ctx, pause)
		wait = min(2*wait, maxAdmitBackoff)
	}
}

// admitWithin is how much longer admit may take, restarts included. A wall clock that was set wrong must not
// end a pair at once.
func (r *Reconciler) admitWithin(record rotation.Record, tokens github.Tokens) time.Duration {
	end := record.Reply.SentAt.Add(admitTime)
	if !tokens.ExpiresAt.IsZero() && tokens.ExpiresAt.Before(end) {
		end = tokens.ExpiresAt
	}
	return min(max(end.Sub(r.Clock.Now()), deadAfter), admitTime)
}

// whose asks GitHub once.
func (r *Reconciler) whose(ctx context.Context, host string, tokens github.Tokens) (rotation.User, error) {
	ctx, cancel := context.WithTimeout(ctx, questionTimeout)
	defer cancel()
	user, err := r.GitHub.User(ctx, host, tokens.AccessToken)
	if err != nil {
		return rotation.User{}, err
	}
	return rotation.User{Login: user.Login, ID: user.ID}, nil
}

// isWanted says whether the resource of a received pair still exists and is to stay. In doubt it is.
func (r *Reconciler) isWanted(ctx context.Context, owner rotation.Owner) bool {
	var token v1alpha1.GitHubUserToken
	err := r.Client.Get(ctx, types.NamespacedName{Namespace: owner.Namespace, Name: owner.Name}, &token)
	switch {
	case apierrors.IsNotFound(err):
		exists, err := r.exists(ctx, types.NamespacedName{Namespace: owner.Namespace, Name: owner.Name})
		return err != nil || exists
	case err != nil:
		return true // Before there is a cache, for one.
	default:
		return string(token.UID) == owner.UID && token.DeletionTimestamp.IsZero()
	}
}

// end is the Rotator's End: it ends a pair that was not admitted, for as long as that takes within reason.
func (r *Reconciler) end(ctx context.Context, app github.App, record rotation.Record, tokens github.Tokens) {
	log := logf.FromContext(ctx).WithValues("namespace", record.Owner.Namespace, "name", record.Owner.Name)
	var token v1alpha1.GitHubUserToken
	name := types.NamespacedName{Namespace: record.Owner.Namespace, Name: record.Owner.Name}
	found := r.APIReader.Get(ctx, name, &token) == nil
	if found && appOf(&token).Key() == record.App {
		if secret, _, err := r.seeds.clientSecret(ctx, &token); err == nil {
			app.ClientSecret = secret
		}
	}
	pair := ending{
		app: record.App, access: tokens.AccessToken, refresh: tokens.RefreshToken,
		issued: record.Reply.SentAt, expires: tokens.ExpiresAt,
	}
	began, wait := r.Clock.Monotonic(), time.Second
	for {
		err := r.endPair(ctx, app, pair)
		if err == nil {
			revocations.WithLabelValues("ended").Inc()
			log.Info("A pair that must not be stored was ended at GitHub")
			return
		}
		if isHopeless(err) || r.Clock.Monotonic()-began >= revokeTime {
			revocations.WithLabelValues("given_up").Inc()
			log.Info("A pair that must not be stored could not be ended at GitHub", "why", words(err), "expires", pair.expires)
			if found {
				r.warnOfLivingToken(&token, pair, err)
			}
			return
		}
		_ = r.Clock.Sleep(ctx, wait)
		wait = min(2*wait, maxAdmitBackoff)
	}
}

// reportTrouble has the status tell why a received pair is not stored yet.
func (r *Reconciler) reportTrouble(owner rotation.Owner, message string) {
	r.memories.with(types.UID(owner.UID), func(remembered *memory) { remembered.commitTrouble = message })
	r.queue.add(types.NamespacedName{Namespace: owner.Namespace, Name: owner.Name})
}

// rememberNewer keeps the metadata of a pair Secret that was just read or written, unless something newer is
// kept: what is asked of GitHub goes on beside exchanges.
func (r *Reconciler) rememberNewer(uid types.UID, pair *rotation.Pair) {
	if pair == nil {
		return
	}
	stripped := withoutTokens(pair)
	r.memories.with(uid, func(remembered *memory) {
		if remembered.latest != nil && !isOlder(remembered.latest.Version, stripped.Version) {
			return
		}
		remembered.latest = stripped
		if remembered.ownVersion == "" || isOlder(remembered.ownVersion, stripped.Version) {
			remembered.ownVersion = stripped.Version
		}
	})
}

// learnUser asks whose the stored pair is and writes it down, once for each login.
func (r *Reconciler) learnUser(ctx context.Context, log logr.Logger, asked question) {
	live, err := r.Store.Get(ctx, asked.ref)
	if err != nil || live.AccessToken.Fingerprint() != asked.access {
		return // It has just been replaced; the question is asked again.
	}
	user, err := r.whose(ctx, asked.app.Host, github.Tokens{AccessToken: live.AccessToken})
	if err != nil {
		log.V(1).Info("GitHub could not be asked whose the token is", "why", words(err))
		return
	}
	amended, _, err := r.Rotator.LearnUser(ctx, asked.owner, live, user)
	if err != nil {
		log.V(1).Info("Whose the token is could not be written down", "why", words(err))
		return
	}
	r.rememberNewer(asked.uid, amended)
}
