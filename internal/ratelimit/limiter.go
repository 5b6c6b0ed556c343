// Package ratelimit shares GitHub's limits among the resources that make requests.
//
// GitHub documents 2,000 token requests an hour for an App. The limiter keeps to that in every rolling hour, serves
// waiting namespaces in turn, so that none is starved by a big one, and serves the earliest expiry first within a
// namespace. Requests that yield have their turn when no other waits. Nobody sleeps in it: who may not go ahead is
// woken when it is his turn.
//
// Client IDs come from tenants, and GitHub also counts what one address sends. So an App has a limit of its own only
// once GitHub has answered a request of it with success, see Succeeded; all others of a host share one of 60 an hour, and
// beside it one for the polls of codes that GitHub has given out, see Request.Poll.
// Nor does one namespace use up what may be sent at once: something is left for the next one that comes, see share.
//
// There is no clock to hand in: the clock and the timers must agree, and in a testing/synctest bubble
// both are simulated.
package ratelimit

import (
	"sync"
	"time"
)

// Defaults of Options.
const (
	// DefaultPerHour is GitHub's documented limit of token requests for one App.
	DefaultPerHour = 2000
	// DefaultUnprovenPerHour is far more than the first logins of new Apps take.
	DefaultUnprovenPerHour = 60
	// DefaultPollsPerHour is one every five seconds, which is how often GitHub wants a device code polled, and a burst.
	DefaultPollsPerHour = 740
	// DefaultBurst lets a few requests go at once and leaves 99 % of the limit to the steady flow.
	DefaultBurst = 20
	// DefaultHold is far longer than a woken reconcile needs to come back.
	DefaultHold = 10 * time.Second
)

// Bounds of what is remembered.
const (
	// maxWaiting is how many requests may wait. There is one for each resource at most.
	maxWaiting = 1 << 17
	// maxProven is how many Apps may have a limit of their own, and maxHosts how many hosts one of 60 an hour; what
	// is beyond shares that of one host.
	maxProven, maxHosts = 10000, 1000
	// forgetProven is for how long an App is idle before it has to prove itself again.
	forgetProven = 24 * time.Hour
)

// Options configure a Limiter.
type Options struct {
	// PerHour is the greatest number of requests of one App in any rolling hour; 0 means no limit at all.
	PerHour int
	// UnprovenPerHour is the same for all Apps of a host together that have had no success yet. Default
	// DefaultUnprovenPerHour, at most PerHour.
	UnprovenPerHour int
	// PollsPerHour is the same for the polls of all those Apps, beside UnprovenPerHour: see Request.Poll. Default
	// DefaultPollsPerHour, and with UnprovenPerHour at most PerHour. Where that leaves none, polls are requests like any.
	PollsPerHour int
	// Burst is how many of them may follow each other without a pause. It is part of the limit, not on top
	// of it. Default DefaultBurst, at most half of the limit.
	Burst int
	// Hold is for how long a turn is kept for a request that was woken. Default DefaultHold.
	Hold time.Duration
	// Wake is called with the ID of a request whose turn has come; it should make Acquire be called
	// again. It must not block. It is called without any lock held.
	Wake func(id string)
}

// Request is one resource that wants to make one token request.
type Request struct {
	// ID identifies the resource, by its UID. It waits at most once.
	ID string
	// Namespace takes turns with the others.
	Namespace string
	// Expiry is when the resource's access token dies. The earliest goes first.
	Expiry time.Time
	// Yields says that there is no token to lose: it goes when no request of the App waits that does not yield,
	// in whatever namespace. Expiry is not looked at; who has waited longest goes first. Among the Apps of a host
	// that are not proven it yields within its namespace only: others could make it wait for ever.
	Yields bool
	// Poll says that it polls a code that GitHub is known to have given out for the App. While the App is not proven, such
	// requests have a limit of their own beside that of the host: a person is waiting, and polls are many. It must not
	// be set for a code that anybody else may have made up, for that would have GitHub refuse what comes from this address.
	Poll bool
}

// Limiter is safe for concurrent use. Its memory is bounded by the number of requests that wait, of which there are
// 131,072 at most; it forgets a limit that nobody has used for long enough to have its whole burst again, and an
// App's success after a day without a request.
type Limiter struct {
	options Options

	mu     sync.Mutex
	proven map[string]*queue // by App
	hosts  map[string]*queue // for all other Apps of a host
	limits map[string]int    // by App, where it is not that of Options
	of     map[string]*queue // the queue in which an ID waits or holds a turn
	active map[*queue]bool   // those in which there may be one
	pruned int               // how many queues the last look for idle ones has left
	others turns             // what went ahead of Apps that have no limit of their own
	timer  *time.Timer
	armed  time.Time // when the timer fires; zero if it does not
}

// New makes a limiter.
func New(options Options) *Limiter {
	if options.Burst <= 0 {
		options.Burst = DefaultBurst
	}
	if options.UnprovenPerHour <= 0 {
		options.UnprovenPerHour = DefaultUnprovenPerHour
	}
	options.UnprovenPerHour = min(options.UnprovenPerHour, options.PerHour)
	if options.PollsPerHour <= 0 {
		options.PollsPerHour = DefaultPollsPerHour
	}
	options.PollsPerHour = min(options.PollsPerHour, options.PerHour-options.UnprovenPerHour)
	if options.Hold <= 0 {
		options.Hold = DefaultHold
	}
	return &Limiter{options: options, proven: map[string]*queue{}, hosts: map[string]*queue{}, limits: map[string]int{}, of: map[string]*queue{}, active: map[*queue]bool{}}
}

