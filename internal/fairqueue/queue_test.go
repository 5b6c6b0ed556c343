package fairqueue

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func request(name string) reconcile.Request {
	namespace, name, _ := strings.Cut(name, "/")
	return reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}
}

// items are so many of one namespace.
func items(namespace string, count int) []reconcile.Request {
	var all []reconcile.Request
	for i := range count {
		all = append(all, request(fmt.Sprintf("%s/%d", namespace, i)))
	}
	return all
}

func newQueue(t *testing.T, workers int) *Queue {
	t.Helper()
	q := New(Options{Workers: workers, RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](time.Second, time.Minute)})
	t.Cleanup(q.ShutDown)
	return q
}

func add(q *Queue, priority int, items ...reconcile.Request) {
	q.AddWithOpts(priorityqueue.AddOpts{Priority: &priority}, items...)
}

// drain works on everything that is there, one after the other, and returns it in that order.
func drain(q *Queue) string {
	var order []string
	for q.Len() > 0 {
		item, _ := q.Get()
		q.Done(item)
		order = append(order, item.Namespace+"/"+item.Name)
	}
	return strings.Join(order, " ")
}

func TestQueueNamespacesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, 1)
		add(q, Ordinary, items("big", 4)...)
		add(q, Ordinary, items("small", 2)...)
		add(q, Ordinary, items("tiny", 1)...)
		if got, want := drain(q), "big/0 small/0 tiny/0 big/1 small/1 big/2 big/3"; got != want {
			t.Errorf("order %s, want %s", got, want)
		}
	})
}

func TestQueueTakesWhatIsUrgentFirstAndTheRestNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, 1)
		add(q, -100, items("start", 3)...)
		add(q, Ordinary, items("event", 3)...)
		add(q, Urgent, items("due", 20)...)
		got := strings.Fields(drain(q))
		want := strings.Fields("due/0 due/1 due/2 event/0 due/3 due/4 due/5 event/1 due/6 due/7 due/8 event/2 due/9 due/10 due/11 start/0 " +
			"due/12 due/13 due/14 due/15 due/16 due/17 due/18 due/19 start/1 start/2")
		if !slices.Equal(got, want) {
			t.Errorf("order %s, want %s", got, want)
		}
	})
}

// A turn at a limit is kept for seconds only. However much else is due, as after an outage, it is not lost by waiting here.
func TestQueueTakesWhatWasGrantedBeforeWhatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, 1)
		add(q, Urgent, items("due", 20)...)
		add(q, Granted, items("turn", 3)...)
		add(q, Granted, request("due/19")) // It waits already, and has its turn now.
		got := strings.Fields(drain(q))
		want := strings.Fields("turn/0 due/0 due/19 due/1 turn/1 due/2 turn/2 due/3 due/4 due/5 due/6 due/7 due/8 due/9 due/10 due/11 due/12 due/13 due/14 " +
			"due/15 due/16 due/17 due/18")
		if !slices.Equal(got, want) {
			t.Errorf("order %s, want %s", got, want)
		}
	})
}

// After an outage much is overdue. Whose token expires first asks for its turn first, in whatever order they are found.
func TestQueueTakesWhatWasDueFirstBeforeWhatWasDueLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, 1)
		now := time.Now()
		for i, overdue := range []int{30, 90, 0, 120, 60} {
			add(q, Due(now.Add(-time.Duration(overdue)*time.Minute)), request(fmt.Sprintf("a/%d", i)))
		}
		add(q, Urgent, request("a/event"))
		add(q, Due(now), request("b/0"))
		add(q, Due(now.Add(-3*time.Hour)), request("a/2")) // It waits already, and was due long ago.
		q.AddWithOpts(priorityqueue.AddOpts{After: time.Second, Priority: new(Due(now.Add(-time.Hour)))}, request("b/1"))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got, want := drain(q), "a/2 b/1 a/3 b/0 a/1 a/4 a/0 a/event"; got != want {
			t.Errorf("order %s, want %s", got, want)
		}
	})
}

// All that is due is urgent, and none of it goes before whose turn has come.
func TestQueueDueIsUrgent(t *testing.T) {
	for _, at := range []time.Time{{}, time.Unix(0, 0), time.Now(), time.Now().AddDate(10, 0, 0), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if got := Due(at); classOf(got) != urgent || got < Urgent {
			t.Errorf("what is due at %s has the priority %d", at, got)
		}
	}
	if now := time.Now(); Due(now) <= Due(now.Add(time.Minute)) {
		t.Error("what is due later does not come later")
	}
}

