// Package ratelimit shares GitHub's limit of token requests among the resources of one App.
//
// GitHub documents 2,000 token requests an hour for an App. The limiter keeps to that in every rolling
// hour, serves waiting namespaces in turn, so that none is starved by a big one, and serves the earliest
// expiry first within a namespace. Requests that yield have their turn when no other waits. Nobody sleeps in it: who may not go ahead is woken when it is his turn.
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
	// DefaultBurst lets a few requests go at once and leaves 99 % of the limit to the steady flow.
	DefaultBurst = 20
	// DefaultHold is far longer than a woken reconcile needs to come back.
	DefaultHold = 10 * time.Second
)

// Options configure a Limiter.
type Options struct {
	// PerHour is the greatest number of requests of one App in any rolling hour; 0 means no limit.
	PerHour int
	// Burst is how many of them may follow each other without a pause. It is part of PerHour, not on top
	// of it. Default DefaultBurst, at most half of PerHour.
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
	// in whatever namespace. Expiry is not looked at; who has waited longest goes first.
	Yields bool
}

// Limiter is safe for concurrent use. Its memory is bounded by the number of requests that wait, and it
// forgets an App that has been idle for long enough to have its whole burst again.
type Limiter struct {
	options Options

	mu    sync.Mutex
	apps  map[string]*queue
	of    map[string]*queue // the queue in which an ID waits or holds a turn
	timer *time.Timer
	armed time.Time // when the timer fires; zero if it does not
}

// New makes a limiter.
func New(options Options) *Limiter {
	if options.Burst <= 0 {
		options.Burst = DefaultBurst
	}
	if options.PerHour > 0 {
		options.Burst = max(1, min(options.Burst, options.PerHour/2))
	}
	if options.Hold <= 0 {
		options.Hold = DefaultHold
	}
	return &Limiter{options: options, apps: map[string]*queue{}, of: map[string]*queue{}}
}

// Acquire asks for one token request of an App. If ok, it is charged and may be made now. Otherwise the
// request waits, Wake is called with its ID when its turn has come, and estimate is when that will
// roughly be. Calling it again for the same ID is harmless: a waiting request keeps its turn, and a
// changed expiry, namespace, App or yielding counts.
func (l *Limiter) Acquire(app string, r Request) (ok bool, estimate time.Time) {
	l.mu.Lock()
	now := time.Now()
	if old := l.of[r.ID]; old != nil && old.app != app {
		old.remove(r.ID)
		delete(l.of, r.ID)
	}
	q := l.queue(app, now)
	if !q.holds(r.ID) {
		if r.Yields {
			r.Expiry = q.yieldsSince(r.ID, now)
		}
		q.enqueue(r)
		l.of[r.ID] = q
	}
	woken := q.grant(now)
	ok = q.use(r.ID, now)
	if ok {
		delete(l.of, r.ID)
	} else {
		estimate = q.estimate(r.ID, now)
	}
	l.arm(q.next(now), now)
	l.mu.Unlock()
	l.wake(woken, r.ID)
	return ok, estimate
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
// are held go back into the queue. A later pause prolongs it, an earlier one does not shorten it.
func (l *Limiter) Pause(app string, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if !until.After(now) {
		return
	}
	q := l.queue(app, now)
	q.pause(until)
	l.arm(q.next(now), now)
}

// Waiting is how many requests of an App wait or hold a turn.
func (l *Limiter) Waiting(app string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if q := l.apps[app]; q != nil {
		return len(q.waiting) + len(q.held)
	}
	return 0
}

// queue is that of an App. Where one is added, idle ones go: the names of Apps come from tenants.
func (l *Limiter) queue(app string, now time.Time) *queue {
	q := l.apps[app]
	if q == nil {
		for name, other := range l.apps {
			if other.idle(now) {
				delete(l.apps, name)
			}
		}
		q = newQueue(app, l.options)
		l.apps[app] = q
	}
	return q
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
	for _, q := range l.apps {
		for _, id := range q.lapse(now) {
			delete(l.of, id)
		}
		woken = append(woken, q.grant(now)...)
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
