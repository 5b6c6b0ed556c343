package loginpage

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"
)

func TestLoginPageLimitsByAddress(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	ask := func(times int) (answered int) {
		for i := range times {
			v.header.Set("X-Forwarded-For", fmt.Sprintf("198.51.100.%d", i)) // Which is not believed.
			v.get(pathStopped + "used")
			if v.last.StatusCode != http.StatusTooManyRequests {
				answered++
			} else if v.last.Header.Get("Retry-After") == "" {
				t.Error("it does not say when to come again")
			}
		}
		return answered
	}
	if got := ask(100); got != 60 {
		t.Errorf("%d requests of one address are answered", got)
	}
	w.now = w.now.Add(2 * time.Second)
	if got := ask(100); got != 10 {
		t.Errorf("%d are answered after 2 s", got)
	}
	v.from = "[2001:db8::1]:1"
	if got := ask(100); got != 60 {
		t.Errorf("%d requests of another address are answered", got)
	}
	v.from = "[2001:db8::2]:1" // Of the same network.
	if got := ask(10); got != 0 {
		t.Errorf("%d requests of the same network are answered", got)
	}
	v.get(pathStyle)
	v.sees(http.StatusOK, "body")
}

// Who sits behind one proxy has one address, and who has many addresses is bounded as well.
func TestLoginPageLimitsInAllAndByLink(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	answered := 0
	for i := range 2000 {
		v.from = fmt.Sprintf("10.1.%d.%d:1", i/250, i%250)
		v.get(pathStopped + "used")
		if v.last.StatusCode != http.StatusTooManyRequests {
			answered++
		}
	}
	if answered != 600 {
		t.Errorf("%d requests are answered in all", answered)
	}

	w = newWorld(t)
	v = w.visitor()
	answered = 0
	for i := range 200 {
		v.from = fmt.Sprintf("10.1.0.%d:1", i)
		v.get(linkPath + "?ticket=" + ticketB)
		if v.last.StatusCode != http.StatusTooManyRequests {
			answered++
		}
	}
	if answered != 60 {
		t.Errorf("%d requests for one link are answered", answered)
	}
	v.get("/login/team-a/another?ticket=" + ticketB)
	v.stoppedWith(whyLink)
}

// Whoever has no link of a resource uses up nothing of what those who have one are answered.
func TestLoginPageStrangerKeepsNobodyFromTheirLogin(t *testing.T) {
	w := newWorld(t)
	stranger, v := w.visitor(), w.visitor()
	v.from = "198.51.100.7:1"
	press := func(step string, do func()) {
		t.Helper()
		for range 30 {
			w.now = w.now.Add(100 * time.Millisecond)
			stranger.get(linkPath + "?ticket=" + ticketB)
			stranger.get(linkPath)
		}
		if do(); v.last.StatusCode == http.StatusTooManyRequests {
			t.Errorf("%s: the person with the link is refused", step)
		}
	}
	press("open", v.open)
	press("begin", func() { v.press(linkPath) })
	press("go on", func() { v.get(pathGo) })
	press("wait", func() { v.get(pathWait) })
}

// Requests that are held are few: the others are answered at once, and ask again.
func TestLoginPageHoldsFewRequests(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	v.open()
	v.press(linkPath)
	pauses := 0
	w.onPause = func() { pauses++ }
	v.get(pathGo)
	v.led(pathWait)
	if pauses != 10 {
		t.Errorf("it has looked %d times", pauses)
	}
	for range maxHolding {
		w.page.holding <- struct{}{}
	}
	pauses = 0
	v.get(pathGo)
	v.led(pathWait)
	if pauses != 0 {
		t.Errorf("it waits beside %d others", maxHolding)
	}
	if len(w.page.holding) != maxHolding {
		t.Error("it has given back a place that it did not have")
	}
	for range maxHolding {
		<-w.page.holding
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	looks := 0
	if w.page.hold(ctx, func() bool { looks++; return false }) || len(w.page.holding) != 0 || looks != 1 {
		t.Error("it waits for somebody who has gone")
	}
}
