package scopedtokens

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/githubusertoken/github-user-token-operator/controllers/outputs"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// makeToken has GitHub make a token for an output, and writes the output with it. goOn reports whether to look what is next.
func (k *Keeper) makeToken(ctx context.Context, w *work, o output, s state) (goOn bool) {
	if strings.HasPrefix(w.pair.AccessToken.Reveal(), oauthPrefix) {
		k.record(w, o, ofOAuthApp(o.name))
		return false
	}
	app, lacking := k.appWithSecret(ctx, w)
	switch {
	case lacking != nil:
		k.record(w, o, cannotMake(o.name, w.app.Veil(lacking)))
		return false
	case app.Key() != w.pair.State.App:
		k.record(w, o, ofAnotherApp(o.name))
		return false
	case s.secret != nil && !outputs.IsOutputOf(w.token, s.meta()):
		_, err := k.options.Outputs.Put(ctx, w.token, o.name, outputs.Content{}, s.meta()) // It says why, and writes nothing.
		k.fail(w, o, err)
		return false
	case !w.take():
		if len(s.ledger.Retired) > 0 && k.end(ctx, w, o, s, s.ledger.Retired[0].Token) {
			w.give() // There were many within the overlap: a token that works now goes before one that worked then.
			return true
		}
		k.record(w, o, k.noRoom(o, s.ledger))
		return false
	}
	makings, may := w.mayMake()
	if !may {
		w.give()
		k.record(w, o, tooManyMade(o.name, k.options.Clock.Now(), makings))
		return false
	}
	if err := k.spend(w); err != nil {
		w.give()
		return k.notMade(ctx, w, o, s, err)
	}
	began := k.options.Clock.Now()
	k.missed(w.token.UID, o.name, s, began)
	made, s, err := k.ask(ctx, w, o, s, app)
	if err != nil {
		return k.notMade(ctx, w, o, s, err)
	}
	scopedTokens.WithLabelValues(resultMade).Inc()
	k.with(w.token.UID, o.name, func(n *note) {
		n.made = append(ledger{Made: n.made}.madeSince(began, makings.window), s.ledger.Asked)
	})
	e := entryOf(made.Token, began, made.ExpiresAt)
	e.Parent, e.Scope, e.App, e.Proof = w.pair.State.AccessToken, nameOf(o.spec.Scope), app.Key(), proofOf(app, w.token.UID, e.Token)
	return k.store(ctx, w, o, s, app, e, made.Token)
}

// oauthPrefix begins the tokens of OAuth Apps, of which GitHub makes no scoped ones.
const oauthPrefix = "gho_"

// errOutdated: the output was changed just before GitHub would have been asked.
var errOutdated = errors.New("the output was changed a moment ago")

// ask asks GitHub for a token, after it was noted in the output that it is being asked, if there is one. It returns how the output
// is then.
func (k *Keeper) ask(ctx context.Context, w *work, o output, s state, app github.App) (github.ScopedToken, state, error) {
	ctx, cancel := k.options.Clock.WithTimeout(ctx, callTime)
	defer cancel()
	var made github.ScopedToken
	err := k.options.Asking.WithSecret(w.who(), app, func() (err error) {
		now := k.options.Clock.Now()
		l := s.ledger.clone()
		if !l.Asked.IsZero() && !k.knowsAnswer(w, o, l.Asked) {
			l.lose(l.Asked, now) // A process that asked then has not lived to write down what came of it.
			k.tellLost(w, o)
		}
		l.Asked = now.UTC().Truncate(time.Millisecond)
		k.with(w.token.UID, o.name, func(n *note) { n.answered = l.Asked }) // Before: if the answer to the write is lost, it is known all the same.
		if s, err = k.noteIn(ctx, w, s, l); err != nil {
			return err
		}
		for try := 1; ; try++ {
			made, err = k.options.GitHub.ScopeToken(ctx, app, w.pair.AccessToken, scopeOf(o.spec.Scope))
			failed, _ := errors.AsType[*github.Error](err)
			young := k.options.Clock.Now().Sub(w.pair.State.IssuedAt) < freshTime
			if failed == nil || failed.Reason != github.TokenInvalid || !young || try == freshTries || k.isPassed(w) || k.options.Clock.Sleep(ctx, freshPause) != nil {
				return err
			}
		}
	})
	return made, s, err
}

