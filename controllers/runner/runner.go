package runner

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/fair"
)

// Options configure a Runner.
type Options struct {
	// Limit is how many pieces of work may run at once. One namespace, and one host, has three quarters of them at
	// most, one namespace with one host three quarters of these, and less when others have many as well; see package fair.
	Limit int
	// Go starts work for a resource beside the caller. Default: a goroutine.
	Go func(uid types.UID, work func())
	// PassPanic reports whether a panic is to go on although it would end the process. Default: none is.
	PassPanic func(cause any) bool
	// Sleep waits, until the context ends at most. Default: by the real clock.
	Sleep func(context.Context, time.Duration) error
	// OnPanic is told of each piece of work that ended in a panic which it did not deal with itself. May be nil.
	OnPanic func(types.UID)
	// OnDone is told of each piece of work that has ended, when its resource is no longer busy. May be nil.
	OnDone func(types.UID)
}

// Subject is whose work it is.
type Subject struct {
	// UID is that of the resource. One piece of work runs for each at a time.
	UID types.UID
	// Namespace is that of the resource.
	Namespace string
	// Host is the GitHub that is asked; empty when none is. One that does not answer must not take the places of the others.
	Host string
	// Operation is what kind of work it is.
	Operation Operation
}

// key is what a place is counted against.
func (s Subject) key() fair.Key { return fair.Key{Namespace: s.Namespace, Host: s.Host} }

// Runner is safe for concurrent use. Make it with New.
type Runner struct {
	options Options
	places  *fair.Places

	mu      sync.Mutex
	running map[types.UID]Subject
	// aside are those of them that wait for something and take no place.
	aside map[types.UID]struct{}
	// draining is cancelled when nothing new begins any more.
	draining context.Context
	drain    context.CancelFunc
	ended    chan struct{}
	// beside are the runners that are drained and counted with this one.
	beside []*Runner
}

// New makes a Runner.
func New(options Options) *Runner {
	if options.Go == nil {
		options.Go = func(_ types.UID, work func()) { go work() }
	}
	if options.Sleep == nil {
		options.Sleep = sleep
	}
	r := &Runner{
		options: options, places: fair.NewPlaces(options.Limit),
		running: map[types.UID]Subject{}, aside: map[types.UID]struct{}{}, ended: make(chan struct{}, 1),
	}
	r.draining, r.drain = context.WithCancel(context.Background())
	return r
}

// Beside makes a runner of work that exchanges of the same resource do not wait for: a piece of it may run while one of this
// runner's does. It has places of its own, and is drained and counted with this one.
func (r *Runner) Beside(limit int) *Runner {
	options := r.options
	options.Limit = limit
	beside := New(options)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.beside = append(r.beside, beside)
	return beside
}

// ErrDraining: the process is about to exit and begins nothing new.
var ErrDraining = errors.New("the operator is shutting down")

// ErrFull: there is no place for more, or none for this namespace or this host.
var ErrFull = errors.New("as many exchanges as allowed are under way")

// ErrBusy: the resource has a piece of work running already.
var ErrBusy = errors.New("an exchange for this resource is under way")

// Start runs work for a resource beside the caller. Errors: ErrDraining, ErrFull, ErrBusy; then nothing was
// started.
func (r *Runner) Start(of Subject, work func()) error { return r.start(of, work, r.places.Take) }

// StartReplay is Start without the limit: a pair that was received must not wait, for its intent would be
// taken for one without an answer.
func (r *Runner) StartReplay(of Subject, work func()) error {
	return r.start(of, work, func(key fair.Key) bool {
		r.places.TakeAnyway(key)
		return true
	})
}

func (r *Runner) start(of Subject, work func(), take func(fair.Key) bool) error {
	if err := r.admit(of, take); err != nil {
		return err
	}
	r.options.Go(of.UID, func() {
		defer r.done(of.UID)
		defer r.survive(of.UID)
		work()
	})
	return nil
}

// admit takes a place for a resource.
func (r *Runner) admit(of Subject, take func(fair.Key) bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.draining.Err() != nil {
		return ErrDraining
	}
	if _, busy := r.running[of.UID]; busy {
		return ErrBusy
	}
	if !take(of.key()) {
		return ErrFull
	}
	r.running[of.UID] = of
	return nil
}

// panicPause is for how long a resource rests whose work ended in a panic.
const panicPause = time.Minute

// survive keeps the panic of one resource's work from ending the process, and all other work with it. What is
// wrong with the resource is so the next time too, so that it rests before it is looked at again.
func (r *Runner) survive(uid types.UID) {
	cause := recover()
	if cause == nil {
		return
	}
	if r.options.PassPanic != nil && r.options.PassPanic(cause) {
		panic(cause)
	}
	if r.options.OnPanic != nil {
		r.options.OnPanic(uid)
	}
	r.StandAside(uid)
	_ = r.options.Sleep(r.draining, panicPause)
}

// Busy reports whether work for a resource is running.
func (r *Runner) Busy(uid types.UID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, busy := r.running[uid]
	return busy
}

// Full reports whether there is no place for more work, or none of this namespace or for this host.
func (r *Runner) Full(of Subject) bool {
	return !r.places.Fits(of.key())
}

// StandAside gives up the place of work that has made its exchange and may wait for long, so that much of it
// keeps nobody else from an exchange. It lasts until the work ends.
func (r *Runner) StandAside(uid types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of, busy := r.running[uid]
	if _, stands := r.aside[uid]; busy && !stands {
		r.aside[uid] = struct{}{}
		r.places.Free(of.key())
	}
}

// Count is how many pieces of work are running, those that stand aside included, and those of runners beside it.
func (r *Runner) Count() (count int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, beside := range r.beside {
		count += beside.Count()
	}
	return count + len(r.running)
}

// Drain begins nothing new from now on and waits until everything has ended, or for the context.
func (r *Runner) Drain(ctx context.Context) error {
	r.mu.Lock()
	r.drain()
	beside := slices.Clone(r.beside)
	r.mu.Unlock()
	var late []error
	for _, other := range beside {
		late = append(late, other.Drain(ctx))
	}
	for r.Count() > 0 {
		select {
		case <-r.ended:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return cmp.Or(late...)
}

func (r *Runner) done(uid types.UID) {
	r.mu.Lock()
	if _, stands := r.aside[uid]; !stands {
		r.places.Free(r.running[uid].key())
	}
	delete(r.running, uid)
	delete(r.aside, uid)
	r.mu.Unlock()
	if r.options.OnDone != nil {
		r.options.OnDone(uid)
	}
	select {
	case r.ended <- struct{}{}:
	default:
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
