package simulation

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"
)

// moment is the true time since the beginning of a run. No process sees it.
type moment = time.Duration

// scheduler lets simulated time pass and runs one task at a time.
type scheduler struct {
	now    moment
	events heap
	order  uint64
	rng    *rand.Rand
	// current is the task that is running; nil between tasks.
	current *task
	// idle are coroutines that have no task at present.
	idle []*coroutine
}

// task is a goroutine of a simulated process. It runs until it waits for something; then the scheduler
// goes on with whatever comes next.
type task struct {
	life *life
	on   *coroutine
	over bool
	// waiting numbers the waits, so that whatever wakes a task late is recognised.
	waiting uint64
	// interruptible is the context of the present wait.
	interruptible context.Context
	attempt       *attempt
}

// errKilled unwinds a task whose process has died. Nothing it defers reaches the outside world.
var errKilled = errors.New("the process was killed")

func newScheduler(rng *rand.Rand) *scheduler {
	return &scheduler{rng: rng}
}

// at has fn run by the world itself at a time. What is due at the same time runs in an order drawn from the
// seed.
func (s *scheduler) at(when moment, fn func()) {
	s.order++
	s.events.push(event{at: max(when, s.now), tie: s.rng.Uint64()<<32 | s.order&(1<<32-1), run: fn})
}

func (s *scheduler) after(d time.Duration, fn func()) { s.at(s.now+d, fn) }

// step runs the next event. It is false when there is none.
func (s *scheduler) step() bool {
	next, ok := s.events.pop()
	if !ok {
		return false
	}
	s.now = next.at
	next.run()
	return true
}

// spawn begins a task of a process.
func (s *scheduler) spawn(l *life, body func()) {
	t := s.task(l, body)
	s.wakeAt(s.now, t, t.waiting)
}

// spawnNow begins a task that runs at once, up to the first thing that it waits for.
func (s *scheduler) spawnNow(l *life, f *attempt, body func()) {
	t := s.task(l, body)
	t.attempt = f
	s.resume(t)
}

func (s *scheduler) task(l *life, body func()) *task {
	t := &task{life: l, on: s.coroutine()}
	l.tasks = append(l.tasks, t)
	t.on.work = func() {
		defer func() {
			t.over = true
			l.tasks = slices.DeleteFunc(l.tasks, func(other *task) bool { return other == t })
			if cause := recover(); cause != nil && cause != any(errKilled) {
				panic(fmt.Sprintf("a task of %s panicked: %v\n%s", l, cause, debug.Stack()))
			}
		}()
		body()
	}
	t.waiting++
	return t
}

// resume lets a task run until it waits for something.
func (s *scheduler) resume(t *task) {
	before := s.current
	s.current = t
	t.on.next()
	s.current = before
	if t.over {
		s.idle = append(s.idle, t.on)
	}
}

// coroutine runs one task after another. Most tasks are short: what would take longest about them is the growth
// of a new stack.
type coroutine struct {
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	work  func()
}

// coroutine takes one that is idle, or begins another.
func (s *scheduler) coroutine() *coroutine {
	if last := len(s.idle) - 1; last >= 0 {
		c := s.idle[last]
		s.idle = s.idle[:last]
		return c
	}
	c := &coroutine{}
	c.next, c.stop = iter.Pull(func(yield func(struct{}) bool) {
		c.yield = yield
		for goOn := true; goOn; goOn = yield(struct{}{}) {
			c.work()
			c.work = nil
		}
	})
	return c
}

// dismiss ends all coroutines that are idle.
func (s *scheduler) dismiss() {
	for _, c := range s.idle {
		c.stop()
	}
	s.idle = nil
}

func (s *scheduler) wakeAt(when moment, t *task, wait uint64) {
	s.at(when, func() { s.wake(t, wait) })
}

// wake lets a task go on, unless it has gone on already. A stopped process is woken when it is resumed.
func (s *scheduler) wake(t *task, wait uint64) {
	if t.over || t.waiting != wait {
		return
	}
	if t.life.stopped {
		t.life.deferred = append(t.life.deferred, func() { s.wake(t, wait) })
		return
	}
	if t.life.struck(t, wait) {
		return
	}
	s.resume(t)
}

// park gives way until the task is woken.
func (s *scheduler) park(ctx context.Context) {
	t := s.current
	t.interruptible = ctx
	if !t.on.yield(struct{}{}) {
		panic(errKilled)
	}
	t.interruptible = nil
	t.waiting++
}

// sleep lets time pass for the current task.
func (s *scheduler) sleep(ctx context.Context, d time.Duration) error {
	t := s.current
	if t.over {
		panic(errKilled)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.wakeAt(s.now+d, t, t.waiting)
	s.park(ctx)
	return ctx.Err()
}

// roundTrip sends something over a network: it takes effect after out, and the answer is back after
// another back. A negative time means that it is lost on that way. It reports whether the answer came before
// the deadline, and before ctx was cancelled.
func (s *scheduler) roundTrip(ctx context.Context, deadline moment, out, back time.Duration, effect func()) bool {
	t := s.current
	if t.over {
		panic(errKilled)
	}
	wait, answered := t.waiting, false
	if out >= 0 {
		s.after(out, func() {
			effect()
			if back >= 0 {
				s.after(back, func() {
					if t.waiting == wait {
						answered = answered || s.now <= deadline
					}
					s.wake(t, wait)
				})
			}
		})
	}
	s.wakeAt(deadline, t, wait)
	s.park(ctx)
	return answered
}

// interrupt wakes the tasks of a process whose context was cancelled.
func (s *scheduler) interrupt(l *life) {
	for _, t := range l.tasks {
		if t.interruptible != nil && t.interruptible.Err() != nil {
			s.wakeAt(s.now, t, t.waiting)
		}
	}
}

// kill unwinds all tasks of a process.
func (s *scheduler) kill(l *life) {
	for _, t := range slices.Clone(l.tasks) {
		before := s.current
		s.current = t
		t.on.stop()
		t.over = true
		s.current = before
	}
	l.tasks = nil
}

type event struct {
	at  moment
	tie uint64
	run func()
}

func (e *event) before(other *event) bool {
	return e.at < other.at || e.at == other.at && e.tie < other.tie
}

// heap holds events, the earliest first. It is a tree in which each has up to four children: that is less deep than
// with two.
type heap []event

const children = 4

func (h *heap) push(e event) {
	*h = append(*h, e)
	events, i := *h, len(*h)-1
	for i > 0 {
		parent := (i - 1) / children
		if !e.before(&events[parent]) {
			break
		}
		events[i] = events[parent]
		i = parent
	}
	events[i] = e
}

func (h *heap) pop() (event, bool) {
	events := *h
	if len(events) == 0 {
		return event{}, false
	}
	top, last := events[0], len(events)-1
	moved := events[last]
	events[last] = event{}
	events = events[:last]
	*h = events
	for i := 0; last > 0; {
		least, first := i, i*children+1
		earliest := &moved
		for child := first; child < min(first+children, last); child++ {
			if events[child].before(earliest) {
				least, earliest = child, &events[child]
			}
		}
		if least == i {
			events[i] = moved
			break
		}
		events[i] = events[least]
		i = least
	}
	return top, true
}