// GitHub may not know a user's token yet that it has just issued, for some seconds. Readers wait for what is made of it, so that it
// is asked again at once.
const (
	freshTime, freshPause = 10 * time.Second, 500 * time.Millisecond
	freshTries            = 8
)

// knowsAnswer reports whether this process has asked then, so that what came of it is known.
func (k *Keeper) knowsAnswer(w *work, o output, asked time.Time) (knows bool) {
	k.notes.Peek(w.token.UID, func(n *notes) { knows = n.byName[o.name] != nil && n.byName[o.name].answered.Equal(asked) })
	return knows
}

// noteIn writes a ledger into an output, if there is one.
func (k *Keeper) noteIn(ctx context.Context, w *work, s state, l ledger) (state, error) {
	if s.ledger = l; s.secret == nil {
		return s, nil
	}
	meta, err := k.options.Outputs.Note(ctx, w.token, s.meta(), l.text(), len(l.entries()) > 0)
	if outputs.IsOutdated(err) {
		return s, errOutdated
	}
	if err != nil {
		return s, err
	}
	secret := s.secret.DeepCopy()
	secret.ObjectMeta = *meta
	s.secret = secret
	return s, nil
}

// notMade takes down why there is no token, and counts one that may have been made.
func (k *Keeper) notMade(ctx context.Context, w *work, o output, s state, err error) (goOn bool) {
	failed, isGitHubs := errors.AsType[*github.Error](err)
	waiting, waits := errors.AsType[*restlimit.WaitingError](err)
	spent, isSpent := errors.AsType[*spentError](err)
	if !isGitHubs || !github.MayHaveIssued(err) {
		w.madeNone()
	}
	switch {
	case errors.Is(err, errOutdated):
		return true
	case isSpent:
		k.record(w, o, overBudget(o.name, k.options.Clock.Now(), spent))
		return false
	case waits:
		k.record(w, o, awaitsTurn(o.name, k.options.Clock.Now(), waiting))
		return false
	case !isGitHubs:
		k.fail(w, o, err)
		return false
	}
	now, result := k.options.Clock.Now(), resultRefused
	l := s.ledger.clone()
	if github.MayHaveIssued(err) {
		result = resultLost
		l.lose(now, now)
		k.tellLost(w, o)
	}
	scopedTokens.WithLabelValues(result).Inc()
	l.Asked = time.Time{}
	// If this fails, the next process takes it for a request without an answer, which for a lost one is true as well.
	if _, err := k.noteIn(context.WithoutCancel(ctx), w, s, l); result == resultLost && (err != nil || s.secret == nil) {
		k.lose(w.token.UID, o.name, now)
	}
	k.record(w, o, refused(w.app, o, failed))
	return false
}

