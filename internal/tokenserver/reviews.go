package tokenserver

import (
	"context"
	"net/http"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/endpoint"
	"github.com/githubusertoken/github-user-token-operator/internal/fair"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/callers"
)

const (
	// maxReviews is how many callers the API server is asked about at once, of each of the three kinds of questions, and reviewTurn how long
	// somebody waits for their turn.
	maxReviews = 32
	reviewTurn = 2 * time.Second

	// Tokens that are none, from one address: how many, on average a second and at once.
	badPerSecond, badAtOnce = 5, 50
	// What RBAC does not grant, to one ServiceAccount and to those of one namespace.
	forbiddenPerSecond, forbiddenAtOnce     = 5, 50
	forbiddenPerSecondOfAll, forbiddenOfAll = 20, 200
)

// reviews ask the API server about callers, and bound what that costs it, so that nobody keeps it from being asked about others: neither who makes
// tokens up, nor a pod without any permission that asks for names. Who asks is looked up in the places of an address, and what they may in those of
// their namespace. Those who wait already have places of their own, since their time is short.
type reviews struct {
	callers  Callers
	who, may *fair.Semaphore
	again    *fair.Semaphore
	// strangers are by address, and the others by ServiceAccount and by namespace.
	strangers, forbidden, forbiddenOf *buckets
}

func newReviews(asked Callers) *reviews {
	return &reviews{
		callers: asked, who: fair.NewSemaphore(maxReviews), may: fair.NewSemaphore(maxReviews), again: fair.NewSemaphore(maxReviews),
		strangers: newBuckets(badPerSecond, badAtOnce), forbidden: newBuckets(forbiddenPerSecond, forbiddenAtOnce), forbiddenOf: newBuckets(forbiddenPerSecondOfAll, forbiddenOfAll),
	}
}

// admit says who asks and that they may, or what they are answered. A review that has begun goes on when the client goes, within the time that
// callers give it: the API server has it to do anyway, so it is counted against whoever caused it, and what it says is remembered. Else whoever
// hangs up at once would be bounded by nothing, and would look like an API server that does not answer.
func (s *Server) admit(r *http.Request, asked request) (who callers.Identity, may callers.Access, no *answer) {
	if who, no = s.identify(r, asked); no != nil {
		return who, may, no
	}
	may, no = s.authorize(r.Context(), who, asked)
	return who, may, no
}

// isLate reports whether a yes that is remembered is too old for a request that is going to wait: it would have to be asked for again at once.
func isLate(asked request, said time.Time) bool {
	return (asked.after != "" || asked.stale != "") && time.Since(said) >= reviewEvery
}

func (s *Server) identify(r *http.Request, asked request) (callers.Identity, *answer) {
	who, known := s.options.Callers.Known(asked.token)
	if !known || who.Refusal == "" && isLate(asked, who.Asked) {
		client := endpoint.ClientOf(r)
		if !s.reviews.strangers.has(client) {
			return who, tooMany("Too many tokens were shown from your address that are none.")
		}
		if !take(r.Context(), s.reviews.who, client) {
			return who, noTurn(r.Context())
		}
		defer s.reviews.who.Release(client)
		var err error
		if who, err = s.options.Callers.Identify(context.WithoutCancel(r.Context()), asked.token); err != nil {
			return who, s.away("The API server cannot be asked who calls", err)
		}
		if who.Refusal != "" {
			s.reviews.strangers.take(client)
		}
		if r.Context().Err() != nil {
			return who, gone()
		}
	}
	if who.Refusal != "" {
		return who, refused(who.Refusal)
	}
	return who, nil
}

func (s *Server) authorize(ctx context.Context, who callers.Identity, asked request) (callers.Access, *answer) {
	may, known := s.options.Callers.KnownAccess(who, asked.of)
	if !known || may.Refusal == "" && isLate(asked, may.Asked) {
		user, namespace := who.Caller.User, who.Caller.Namespace
		if !s.reviews.forbidden.has(user) || !s.reviews.forbiddenOf.has(namespace) {
			return may, tooMany("Your ServiceAccount, or those of its namespace, have asked for too many tokens that they may not have.")
		}
		if !take(ctx, s.reviews.may, namespace) {
			return may, noTurn(ctx)
		}
		defer s.reviews.may.Release(namespace)
		var err error
		if may, err = s.options.Callers.Authorize(context.WithoutCancel(ctx), who, asked.of); err != nil {
			return may, s.away("The API server cannot be asked what somebody may", err)
		}
		if may.Refusal != "" {
			s.reviews.forbidden.take(user)
			s.reviews.forbiddenOf.take(namespace)
		}
		if ctx.Err() != nil {
			return may, gone()
		}
	}
	if may.Refusal != "" {
		return may, refused(may.Refusal)
	}
	return may, nil
}

// askAgain asks both anew about somebody who waits.
func (v *visit) askAgain(ctx context.Context) (reviewed time.Time, why callers.Refusal, err error) {
	who, err := v.server.options.Callers.Identify(ctx, v.request.token)
	if err != nil || who.Refusal != "" {
		return time.Time{}, who.Refusal, err
	}
	may, err := v.server.options.Callers.Authorize(ctx, who, v.request.of)
	return earlier(who.Asked, may.Asked), may.Refusal, err
}

// take takes a place when it is the turn of whoever it is counted against.
func take(ctx context.Context, places *fair.Semaphore, of string) bool {
	ctx, cancel := context.WithTimeout(ctx, reviewTurn)
	defer cancel()
	return places.Acquire(ctx, of) == nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// noTurn is the answer to somebody whose turn has not come: because they have gone, or because there are too many.
func noTurn(ctx context.Context) *answer {
	if ctx.Err() != nil {
		return gone()
	}
	return busy("There are too many callers whom the API server is asked about.")
}
