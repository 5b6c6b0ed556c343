package rules

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// refusedOnce has a token presented once more that GitHub has refused: it is known to refuse a good one now and then. That is
// done once for each verdict, when nothing else explains the refusal: no exchange of unknown outcome, no copy from a backup.
func refusedOnce(in Input) (rotation.Decision, bool) {
	if in.Pair == nil {
		return rotation.Decision{}, false
	}
	for _, verdict := range []*rotation.Verdict{in.Pair.State.Verdict, in.Pair.State.SeedVerdict} {
		if at := AgainAt(in, verdict); at.IsZero() || in.Now.Before(at) {
			continue
		}
		action := rotation.ActionRefresh
		if verdict.Fingerprint != in.Pair.State.RefreshToken {
			action = rotation.ActionImport
		}
		return rotation.Decision{Action: action, Cause: rotation.CauseAgain, Spends: verdict.Fingerprint}, true
	}
	return rotation.Decision{}, false
}

// observing is by how much a verdict may seem to come from the future by a clock that is right: Input.Now is from before what
// is read live, and the clocks of two machines differ a little.
const observing = time.Minute

// AgainAt is when the token of a verdict is presented once more; zero when it is not. That of a login is, as long as it is
// still in the seed.
func AgainAt(in Input, verdict *rotation.Verdict) time.Time {
	if verdict == nil || verdict.AgainAt.IsZero() || verdict.Reason != rotation.ReasonRefreshTokenRejected {
		return time.Time{}
	}
	at, asked := verdict.AgainAt, in.RefreshRequestedAt
	wasAhead := at.Sub(in.Now) > rotation.AgainAfter+observing // The clock was that wrote it.
	if asked != "" && asked != verdict.Asked || wasAhead {
		at = in.Now
	}
	switch {
	case verdict.Fingerprint != in.Pair.State.RefreshToken && verdict.Fingerprint != in.Seed:
		return time.Time{}
	case in.Failure != nil && at.Before(in.Failure.RetryAt):
		return in.Failure.RetryAt // Something stood in the way.
	default:
		return at
	}
}
