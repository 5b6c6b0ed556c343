package ratelimit

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// crowd is resources of many Apps that come back when they are woken. Each is an App of its own, unless apps says
// otherwise.
type crowd struct {
	*Limiter
	requests map[string]Request
	apps     map[string]string
	used     map[string]time.Time
	wakes    chan string
	// again says that a resource asks anew once it has had its turn, by its namespace.
	again map[string]bool
	uses  map[string][]time.Time // by namespace
}

func newCrowd(options Options) *crowd {
	c := &crowd{
		requests: map[string]Request{}, apps: map[string]string{}, used: map[string]time.Time{}, wakes: make(chan string, 1<<16),
		again: map[string]bool{}, uses: map[string][]time.Time{},
	}
	options.Wake = func(id string) { c.wakes <- id }
	c.Limiter = New(options)
	return c
}

func (c *crowd) ask(app string, r Request) bool {
	c.requests[r.ID], c.apps[r.ID] = r, app
	ok, _ := c.Acquire(app, r)
	if ok {
		c.used[r.ID] = time.Now()
		c.uses[r.Namespace] = append(c.uses[r.Namespace], time.Now())
	}
	return ok
}

func (c *crowd) run(d time.Duration) {
	for end := time.After(d); ; {
		select {
		case id := <-c.wakes:
			r := c.requests[id]
			if c.ask(c.apps[id], r) && c.again[r.Namespace] {
				c.ask(c.apps[id], r)
			}
		case <-end:
			return
		}
	}
}

// flood makes up client IDs of a host, one for each of the resources of a namespace.
func (c *crowd) flood(host, namespace string, n int) {
	for i := range n {
		c.ask(fmt.Sprintf("%s/made-up-%d", host, i), request(namespace, i, time.Now()))
	}
}

func TestLimitClientIDsThatNeverSucceedShareOneLimitOfTheirHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(Options{PerHour: DefaultPerHour})
		c.flood("github.com", "hostile", 700)
		c.run(4 * time.Hour)
		if got := densestHour(c.used); got > DefaultUnprovenPerHour {
			t.Errorf("%d requests in an hour with made-up client IDs, want at most %d", got, DefaultUnprovenPerHour)
		}
		if got := len(c.used); got < 4*DefaultUnprovenPerHour/2 {
			t.Errorf("only %d requests in four hours", got)
		}
		if !c.ask("ghe.example/made-up", request("hostile", 1001, time.Now())) {
			t.Error("another host's limit is used up as well")
		}
	})
}

func TestLimitSuccessGivesAnAppALimitOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(Options{PerHour: DefaultPerHour})
		c.flood("github.com", "hostile", 100)
		for n := range 100 {
			c.ask(app, request("victim", n, time.Now()))
		}
		if _, gone := c.used["victim/0000"]; !gone {
			t.Fatal("the first request of an App waits, although another namespace has caused all before")
		}
		before := len(c.used)
		c.Succeeded(app)
		c.run(4 * time.Minute)
		if got := len(c.uses["victim"]); got != 100 {
			t.Errorf("%d of 100 requests of the App were made in four minutes after its success", got)
		}
		if got := len(c.used) - before; got > 105 {
			t.Errorf("%d requests were made, of which 99 are the App's", got)
		}
		if c.Waiting(app) != 0 || c.Waiting("github.com/made-up-99") != 1 {
			t.Errorf("%d of the App wait, and %d of the last one that was made up", c.Waiting(app), c.Waiting("github.com/made-up-99"))
		}
	})
}

// What an App has sent before its success counts.
func TestLimitOfAnAppHoldsInTheHourOfItsSuccess(t *testing.T) {
	for _, perHour := range []int{1, 4, 60, 100} {
		synctest.Test(t, func(t *testing.T) {
			c := newCrowd(Options{PerHour: perHour})
			for n := range 3 * perHour {
				c.ask(app, request("a", n, time.Now()))
			}
			c.run(20 * time.Minute)
			c.Succeeded(app)
			c.run(4 * time.Hour)
			if got := densestHour(c.used); got > perHour {
				t.Errorf("limit %d: %d in an hour", perHour, got)
			}
			if len(c.used) != 3*perHour {
				t.Errorf("limit %d: %d of %d were made", perHour, len(c.used), 3*perHour)
			}
		})
	}
}

func TestLimitPauseOfAnAppThatIsNotProvenHoldsNoOtherUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(Options{PerHour: DefaultPerHour})
		c.Pause("github.com/made-up", time.Now().Add(time.Hour))
		if c.ask("github.com/made-up", request("a", 0, time.Now())) {
			t.Error("it goes ahead during its pause")
		}
		if !c.ask(app, request("a", 1, time.Now())) {
			t.Error("another App of the host is held up")
		}
		c.run(59 * time.Minute)
		if len(c.used) != 1 {
			t.Error("it goes ahead during its pause")
		}
		c.run(2 * time.Minute)
		if len(c.used) != 2 {
			t.Error("it does not go ahead after its pause")
		}
		// A pause moves with the success.
		c.Pause("github.com/made-up", time.Now().Add(time.Hour))
		c.Succeeded("github.com/made-up")
		if c.ask("github.com/made-up", request("a", 2, time.Now())) {
			t.Error("the success has ended the pause")
		}
	})
}

