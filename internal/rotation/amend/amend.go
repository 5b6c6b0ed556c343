// Package amend makes small changes to what a pair Secret says of its pair: that an access token has ended, or whose the pair
// is. No token is exchanged, and the data stay as they are.
package amend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Amender makes the changes, under the Secret's resourceVersion.
type Amender struct {
	Store rotation.Store
	Clock rotation.Clock
}

// MarkRevoked records that GitHub does not take an access token any more, if the Secret, read live, still
// holds this very token and no exchange is under way: an exchange ends the token before the new one is
// stored. Whether the refresh token is good is not known by that: it is tried next. Where there is none, a person must
// log in. A verdict that there is stands, for it says why. It returns the Secret as it was last seen, and whether it
// says now that the token has ended.
func (a Amender) MarkRevoked(ctx context.Context, owner rotation.Owner, ref rotation.Ref, token credential.Fingerprint) (*rotation.Pair, bool, error) {
	return a.amend(ctx, owner, ref, nil, func(live *rotation.Pair) *rotation.Pair {
		if live.Intent != nil || live.AccessToken.Fingerprint() != token || live.State.AccessToken != token {
			return nil
		}
		if live.State.AccessTokenEnded {
			return live
		}
		next := live.Clone()
		next.State.AccessTokenEnded = true
		if live.RefreshToken.IsZero() && live.State.Verdict == nil {
			next.State.Verdict = &rotation.Verdict{Reason: rotation.ReasonRevoked, Time: a.Clock.Now()}
		}
		next.NextRefreshAt = time.Time{}
		return next
	})
}

// ClearRevoked takes back what MarkRevoked has recorded of an access token, since GitHub takes it again.
func (a Amender) ClearRevoked(ctx context.Context, owner rotation.Owner, ref rotation.Ref, policy rotation.Policy, token credential.Fingerprint) (*rotation.Pair, bool, error) {
	return a.amend(ctx, owner, ref, nil, func(live *rotation.Pair) *rotation.Pair {
		if live.AccessToken.Fingerprint() != token || !live.State.AccessTokenEnded {
			return nil
		}
		next := live.Clone()
		next.State.AccessTokenEnded = false
		if verdict := live.State.Verdict; verdict != nil && verdict.Reason == rotation.ReasonRevoked && live.RefreshToken.IsZero() {
			next.State.Verdict = nil // Nothing but the access token spoke for it.
		}
		if next.State.Verdict == nil {
			next.NextRefreshAt = policy.DueAt(&next.State)
		}
		return next
	})
}

// LearnUser records the account that a login belongs to, given the Secret as it was read with the token that
// told it. The token may have been replaced since; the login must be the same.
func (a Amender) LearnUser(ctx context.Context, owner rotation.Owner, read *rotation.Pair, user rotation.User) (*rotation.Pair, bool, error) {
	login := lastLogin(&read.State)
	return a.amend(ctx, owner, read.Ref, read, func(live *rotation.Pair) *rotation.Pair {
		if lastLogin(&live.State) != login || !live.State.HasToken() {
			return nil
		}
		if live.State.User != nil && *live.State.User == user {
			return live
		}
		next := live.Clone()
		next.State.User = &user
		return next
	})
}

// lastLogin names the login that the chain goes back to; empty when that is not known.
func lastLogin(s *rotation.State) credential.Fingerprint {
	for _, seed := range slices.Backward(s.Seeds) {
		if seed.RefusedFor == "" {
			return seed.Fingerprint
		}
	}
	return ""
}

// amendTries is how often a small change is tried that meets somebody else's write.
const amendTries = 3

// amend makes a small change to what the Secret says of its pair: on the Secret as it was just read, or read
// anew when live is nil or has changed. change returns the Secret as it should be: nil for a change that does
// not apply, the same for none.
func (a Amender) amend(ctx context.Context, owner rotation.Owner, ref rotation.Ref, live *rotation.Pair, change func(live *rotation.Pair) *rotation.Pair) (*rotation.Pair, bool, error) {
	for try := 1; ; try++ {
		if live == nil {
			var err error
			if live, err = a.Store.Get(ctx, ref); err != nil {
				return nil, false, fmt.Errorf("read the pair to amend it: %w", err)
			}
		}
		if !live.Controlled || live.Owner.UID != owner.UID || live.Deleting || live.IsNewer() {
			return live, false, nil
		}
		next := change(live)
		if next == nil || next == live {
			return live, next == live, nil
		}
		amended, err := a.Store.Update(ctx, live, next)
		switch {
		case err == nil:
			return amended, true, nil
		case errors.Is(err, rotation.ErrConflict) && try < amendTries:
			live = nil
		default:
			return live, false, fmt.Errorf("amend the pair: %w", err)
		}
	}
}
