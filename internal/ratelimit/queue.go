package ratelimit

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"golang.org/x/time/rate"
)

// slack keeps a timer from firing a rounding error too early.
const slack = time.Millisecond

// queue is one limit: its budget, who waits for it, and who was told to go ahead but has not come yet. It is that of
// one App, or of all Apps of a host that are not proven.
//
// The budget is a token bucket that is charged when a request is used, not when it is granted: what
// counts at GitHub is when requests are made. Granted turns are only set aside, and there are never more
// of them than tokens in the bucket.
type queue struct {
	options Options
	shared  bool
	polls   *queue        // of the Apps that share it, the polls; nil if there is no other limit for them
	budget  *rate.Limiter // nil: no limit
	share   share
	lastUse time.Time
	// proven is since when it is an App's own, and turns what went ahead since.
	proven time.Time
	turns  turns
	// charged is what the Apps of a shared queue have used of their own limits.
	charged map[string]*rate.Limiter
	// paused is until when an App's requests may not go.
	paused map[string]time.Time

	rings   [2]ring // those of the requests that do not yield, and of those that do
	waiting map[string]*entry
	held    map[string]turn
	// apps counts who waits by App.
	apps map[string]int
}

// entry is a request with its App.
type entry struct {
	Request

	app string
	// since is when it was first asked for.
	since time.Time
}

// ring is the namespaces that wait, the next one first.
type ring []*line

// line is the requests of one namespace that wait: the earliest expiry first, or who has waited longest, and all
// that yield after all that do not.
type line struct {
	namespace string
	requests  []*entry
}

// turn is a grant that has not been used yet.
type turn struct {
	*entry

	until time.Time
}

func newQueue(options Options, perHour int, shared bool) *queue {
	return &queue{
		options: options, shared: shared, budget: newBudget(options, perHour),
		charged: map[string]*rate.Limiter{}, paused: map[string]time.Time{}, waiting: map[string]*entry{}, held: map[string]turn{}, apps: map[string]int{},
	}
}

// newShared is the queue for all Apps of a host that are not proven, with that of their polls. What an App has used of its
// own limit, and its pause, are the same for both.
func newShared(options Options) *queue {
	q := newQueue(options, options.UnprovenPerHour, true)
	if options.PollsPerHour > 0 && q.budget != nil {
		q.polls = newQueue(options, options.PollsPerHour, true)
		q.polls.charged, q.polls.paused = q.charged, q.paused
	}
	return q
}

// all is the queue and that of its polls.
func (q *queue) all() []*queue {
	switch {
	case q == nil:
		return nil
	case q.polls == nil:
		return []*queue{q}
	default:
		return []*queue{q, q.polls}
	}
}

// newBudget is a bucket of so many requests an hour; nil when there is no limit.
func newBudget(options Options, perHour int) *rate.Limiter {
	if perHour <= 0 {
		return nil
	}
	burst := max(1, min(options.Burst, perHour/2))
	// In any hour no more is used than the whole burst and what flows in: less than
	// burst + (perHour - burst + 1), hence at most perHour. The second on top makes it "less".
	perSecond := float64(perHour-burst+1) / (time.Hour + time.Second).Seconds()
	return rate.NewLimiter(rate.Limit(perSecond), burst)
}

// setLimit changes the limit. What has been used counts, for an hour at most: that long it counts at GitHub.
func (q *queue) setLimit(options Options, perHour int, now time.Time) {
	used := 0
	if q.budget != nil {
		used = int(math.Ceil(float64(q.budget.Burst()) - q.budget.TokensAt(now)))
	}
	if q.budget = newBudget(options, perHour); q.budget == nil {
		return
	}
	for used = min(used, perHour); used > 0; used -= q.budget.Burst() { // There may be a debt, see charge.
		q.budget.ReserveN(now, min(used, q.budget.Burst()))
	}
}

func byExpiry(a, b *entry) int {
	switch {
	case a.Yields == b.Yields:
		return cmp.Or(a.Expiry.Compare(b.Expiry), cmp.Compare(a.ID, b.ID))
	case a.Yields:
		return 1
	default:
		return -1
	}
}

func (q *queue) holds(id string) bool {
	_, ok := q.held[id]
	return ok
}

func (q *queue) waits(id string) bool {
	_, ok := q.waiting[id]
	return ok
}

// entryOf is a request that waits or holds a turn; nil when it does neither.
func (q *queue) entryOf(id string) *entry {
	if t, ok := q.held[id]; ok {
		return t.entry
	}
	return q.waiting[id]
}