// SetLimit sets the greatest number of requests of an App in any rolling hour, which is never more than Options.PerHour; 0
// means that. What the App has used already counts. There are as many as somebody has set and not taken back.
func (l *Limiter) SetLimit(app string, perHour int) {
	l.mu.Lock()
	now, before := time.Now(), l.limitOf(app)
	if perHour <= 0 {
		delete(l.limits, app)
	} else {
		l.limits[app] = perHour
	}
	var woken []string
	if own := l.proven[app]; own != nil && l.limitOf(app) != before { // To set it costs a part of a request.
		own.setLimit(l.options, l.limitOf(app), now)
		woken = own.grant(now)
		l.arm(own.next(now), now)
	}
	l.mu.Unlock()
	l.wake(woken, "")
}

// limitOf is the limit of one App; 0 means none.
func (l *Limiter) limitOf(app string) int {
	own := l.limits[app]
	if own <= 0 || l.options.PerHour > 0 && l.options.PerHour < own {
		return l.options.PerHour
	}
	return own
}

// Acquire asks for one token request of an App, which is named by its host, a slash, and what the host knows it by. If
// ok, it is charged and may be made now. Otherwise the request waits, Wake is called with its ID when its turn has
// come, and estimate is when that will roughly be. Calling it again for the same ID is harmless: a waiting request
// keeps its turn, and a changed expiry, namespace, App or yielding counts.
func (l *Limiter) Acquire(app string, r Request) (ok bool, estimate time.Time) {
	l.mu.Lock()
	now := time.Now()
	q, since := l.queueFor(app, r, now), now
	var woken []string
	if old := l.of[r.ID]; old != nil {
		e := old.entryOf(r.ID)
		since = e.since
		if old != q || e.app != app {
			old.remove(r.ID)
			delete(l.of, r.ID)
		}
		if old != q { // The turn that was held for it there is for others.
			woken = old.grant(now)
			l.arm(old.next(now), now)
		}
	}
	if !q.holds(r.ID) {
		if !q.waits(r.ID) && !l.hasRoom(q, r.Namespace) {
			l.mu.Unlock()
			l.wake(woken, r.ID)
			return false, now.Add(time.Minute)
		}
		if r.Yields {
			r.Expiry = q.yieldsSince(r.ID, now)
		}
		q.enqueue(&entry{r, app, since})
		l.of[r.ID], l.active[q] = q, true
	}
	woken = append(woken, q.grant(now)...)
	ok = q.use(r.ID, now)
	if ok {
		delete(l.of, r.ID)
		l.count(q, now.Sub(since))
	} else {
		estimate = q.estimate(r.ID, now)
	}
	l.arm(q.next(now), now)
	l.mu.Unlock()
	l.wake(woken, r.ID)
	return ok, estimate
}

// hasRoom reports whether one more request of a namespace may wait: a namespace that has few may when one with many
// has to come back later.
func (l *Limiter) hasRoom(q *queue, namespace string) bool {
	return len(l.of) < maxWaiting && q.waitingOf(namespace) < 3*(maxWaiting-len(l.of))
}

// Cancel forgets a request, and gives back the turn that is held for it.
func (l *Limiter) Cancel(id string) {
	l.mu.Lock()
	var woken []string
	if q := l.of[id]; q != nil {
		now := time.Now()
		q.remove(id)
		delete(l.of, id)
		woken = q.grant(now)
		l.arm(q.next(now), now)
	}
	l.mu.Unlock()
	l.wake(woken, "")
}

// Pause lets no request of an App go ahead until a point in time, because GitHub asked for it. Turns that
// are held go back into the queue. A later pause prolongs it, an earlier one does not shorten it. Other Apps go on,
// also those that share a limit with it: whose fault it was, or whether GitHub has counted by the address, is not known.
func (l *Limiter) Pause(app string, until time.Time) {
	l.mu.Lock()
	now := time.Now()
	var woken []string
	if until.After(now) {
		for _, q := range l.queue(app, now).all() {
			q.pause(app, until, now)
			woken = append(woken, q.grant(now)...) // What was held for it is for others.
			l.arm(q.next(now), now)
		}
	}
	l.mu.Unlock()
	l.wake(woken, "")
}

// Waiting is how many requests of an App wait or hold a turn.
func (l *Limiter) Waiting(app string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting := 0
	for _, q := range l.find(app).all() {
		waiting += len(q.idsOf(app))
	}
	return waiting
}

// arm sets the one timer to fire at a point in time, unless it fires earlier anyway.
func (l *Limiter) arm(at, now time.Time) {
	if at.IsZero() || !l.armed.IsZero() && !at.Before(l.armed) {
		return
	}
	l.armed = at
	if l.timer == nil {
		l.timer = time.AfterFunc(at.Sub(now), l.tick)
	} else {
		l.timer.Reset(at.Sub(now))
	}
}

// tick gives out what has become due and takes back what has lapsed.
func (l *Limiter) tick() {
	l.mu.Lock()
	now := time.Now()
	l.armed = time.Time{}
	var woken []string
	for q := range l.active {
		for _, id := range q.lapse(now) {
			delete(l.of, id)
		}
		woken = append(woken, q.grant(now)...)
		if len(q.waiting)+len(q.held) == 0 {
			delete(l.active, q)
			continue
		}
		l.arm(q.next(now), now)
	}
	l.mu.Unlock()
	l.wake(woken, "")
}

func (l *Limiter) wake(ids []string, except string) {
	if l.options.Wake == nil {
		return
	}
	for _, id := range ids {
		if id != except {
			l.options.Wake(id)
		}
	}
}
