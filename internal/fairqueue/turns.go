package fairqueue

import (
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/githubusertoken/github-user-token-operator/internal/fair"
)

// class is how urgent an item is.
type class int

const (
	granted class = iota
	urgent
	ordinary
	low
	classes
)

func classOf(priority int) class {
	switch {
	case priority >= Granted:
		return granted
	case priority > Ordinary:
		return urgent
	case priority == Ordinary:
		return ordinary
	default:
		return low
	}
}

// firstEvery is how often a class is looked at before all that are more urgent: in each so many turns once. So what is
// less urgent advances however much there is of the rest.
var firstEvery = [classes]int{granted: 1, urgent: 2, ordinary: 4, low: 16}

// turns is the order in which items are taken. It is the storage of a client-go work queue, which sees to it that an item
// is stored once and is not stored while it is worked on.
type turns struct {
	places *fair.Places
	now    func() time.Time

	mu    sync.Mutex
	rings [classes]ring
	// priority is that of each item that is stored.
	priority map[reconcile.Request]int
	running  map[reconcile.Request]class
	// mostLow is how many items of class low may be worked on at once, and runningLow how many are.
	mostLow, runningLow int
	// wake has a worker that waits look again, beside the caller. It is called when something may be taken that nobody is told of.
	wake func()
	// nudged reports that nobodys is stored.
	nudged bool
	// wanted is the priority with which an item was added that is not stored yet, because it is worked on or is just being
	// added.
	wanted map[reconcile.Request]int
	// later is the priority of items that wait for a time.
	later map[reconcile.Request]appointment
	taken int
}

// appointment is a priority that an item is to have from a time on.
type appointment struct {
	priority int
	at       time.Time
}

func newTurns(workers int, now func() time.Time, wake func()) *turns {
	return &turns{
		places: fair.NewPlaces(workers), now: now, wake: wake, priority: map[reconcile.Request]int{},
		running: map[reconcile.Request]class{}, mostLow: workers, wanted: map[reconcile.Request]int{}, later: map[reconcile.Request]appointment{},
	}
}

// want notes the priority with which an item is about to be added.
func (t *turns) want(item reconcile.Request, priority int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if stored, ok := t.priority[item]; ok {
		t.raise(item, stored, priority)
		return
	}
	if before, ok := t.wanted[item]; ok {
		priority = max(priority, before)
	}
	t.wanted[item] = priority
}

// wantAt notes the priority with which an item is to be added at a time. The queue keeps the earliest time.
func (t *turns) wantAt(item reconcile.Request, priority int, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if before, ok := t.later[item]; ok && before.at.Before(at) {
		return
	}
	if priority != Ordinary {
		t.later[item] = appointment{priority, at}
	} else {
		delete(t.later, item)
	}
}

// Push implements workqueue.Queue.
func (t *turns) Push(item reconcile.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if item == nobodys {
		t.nudged = true
		return
	}
	wanted, ok := t.wanted[item]
	delete(t.wanted, item)
	if later, due := t.later[item]; due && !t.now().Before(later.at) {
		delete(t.later, item)
		if !ok || later.priority > wanted {
			wanted = later.priority
		}
	}
	t.store(item, wanted) // Ordinary, where nothing else was said.
}

// Touch implements workqueue.Queue: an item was added that waits already. The priority that it was added with has been noted, but
// for one that it was to have from now on.
func (t *turns) Touch(item reconcile.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	later, due := t.later[item]
	if !due || t.now().Before(later.at) {
		return
	}
	delete(t.later, item)
	if stored, ok := t.priority[item]; ok {
		t.raise(item, stored, later.priority)
	}
}

// raise gives an item that is stored a higher priority. To the queue that is nothing new.
func (t *turns) raise(item reconcile.Request, from, to int) {
	if to <= from {
		return
	}
	t.rings[classOf(from)].remove(item)
	t.store(item, to)
	if classOf(from) == low && t.runningLow >= t.mostLow {
		t.wake()
	}
}

// Len implements workqueue.Queue: how many items there are, or none while no item may be taken. The queue's workers then
// wait. When that changes it is because one of them has finished, and that one looks again.
func (t *turns) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.nudged {
		return len(t.priority) + 1
	}
	for c := range classes {
		if t.next(c) >= 0 {
			return len(t.priority)
		}
	}
	return 0
}

// next is which namespace of a class is next; -1 when none may be.
func (t *turns) next(c class) int {
	if c == low && t.runningLow >= t.mostLow {
		return -1
	}
	return t.rings[c].next(t.places)
}

// limitLow sets how many items of class low may be worked on at once.
func (t *turns) limitLow(most int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mostLow = most
}

// failed notes that an item of class low is to be tried again as such, unless it is to have another class later.
func (t *turns) failed(item reconcile.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, waits := t.later[item]; !waits && t.running[item] == low {
		t.later[item] = appointment{Low, t.now()}
	}
}

// Pop implements workqueue.Queue. It is called after Len was not 0, under the queue's lock.
func (t *turns) Pop() reconcile.Request {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.nudged {
		t.nudged = false
		return nobodys
	}
	t.taken++
	for c := low; c > granted; c-- {
		if t.taken%firstEvery[c] == 0 {
			if item, ok := t.take(c); ok {
				return item
			}
		}
	}
	for c := range classes {
		if item, ok := t.take(c); ok {
			return item
		}
	}
	// One that was done meanwhile has given its place back, and none is taken but here: there is always one.
	panic("an item was taken that is not there")
}

func (t *turns) take(c class) (item reconcile.Request, ok bool) {
	at := t.next(c)
	if at < 0 {
		return item, false
	}
	item = t.rings[c].take(at)
	if delete(t.priority, item); len(t.priority) == 0 {
		t.priority = map[reconcile.Request]int{} // It never shrinks, and a start has brought everything at once.
	}
	t.places.TakeAnyway(fair.Key{Namespace: item.Namespace})
	if t.running[item] = c; c == low {
		t.runningLow++
	}
	return item, true
}

// done gives back the place of a worker that has finished with an item.
func (t *turns) done(item reconcile.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, runs := t.running[item]
	if !runs {
		return
	}
	if delete(t.running, item); c == low {
		t.runningLow--
	}
	t.places.Free(fair.Key{Namespace: item.Namespace})
}

func (t *turns) store(item reconcile.Request, priority int) {
	t.priority[item] = priority
	t.rings[classOf(priority)].add(item, priority)
}
