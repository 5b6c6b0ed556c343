package amend

import (
	"context"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/origin"
)

// AskRevocation takes down that a login is to be revoked, as its person asks for, if the Secret, read live, still stands at the login that was
// seen, and no exchange has begun since. It is written before GitHub is asked. It returns the Secret as it was last seen, and whether
// it says so now.
func (a Amender) AskRevocation(ctx context.Context, owner rotation.Owner, seen *rotation.Pair) (*rotation.Pair, bool, error) {
	return a.amend(ctx, owner, seen.Ref, nil, func(live *rotation.Pair) *rotation.Pair {
		if !isSameLogin(live, seen) || !isSameAccount(live.State.User, seen.State.User) {
			return nil
		}
		if live.State.Login.IsAsked() {
			return live
		}
		next, login := live.Clone(), origin.Login{First: live.State.LoginName()}
		if live.State.Login != nil {
			login = *live.State.Login
		}
		next.State.Login = login.Asked(a.Clock.Now())
		return next
	})
}

// EndRevocation takes down that the revocation of a pair, as it was read, has ended: revoked says that GitHub has made it, and otherwise it
// was given up. No token of the login is presented any more, and a person must log in. A pair that was stored since is none of that.
func (a Amender) EndRevocation(ctx context.Context, owner rotation.Owner, read *rotation.Pair, revoked bool) (*rotation.Pair, bool, error) {
	return a.amend(ctx, owner, read.Ref, nil, func(live *rotation.Pair) *rotation.Pair {
		state := &live.State
		if !isSameLogin(live, read) || !state.Login.IsAsked() || state.AccessToken != read.State.AccessToken || state.RefreshToken != read.State.RefreshToken {
			return nil
		}
		if !state.Login.IsOpen(state.AccessToken, state.RefreshToken) {
			return live
		}
		next := live.Clone()
		next.State.Login = state.Login.Ended(state.AccessToken, state.RefreshToken, revoked)
		next.State.Verdict = &rotation.Verdict{Reason: v1alpha1.ReasonRevokedOnRequest, Fingerprint: state.RefreshToken, Time: a.Clock.Now()}
		next.State.AccessTokenEnded = state.AccessTokenEnded || revoked && state.HasToken()
		if next.Intent != nil && next.Intent.Spends == state.RefreshToken {
			next.Intent = nil // There is nothing to find out any more.
		}
		next.NextRefreshAt = time.Time{}
		return next
	})
}

// isSameAccount reports whether two are one account, or both are not known: a login that is to end for another reason than in the name of its
// account ends whosever it is.
func isSameAccount(a, b *rotation.User) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.ID == b.ID
}

// isSameLogin reports whether a Secret stands at the login at which it was seen, and no exchange has begun since.
func isSameLogin(live, seen *rotation.Pair) bool {
	if live.Intent != nil && (seen.Intent == nil || seen.Intent.ID != live.Intent.ID) {
		return false
	}
	return live.State.Owner == seen.State.Owner && live.State.LoginName() == seen.State.LoginName()
}
