package rules

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

// WebLogin is what Decide looks at of logins by the web flow.
type WebLogin struct {
	// Request is what is asked for, and may be; zero when nothing is.
	Request weblogin.Request
	// IsNew reports that it is asked for since the last failure, which does not hold it up.
	IsNew bool
	// HasCode reports that a Secret brings the code of the attempt that the pair Secret names.
	HasCode bool
}

// OfferPause is between two attempts to log in by the web flow: each costs writes.
const OfferPause = 10 * time.Second

// OfferAt is when an attempt may be begun for what is asked for; zero when none is to be begun. One request is honoured once, and
// there is one attempt at a time: the newer one replaces the former.
func OfferAt(in Input) time.Time {
	attempt := (*weblogin.Attempt)(nil)
	if in.Pair != nil {
		attempt = in.Pair.State.Web
	}
	switch {
	case in.Web.Request.ID == "" || attempt.HasHonoured(in.Web.Request):
		return time.Time{}
	case attempt == nil || attempt.BeganAt.After(in.Now): // By a clock that was ahead.
		return in.Now
	default:
		return attempt.BeganAt.Add(OfferPause)
	}
}

// webLogin begins a login by the web flow that somebody asks for, and redeems the code that was brought back. Where that has come to
// nothing the chain that is there goes first: it would die while a login is tried that cannot be begun, or whose code cannot be redeemed.
func webLogin(in Input) (rotation.Decision, bool) {
	if in.Failure != nil && firstOf(ofChain, in).Action == rotation.ActionRefresh {
		return rotation.Decision{}, false
	}
	if at := OfferAt(in); !at.IsZero() && !in.Now.Before(at) {
		begin := rotation.Decision{Action: rotation.ActionOffer}
		if in.Web.IsNew {
			return begin, true
		}
		return in.orBackoff(begin), true
	}
	if in.Pair == nil || !in.Web.HasCode {
		return rotation.Decision{}, false
	}
	attempt := in.Pair.State.Web
	if !attempt.Answers(in.Web.Request) || !attempt.IsWaiting(in.Now) || attempt.App != in.App {
		return rotation.Decision{}, false
	}
	return in.orBackoff(rotation.Decision{Action: rotation.ActionRedeem, Cause: rotation.CauseWebFlow}), true
}
