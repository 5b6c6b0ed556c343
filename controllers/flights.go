package controllers

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Flights are the exchanges under way: at most one for each resource, each in a goroutine that nothing
// cancels. They outlive the reconcile that began them and the loss of the leader lease; the process waits
// for them before it exits.
type Flights struct {
	mu    sync.Mutex
	under map[types.UID]struct{}
	// aside are those of them that wait for something other than an exchange and take no place.
	aside   map[types.UID]struct{}
	closing bool
	// draining is closed when closing is set.
	draining chan struct{}
	limit    int
	landed   chan struct{}
	// onPanic is told of each flight that ended in a panic which it did not deal with itself. May be nil.
	onPanic func(types.UID)
	// onLanding is told of each flight that has landed, when the resource is no longer busy. May be nil.
	onLanding func(types.UID)
}

// NewFlights makes an empty set with room for limit flights at once.
func NewFlights(limit int) *Flights {
	return &Flights{
		under: map[types.UID]struct{}{}, aside: map[types.UID]struct{}{}, limit: limit,
		draining: make(chan struct{}), landed: make(chan struct{}, 1),
	}
}

// ErrDraining says that the process is about to exit and begins nothing new.
var ErrDraining = errors.New("the operator is shutting down")

// ErrFull says that as many exchanges as allowed are under way.
var ErrFull = errors.New("as many exchanges as allowed are under way")

// errBusy says that the resource has a flight already.
var errBusy = errors.New("an exchange for this resource is under way")

// Start begins a flight for a resource.
func (f *Flights) Start(uid types.UID, fly func()) error { return f.start(uid, fly, f.limit) }

// StartReplay is Start without the limit: a pair that was received must not wait, for its intent would be
// taken for one without an answer.
func (f *Flights) StartReplay(uid types.UID, fly func()) error { return f.start(uid, fly, math.MaxInt) }

func (f *Flights) start(uid types.UID, fly func(), limit int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closing {
		return ErrDraining
	}
	if len(f.under)-len(f.aside) >= limit {
		return ErrFull
	}
	if _, busy := f.under[uid]; busy {
		return errBusy
	}
	f.under[uid] = struct{}{}
	go func() {
		defer f.land(uid)
		defer f.survive(uid)
		fly()
	}()
	return nil
}

// panicPause is for how long a resource rests whose flight ended in a panic.
const panicPause = time.Minute

// survive keeps the panic of one resource's flight from ending the process, and all other exchanges with it. What
// is wrong with the resource is so the next time too, so that it rests before it is looked at again.
func (f *Flights) survive(uid types.UID) {
	if recover() == nil {
		return
	}
	if f.onPanic != nil {
		f.onPanic(uid)
	}
	f.StandAside(uid)
	select {
	case <-time.After(panicPause):
	case <-f.draining:
	}
}

// Busy says whether a resource has a flight.
func (f *Flights) Busy(uid types.UID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, busy := f.under[uid]
	return busy
}

// Full says whether there is no room for another flight.
func (f *Flights) Full() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.under)-len(f.aside) >= f.limit
}

// StandAside gives up the place of a flight that has made its exchange and may wait for long, so that many of
// them keep nobody else from an exchange. It lasts until the flight lands.
func (f *Flights) StandAside(uid types.UID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, busy := f.under[uid]; busy {
		f.aside[uid] = struct{}{}
	}
}

// Count is how many flights are under way.
func (f *Flights) Count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.under)
}

// Drain begins nothing new from now on and waits until all have landed, or for the context.
func (f *Flights) Drain(ctx context.Context) error {
	f.mu.Lock()
	if !f.closing {
		f.closing = true
		close(f.draining)
	}
	f.mu.Unlock()
	for f.Count() > 0 {
		select {
		case <-f.landed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (f *Flights) land(uid types.UID) {
	f.mu.Lock()
	delete(f.under, uid)
	delete(f.aside, uid)
	f.mu.Unlock()
	if f.onLanding != nil {
		f.onLanding(uid)
	}
	select {
	case f.landed <- struct{}{}:
	default:
	}
}
