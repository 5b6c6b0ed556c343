package runner

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Options configure a Runner.
type Options struct {
	// Limit is how many pieces of work may run at once.
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

// Runner is safe for concurrent use. Make it with New.
type Runner struct {
	options Options

	mu      sync.Mutex
	running map[types.UID]struct{}
	// aside are those of them that wait for something and take no place.
	aside map[types.UID]struct{}
	// draining is cancelled when nothing new begins any more.
	draining context.Context
	drain    context.CancelFunc
	ended    chan struct{}
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
		options: options, running: map[types.UID]struct{}{}, aside: map[types.UID]struct{}{}, ended: make(chan struct{}, 1),
	}
	r.draining, r.drain = context.WithCancel(context.Background())
	return r
}

// ErrDraining: the process is about to exit and begins nothing new.
var ErrDraining = errors.New("the operator is shutting down")

// ErrFull: as many pieces of work as allowed are running.
var ErrFull = errors.New("as many exchanges as allowed are under way")

// ErrBusy: the resource has a piece of work running already.
var ErrBusy = errors.New("an exchange for this resource is under way")

// Start runs work for a resource beside the caller. Errors: ErrDraining, ErrFull, ErrBusy; then nothing was
// started.
func (r *Runner) Start(uid types.UID, work func()) error { return r.start(uid, work, r.options.Limit) }

// StartReplay is Start without the limit: a pair that was received must not wait, for its intent would be
// taken for one without an answer.
func (r *Runner) StartReplay(uid types.UID, work func()) error {
	return r.start(uid, work, math.MaxInt)
}

func (r *Runner) start(uid types.UID, work func(), limit int) error {
	if err := r.admit(uid, limit); err != nil {
		return err
	}
	r.options.Go(uid, func() {
		defer r.done(uid)
		defer r.survive(uid)
		work()
	})
	return nil
}

// admit takes a place for a resource.
func (r *Runner) admit(uid types.UID, limit int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.draining.Err() != nil {
		return ErrDraining
	}
	if len(r.running)-len(r.aside) >= limit {
		return ErrFull
	}
	if _, busy := r.running[uid]; busy {
		return ErrBusy
	}
	r.running[uid] = struct{}{}
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

// Full reports whether there is no room for more.
func (r *Runner) Full() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.running)-len(r.aside) >= r.options.Limit
}

// StandAside gives up the place of work that has made its exchange and may wait for long, so that much of it
// keeps nobody else from an exchange. It lasts until the work ends.
func (r *Runner) StandAside(uid types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, busy := r.running[uid]; busy {
		r.aside[uid] = struct{}{}
	}
}

// Count is how many pieces of work are running, those that stand aside included.
func (r *Runner) Count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.running)
}

// Drain begins nothing new from now on and waits until everything has ended, or for the context.
func (r *Runner) Drain(ctx context.Context) error {
	r.mu.Lock()
	r.drain()
	r.mu.Unlock()
	for r.Count() > 0 {
		select {
		case <-r.ended:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (r *Runner) done(uid types.UID) {
	r.mu.Lock()
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
