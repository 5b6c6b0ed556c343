package tokenserver

import (
	"context"
	"net/http"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/endpoint"
	"github.com/githubusertoken/github-user-token-operator/internal/fair"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/callers"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/reading"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/release"
)

const (
	// reviewEvery is how often it is reviewed whether somebody who waits still may. With the time that a review takes it is less than ten
	// seconds after a permission was taken away that they are sent away.
	reviewEvery = 8 * time.Second
	// lookEvery is how often somebody who waits looks again by themselves: while changes are told of, while they are not, and in the first
	// moments, in which most exchanges end.
	lookEvery, lookOften, lookAtFirst = 2 * time.Second, time.Second, 250 * time.Millisecond
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
	// began is when they were let in, and reviewed when it was last asked whether they may.
	began, reviewed time.Time
	// confirmed is when that was last answered after they have waited.
	confirmed time.Time
	// changed tells of changes while they wait; nil before.
	changed <-chan struct{}
	// place is what their place is counted against, and waiting says that it is one of those who wait.
	place   fair.Key
	waiting bool
	leaving []func()
}

// serve answers, at once or after a wait.
func (v *visit) serve(ctx context.Context) *answer {
	for {
		read, began, err := v.server.options.Reads.Get(ctx, v.request.of)
		if ctx.Err() != nil {
			return &answer{outcome: outcomeGone, status: http.StatusServiceUnavailable, code: "temporarily_unavailable", message: "The client has gone."}
		}
		a, ok := v.judge(read, err)
		if !ok {
			if a = v.wait(ctx, a); a != nil {
				return a
			}
			continue
		}
		if a.token == nil {
			return a
		}
		if v.waiting && time.Since(v.confirmed) > time.Second {
			if no := v.review(ctx); no != nil {
				return no
			}
			v.confirmed = time.Now()
		}
		if !reading.IsFresh(began) {
			continue // It was reviewed for so long that another token may be stored by now.
		}
		a.waited = v.waiting
		v.server.record(v, read.Resource, a.token)
		return a
	}
}

// judge is the answer to what was read. It is not ok where another one may come within the wait: then a is what is answered when it does not.
func (v *visit) judge(read release.Read, err error) (a *answer, ok bool) {
	if err != nil {
		return v.server.away("The API server cannot be asked for a token", err), false
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
	timer := time.NewTimer(min(left, review, v.look()))
	defer timer.Stop()
	select {
	case <-v.changed:
	case <-timer.C:
	case <-ctx.Done():
	case <-v.server.stopping:
		return unavailable(outcomeStopping, "This replica of the server is being stopped. Ask again: another one answers.", time.Second)
	}
	return nil
}

// end is the answer when a wait is over. A token that is the one which the caller has is read and reviewed like any other.
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
	if !v.server.waits.Take(v.place) {
		return tooMany("Too many requests of your namespace wait for a token.")
	}
	v.server.requests.Free(v.place)
	v.waiting = true
	v.server.metrics.waiting.Inc()
	v.leaving = append(v.leaving, endpoint.Hold(ctx, v.w, v.request.wait+answering))
	changed, cancel := v.server.options.Changes.Subscribe(v.request.of)
	v.changed, v.leaving = changed, append(v.leaving, cancel)
	return nil
}

// look is in how long to look again though nothing was told.
func (v *visit) look() time.Duration {
	switch {
	case time.Since(v.began) < atFirst:
		return lookAtFirst
	case v.server.options.Changes.Watched():
		return lookEvery
	default:
		return lookOften
	}
}

// review asks anew whether the caller may; what they are answered when they may not, or when nobody knows.
func (v *visit) review(ctx context.Context) *answer {
	if !v.server.takeReview(ctx) {
		return tooManyReviews()
	}
	defer func() { <-v.server.reviews }()
	asked := time.Now()
	_, why, err := v.server.options.Callers.Ask(ctx, v.request.token, v.request.of)
	switch {
	case err != nil:
		return v.server.away("The API server cannot be asked whether somebody who waits still may", err)
	case why != "":
		return refused(why)
	}
	v.reviewed = asked
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
	v.server.waits.Free(v.place)
}
