package ratelimit

import "time"

// Return gives back a turn that was used and has cost nothing: for limits that count only some of the requests, such as
// those that were refused. It is as if the namespace had not asked, and another request may have the turn.
func (l *Limiter) Return(app, namespace string) {
	l.mu.Lock()
	var woken []string
	if q := l.find(app); q != nil && q.budget != nil {
		now := time.Now()
		q.giveBack(namespace, now)
		woken = q.grant(now)
		l.arm(q.next(now), now)
	}
	l.mu.Unlock()
	l.wake(woken, "")
}

// Waits reports whether a request of an App has no turn yet, and about when it will have one. One whose turn is held for
// it does not wait, and neither does one that nobody has made.
func (l *Limiter) Waits(app, id string) (estimate time.Time, waits bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.of[id]
	if q == nil || !q.waits(id) || q.waiting[id].app != app {
		return time.Time{}, false
	}
	return q.estimate(id, time.Now()), true
}

// giveBack undoes a use. The bucket never holds more than its burst.
func (q *queue) giveBack(namespace string, now time.Time) {
	burst := float64(q.budget.Burst())
	q.share.settle(burst - q.budget.TokensAt(now))
	if q.budget.TokensAt(now) >= burst {
		return
	}
	q.budget.AllowN(now, -1)
	if used := q.share.used[namespace]; used > 1 {
		q.share.used[namespace] = used - 1
	} else {
		delete(q.share.used, namespace)
	}
	q.share.missing = burst - q.budget.TokensAt(now)
}
