package simulation

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// watch is the cache of one process, fed by events that arrive in order and late, or not at all.
type watch struct {
	life    *life
	secrets map[rotation.Ref]*rotation.Pair
	specs   map[string]*spec
	seeds   map[string]string
	// last is when the last event on its way arrives: the next one arrives after it.
	last moment
	// queue are the events on their way, and lists counts the lists: what was on its way at a list is not
	// delivered any more.
	queue []func()
	lists int
}

// newWatch begins with a list.
func newWatch(l *life) *watch {
	wa := &watch{life: l}
	wa.list()
	return wa
}

// list takes everything over as it is.
func (wa *watch) list() {
	w := wa.life.world
	wa.lists++
	wa.queue = nil
	wa.secrets = map[rotation.Ref]*rotation.Pair{}
	for ref, o := range w.api.secrets {
		wa.secrets[ref] = metadata(o.pair)
	}
	wa.specs, wa.seeds = map[string]*spec{}, map[string]string{}
	for _, res := range w.all {
		wa.specs[res.namespace], wa.seeds[res.namespace] = res.spec, res.seedVersion
	}
}

func (wa *watch) secretChanged(ref rotation.Ref, before, after *object) {
	if after == nil {
		wa.deliver(keyOf(ref), func() { wa.gone(ref, before.pair.UID) })
		return
	}
	seen := metadata(after.pair)
	wa.deliver(keyOf(ref), func() { wa.secrets[ref] = seen })
}

func (wa *watch) gone(ref rotation.Ref, uid string) {
	delete(wa.secrets, ref)
	if m := wa.life.remembered(keyOf(ref)); m.latest != nil && m.latest.UID == uid {
		m.latest = nil
	}
}

func (wa *watch) specChanged(res *resource) {
	seen := res.spec
	wa.deliver(res.namespace, func() { wa.specs[res.namespace] = seen })
}

func (wa *watch) seedChanged(res *resource) {
	version := res.seedVersion
	wa.deliver(res.namespace, func() {
		wa.seeds[res.namespace] = version
		wa.life.remembered(res.namespace).failure.reset()
	})
}

// deliver has an event arrive.
func (wa *watch) deliver(key string, apply func()) {
	l, w := wa.life, wa.life.world
	res := w.resources[key]
	if w.strikesOn(res, WatchDropped, 500) {
		// The watch is found broken later, and everything is listed anew.
		l.after(w.between(10*time.Second, 10*time.Minute), func() {
			wa.list()
			wa.last = max(wa.last, w.now)
			l.reconcileAll()
		})
		return
	}
	delay := w.mostly(10*time.Millisecond, 200*time.Millisecond)
	if w.strikesOn(res, WatchHeld, 300) {
		delay = w.mostly(10*time.Second, 5*time.Minute)
	}
	wa.last = max(wa.last+1, w.now+delay)
	wa.queue = append(wa.queue, func() {
		apply()
		l.reconcile(key)
	})
	of := wa.lists
	l.after(wa.last-w.now, func() {
		// A process that was stopped and resumed gets them in their order, too.
		if of == wa.lists {
			first := wa.queue[0]
			wa.queue = wa.queue[1:]
			first()
		}
	})
}