// A flood of events of one namespace leaves workers free for others.
func TestQueueLeavesWorkersToOtherNamespaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, 8)
		add(q, Urgent, items("flood", 100)...)
		working := 0
		for q.Len() > 0 {
			if item, _ := q.Get(); item.Namespace != "flood" {
				t.Fatalf("got %s", item)
			}
			working++
		}
		if working != 6 {
			t.Fatalf("%d of 8 workers work for one namespace, want 6", working)
		}
		got := make(chan reconcile.Request)
		go func() { item, _ := q.Get(); got <- item }()
		synctest.Wait() // It waits, although there are items.
		add(q, -100, request("victim/0"))
		if item := <-got; item.Namespace != "victim" {
			t.Errorf("got %s, want the other namespace's", item)
		}
		q.Done(request("flood/0"))
		q.Done(request("flood/1"))
		if item, _ := q.Get(); item.Name != "6" {
			t.Errorf("got %s, want the next of the flood", item)
		}
	})
}

func TestQueueRaisesThePriorityOfWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, 1)
		add(q, -100, items("a", 3)...)
		add(q, Ordinary, request("a/2"))
		add(q, Urgent, request("a/1"))
		add(q, -100, request("a/1")) // Is not lowered by that.
		if got, want := drain(q), "a/1 a/2 a/0"; got != want {
			t.Errorf("order %s, want %s", got, want)
		}
	})
}

func TestQueueKeepsThePriorityOfWhatIsToComeLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, 1)
		urgent := Urgent
		q.AddWithOpts(priorityqueue.AddOpts{After: time.Hour, Priority: &urgent}, request("a/due"))
		q.AddWithOpts(priorityqueue.AddOpts{RateLimited: true}, request("a/failed"))
		time.Sleep(time.Second)
		synctest.Wait()
		if got, want := drain(q), "a/failed"; got != want {
			t.Errorf("after a second %q are there, want %q", got, want)
		}
		q.Add(request("a/event"))
		q.Add(request("a/due")) // Is not due yet.
		if got, want := drain(q), "a/event a/due"; got != want {
			t.Errorf("before its time the order is %q, want %q", got, want)
		}
		q.turns.taken = 0 // Each fourth turn is another's.
		q.Add(request("a/event"))
		time.Sleep(time.Hour)
		synctest.Wait()
		if got, want := drain(q), "a/due a/event"; got != want {
			t.Errorf("after an hour the order is %q, want %q", got, want)
		}
		if len(q.turns.later)+len(q.turns.wanted) > 0 {
			t.Error("priorities are remembered of what is gone")
		}
	})
}

// What waits its turn already when its time comes goes first from then on.
func TestQueueRaisesWhatBecomesDueWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, 1)
		urgent := Urgent
		add(q, -100, items("a", 3)...)
		q.AddWithOpts(priorityqueue.AddOpts{After: time.Minute, Priority: &urgent}, request("a/2"))
		time.Sleep(30 * time.Second)
		synctest.Wait()
		add(q, -100, request("a/1")) // It is not due.
		if got, _ := q.Get(); got.Name != "0" {
			t.Errorf("before its time %s comes first", got)
		}
		q.Done(request("a/0"))
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if got, want := drain(q), "a/2 a/1"; got != want {
			t.Errorf("order %s, want %s", got, want)
		}
		if len(q.turns.later) > 0 {
			t.Error("an appointment is remembered that is over")
		}
	})
}

// What is added while it is worked on is worked on once more, with the highest priority it was added with.
func TestQueueWorksAgainOnWhatIsAddedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, 2)
		add(q, Ordinary, request("a/0"))
		item, _ := q.Get()
		add(q, Ordinary, request("a/1"))
		add(q, Urgent, request("a/0"))
		add(q, -100, request("a/0"))
		q.Done(item)
		if got, want := drain(q), "a/0 a/1"; got != want {
			t.Errorf("order %s, want %s", got, want)
		}
	})
}

// Nothing is lost, nothing comes twice, and whoever is alone waits no longer than a round of the namespaces.
func TestQueueLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const workers = 3
		turns := newTurns(workers, time.Now, func() {})
		stored, running := map[reconcile.Request]bool{}, map[reconcile.Request]bool{}
		item := rapid.Custom(func(t *rapid.T) reconcile.Request {
			return request(fmt.Sprintf("%d/%d", rapid.IntRange(0, 3).Draw(t, "namespace"), rapid.IntRange(0, 4).Draw(t, "name")))
		})
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				i := item.Draw(t, "item")
				turns.want(i, rapid.IntRange(-1, 1).Draw(t, "priority"))
				if !stored[i] && !running[i] {
					turns.Push(i)
					stored[i] = true
				}
			},
			"take": func(t *rapid.T) {
				if turns.Len() == 0 {
					if len(stored) > 0 && len(running) == 0 {
						t.Fatal("nothing may be taken, though nobody works")
					}
					return
				}
				i := turns.Pop()
				if !stored[i] {
					t.Fatalf("%s was taken and is not there", i)
				}
				delete(stored, i)
				running[i] = true
				if len(running) > workers {
					t.Fatalf("%d are worked on", len(running))
				}
			},
			"done": func(t *rapid.T) {
				i := item.Draw(t, "item")
				if !running[i] {
					return
				}
				delete(running, i)
				turns.done(i)
			},
			"": func(t *rapid.T) {
				if len(turns.priority) != len(stored) || len(turns.running) != len(running) {
					t.Fatalf("%d and %d, want %d and %d", len(turns.priority), len(turns.running), len(stored), len(running))
				}
			},
		})
	})
}

