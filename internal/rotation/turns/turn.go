package turns

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Seen is what is seen of the Secret in which workloads read the published token.
type Seen struct {
	// Publication is the number of the pair whose token stands there; zero when it is not known.
	Publication int64
	// For is for how long this process has been seeing it, by the monotonic clock.
	For time.Duration
}

// Of is what a chain's turn depends on.
type Of struct {
	// Own is the chain, and Other the other one of the two.
	Own, Other Chain
	// IsPrimary says that Own is the chain of the resource that workloads know, which is published where both are as good.
	IsPrimary bool
	// Seen is what is seen where workloads read.
	Seen Seen
	// Overlap is what the spec asks for; zero for the default.
	Overlap time.Duration
	// HoldUntil puts the turn off, as long as the published token works for the overlap; zero for none.
	HoldUntil time.Time
	// Now is the wall clock.
	Now time.Time
}

// Plan says when a chain is exchanged. The zero value has it exchanged as if there were no other one.
type Plan struct {
	// Alternates says that there are two chains, so that DueAt and NotBefore count.
	Alternates bool
	// IsPublished says that the chain's token is the published one.
	IsPublished bool
	// Mark is the number that the chain's pair has to get before its token is published in place of the other chain's, which is good for
	// less; zero when nothing is to be done.
	Mark int64
	// DueAt is when the chain is due.
	DueAt time.Time
	// NotBefore is when it may be exchanged at the earliest, whoever asks for it.
	NotBefore time.Time
}

const (
	// defaultShare is the share of an access token's lifetime that is the default overlap.
	defaultShare = 4
	// lastShare is the share of it that is left of the published token when its own chain is exchanged, because the other one was not. It
	// is small, so that a GitHub that was away exchanges the other one first.
	lastShare = 64
)

// PeriodOf is for how long a token of a lifetime is published. Its chain is exchanged when another one was for as long: at three quarters of the
// lifetime, as without the other chain, so that a GitHub that is away for less than the rest of it costs nothing.
func PeriodOf(lifetime time.Duration) time.Duration { return lifetime / 8 * 3 }

// OverlapOf is the overlap that is kept where one is asked for, zero for the default. tooLong says that it cannot be kept, and the default is.
func OverlapOf(asked, lifetime time.Duration) (overlap time.Duration, tooLong bool) {
	if asked > PeriodOf(lifetime) {
		return lifetime / defaultShare, true
	}
	if asked <= 0 {
		return lifetime / defaultShare, false
	}
	return asked, false
}

// lifetimeOf is that of a pair's access token; zero when it does not expire.
func lifetimeOf(state *rotation.State) time.Duration {
	if !state.Expires() {
		return 0
	}
	return state.ExpiresAt.Sub(state.IssuedAt)
}

// PlanOf says when a chain is exchanged.
func PlanOf(of Of) Plan {
	plan := Plan{IsPublished: of.leads(), Mark: of.mark()}
	// A published chain is not alone while the other one can be exchanged, which goes first, also where its token has expired.
	if of.Own.Grade(of.Now) != Lasting || !of.Other.Grade(of.Now).IsGood() {
		return plan
	}
	own, other := &of.Own.Pair.State, &of.Other.Pair.State
	if !own.Expires() || !other.Expires() {
		return plan
	}
	plan.Alternates = true
	if plan.IsPublished {
		// The other one is exchanged first. Where that cannot be, a failed call is better than a token that has expired.
		plan.DueAt = own.ExpiresAt.Add(-lifetimeOf(own) / lastShare)
		plan.NotBefore = plan.DueAt
		return plan
	}
	// What was read before the other token was published must work for the overlap.
	lifetime := lifetimeOf(other)
	overlap, _ := OverlapOf(of.Overlap, lifetime)
	period := PeriodOf(lifetime)
	plan.NotBefore = own.ExpiresAt // As long as it is not seen that others read the other token they may read this one.
	if of.Seen.Publication == of.Other.publication() && of.Seen.Publication > 0 {
		since := of.Now.Add(-of.Seen.For)
		if since.Before(other.IssuedAt) {
			since = other.IssuedAt
		}
		plan.NotBefore = backoff.Earliest(since.Add(overlap), own.ExpiresAt)
	}
	jitter := time.Duration(float64(period-overlap) / 4 * backoff.Fraction(of.Own.Owner))
	plan.DueAt = other.IssuedAt.Add(period - jitter)
	if latest := other.ExpiresAt.Add(-overlap); of.HoldUntil.After(plan.DueAt) && latest.After(plan.DueAt) {
		plan.DueAt = backoff.Earliest(of.HoldUntil, latest)
	}
	if plan.DueAt.Before(plan.NotBefore) {
		plan.DueAt = plan.NotBefore
	}
	return plan
}

// leads reports whether the chain's token is the published one.
func (of Of) leads() bool {
	if of.IsPrimary {
		return Leads(of.Own, of.Other)
	}
	return !Leads(of.Other, of.Own)
}

// mark is the number that the chain's pair gets, so that its token is published in place of a worse one; zero when it is not to be. While the
// other chain is being exchanged, which is published, it is its commit that publishes.
func (of Of) mark() int64 {
	own, other := of.Own.Grade(of.Now), of.Other.Grade(of.Now)
	if own < Ending || own <= other || other == Unsettled || of.leads() {
		return 0
	}
	return of.Next()
}

// Next is the number of the pair of the chain that is published next. Those of the primary are even and those of the other chain odd, so that no
// two are the same, whoever counts at the same time.
func (of Of) Next() int64 {
	next := max(of.Own.publication(), of.Other.publication()) + 1
	if isEven := next%2 == 0; isEven != of.IsPrimary {
		next++
	}
	return next
}
