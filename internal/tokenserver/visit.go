package tokenserver

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/endpoint"
	"github.com/githubusertoken/github-user-token-operator/internal/fair"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/callers"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/reading"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/release"
)

const (
	// reviewEvery is how often it is reviewed whether somebody who waits still may. A review may take what is left of callers.AllowedFor, so that
	// it is less than ten seconds after a permission was taken away that they are sent away.
	reviewEvery = 8 * time.Second
	// lookEvery is how often somebody who waits looks again by themselves: while changes are told of; while there is no token, as a Secret may
	// change alone, of which nobody tells; while nothing is told of; and in the first moments, in which most exchanges end.
	lookEvery, lookForAny, lookOften, lookAtFirst = 10 * time.Second, 2 * time.Second, time.Second, 250 * time.Millisecond
	// atFirst are those moments.
	atFirst = 2 * time.Second
	// answering is how long an answer may take to be sent after a wait.
	answering = 30 * time.Second
)

// visit is a request of somebody who may have the token.
type visit struct {
	server  *Server
	w       http.ResponseWriter
	request request
	caller  callers.Caller
	// began is when they were let in, and reviewed when it was last asked whether they may, also where that was remembered.
	began, reviewed time.Time
	// confirmed is when that was last answered after they have waited.
	confirmed time.Time
	// changed tells of changes while they wait; nil before. ended is closed when the wait is to end early, for others.
	changed, ended <-chan struct{}
	// place is what their place is counted against, and waiting says that it is one of those who wait.
	place   fair.Key
	waiting bool
	leaving []func()
}

// serve answers, at once or after a wait.
func (v *visit) serve(ctx context.Context) *answer {
	for {
		a, done := v.look(ctx)
		if done {
			return a
		}
		if a != nil {
			if a = v.wait(ctx, a); a != nil {
				return a
			}
		}
	}
}

// look reads, and is done with an answer. It is not where another one may come within the wait: then a is what is answered when it does not, or
// nil where it is time to look again. What was read is held no longer than that.
func (v *visit) look(ctx context.Context) (a *answer, done bool) {
	if v.waiting && time.Since(v.reviewed) >= reviewEvery {
		if no := v.review(ctx); no != nil {
			return no, true
		}
	}
	within, cancel := v.untilReview(ctx)
	read, began, err := v.server.options.Reads.Get(within, release.Of{NamespacedName: v.request.of, Output: v.request.output})
	isDue := err != nil && within.Err() != nil
	cancel()
	if ctx.Err() != nil {
		return gone(), true
	}
	if isDue && time.Since(v.began) < v.request.wait {
		return nil, false // It was time to review it, and that says nothing of the API server.
	}
	a, ok := v.judge(read, err)
	if !ok || a.token == nil {
		return a, ok
	}
	if v.waiting && time.Since(v.confirmed) > time.Second || time.Since(v.reviewed) >= callers.AllowedFor {
		if no := v.review(ctx); no != nil {
			return no, true
		}
		v.confirmed = time.Now()
	}
	if !reading.IsFresh(began) {
		return nil, false // It was reviewed for so long that another token may be stored by now.
	}
	a.waited = v.waiting
	v.server.record(v, read.Resource, a.token)
	return a, true
}

// untilReview is the time in which somebody who waits reads: no longer than until the next review.
func (v *visit) untilReview(ctx context.Context) (context.Context, context.CancelFunc) {
	if !v.waiting {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, v.reviewed.Add(reviewEvery))
}

// judge is the answer to what was read. It is not ok where another one may come within the wait: then a is what is answered when it does not.
func (v *visit) judge(read release.Read, err error) (a *answer, ok bool) {
	if err != nil {
		return v.unread(err)
	}
	found := release.Decide(read, time.Now())
	switch {
	case found.Kind == release.Absent:
		return forbidden(), true
	case found.Kind == release.Never:
		return without(found.Message), true
	case found.Kind == release.Later:
		return unavailable(outcomeUnknown, found.Message, patience), false
	case v.request.stale != "" && found.Token.Fingerprint == v.request.stale && found.Verdict != "":
		return without("GitHub has refused the token, and there is no other one before somebody acts: " + found.Verdict + ". The conditions of the resource say what to do."), true
	case v.request.stale != "" && found.Token.Fingerprint == v.request.stale:
		return unavailable(outcomeStale, "There is only the token that GitHub has refused. The operator gets another one when it has found that out, or when it is due.", patience), false
	case v.request.after != "" && found.Token.Fingerprint == v.request.after:
		return given(&found.Token), false
	default:
		return given(&found.Token), true
	}
}

