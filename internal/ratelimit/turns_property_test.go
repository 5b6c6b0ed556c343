package ratelimit

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"
	"pgregory.net/rapid"
)

// Whatever is asked for, cancelled, paused, given back, asked for elsewhere or never fetched: each request that went ahead is charged
// once, and nothing else is; there is a turn in the bucket for each that is held; and nobody waits while there is one that is free.
func TestLimitTurnsAreChargedOnceAndNoneLiesFree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		perHour := rapid.IntRange(2, 60).Draw(rt, "per hour")
		unproven := rapid.IntRange(1, 60).Draw(rt, "unproven per hour")
		polls := rapid.IntRange(1, 60).Draw(rt, "polls per hour")
		burst := rapid.IntRange(1, 4).Draw(rt, "burst")
		hold := rapid.IntRange(100, 2000).Draw(rt, "hold")
		steps := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) step {
			return step{
				kind:      rapid.IntRange(0, 11).Draw(rt, "kind"),
				namespace: rapid.IntRange(0, 2).Draw(rt, "namespace"),
				id:        rapid.IntRange(0, 7).Draw(rt, "id"),
				wait:      rapid.IntRange(0, 600).Draw(rt, "wait"),
			}
		}), 20, 120).Draw(rt, "steps")
		var problem string
		synctest.Test(t, func(*testing.T) {
			l := newLedger(Options{PerHour: perHour, UnprovenPerHour: unproven, PollsPerHour: polls, Burst: burst, Hold: time.Duration(hold) * time.Second})
			problem = l.play(steps)
		})
		if problem != "" {
			rt.Fatal(problem)
		}
	})
}

// ledger is a limiter with what has been charged to it, as it should be.
type ledger struct {
	limiter *Limiter
	// shared and polls are the budgets of the host, and apps those of its Apps.
	shared, polls *rate.Limiter
	apps          map[string]*rate.Limiter
	proven        map[string]bool
	wants         map[string]Request
	of            map[string]string // the App for which an ID was last asked
	wakes         chan string
	deaf          bool
	problem       string
}

const host = "github.com"

func newLedger(options Options) *ledger {
	l := &ledger{apps: map[string]*rate.Limiter{}, proven: map[string]bool{}, wants: map[string]Request{}, of: map[string]string{}, wakes: make(chan string, 1<<14)}
	options.Wake = func(id string) { l.wakes <- id }
	l.limiter = New(options)
	made := newShared(l.limiter.options)
	l.shared = made.budget
	if made.polls != nil {
		l.polls = made.polls.budget
	}
	for n := range 3 {
		l.apps[appOf(n)] = newBudget(l.limiter.options, options.PerHour)
	}
	return l
}

func appOf(n int) string { return fmt.Sprint(host, "/", n%3) }

func (l *ledger) fail(format string, args ...any) {
	if l.problem == "" {
		l.problem = fmt.Sprintf(format, args...)
	}
}

func (l *ledger) ask(app string, r Request) {
	l.wants[r.ID], l.of[r.ID] = r, app
	if ok, _ := l.limiter.Acquire(app, r); !ok {
		return
	}
	delete(l.wants, r.ID)
	now := time.Now()
	l.apps[app].ReserveN(now, 1)
	switch {
	case l.proven[app]:
	case r.Poll && l.polls != nil:
		l.polls.AllowN(now, 1)
	default:
		l.shared.AllowN(now, 1)
	}
}

// giveBack gives back a turn that was used, as Return does: to whichever budget the App has now.
func (l *ledger) giveBack(app, namespace string) {
	budget, now := l.shared, time.Now()
	if l.proven[app] {
		budget = l.apps[app]
	}
	if l.limiter.find(app) != nil && budget.TokensAt(now) < float64(budget.Burst()) {
		budget.AllowN(now, -1)
	}
	l.limiter.Return(app, namespace)
}

func (l *ledger) run(d time.Duration) {
	for end := time.After(d); ; {
		select {
		case id := <-l.wakes:
			if r, ok := l.wants[id]; ok && !l.deaf {
				l.ask(l.of[id], r)
			}
			if l.check("after a wake-up"); l.problem != "" {
				return
			}
		case <-end:
			return
		}
	}
}

