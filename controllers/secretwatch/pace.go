package secretwatch

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const (
	// interval is how often changes of one Secret are told at most. Those in between are told as one.
	interval = time.Second
	// bytesPerSecond is how much may be read of the Secrets of one namespace, for all that it changes.
	bytesPerSecond = 1 << 20
)

// Pace tells of changes, of each Secret once in a while and of those of a namespace one after the other: somebody may
// change a large Secret, or many, a hundred times a second. Other namespaces do not wait for that. Make it with NewPace;
// it is safe for concurrent use.
type Pace struct {
	clock rotation.Clock
	tell  func(context.Context, Change) (read int, err error)

	mu     sync.Mutex
	queues map[string]*queue
}

// queue is what there is to tell of one namespace. It exists as long as somebody is at it.
type queue struct {
	// pending are the changes to be told, and told when each was told last, by the monotonic clock.
	pending map[types.NamespacedName]Change
	told    map[types.NamespacedName]time.Duration
	// interrupt ends a sleep because there is something to tell.
	interrupt context.CancelFunc
}

// NewPace makes a Pace. tell returns how many bytes it has read; a change is told again after an error.
func NewPace(clock rotation.Clock, tell func(context.Context, Change) (read int, err error)) *Pace {
	return &Pace{clock: clock, tell: tell, queues: map[string]*queue{}}
}

// Add has a change told, before the context ends. It does not block.
func (p *Pace) Add(ctx context.Context, change Change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.queues[change.Name.Namespace]
	if q == nil {
		q = &queue{pending: map[types.NamespacedName]Change{}, told: map[types.NamespacedName]time.Duration{}}
		p.queues[change.Name.Namespace] = q
		go p.run(ctx, change.Name.Namespace, q)
	}
	if before, pending := q.pending[change.Name]; pending {
		change.First, change.Marked = before.First, before.Marked || change.Marked
	}
	q.pending[change.Name] = change
	if q.interrupt != nil {
		q.interrupt()
	}
}

// run tells the changes of a namespace until there are none.
func (p *Pace) run(ctx context.Context, namespace string, q *queue) {
	for ctx.Err() == nil {
		sleeping, interrupt := context.WithCancel(ctx)
		change, wait, left := p.next(namespace, q, interrupt)
		switch {
		case !left:
			interrupt()
			return
		case wait > 0:
			_ = p.clock.Sleep(sleeping, wait) // It fails when there is something new to tell, which is looked at next.
			interrupt()
			continue
		}
		interrupt()
		read, err := p.tell(ctx, change)
		rest := time.Duration(read) * time.Second / bytesPerSecond
		if err != nil {
			p.Add(ctx, change)
			rest = interval
		}
		_ = p.clock.Sleep(ctx, rest) // It fails when the context has ended, which the loop sees.
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.queues, namespace)
}

// next is the next change to tell, or how long to wait until there may be one. left is false when there is nothing to
// wait for; the queue is gone then.
func (p *Pace) next(namespace string, q *queue, interrupt context.CancelFunc) (next Change, wait time.Duration, left bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q.interrupt = nil
	now := p.clock.Monotonic()
	wait = interval
	for name, at := range q.told {
		_, pending := q.pending[name]
		switch since := now - at; {
		case since >= interval:
			delete(q.told, name)
		case pending:
			wait = min(wait, interval-since)
		}
	}
	for name, change := range q.pending {
		if _, justTold := q.told[name]; !justTold {
			delete(q.pending, name)
			q.told[name] = now
			return change, 0, true
		}
	}
	if len(q.told) == 0 {
		delete(p.queues, namespace)
		return Change{}, 0, false
	}
	q.interrupt = interrupt
	return Change{}, wait, true
}
