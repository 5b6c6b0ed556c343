package pace

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// interval is how often news of one object are told at most. Those in between are told as one.
	interval = time.Second
	// BytesPerSecond is how much may be read for the news of one namespace.
	BytesPerSecond = 1 << 20
	// ResourcesPerSecond is of how many resources it may be told.
	ResourcesPerSecond = 10_000
	// leastRest is the shortest rest that is taken; shorter ones are taken together.
	leastRest = time.Millisecond
)

// Cost is what it took to tell of news.
type Cost struct {
	// Bytes is how many were read.
	Bytes int
	// Resources is how many were told.
	Resources int
}

func (c Cost) rest() time.Duration {
	return time.Duration(c.Bytes)*time.Second/BytesPerSecond + time.Duration(c.Resources)*time.Second/ResourcesPerSecond
}

// Clock is the time.
type Clock interface {
	// Monotonic is a clock that never jumps.
	Monotonic() time.Duration
	// Sleep waits, until the context ends at most.
	Sleep(ctx context.Context, d time.Duration) error
}

// Options configure a Pace. All are required.
type Options[N any] struct {
	Clock Clock
	// Tell tells of news of an object. After an error they are told again.
	Tell func(ctx context.Context, of types.NamespacedName, news N) (Cost, error)
	// Merge makes one of two news of the same object, the older first.
	Merge func(before, after N) N
}

// Pace tells of news, of each object once in a while and of those of a namespace one after the other. Other namespaces do not
// wait for that. Make it with New; it is safe for concurrent use.
type Pace[N any] struct {
	options Options[N]

	mu     sync.Mutex
	queues map[string]*queue[N]
}

// queue is what there is to tell of one namespace. It exists as long as somebody is at it.
type queue[N any] struct {
	// pending are the news, by the object's name, and ready are those of them that were not told just now, in their order.
	pending map[string]N
	ready   []string
	// told is what was told within the interval, the first first; recent are its names.
	told   []telling
	recent map[string]struct{}
	// interrupt ends a sleep because there is something to tell.
	interrupt context.CancelFunc
}

// telling is when an object's news were told, by the monotonic clock.
type telling struct {
	name string
	at   time.Duration
}

// New makes a Pace.
func New[N any](options Options[N]) *Pace[N] {
	return &Pace[N]{options: options, queues: map[string]*queue[N]{}}
}

// Add has news of an object told, before the context ends. It does not block.
func (p *Pace[N]) Add(ctx context.Context, of types.NamespacedName, news N) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.queues[of.Namespace]
	if q == nil {
		q = &queue[N]{pending: map[string]N{}, recent: map[string]struct{}{}}
		p.queues[of.Namespace] = q
		go p.run(ctx, of.Namespace, q)
	}
	before, isPending := q.pending[of.Name]
	if isPending {
		news = p.options.Merge(before, news)
	}
	q.pending[of.Name] = news
	if _, isRecent := q.recent[of.Name]; !isPending && !isRecent {
		q.ready = append(q.ready, of.Name)
	}
	if q.interrupt != nil {
		q.interrupt()
	}
}

// again has news told once more that were just taken, with what has come since.
func (p *Pace[N]) again(q *queue[N], name string, news N) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if since, isPending := q.pending[name]; isPending {
		news = p.options.Merge(news, since)
	}
	q.pending[name] = news
}

// run tells the news of a namespace until there are none.
func (p *Pace[N]) run(ctx context.Context, namespace string, q *queue[N]) {
	var rest time.Duration
	for ctx.Err() == nil {
		sleeping, interrupt := context.WithCancel(ctx)
		name, news, wait, left := p.next(namespace, q, interrupt)
		switch {
		case !left:
			interrupt()
			return
		case wait > 0:
			_ = p.options.Clock.Sleep(sleeping, wait) // It fails when there is something new to tell, which is looked at next.
			interrupt()
			continue
		}
		interrupt()
		of := types.NamespacedName{Namespace: namespace, Name: name}
		cost, err := p.options.Tell(ctx, of, news)
		rest += cost.rest()
		if err != nil {
			p.again(q, name, news)
			rest = interval
		}
		if rest >= leastRest {
			_ = p.options.Clock.Sleep(ctx, rest) // It fails when the context has ended, which the loop sees.
			rest = 0
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.queues, namespace)
}

// next is what is to be told next, or how long to wait until there may be something. left is false when there is nothing to
// wait for; the queue is gone then.
func (p *Pace[N]) next(namespace string, q *queue[N], interrupt context.CancelFunc) (name string, news N, wait time.Duration, left bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q.interrupt = nil
	now := p.options.Clock.Monotonic()
	for len(q.told) > 0 && now-q.told[0].at >= interval {
		name := q.told[0].name
		q.told = q.told[1:]
		delete(q.recent, name)
		if _, isPending := q.pending[name]; isPending {
			q.ready = append(q.ready, name)
		}
	}
	if len(q.ready) > 0 {
		name, q.ready = q.ready[0], q.ready[1:]
		news = q.pending[name]
		delete(q.pending, name)
		q.told, q.recent[name] = append(q.told, telling{name, now}), struct{}{}
		return name, news, 0, true
	}
	if len(q.told) == 0 {
		delete(p.queues, namespace)
		return "", news, 0, false
	}
	until := q.told[len(q.told)-1]
	if len(q.pending) > 0 {
		until = q.told[0]
	}
	q.interrupt = interrupt
	return "", news, until.at + interval - now, true
}
