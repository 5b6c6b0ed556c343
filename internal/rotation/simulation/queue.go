package simulation

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// queue is the work queue of one process: each resource is reconciled by one task at a time, and once more when
// something happens meanwhile.
type queue struct {
	life  *life
	items map[string]*item
}

// item is a resource in the queue.
type item struct {
	// waiting says that it will be reconciled in a moment, running that it is being reconciled, and dirty that it will
	// be again.
	waiting, running, dirty bool
	// later is when it is to be reconciled again, if not 0.
	later moment
	// failures counts the reconciles in a row that have failed.
	failures int
}

func newQueue(l *life) *queue { return &queue{life: l, items: map[string]*item{}} }

func (q *queue) item(key string) *item {
	it := q.items[key]
	if it == nil {
		it = &item{}
		q.items[key] = it
	}
	return it
}

// add has a resource reconciled.
func (q *queue) add(key string) {
	l, it := q.life, q.item(key)
	switch {
	case l.dead || l.draining || !l.leading || it.waiting:
	case it.running:
		it.dirty = true
	default:
		it.waiting = true
		l.after(0, func() { q.run(key, it) })
	}
}

// addAfter has a resource reconciled later, unless that is to happen earlier anyway.
func (q *queue) addAfter(key string, in time.Duration) {
	l, it := q.life, q.item(key)
	at := l.world.now + in
	if it.later > l.world.now && it.later <= at {
		return
	}
	it.later = at
	l.after(in, func() {
		if it.later == at {
			it.later = 0
			q.add(key)
		}
	})
}

// run reconciles a resource. A panic in it is an error like another.
func (q *queue) run(key string, it *item) {
	l := q.life
	it.waiting = false
	if l.draining || !l.leading {
		return
	}
	it.running = true
	token := l.watch.tokens[key]
	owner := rotation.Owner{Namespace: key, Name: resourceName}
	if token != nil {
		owner.UID = string(token.UID)
	}
	l.spawnNow(l.world.resources[key], owner, func() {
		again, failed := time.Duration(0), true
		defer func() {
			if cause := recover(); cause != nil && cause != any(errPanic) {
				panic(cause)
			}
			if l.dead {
				return
			}
			it.running = false
			switch {
			case failed:
				it.failures++
				q.addAfter(key, retry.Reconcile.After(it.failures))
			case again > 0:
				it.failures = 0
				q.addAfter(key, again)
			default:
				it.failures = 0
			}
			if it.dirty {
				it.dirty = false
				q.add(key)
			}
		}()
		var err error
		if token == nil {
			again, err = l.controller.Gone(l.ctx, types.NamespacedName{Namespace: key, Name: resourceName})
		} else {
			again, err = l.controller.Reconcile(l.ctx, token)
		}
		failed = err != nil
		if failed {
			l.world.tracef("RECONCILE %s by %s: %v", key, l, err)
		}
	})
}

func (l *life) reconcileAll() {
	for _, res := range l.world.all {
		l.queue.add(res.namespace)
	}
}

// spawn begins work for a resource, as a runner does.
func (l *life) spawn(uid types.UID, work func()) {
	w := l.world
	res, owner := w.ownerOf(string(uid))
	f := &attempt{life: l, res: res, owner: owner, job: noJob}
	w.spawn(l, func() {
		w.current.attempt = f
		defer func() {
			if !l.dead {
				w.judgeEnd(f)
			}
		}()
		work()
	})
}

// spawnNow begins a task that runs at once, up to the first thing that it waits for.
func (l *life) spawnNow(res *resource, owner rotation.Owner, work func()) {
	f := &attempt{life: l, res: res, owner: owner, job: noJob}
	l.world.spawnNow(l, f, work)
}

// notice is what a process does, whether it leads or not, when GitHub sends notice of a revocation.
func (l *life) notice(res *resource) {
	token := l.watch.tokens[res.namespace]
	if token == nil {
		return
	}
	pair := l.watch.secrets[res.namespace][token.Spec.Secret.Name]
	if pair == nil || !pair.Controlled || pair.State.AccessToken == "" {
		return
	}
	l.world.spawn(l, func() {
		l.world.current.attempt = &attempt{life: l, res: res, owner: pair.Owner, job: noJob}
		defer func() {
			if cause := recover(); cause != nil && cause != any(errPanic) {
				panic(cause)
			}
		}()
		l.controller.Confirm(context.Background(), token, pair)
	})
}

// noJob is that of most attempts.
var noJob = &rotation.Job{}

// attempt is one piece of work of one process for one resource, and what the judge has to know of it.
type attempt struct {
	life  *life
	res   *resource
	owner rotation.Owner
	// job is the exchange that it makes, and empty if it makes none.
	job *rotation.Job
	// decidedAt is the wall clock's time when it was begun.
	decidedAt time.Time
	// fencedAt is when its fence was written, and unfenced that admission has altered it.
	fencedAt moment
	unfenced bool
	// forNobody says that the Secret of its fence was found to be made for a resource that had gone.
	forNobody bool
	// sent is the pair whose refresh token was presented, deadline until when its answer is waited for.
	sent     *issued
	sentAt   moment
	deadline moment
	answered bool
	// pair is the pair that GitHub issued for it, if any.
	pair *issued
	// unkept says that a reply has arrived and is not in the outbox yet.
	unkept bool
	// outboxFull says that the outbox was not ready, keepFailed that it broke all the same, kept that it has
	// kept the reply.
	outboxFull, keepFailed, kept bool
	// retries counts the tries of a write after the exchange that failed.
	retries int
	// warned says that an event has told of a login which was refused and could not be revoked.
	warned bool
}