// unread is the answer where the resource could not be read. It is ok, and the last one, where looking again would read no more.
func (v *visit) unread(err error) (a *answer, ok bool) {
	switch reason := reading.ReasonOf(err); reason {
	case reading.TooLarge:
		v.server.say("An object is too large to be read for a token", "reason", reason, "namespace", v.request.of.Namespace, "name", v.request.of.Name)
		return tooLarge(), true
	case reading.Busy:
		v.server.say("There is too much to be read at once", "reason", reason)
		return busy("This server has too much to read at once."), false
	case reading.Failed:
		v.server.say("The token server itself has failed to read", "reason", reason)
		return failed(), false
	default:
		return v.server.away("The API server cannot be asked for a token", err), false
	}
}

// wait returns when it is time to look again, with nil, or with what is answered when the wait is over. otherwise is what that is.
func (v *visit) wait(ctx context.Context, otherwise *answer) *answer {
	left := v.request.wait - time.Since(v.began)
	if left <= 0 {
		return v.end(ctx, otherwise)
	}
	if !v.waiting {
		if no := v.beginWait(ctx); no != nil {
			return no
		}
		return nil // What has changed before it was told of is seen by this look.
	}
	review := reviewEvery - time.Since(v.reviewed)
	if review <= 0 {
		if no := v.review(ctx); no != nil {
			return no
		}
		review = reviewEvery
	}
	timer := time.NewTimer(min(left, review, v.lookAgain(otherwise)))
	defer timer.Stop()
	select {
	case <-v.changed:
	case <-timer.C:
	case <-ctx.Done():
	case <-v.ended:
		return v.end(ctx, otherwise)
	case <-v.server.stopping:
		return unavailable(outcomeStopping, "This replica of the server is being stopped. Ask again: another one answers.", time.Second)
	}
	return nil
}

// end is the answer when a wait is over, also when it ends early. A token that is the one which the caller has is read and reviewed like any other.
func (v *visit) end(ctx context.Context, otherwise *answer) *answer {
	if otherwise.token == nil {
		return otherwise
	}
	v.request.after = ""
	if v.waiting {
		if no := v.review(ctx); no != nil {
			return no
		}
		v.confirmed = time.Now()
	}
	return nil
}

// beginWait gives the place among those who are answered back for one among those who wait.
func (v *visit) beginWait(ctx context.Context) *answer {
	select {
	case <-v.server.stopping:
		return unavailable(outcomeStopping, "This replica of the server is being stopped. Ask again: another one answers.", time.Second)
	default:
	}
	ended, leave := v.server.waits.join(v.caller.Namespace, v.request.wait <= patience)
	if leave == nil {
		return tooMany("Too many requests of your namespace wait for a token.")
	}
	v.ended, v.leaving = ended, append(v.leaving, leave)
	v.server.requests.Free(v.place)
	v.waiting = true
	v.server.metrics.waiting.Inc()
	v.leaving = append(v.leaving, endpoint.Hold(ctx, v.w, v.request.wait+answering))
	changed, cancel := v.server.options.Changes.Subscribe(v.request.of)
	v.changed, v.leaving = changed, append(v.leaving, cancel)
	return nil
}

// lookAgain is in how long to look again though nothing was told.
func (v *visit) lookAgain(otherwise *answer) time.Duration {
	switch {
	case time.Since(v.began) < atFirst:
		return lookAtFirst
	case !v.server.options.Changes.Watched(), slices.Contains([]string{outcomeAPIServer, outcomeBusy, outcomeInternal}, otherwise.outcome):
		return lookOften
	case otherwise.outcome == outcomeUnknown:
		return lookForAny
	default:
		return lookEvery
	}
}

// review asks anew whether the caller may; what they are answered when they may not, or when nobody knows. For longer than a yes counts nobody
// who waits is told nothing.
func (v *visit) review(ctx context.Context) *answer {
	client := ctx
	if v.waiting {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, v.reviewed.Add(callers.AllowedFor))
		defer cancel()
	}
	if !take(ctx, v.server.reviews.again, v.caller.Namespace) {
		return noTurn(client)
	}
	defer v.server.reviews.again.Release(v.caller.Namespace)
	reviewed, why, err := v.askAgain(ctx)
	switch {
	case client.Err() != nil:
		return gone() // Nothing is to be said of the API server, and nobody is there to be told.
	case err != nil:
		return v.server.away("The API server cannot be asked whether somebody who waits still may", err)
	case why != "":
		return refused(why)
	}
	v.reviewed = reviewed
	return nil
}

// leave gives back what the request has.
func (v *visit) leave() {
	for _, undo := range v.leaving {
		undo()
	}
	if !v.waiting {
		v.server.requests.Free(v.place)
		return
	}
	v.server.metrics.waiting.Dec()
}