// idsOf are the requests of an App that wait or hold a turn.
func (q *queue) idsOf(app string) []string {
	var ids []string
	for id, e := range q.waiting {
		if e.app == app {
			ids = append(ids, id)
		}
	}
	for id, t := range q.held {
		if t.app == app {
			ids = append(ids, id)
		}
	}
	return ids
}

// waitingOf is how many requests of a namespace wait.
func (q *queue) waitingOf(namespace string) int {
	n := 0
	for _, g := range q.rings {
		if i := g.lineOf(namespace); i >= 0 {
			n += len(g[i].requests)
		}
	}
	return n
}

// enqueue adds a request at the end of the ring if its namespace does not wait yet. A request that waits
// already stays where it is, or moves if it has changed.
func (q *queue) enqueue(e *entry) {
	if old, ok := q.waiting[e.ID]; ok {
		if old.Namespace == e.Namespace && old.Expiry.Equal(e.Expiry) && old.Yields == e.Yields {
			return
		}
		q.remove(e.ID)
	}
	g := q.ringOf(e)
	i := g.lineOf(e.Namespace)
	if i < 0 {
		i = len(*g)
		*g = append(*g, &line{namespace: e.Namespace})
	}
	l := (*g)[i]
	at, _ := slices.BinarySearchFunc(l.requests, e, byExpiry)
	l.requests = slices.Insert(l.requests, at, e)
	q.waiting[e.ID] = e
	q.apps[e.app]++
}

// dequeued notes that a request does not wait any more.
func (q *queue) dequeued(e *entry) {
	delete(q.waiting, e.ID)
	if q.apps[e.app]--; q.apps[e.app] == 0 {
		delete(q.apps, e.app)
	}
}

// pausedUntil is until when nobody may go who waits, where all wait for the same App; otherwise zero. It spares a look at
// each of them.
func (q *queue) pausedUntil() time.Time {
	if len(q.apps) == 1 {
		for app := range q.apps {
			return q.paused[app]
		}
	}
	return time.Time{}
}

// yieldsSince is when a request that yields began to wait.
func (q *queue) yieldsSince(id string, now time.Time) time.Time {
	if old, ok := q.waiting[id]; ok && old.Yields {
		return old.Expiry
	}
	return now
}

func (q *queue) ringOf(e *entry) *ring {
	if e.Yields && !q.shared {
		return &q.rings[1]
	}
	return &q.rings[0]
}

// served is the ring whose turn it is.
func (q *queue) served() *ring {
	if len(q.rings[0]) > 0 {
		return &q.rings[0]
	}
	return &q.rings[1]
}

func (g *ring) lineOf(namespace string) int {
	return slices.IndexFunc(*g, func(l *line) bool { return l.namespace == namespace })
}

// remove forgets a request, whether it waits or holds a turn.
func (q *queue) remove(id string) {
	delete(q.held, id)
	e, ok := q.waiting[id]
	if !ok {
		return
	}
	q.dequeued(e)
	g := q.ringOf(e)
	i := g.lineOf(e.Namespace)
	l := (*g)[i]
	at, _ := slices.BinarySearchFunc(l.requests, e, byExpiry)
	l.requests = slices.Delete(l.requests, at, at+1)
	if len(l.requests) == 0 {
		*g = slices.Delete(*g, i, i+1)
	}
}

// take is the request whose turn it is, taken out of its ring; nil when none may go: those of Apps that
// pause have no turn, and neither have namespaces that have used their share. Both keep their places.
func (q *queue) take(now time.Time) *entry {
	if now.Before(q.pausedUntil()) {
		return nil
	}
	g := q.served()
	tokens := 0.0
	if q.budget != nil {
		tokens = q.budget.TokensAt(now)
	}
	for i, l := range *g {
		at := slices.IndexFunc(l.requests, func(e *entry) bool { return !now.Before(q.paused[e.app]) })
		if at < 0 || tokens < q.fill(l.namespace, now) {
			continue
		}
		next := l.requests[at]
		q.dequeued(next)
		l.requests = slices.Delete(l.requests, at, at+1)
		*g = slices.Delete(*g, i, i+1)
		if len(l.requests) > 0 {
			*g = append(*g, l)
		}
		return next
	}
	return nil
}

// grant sets aside a turn for as many as may go, and returns their IDs.
func (q *queue) grant(now time.Time) []string {
	var granted []string
	for {
		next := q.take(now)
		if next == nil {
			return granted
		}
		q.held[next.ID] = turn{next, now.Add(q.options.Hold)}
		granted = append(granted, next.ID)
	}
}

