package fairqueue

import (
	"math"
	"sync/atomic"
	"time"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Granted is the priority of what has been waited for and is kept for a while only, such as a turn at a limit. Urgent is that of
// what is due now, see Due; Ordinary that of most events, and Low, or any other below Ordinary, of what a start or a resync brings,
// as controller-runtime gives it; whatever has something to lose by that is to be added as Ordinary too.
const (
	Granted  = math.MaxInt32
	Urgent   = 1
	Ordinary = 0
	Low      = -100
)

// Due is the priority of what is due at a time: Urgent, and the earlier the higher. Minutes tell, so that what falls due within one
// is taken as it comes.
func Due(at time.Time) int {
	return Granted - 1 - int(min(max(at.Unix()/60, 0), Granted-1-Urgent))
}

// Options configure a Queue.
type Options struct {
	// Name is that of the controller, for the metrics. None are recorded without it.
	Name string
	// Workers is how many take items at once, at least one.
	Workers int
	// RateLimiter says when what has failed is tried again.
	RateLimiter workqueue.TypedRateLimiter[reconcile.Request]
	// Clock is the time by which items wait. Default: the real one.
	Clock clock.WithTicker
}

// Queue is safe for concurrent use. Make it with New.
type Queue struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]

	turns *turns
	clock clock.WithTicker
	// waiting is how many workers are in Get.
	waiting atomic.Int32
}

var _ priorityqueue.PriorityQueue[reconcile.Request] = (*Queue)(nil)

// New makes a Queue.
func New(options Options) *Queue {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	q := &Queue{clock: options.Clock}
	q.turns = newTurns(options.Workers, options.Clock.Now, func() { go q.nudge() })
	inner := workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[reconcile.Request]{
		Name: options.Name, Clock: options.Clock, Queue: q.turns,
	})
	delaying := workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[reconcile.Request]{
		Clock: options.Clock, Queue: inner,
	})
	q.TypedRateLimitingInterface = workqueue.NewTypedRateLimitingQueueWithConfig(options.RateLimiter,
		workqueue.TypedRateLimitingQueueConfig[reconcile.Request]{Clock: options.Clock, DelayingQueue: delaying})
	return q
}

// Add implements workqueue.TypedInterface with the priority Ordinary.
func (q *Queue) Add(item reconcile.Request) { q.AddWithOpts(priorityqueue.AddOpts{}, item) }

// AddAfter implements workqueue.TypedDelayingInterface with the priority Ordinary.
func (q *Queue) AddAfter(item reconcile.Request, after time.Duration) {
	q.AddWithOpts(priorityqueue.AddOpts{After: after}, item)
}

// AddRateLimited implements workqueue.TypedRateLimitingInterface with the priority Ordinary.
func (q *Queue) AddRateLimited(item reconcile.Request) {
	q.AddWithOpts(priorityqueue.AddOpts{RateLimited: true}, item)
}

// AddWithOpts implements priorityqueue.PriorityQueue. Of several priorities that an item was added with since it was last
// taken the highest counts; one that it is to have later, from then on. What is tried again after a failure has the class that
// it had, but is neither Granted nor Urgent.
func (q *Queue) AddWithOpts(options priorityqueue.AddOpts, items ...reconcile.Request) {
	priority := Ordinary
	if options.Priority != nil {
		priority = *options.Priority
	}
	for _, item := range items {
		switch {
		case options.RateLimited:
			q.turns.failed(item)
			q.TypedRateLimitingInterface.AddRateLimited(item)
		case options.After > 0:
			q.turns.wantAt(item, priority, q.clock.Now().Add(options.After))
			q.TypedRateLimitingInterface.AddAfter(item, options.After)
		default:
			q.turns.want(item, priority)
			q.TypedRateLimitingInterface.Add(item)
		}
	}
}

// GetWithPriority implements priorityqueue.PriorityQueue. The priority is Ordinary: what is to be done next about an item
// has a priority of its own.
func (q *Queue) GetWithPriority() (item reconcile.Request, priority int, shutdown bool) {
	item, shutdown = q.Get()
	return item, Ordinary, shutdown
}

// nobodys is an item that has a worker that waits look what there is to do now: an item alone wakes one. It is taken before all
// others, as whoever takes it wakes the next.
var nobodys reconcile.Request

// nudge wakes a worker that waits. While nobodys waits to be taken that does nothing, so it may stand for any number of items.
func (q *Queue) nudge() { q.TypedRateLimitingInterface.Add(nobodys) }

// LimitLow sets how many items of a lower priority than Ordinary may be worked on at once, from now on. At first that is all
// workers.
func (q *Queue) LimitLow(most int) {
	q.turns.limitLow(most)
	q.nudge()
}

// Get implements workqueue.TypedInterface.
func (q *Queue) Get() (item reconcile.Request, shutdown bool) {
	q.waiting.Add(1)
	defer q.waiting.Add(-1)
	for nudged := false; ; nudged = true {
		item, shutdown = q.TypedRateLimitingInterface.Get()
		if shutdown || item != nobodys {
			if nudged && q.waiting.Load() > 1 && q.Len() > 0 {
				q.nudge()
			}
			return item, shutdown
		}
		q.Done(nobodys)
	}
}

// Done implements workqueue.TypedInterface.
func (q *Queue) Done(item reconcile.Request) {
	q.turns.done(item)
	q.TypedRateLimitingInterface.Done(item)
}