// What a start brings leaves workers to the rest, as many as it is told to, and all of it may rest.
func TestQueueLimitsWhatIsOfLowPriority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, 8)
		got := make(chan reconcile.Request)
		for range 8 { // Of each worker what it takes is seen, and no more.
			go func() {
				for item, shutdown := q.Get(); !shutdown; item, shutdown = q.Get() {
					got <- item
				}
			}()
		}
		taken := func() (items []string) {
			for synctest.Wait(); ; synctest.Wait() {
				select {
				case item := <-got:
					items = append(items, item.Namespace+"/"+item.Name)
				default:
					slices.Sort(items)
					return items
				}
			}
		}
		q.LimitLow(2)
		add(q, -100, append(items("a", 3), items("b", 3)...)...)
		working := taken()
		if len(working) != 2 {
			t.Fatalf("%v are worked on at once, want 2", working)
		}
		add(q, Urgent, request("c/due"))
		add(q, Ordinary, request("c/event"))
		if more := taken(); !slices.Equal(more, []string{"c/due", "c/event"}) {
			t.Fatalf("got %v", more)
		}
		q.LimitLow(3) // A worker that waits is woken.
		more := taken()
		if len(more) != 1 {
			t.Fatalf("got %v, want one more", more)
		}
		q.LimitLow(0)
		for _, item := range append(working, more...) {
			q.Done(request(item))
		}
		if more := taken(); len(more) != 0 {
			t.Fatalf("it rests, and got %v", more)
		}
		add(q, Urgent, request("b/2")) // It waits already, and becomes due.
		if more := taken(); !slices.Equal(more, []string{"b/2"}) {
			t.Fatalf("got %v", more)
		}
		q.LimitLow(1)
		if more := taken(); len(more) != 1 {
			t.Fatalf("got %v, want one", more)
		}
	})
}

// What has failed is tried again as what it was: a start is no less of one for it.
func TestQueueKeepsLowWhatHasFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, 1)
		fail := func(priority int, item reconcile.Request) {
			add(q, priority, item)
			taken, _ := q.Get()
			q.AddWithOpts(priorityqueue.AddOpts{RateLimited: true}, taken)
			q.Done(taken)
		}
		fail(-100, request("a/start"))
		fail(Urgent, request("b/due"))
		time.Sleep(time.Millisecond)
		due := Urgent
		q.AddWithOpts(priorityqueue.AddOpts{After: time.Minute, Priority: &due}, request("c/later"))
		fail(-100, request("c/later"))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		q.turns.taken = 0
		add(q, Ordinary, request("d/event"))
		if got, want := drain(q), "b/due c/later d/event a/start"; got != want {
			t.Errorf("order %s, want %s", got, want)
		}
		if len(q.turns.later) > 1 {
			t.Error("appointments are remembered of what is over")
		}
	})
}

// However many items become due at once, each has a worker: of the workers that wait as many are woken as there is work for.
func TestQueueWakesAWorkerForEachThatBecomesDueAtOnce(t *testing.T) {
	due := append(items("a", 2), items("b", 2)...)
	for name, raise := range map[string]func(*Queue){
		"now": func(q *Queue) { add(q, Urgent, due...) },
		"one by one": func(q *Queue) {
			for _, item := range due {
				add(q, Ordinary, item)
			}
		},
		"at a time": func(q *Queue) {
			q.AddWithOpts(priorityqueue.AddOpts{After: time.Minute, Priority: new(Urgent)}, due...)
		},
		"as the limit is raised": func(q *Queue) { q.LimitLow(4) },
	} {
		t.Run(name, func(t *testing.T) {
			for range 100 { // Who is woken first is chance.
				synctest.Test(t, func(t *testing.T) {
					q := newQueue(t, 8)
					q.LimitLow(0)
					var working atomic.Int32
					for range 8 {
						go func() {
							if _, shutdown := q.Get(); !shutdown { // It works for ever.
								working.Add(1)
							}
						}()
					}
					synctest.Wait()
					add(q, Low, due...)
					synctest.Wait()
					if n := working.Load(); n != 0 {
						t.Fatalf("%d are worked on that rest", n)
					}
					raise(q)
					time.Sleep(time.Hour)
					synctest.Wait()
					if n := working.Load(); n != 4 {
						t.Fatalf("an hour later %d of 4 are worked on", n)
					}
				})
			}
		})
	}
}
