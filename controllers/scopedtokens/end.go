package scopedtokens

import (
	"context"
	"errors"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

const (
	// youngToken is for how long after its issue a token that the App does not know may still be good. GitHub refuses good ones for
	// some three seconds.
	youngToken = 15 * time.Second
	// clockDoubt is for how long after its expiry a token may be alive after all, since a clock may be wrong.
	clockDoubt = time.Hour
)

// endPauses are between two tries to end a token.
var endPauses = backoff.Backoff{First: 2 * time.Second, Max: 5 * time.Minute}

// end ends a token at GitHub and takes it out of the output.
func (k *Keeper) end(ctx context.Context, w *work, o output, s state, token credential.Fingerprint) (goOn bool) {
	var e entry
	for _, known := range s.ledger.entries() {
		if known.Token == token {
			e = known
		}
	}
	ended, err := k.endAtGitHub(ctx, w, e, s.there[token])
	if err != nil {
		k.notEnded(w, o, e, err)
		return false
	}
	revocations.WithLabelValues(ended).Inc()
	if ended == resultUnproven {
		k.tellUnproven(w, o)
	}
	l := s.ledger.clone()
	l.forget(token)
	if l.Current != nil && l.Current.Token == token {
		l.Current = nil
	}
	if o.isSurplus() || w.pair == nil || o.spec.Scope != nil && l.Current == nil {
		// There is nothing to render: what is noted is enough, and the token in the data is dead.
		_, err = k.noteIn(ctx, w, s, l)
	} else {
		_, err = k.put(ctx, w, o, s, l, s.there)
	}
	if err != nil && !errors.Is(err, errOutdated) {
		k.with(w.token.UID, o.name, func(n *note) { n.ending = nil })
		k.pauseEnding(w.token.UID, o.name)
		k.fail(w, o, err)
		return false
	}
	k.with(w.token.UID, o.name, func(n *note) {
		if n.failures, n.ending, n.endAgain = 0, nil, (backoff.Due{}); n.stored == token {
			n.stored = ""
		}
	})
	return true
}

// endAtGitHub ends a token, and returns how that ended.
func (k *Keeper) endAtGitHub(ctx context.Context, w *work, e entry, token credential.AccessToken) (result string, err error) {
	now := k.options.Clock.Now()
	if !e.ExpiresAt.IsZero() && now.After(e.ExpiresAt.Add(clockDoubt)) {
		return resultExpired, nil
	}
	app, lacking := k.appWithSecret(ctx, w)
	if lacking != nil {
		return "", &lackingError{w.app.Veil(lacking)}
	}
	if !isProven(e, app, w.token.UID) || w.pair != nil && e.Token == w.pair.State.AccessToken {
		return resultUnproven, nil
	}
	if err = k.spend(w); err != nil {
		return "", err
	}
	ctx, cancel := k.options.Clock.WithTimeout(ctx, callTime)
	defer cancel()
	err = k.options.Asking.RevokeToken(ctx, w.who(), app, token)
	failed, isGitHubs := errors.AsType[*github.Error](err)
	switch {
	case err == nil:
		return resultEnded, nil
	case isGitHubs && failed.Reason == github.TokenInvalid && (now.Sub(e.IssuedAt) >= youngToken || now.Before(e.IssuedAt)):
		return resultEnded, nil // It was dead already: it expired, or ended with the user's token.
	default:
		return "", err
	}
}

// lackingError: nothing can be asked of GitHub, as a problem says.
type lackingError struct{ problem *problem.Problem }

func (e *lackingError) Error() string { return e.problem.Message }

// isLacking reports whether the App has no client secret.
func isLacking(err error) bool {
	lacking, ok := errors.AsType[*lackingError](err)
	return ok && lacking.problem.Reason == v1alpha1.ReasonClientSecretMissing
}

// notEnded takes down that a token could not be ended. It is tried again later each time.
func (k *Keeper) notEnded(w *work, o output, e entry, err error) {
	now, mono := k.options.Clock.Now(), k.options.Clock.Monotonic()
	why, pause := err.Error(), time.Duration(0)
	failed, isGitHubs := errors.AsType[*github.Error](err)
	waiting, waits := errors.AsType[*restlimit.WaitingError](err)
	spent, isSpent := errors.AsType[*spentError](err)
	switch {
	case w.isDeleting() && isLacking(err):
		k.notes.With(w.token.UID, func(n *notes) { n.lacking = true })
	case isSpent:
		pause = spent.wait
	case waits:
		pause = max(waiting.Until.Sub(now), time.Second)
	case isGitHubs:
		why, pause = strings.TrimSuffix(causeOf(w.app, failed), "."), failed.RetryAfter
		revocations.WithLabelValues(resultFailed).Inc()
	}
	if isGitHubs && failed.Reason == github.TokenInvalid {
		pause = max(pause, e.IssuedAt.Add(youngToken).Sub(now)) // The App may know it then, or not, which is an answer.
	}
	found := &problem.Problem{
		Reason: v1alpha1.ReasonScopedTokenNotRevoked, Aside: true, Message: notRevoked(o.name, why),
	}
	k.with(w.token.UID, o.name, func(n *note) {
		if n.ending = found; !waits {
			n.failures++
		}
		n.endAgain = backoff.DueIn(max(pause, endPauses.After(n.failures)), now, mono)
	})
	if o.isSurplus() && !w.isDeleting() {
		k.options.Outputs.Record(w.token, o.name, outputs.NotRemoved(o.name, errors.New(why)))
	}
}

// pauseEnding has the next try to end a token wait.
func (k *Keeper) pauseEnding(uid types.UID, name string) {
	now, mono := k.options.Clock.Now(), k.options.Clock.Monotonic()
	k.with(uid, name, func(n *note) {
		n.failures++
		n.endAgain = backoff.DueIn(endPauses.After(n.failures), now, mono)
	})
}

// tellUnproven tells of a token that was not ended because nothing proves that the operator has made it.
func (k *Keeper) tellUnproven(w *work, o output) {
	if k.options.Events != nil {
		k.options.Events.Eventf(w.token, nil, eventWarning, EventScopedTokenNotRevoked, "Scope",
			"A scoped token of output %q was not revoked at GitHub: nothing proves that it was made by this resource with the App's present client secret. Either somebody has changed the output, or the client secret or App has changed since. If it is one, it works until it expires.", o.name)
	}
}
