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
	wa.secrets = map[rotation.Ref]*rotation.Pair{}
	for ref, o := range w.api.secrets {
		wa.secrets[ref] = metadata(o.pair)
	}
	wa.specs, wa.seeds = map[string]*spec{}, map[string]string{}
	for _, res := range w.all {
		wa.specs[res.namespace], wa.seeds[res.namespace] = res.spec, res.seedVersion
	}
}

func (wa *watch) secretChanged(ref rotation.Ref, o *object) {
	var seen *rotation.Pair
	if o != nil {
		seen = metadata(o.pair)
	}
	wa.deliver(keyOf(ref), func() {
		if seen == nil {
			delete(wa.secrets, ref)
		} else {
			wa.secrets[ref] = seen
		}
	})
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
	l.after(wa.last-w.now, func() {
		apply()
		l.reconcile(key)
	})
}
