package lifecycle

import (
	"errors"
	"time"

	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// placePause is how long to wait for a place in the outbox that an exchange under way is about to give back.
const placePause = time.Second

// withPlace begins an exchange with a place in the outbox for its reply, and gives the place back unless the exchange was started. The
// place comes first: who has to wait for one costs no read and no turn at the rate limit, however often it asks.
func (e *exchanges) withPlace(s *scope.Scope, begin func() Result) (result Result) {
	if err := e.outbox.Take(s.Owner); err != nil {
		return e.noPlace(s, err)
	}
	defer func() {
		if result.State != Started {
			e.outbox.Release(s.Owner)
		}
	}()
	return begin()
}

// noPlace is the result for a resource for whose reply there is no place. Nothing has failed when the places are those of
// exchanges that are about to end; otherwise it is tried again later each time.
func (e *exchanges) noPlace(s *scope.Scope, err error) Result {
	p := words.Failure(rotation.Result{Outcome: rotation.NoOutbox, Err: err})
	if errors.Is(err, rotation.ErrPlacesInUse) {
		// When that is is not told: it would be another time at each look, and each look a write.
		return Result{State: Blocked, Problem: p, RequeueAt: s.Now.Add(placePause)}
	}
	return e.notes.failedWith(s, *p, retry.After(err))
}