// use charges the turn that is held for an ID.
func (q *queue) use(id string, now time.Time) bool {
	t, ok := q.held[id]
	if !ok {
		return false
	}
	delete(q.held, id)
	if q.budget == nil {
		return true
	}
	q.share.settle(float64(q.budget.Burst()) - q.budget.TokensAt(now))
	if !q.budget.AllowN(now, 1) {
		q.enqueue(t.entry)
		return false
	}
	q.share.use(t.Namespace)
	q.lastUse = now
	if q.shared {
		q.charge(t.app, now)
	}
	return true
}

// charge counts a use of a shared queue against the App's own limit, which it may have in a moment. That limit is at
// least as large as those of requests and of polls together, unless SetLimit has given the App less, but both may have a burst: then the
// App begins with a debt.
func (q *queue) charge(app string, now time.Time) {
	own := q.charged[app]
	if own == nil {
		for name, other := range q.charged {
			if isFull(other, now) {
				delete(q.charged, name)
			}
		}
		own = newBudget(q.options, q.options.PerHour)
		q.charged[app] = own
	}
	if own != nil {
		own.ReserveN(now, 1)
	}
}

func isFull(budget *rate.Limiter, now time.Time) bool {
	return budget == nil || budget.TokensAt(now) >= float64(budget.Burst())
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

func (q *queue) pause(app string, until, now time.Time) {
	q.resume(now)
	if until.After(q.paused[app]) {
		q.paused[app] = until
	}
	back := slices.SortedFunc(maps.Values(q.held), func(a, b turn) int { return byExpiry(a.entry, b.entry) })
	for _, t := range back {
		if t.app == app {
			delete(q.held, t.ID)
			q.enqueue(t.entry)
		}
	}
}

// resume forgets pauses that are over.
func (q *queue) resume(now time.Time) {
	maps.DeleteFunc(q.paused, func(_ string, until time.Time) bool { return !now.Before(until) })
}

// next is when something will be due here; zero if only a call can change anything.
func (q *queue) next(now time.Time) time.Time {
	var next time.Time
	earlier := func(at time.Time) {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	for _, t := range q.held {
		earlier(t.until)
	}
	all := q.pausedUntil()
	for _, l := range *q.served() {
		fill := q.fill(l.namespace, now)
		if q.budget != nil && fill > float64(q.budget.Burst()) {
			continue // Too much is set aside; no waiting brings another turn.
		}
		start := all
		if all.IsZero() {
			start = q.pausedUntilOf(l)
		}
		earlier(q.affordable(fill, start, now))
	}
	return next
}

// pausedUntilOf is until when no request of a namespace may go; zero when one may.
func (q *queue) pausedUntilOf(l *line) time.Time {
	start := q.paused[l.requests[0].app]
	for _, e := range l.requests[1:] {
		if start.IsZero() {
			break
		}
		if until := q.paused[e.app]; until.Before(start) {
			start = until
		}
	}
	return start
}

// affordable is when the bucket will be so full from now on, or after a pause.
func (q *queue) affordable(tokens float64, pausedUntil, now time.Time) time.Time {
	start := now
	if pausedUntil.After(now) {
		start = pausedUntil
	}
	if q.budget == nil {
		return start
	}
	missing := tokens - q.budget.TokensAt(start)
	if missing <= 0 {
		return start
	}
	return start.Add(time.Duration(missing/float64(q.budget.Limit())*float64(time.Second)) + slack)
}

// estimate is about when a waiting request will have its turn, if nobody else comes and all turns are used.
func (q *queue) estimate(id string, now time.Time) time.Time {
	e, waits := q.waiting[id]
	if !waits {
		return now
	}
	g := q.ringOf(e)
	own := g.lineOf(e.Namespace)
	rank, _ := slices.BinarySearchFunc((*g)[own].requests, e, byExpiry)
	before := rank
	namespaces := len(*g)
	if g == &q.rings[1] {
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
	left := 1.0 // in the bucket, when each has used its share
	if q.budget != nil {
		left = max(1, float64(q.budget.Burst())/float64(1+perLeft*namespaces))
	}
	return q.affordable(float64(len(q.held)+before)+left, q.paused[e.app], now)
}

// idle says that nothing would be lost if the queue were made anew.
func (q *queue) idle(now time.Time) bool {
	q.resume(now)
	return len(q.waiting) == 0 && len(q.held) == 0 && len(q.paused) == 0 && isFull(q.budget, now) && (q.polls == nil || q.polls.idle(now))
}
