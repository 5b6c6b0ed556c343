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

	rings   [2]ring // those of the requests that do not yield, and of those that do
	waiting map[string]Request
	held    map[string]turn
}

// ring is the namespaces that wait, the next one first.
type ring []*line

// line is the requests of one namespace that wait, the earliest expiry first, or who has waited longest.
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
		if old.Namespace == r.Namespace && old.Expiry.Equal(r.Expiry) && old.Yields == r.Yields {
			return
		}
		q.remove(r.ID)
	}
	g := q.ringOf(r)
	i := g.lineOf(r.Namespace)
	if i < 0 {
		i = len(*g)
		*g = append(*g, &line{namespace: r.Namespace})
	}
	l := (*g)[i]
	at, _ := slices.BinarySearchFunc(l.requests, r, byExpiry)
	l.requests = slices.Insert(l.requests, at, r)
	q.waiting[r.ID] = r
}

// yieldsSince is when a request that yields began to wait.
func (q *queue) yieldsSince(id string, now time.Time) time.Time {
	if old, ok := q.waiting[id]; ok && old.Yields {
		return old.Expiry
	}
	return now
}

func (q *queue) ringOf(r Request) *ring {
	if r.Yields {
		return &q.rings[1]
	}
	return &q.rings[0]
}

func (g *ring) lineOf(namespace string) int {
	return slices.IndexFunc(*g, func(l *line) bool { return l.namespace == namespace })
}

// remove forgets a request, whether it waits or holds a turn.
func (q *queue) remove(id string) {
	delete(q.held, id)
	r, ok := q.waiting[id]
	if !ok {
		return
	}
	delete(q.waiting, id)
	g := q.ringOf(r)
	i := g.lineOf(r.Namespace)
	l := (*g)[i]
	at, _ := slices.BinarySearchFunc(l.requests, r, byExpiry)
	l.requests = slices.Delete(l.requests, at, at+1)
	if len(l.requests) == 0 {
		*g = slices.Delete(*g, i, i+1)
	}
}

// take is the request whose turn it is, taken out of its ring.
func (g *ring) take() Request {
	next := (*g)[0]
	r := next.requests[0]
	next.requests = next.requests[1:]
	*g = (*g)[1:]
	if len(next.requests) > 0 {
		*g = append(*g, next)
	}
	return r
}

// grant sets aside a turn for as many as the budget allows, and returns their IDs.
func (q *queue) grant(now time.Time) []string {
	var granted []string
	for len(q.waiting) > 0 && !now.Before(q.pausedUntil) && (q.budget == nil || q.budget.TokensAt(now) >= float64(len(q.held)+1)) {
		first := &q.rings[0]
		if len(*first) == 0 {
			first = &q.rings[1]
		}
		r := first.take()
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
	if len(q.waiting) == 0 {
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
	r, waits := q.waiting[id]
	if !waits {
		return now
	}
	g := q.ringOf(r)
	own := g.lineOf(r.Namespace)
	rank, _ := slices.BinarySearchFunc((*g)[own].requests, r, byExpiry)
	before := rank
	if r.Yields {
		for _, l := range q.rings[0] {
			before += len(l.requests)
		}
	}
	for i, l := range *g {
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
