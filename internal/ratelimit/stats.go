package ratelimit

import (
	"slices"
	"time"
)

// turns are requests that went ahead, and how long all of them together had waited.
type turns struct {
	count  uint64
	waited time.Duration
}

// count notes a request that went ahead. What those of a host have used together is kept apart from their queue, which is
// forgotten when it is idle.
func (l *Limiter) count(q *queue, waited time.Duration) {
	of := &q.turns
	if q.shared {
		of = &l.others
	}
	of.count++
	of.waited += waited
}

// Stats is what there is to see of one limit.
type Stats struct {
	// App is whose it is; empty for all Apps together that have none of their own.
	App string
	// Waiting is how many requests wait or hold a turn.
	Waiting int
	// PausedUntil is until when the App's requests may not go, of several Apps the latest; zero when none pauses.
	PausedUntil time.Time
	// Turns is how many requests went ahead, and Waited how long all of them together had waited.
	Turns  uint64
	Waited time.Duration
}

// Stats are those of the Apps that have proven themselves, the one that did so first in front, and of all others
// together. An App that is forgotten begins anew when it comes back.
func (l *Limiter) Stats() (apps []Stats, others Stats) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	proven := make([]*queue, 0, len(l.proven))
	names := make(map[*queue]string, len(l.proven))
	for app, q := range l.proven {
		proven, names[q] = append(proven, q), app
	}
	slices.SortFunc(proven, func(a, b *queue) int { return a.proven.Compare(b.proven) })
	for _, q := range proven {
		one := q.stats(now)
		one.App, one.Turns, one.Waited = names[q], q.turns.count, q.turns.waited
		apps = append(apps, one)
	}
	others = Stats{Turns: l.others.count, Waited: l.others.waited}
	for _, host := range l.hosts {
		for _, q := range host.all() {
			one := q.stats(now)
			others.Waiting += one.Waiting
			if one.PausedUntil.After(others.PausedUntil) {
				others.PausedUntil = one.PausedUntil
			}
		}
	}
	return apps, others
}

func (q *queue) stats(now time.Time) Stats {
	one := Stats{Waiting: len(q.waiting) + len(q.held)}
	for _, until := range q.paused {
		if until.After(now) && until.After(one.PausedUntil) {
			one.PausedUntil = until
		}
	}
	return one
}
