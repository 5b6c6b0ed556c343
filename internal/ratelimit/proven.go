package ratelimit

import (
	"slices"
	"strings"
	"time"
)

// Succeeded tells of an App's request that GitHub has answered with success: such as that an exchange has brought a
// pair. The App then has a limit of its own, and its requests that wait move there. Client IDs that somebody has made
// up, of which there can be any number, never get that far.
//
// None of this outlives the process. After a restart an App of ten thousand users sends its first request in the burst
// of its host, like any other, and has its own limit from the reply on.
func (l *Limiter) Succeeded(app string) {
	l.mu.Lock()
	now := time.Now()
	if own := l.proven[app]; own != nil {
		own.lastUse = now
		l.mu.Unlock()
		return
	}
	if len(l.proven) >= maxProven && !l.forgetOne(now) {
		l.mu.Unlock()
		return
	}
	l.prune(now)
	own := newQueue(l.options, l.limitOf(app), false)
	own.lastUse, own.proven = now, now
	var woken []string
	for _, shared := range l.find(app).all() {
		for _, id := range shared.move(app, own, now) {
			l.of[id], l.active[own] = own, true
		}
		woken = append(woken, shared.grant(now)...)
		l.arm(shared.next(now), now)
	}
	if l.limits[app] > 0 {
		own.setLimit(l.options, l.limitOf(app), now) // What was moved knows the limit of Options.
	}
	l.proven[app] = own
	woken = append(woken, own.grant(now)...)
	l.arm(own.next(now), now)
	l.mu.Unlock()
	l.wake(woken, "")
}

// find is the queue for an App's requests; nil when there is none yet.
func (l *Limiter) find(app string) *queue {
	if own := l.proven[app]; own != nil {
		return own
	}
	if shared := l.hosts[hostOf(app)]; shared != nil {
		return shared
	}
	return l.hosts[otherHosts]
}

// otherHosts is the name of the queue for all hosts beyond maxHosts. No host has it.
const otherHosts = ""

// queue is the queue for an App's requests. Where one is added, idle ones go: the names of Apps and hosts come from
// tenants.
func (l *Limiter) queue(app string, now time.Time) *queue {
	host := hostOf(app)
	if own := l.proven[app]; own != nil {
		return own
	}
	if shared := l.hosts[host]; shared != nil {
		return shared
	}
	l.prune(now)
	if len(l.hosts) >= maxHosts {
		host = otherHosts
	}
	if l.hosts[host] == nil {
		l.hosts[host] = newShared(l.options)
	}
	return l.hosts[host]
}

// queueFor is the queue for one request of an App.
func (l *Limiter) queueFor(app string, r Request, now time.Time) *queue {
	q := l.queue(app, now)
	if r.Poll && q.polls != nil {
		return q.polls
	}
	return q
}

func hostOf(app string) string {
	host, _, _ := strings.Cut(app, "/")
	return host
}

// prune forgets what is idle, when there is twice as much as the last time.
func (l *Limiter) prune(now time.Time) {
	if len(l.proven)+len(l.hosts) < 2*l.pruned+16 {
		return
	}
	for app, q := range l.proven {
		if q.idle(now) && now.Sub(q.lastUse) >= forgetProven {
			delete(l.proven, app)
		}
	}
	for host, q := range l.hosts {
		if q.idle(now) {
			delete(l.hosts, host)
		}
	}
	l.pruned = len(l.proven) + len(l.hosts)
}

// forgetOne forgets the proven App that has been idle for longest, and reports whether there was an idle one.
func (l *Limiter) forgetOne(now time.Time) bool {
	longest := ""
	for app, q := range l.proven {
		if q.idle(now) && (longest == "" || q.lastUse.Before(l.proven[longest].lastUse)) {
			longest = app
		}
	}
	delete(l.proven, longest)
	return longest != ""
}

// move hands an App's requests, its pause, and what it has used to a queue of its own. It returns the IDs.
func (q *queue) move(app string, own *queue, now time.Time) []string {
	ids := q.idsOf(app)
	slices.SortFunc(ids, func(a, b string) int { return byExpiry(q.entryOf(a), q.entryOf(b)) })
	var moved []*entry
	for _, id := range ids {
		moved = append(moved, q.entryOf(id))
		q.remove(id)
	}
	for _, e := range moved {
		own.enqueue(e)
	}
	if until, paused := q.paused[app]; paused {
		own.pause(app, until, now)
		delete(q.paused, app)
	}
	if charged := q.charged[app]; charged != nil {
		own.budget = charged
		delete(q.charged, app)
	}
	return ids
}