// store writes an output with a new token. Whoever else has changed it meanwhile, the token goes into what is there then. One that
// cannot be stored is ended at once: nobody would know of it.
func (k *Keeper) store(ctx context.Context, w *work, o output, s state, app github.App, e entry, token credential.AccessToken) (goOn bool) {
	var err error
	known := true // What is there was read since the last write.
	for try := 1; ; try++ {
		l, now := s.ledger.clone(), k.options.Clock.Now()
		k.noteLost(w.token.UID, o.name, &l, now)
		k.noteMade(w.token.UID, o.name, &l)
		if l.Asked = (time.Time{}); l.Current != nil && try > 1 && l.Current.Parent == e.Parent && l.Current.Scope == e.Scope {
			l.retire(e, now) // Another process was as fast.
		} else {
			l.retireCurrent(now.Add(overlapOf(&w.pair.State)))
			l.Current = new(e)
		}
		var content outputs.Content
		if content, err = contentOf(o.spec, w.pair, l, s.there.with(token)); err != nil {
			break
		}
		_, err = k.options.Outputs.Put(ctx, w.token, o.name, content, s.meta())
		if err != nil {
			// The write may have been applied and its answer lost.
			again, readErr := k.readAnyway(ctx, w, o)
			if known = readErr == nil; known {
				s = again
			}
			if known && s.ledger.tells(e.Token) {
				err = nil
			}
		}
		if err == nil {
			k.with(w.token.UID, o.name, func(n *note) { n.lost, n.stored = nil, e.Token })
			k.options.Outputs.Record(w.token, o.name, nil)
			k.options.Outputs.WasPutRight(w.token.UID, o.name, wantedName(o, w.pair))
			return true
		}
		if problemIsFinal(o, err) || k.options.Clock.Sleep(ctx, storePause.After(try)) != nil {
			break
		}
	}
	if known {
		k.abandon(ctx, w, o, s, app, token)
	} else { // It may be in use.
		scopedTokens.WithLabelValues(resultLost).Inc()
		k.lose(w.token.UID, o.name, k.options.Clock.Now())
		k.tellLost(w, o)
	}
	k.fail(w, o, err)
	return false
}

// readAnyway reads an output live, though the time of the work may be over.
func (k *Keeper) readAnyway(ctx context.Context, w *work, o output) (state, error) {
	ctx, cancel := k.options.Clock.WithTimeout(context.WithoutCancel(ctx), callTime)
	defer cancel()
	return k.read(ctx, w, o)
}

// storePause is between two tries to write a token that was made.
var storePause = backoff.Backoff{First: 20 * time.Millisecond, Max: time.Second}

// problemIsFinal reports whether somebody has to act before the output can be written.
func problemIsFinal(o output, err error) bool {
	if outputs.IsOutdated(err) {
		return false
	}
	found := outputs.ProblemOf(o.name, err)
	return found == nil || !found.Transient
}

// abandon ends a token that was made and could not be stored. If that fails it is counted as lost.
func (k *Keeper) abandon(ctx context.Context, w *work, o output, s state, app github.App, token credential.AccessToken) {
	ctx, cancel := k.options.Clock.WithTimeout(context.WithoutCancel(ctx), callTime)
	defer cancel()
	err := k.options.Asking.RevokeToken(ctx, w.who(), app, token)
	if err == nil {
		revocations.WithLabelValues(resultEnded).Inc()
	} else {
		revocations.WithLabelValues(resultFailed).Inc()
		scopedTokens.WithLabelValues(resultLost).Inc()
		now := k.options.Clock.Now()
		k.lose(w.token.UID, o.name, now)
		k.tellLost(w, o)
	}
	l := s.ledger.clone()
	l.Asked = time.Time{}
	_, _ = k.noteIn(ctx, w, s, l)
}

// tellLost tells of a token that may be alive without anybody knowing it.
func (k *Keeper) tellLost(w *work, o output) {
	if k.options.Events != nil {
		k.options.Events.Eventf(w.token, nil, eventWarning, EventScopedTokenLost, "Scope",
			"GitHub may have made a scoped token for output %q that never arrived. If it was made, it works until it expires. The operator asks for another one.", o.name)
	}
}

// noRoom is the problem of an output for which no more tokens are made for a while.
func (k *Keeper) noRoom(o output, l ledger) *problem.Problem {
	now := k.options.Clock.Now()
	at := now.Add(time.Minute) // Other outputs of the resource may have all the room.
	if lost := l.lostSince(now); len(lost) > 0 {
		at = lost[0].Add(lostMemory)
	}
	return tooManyLost(o.name, len(l.lostSince(now)), at)
}
