package ratelimit

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"golang.org/x/time/rate"
)

// slack keeps a timer from firing a rounding error too early.
const slack = time.Millisecond

// queue is one App: its budget, who waits for it, and who was told to go ahead but has not come yet.
//
// The budget is a token bucket that is charged when a request is used, not when it is granted: what
// counts at GitHub is when requests are made. Granted turns are only set aside, and there are never more
// of them than tokens in the bucket.
type queue struct {
	app         string
	budget      *rate.Limiter // nil: no limit
	hold        time.Duration
	pausedUntil time.Time

	ring    []*line // the namespaces that wait, the next one first
	waiting map[string]Request
	held    map[string]turn
}

// line is the requests of one namespace that wait, the earliest expiry first.
type line struct {
	namespace string
	requests  []Request
}

// turn is a grant that has not been used yet.
type turn struct {
	request Request
	until   time.Time
}

func newQueue(app string, options Options) *queue {
	q := &queue{app: app, hold: options.Hold, waiting: map[string]Request{}, held: map[string]turn{}}
	if options.PerHour > 0 {
		// In any hour no more is used than the whole burst and what flows in: less than
		// Burst + (PerHour - Burst + 1), hence at most PerHour. The second on top makes it "less".
		perSecond := float64(options.PerHour-options.Burst+1) / (time.Hour + time.Second).Seconds()
		q.budget = rate.NewLimiter(rate.Limit(perSecond), options.Burst)
	}
	return q
}

func byExpiry(a, b Request) int {
	return cmp.Or(a.Expiry.Compare(b.Expiry), cmp.Compare(a.ID, b.ID))
}

func (q *queue) holds(id string) bool {
	_, ok := q.held[id]
	return ok
}

// enqueue adds a request at the end of the ring if its namespace does not wait yet. A request that waits
// already stays where it is, or moves if it has changed.
func (q *queue) enqueue(r Request) {
	if old, ok := q.waiting[r.ID]; ok {
		if old.Namespace == r.Namespace && old.Expiry.Equal(r.Expiry) {
			return
		}
		q.remove(r.ID)
	}
	i := q.lineOf(r.Namespace)
	if i < 0 {
		i = len(q.ring)
		q.ring = append(q.ring, &line{namespace: r.Namespace})
	}
	at, _ := slices.BinarySearchFunc(q.ring[i].requests, r, byExpiry)
	q.ring[i].requests = slices.Insert(q.ring[i].requests, at, r)
	q.waiting[r.ID] = r
}

func (q *queue) lineOf(namespace string) int {
	return slices.IndexFunc(q.ring, func(l *line) bool { return l.namespace == namespace })
}

// remove forgets a request, whether it waits or holds a turn.
func (q *queue) remove(id string) {
	delete(q.held, id)
	r, ok := q.waiting[id]
	if !ok {
		return
	}
	delete(q.waiting, id)
	i := q.lineOf(r.Namespace)
	at, _ := slices.BinarySearchFunc(q.ring[i].requests, r, byExpiry)
	q.ring[i].requests = slices.Delete(q.ring[i].requests, at, at+1)
	if len(q.ring[i].requests) == 0 {
		q.ring = slices.Delete(q.ring, i, i+1)
	}
}

// grant sets aside a turn for as many as the budget allows, and returns their IDs.
func (q *queue) grant(now time.Time) []string {
	var granted []string
	for len(q.ring) > 0 && !now.Before(q.pausedUntil) && (q.budget == nil || q.budget.TokensAt(now) >= float64(len(q.held)+1)) {
		next := q.ring[0]
		r := next.requests[0]
		next.requests = next.requests[1:]
		q.ring = q.ring[1:]
		if len(next.requests) > 0 {
			q.ring = append(q.ring, next)
		}
		delete(q.waiting, r.ID)
		q.held[r.ID] = turn{request: r, until: now.Add(q.hold)}
		granted = append(granted, r.ID)
	}
	return granted
}

// use charges the turn that is held for an ID.
func (q *queue) use(id string, now time.Time) bool {
	t, ok := q.held[id]
	if !ok {
		return false
	}
	delete(q.held, id)
	if q.budget != nil && !q.budget.AllowN(now, 1) {
		q.enqueue(t.request)
		return false
	}
	return true
}

// lapse takes back the turns that were not used in time, and returns their IDs. Who comes later asks anew.
func (q *queue) lapse(now time.Time) []string {
	var lapsed []string
	for id, t := range q.held {
		if !now.Before(t.until) {
			delete(q.held, id)
			lapsed = append(lapsed, id)
		}
	}
	return lapsed
}

func (q *queue) pause(until time.Time) {
	if until.After(q.pausedUntil) {
		q.pausedUntil = until
	}
	back := slices.SortedFunc(maps.Values(q.held), func(a, b turn) int { return byExpiry(a.request, b.request) })
	clear(q.held)
	for _, t := range back {
		q.enqueue(t.request)
	}
}

// next is when something will be due here; zero if only a call can change anything.
func (q *queue) next(now time.Time) time.Time {
	var next time.Time
	for _, t := range q.held {
		if next.IsZero() || t.until.Before(next) {
			next = t.until
		}
	}
	if len(q.ring) == 0 {
		return next
	}
	// With the whole burst set aside, no waiting brings another turn.
	if q.budget == nil || len(q.held) < q.budget.Burst() {
		if at := q.affordable(len(q.held)+1, now); next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next
}

// affordable is when the budget will cover so many requests from now on, after a pause if there is one.
func (q *queue) affordable(requests int, now time.Time) time.Time {
	start := now
	if q.pausedUntil.After(now) {
		start = q.pausedUntil
	}
	if q.budget == nil {
		return start
	}
	missing := float64(requests) - q.budget.TokensAt(start)
	if missing <= 0 {
		return start
	}
	return start.Add(time.Duration(missing/float64(q.budget.Limit())*float64(time.Second)) + slack)
}

// estimate is about when a waiting request will have its turn, if nobody else comes and all turns are used.
func (q *queue) estimate(id string, now time.Time) time.Time {
	r := q.waiting[id]
	own := q.lineOf(r.Namespace)
	if own < 0 {
		return now
	}
	rank, _ := slices.BinarySearchFunc(q.ring[own].requests, r, byExpiry)
	before := rank
	for i, l := range q.ring {
		switch {
		case i < own:
			before += min(len(l.requests), rank+1)
		case i > own:
			before += min(len(l.requests), rank)
		}
	}
	return q.affordable(len(q.held)+before+1, now)
}

// idle says that nothing would be lost if the queue were made anew.
func (q *queue) idle(now time.Time) bool {
	return len(q.waiting) == 0 && len(q.held) == 0 && !now.Before(q.pausedUntil) &&
		(q.budget == nil || q.budget.TokensAt(now) >= float64(q.budget.Burst()))
}
