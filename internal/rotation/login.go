package rotation

import (
	"cmp"
	"context"
	"errors"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// LoginFromSeed names the login that is being imported from the seed; empty when none is. Its token is not in the Secret.
// The intent alone tells, so that it is known as well when the state is gone.
func (p *Pair) LoginFromSeed() credential.Fingerprint {
	if p.Intent == nil || !p.Intent.Login || p.Intent.Attempt != "" || p.Intent.Spends == p.State.RefreshToken {
		return ""
	}
	return p.Intent.Spends
}

// LoginElsewhere names the login that is being imported, by a token in the seed or by a code; empty when none is.
func (p *Pair) LoginElsewhere() credential.Fingerprint { return cmp.Or(p.code(), p.LoginFromSeed()) }

// code names the code that is being redeemed; empty when none is.
func (p *Pair) code() credential.Fingerprint {
	if p.Intent == nil || p.Intent.Attempt == "" {
		return ""
	}
	return p.Intent.Spends
}

// login is what PendingSeed has to name: the login that is being imported from the seed, or else one that waits in the data.
// The chain's own token is no login, nor is one that was dealt with, whoever has put it there.
func (p *Pair) login() credential.Fingerprint {
	if login := p.LoginFromSeed(); login != "" {
		return login
	}
	login, state := p.SeedToken.Fingerprint(), &p.State
	if login != state.PendingSeed && (state.KnowsSeed(login, state.App) || state.Unanswered.Has(login)) {
		return ""
	}
	return login
}

// endLogin ends the import of a login, of which there is no intent any more. Another one that waits in the data is next.
func (p *Pair) endLogin(ended credential.Fingerprint) {
	p.State.PendingSeed = ""
	if login := p.login(); login != ended {
		p.State.PendingSeed = login
	}
}

// ForgetLogin has a login that was being imported when a copy was made not be imported now: it may have been since. It is
// tried again when it is in the seed. The data stay as they are.
func (p *Pair) ForgetLogin() {
	state := &p.State
	state.Unanswered = state.Unanswered.With(p.LoginFromSeed()).With(p.SeedToken.Fingerprint())
	state.PendingSeed, state.Web = "", state.Web.Having(p.code()).Forgotten()
	if p.LoginElsewhere() != "" {
		p.Intent = nil
	}
}

// withoutLeftovers takes out of a Secret into which a pair is put what has been dealt with: the login that the pair was got
// for, logins that wait in the data and are none any more, and device codes that an older version has left there. The data
// change with the pair, and for nothing else.
func (p *Pair) withoutLeftovers(live *Pair, spent credential.Fingerprint) {
	state, waiting := &p.State, live.SeedToken.Fingerprint()
	if waiting == spent || waiting == live.RefreshToken.Fingerprint() || state.KnowsSeed(waiting, state.App) || state.Unanswered.Has(waiting) {
		p.SeedToken = credential.RefreshToken{}
	}
	if device := state.Device; device == nil || device.Ended != "" || device.DeviceCode != live.DeviceCode.Fingerprint() {
		p.DeviceCode = credential.DeviceCode{}
	}
	if p.Intent != nil && state.HasImported(p.Intent.Spends) {
		p.Intent = nil // It was fenced while the Secret was away for a moment. This chain goes back to it: it is spent.
	}
}

// GiveUp ends the import of a login whose token the seed does not hold any more, or of one by a code, which is never sent
// again: what became of it cannot be found out. The chain that was there goes on, a pair that somebody has received for it
// all the same is committed as ever, and when its token comes back with the seed it counts as tried before. Errors: those of Store.Get and Store.Update, and ErrConflict.
func (r *Rotator) GiveUp(ctx context.Context, owner Owner, seen *Pair) (*Pair, error) {
	live, err := r.Store.Get(ctx, seen.Ref)
	if err != nil {
		return nil, err
	}
	login := seen.LoginElsewhere()
	if !live.belongsTo(owner) || live.Intent == nil || live.LoginElsewhere() != login || live.Intent.ID != seen.Intent.ID {
		return nil, errors.Join(ErrConflict, errors.New("another login is being imported by now"))
	}
	refused, left := r.unrecordedFor(Job{Owner: owner, Pair: live, Decision: Decision{Spends: login}})
	if left { // GitHub has refused it, and only that could not be written yet.
		result, err := r.tryCondemn(ctx, owner, seen.Ref, refused.finding, Result{})
		if err == nil && result.Pair == nil {
			err = ErrNotFound
		}
		return result.Pair, err
	}
	next := live.Clone()
	state := &next.State
	if attempt := live.Intent.Attempt; live.Intent.Unresolved > 0 || !r.isUntouched(owner, live.Intent) {
		state.Web = state.Web.Having(live.code()).Ending(attempt, v1alpha1.WebLoginLost, "")
		if attempt == "" {
			state.Unanswered = state.Unanswered.With(login)
		}
		if attempt == "" && (state.HasToken() || state.RefreshToken != "") {
			state.SeedVerdict = &Verdict{Reason: ReasonOutcomeUnknown, Fingerprint: login, Time: r.Clock.Now()}
		}
	} else {
		state.Web = state.Web.Sending(attempt, "")
	}
	next.Intent, state.SeedVersion = nil, ""
	next.endLogin(login)
	return r.Store.Update(ctx, live, next)
}