func (l *ledger) play(steps []step) string {
	for n, s := range steps {
		app, named := appOf(s.id), fmt.Sprintf("step %d, %+v", n, s)
		r := Request{ID: fmt.Sprint(s.id), Namespace: fmt.Sprint(s.namespace), Expiry: time.Now().Add(time.Duration(s.wait) * time.Minute), Yields: s.wait%3 == 0, Poll: s.wait%4 == 0}
		switch s.kind {
		case 0:
			l.limiter.Cancel(r.ID)
			delete(l.wants, r.ID)
		case 1:
			l.limiter.Pause(app, time.Now().Add(time.Duration(s.wait)*time.Second))
		case 2:
			l.limiter.Succeeded(app)
			l.proven[app] = true
		case 3, 4:
			l.run(time.Duration(s.wait) * time.Second)
		case 5: // It asks for another App.
			l.ask(appOf(s.wait), r)
		case 6: // Who is woken does not come, so that turns are held until they lapse.
			l.deaf = !l.deaf
		case 7:
			l.giveBack(app, r.Namespace)
		default:
			l.ask(app, r)
		}
		if l.check(named); l.problem != "" {
			return l.problem
		}
	}
	return ""
}

// check compares the limiter with the ledger.
func (l *ledger) check(when string) {
	synctest.Wait() // What is due now is done.
	now, of := time.Now(), l.limiter
	of.mu.Lock()
	defer of.mu.Unlock()
	same := func(what string, q *queue, want *rate.Limiter) {
		if got, want := q.budget.TokensAt(now), want.TokensAt(now); math.Abs(got-want) > 1e-6 {
			l.fail("%s: in the bucket of %s there are %g turns, want %g", when, what, got, want)
		}
	}
	var queues []*queue
	if shared := of.hosts[host]; shared != nil {
		queues = shared.all()
		same("the host", shared, l.shared)
		if shared.polls != nil {
			same("the polls", shared.polls, l.polls)
		}
	}
	for app, own := range of.proven {
		queues = append(queues, own)
		same(app, own, l.apps[app])
	}
	known := 0
	for _, q := range queues {
		known += len(q.waiting) + len(q.held)
		if held, tokens := float64(len(q.held)), q.budget.TokensAt(now); held > max(0, tokens)+1e-6 {
			l.fail("%s: %g turns are held, and %g are there", when, held, tokens)
		}
		for id := range q.waiting {
			if of.of[id] != q || q.holds(id) {
				l.fail("%s: %s waits where the limiter does not know of it", when, id)
			}
		}
		for id := range q.held {
			if of.of[id] != q {
				l.fail("%s: a turn is held for %s, of which the limiter does not know", when, id)
			}
		}
		if e := q.take(now); e != nil { // It is taken out for good: nothing is played after this.
			l.fail("%s: %s of namespace %s waits, and there is a turn that is free", when, e.ID, e.Namespace)
		}
	}
	if known != len(of.of) {
		l.fail("%s: %d wait or hold a turn, and %d are known", when, known, len(of.of))
	}
}

// A login goes on by polls once it has its code: the turn that it held among the requests is for the next there, and not lost until it lapses.
func TestLimitTurnOfWhoAsksElsewhereIsForTheNextAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var woken []string
		l := New(Options{PerHour: DefaultPerHour, UnprovenPerHour: 60, Burst: 1, Wake: func(id string) { woken = append(woken, id) }})
		first, second := request("a", 1, time.Time{}), request("b", 2, time.Time{})
		l.Acquire(app, request("c", 0, time.Time{}))
		for _, r := range []Request{first, second} {
			if ok, _ := l.Acquire(app, r); ok {
				t.Fatal("there is more than one turn")
			}
		}
		time.Sleep(time.Minute + 5*time.Second)
		synctest.Wait()
		if len(woken) != 1 || woken[0] != first.ID {
			t.Fatalf("woken are %v, want the first", woken)
		}
		first.Poll = true
		if ok, _ := l.Acquire(app, first); !ok {
			t.Error("a poll has no turn among the polls")
		}
		if len(woken) != 2 || woken[1] != second.ID {
			t.Errorf("woken are %v, want the second at once", woken)
		}
		if ok, _ := l.Acquire(app, second); !ok {
			t.Error("the second has no turn")
		}
	})
}