func TestLimitTurnThatAPausedAppHeldGoesToTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(Options{PerHour: 4, Burst: 1})
		c.ask("github.com/a", request("x", 0, time.Now()))
		c.ask("github.com/b", request("x", 1, time.Now()))
		c.ask("github.com/c", request("x", 2, time.Now().Add(1)))
		time.Sleep(16 * time.Minute)
		if id := <-c.wakes; id != "x/0001" {
			t.Fatalf("%s is woken", id)
		}
		c.Pause("github.com/b", time.Now().Add(time.Hour))
		if id := <-c.wakes; id != "x/0002" {
			t.Errorf("%s is woken", id)
		}
	})
}

// Whoever floods a bucket, its own or that of a host, leaves something for the next namespace.
func TestLimitNamespaceThatComesHasATurnAtOnce(t *testing.T) {
	for name, proven := range map[string]bool{"a bucket of one App": true, "that of a host": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(Options{PerHour: DefaultPerHour})
				if proven {
					c.Succeeded(app)
				}
				c.again["hostile"] = true
				for n := range 500 {
					c.ask(app, request("hostile", n, time.Now()))
				}
				for n := range 5 {
					c.run(time.Duration(n*17) * time.Minute)
					if !c.ask(app, request(fmt.Sprint("victim-", n), n, time.Now().Add(time.Hour))) {
						t.Errorf("victim %d waits", n)
					}
				}
			})
		})
	}
}

// A person who logs in by the device flow to an App that nobody has used before is not made to wait by made-up
// client IDs, although polls yield to whoever has a token to lose.
func TestLimitPollsOfANewAppAreNotHeldUpByMadeUpClientIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(Options{PerHour: DefaultPerHour})
		c.again["hostile"] = true
		c.flood("github.com", "hostile", 500)
		for range 60 * 6 {
			r := request("person", 0, time.Time{})
			r.Yields = true
			c.ask(app, r)
			c.run(10 * time.Second)
		}
		if first := c.uses["person"][0]; !first.Equal(c.uses["hostile"][0]) {
			t.Errorf("the first poll waited")
		}
		for i, at := range c.uses["person"][1:] {
			if gap := at.Sub(c.uses["person"][i]); gap > 4*time.Minute {
				t.Errorf("a poll waited for %s", gap)
			}
		}
		if got := len(c.uses["person"]); got < 20 {
			t.Errorf("%d polls in an hour", got)
		}
	})
}

func TestLimitIdleAppHasToProveItselfAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{PerHour: DefaultPerHour})
		l.Succeeded(app)
		for range 3 {
			time.Sleep(forgetProven - time.Hour)
			l.Acquire(app, Request{ID: "x"})
		}
		l.prune(time.Now())
		for n := range 100 {
			l.Succeeded(fmt.Sprint("github.com/", n))
		}
		if l.proven[app] == nil {
			t.Error("an App that is in use is forgotten")
		}
		time.Sleep(forgetProven)
		for n := range 300 {
			l.Acquire(fmt.Sprintf("host-%d/x", n), Request{ID: fmt.Sprint(n)})
		}
		if len(l.proven) != 0 {
			t.Errorf("%d Apps are remembered after a day", len(l.proven))
		}
	})
}

func TestLimitWhatIsRememberedIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{PerHour: DefaultPerHour})
		for n := range maxProven + 100 {
			l.Succeeded(fmt.Sprint("github.com/", n))
		}
		if got := len(l.proven); got != maxProven {
			t.Errorf("%d Apps are proven, want %d", got, maxProven)
		}
		for n := range maxHosts + 100 {
			l.Acquire(fmt.Sprintf("host-%d.ghe.com/x", n), Request{ID: fmt.Sprint(n), Namespace: "hostile"})
		}
		if got := len(l.hosts); got > maxHosts+1 {
			t.Errorf("%d hosts are remembered, want %d", got, maxHosts)
		}
		for n := range maxWaiting {
			l.Acquire("github.com/made-up", Request{ID: fmt.Sprint("hostile-", n), Namespace: "hostile"})
		}
		if got := len(l.of); got > maxWaiting*3/4+maxHosts {
			t.Errorf("%d requests of one namespace wait, of %d in all", got, maxWaiting)
		}
		for n := range 100 {
			if l.Acquire("github.com/good", Request{ID: fmt.Sprint("victim-", n), Namespace: "victim"}); n == 99 && l.Waiting("github.com/good") < 90 {
				t.Errorf("only %d of another namespace are let in", l.Waiting("github.com/good"))
			}
		}
		for _, id := range slices.Collect(maps.Keys(l.of)) {
			l.Cancel(id)
		}
		time.Sleep(24 * time.Hour)
		l.pruned = 0
		l.Acquire("another/x", Request{ID: "x"})
		if len(l.of) != 0 || len(l.hosts) != 1 || len(l.proven) != 0 || len(l.active) > 1 {
			t.Errorf("%d requests, %d hosts and %d Apps are remembered after a day without any", len(l.of), len(l.hosts), len(l.proven))
		}
	})
}
