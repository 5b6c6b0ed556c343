package chaos

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/chaos/probe"
)

// shuttingDown is what controller-runtime says when the manager has ended and main is about to.
const shuttingDown = "Wait completed, proceeding to shutdown the manager"

// elected is a pod that takes part in leader election, with a lease that is shorter than usual.
func (w *world) elected() *replica {
	w.t.Helper()
	return w.replica("--leader-elect", "--leader-election-namespace="+w.system,
		"--leader-elect-lease-duration=8s", "--leader-elect-renew-deadline=5s", "--leader-elect-retry-period=1s")
}

func TestChaosStoppedLeaderDoesNotPresentWhatAnotherHasSpent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	stopped, other := w.elected().probed(), w.elected()
	stopped.start()
	fencing, sending, idle := w.subject("fencing"), w.subject("sending"), w.subject("idle")
	for _, s := range w.subjects {
		s.awaitReady()
	}
	other.start()

	// The leader is stopped while the reply to one fence is on its way to it, and at the very instruction
	// before another exchange goes to the socket.
	held := stopped.proxy.inject(holdReply(fencing.fence()))
	fencing.request()
	w.arrived("the fence", held.arrived)
	before := map[*subject]string{fencing: fencing.holds(), sending: sending.holds()}
	stopped.order("send", probe.Stop)
	sending.request()
	stopped.awaitOrder("send")
	w.eventually("the leader to stand still", func() (bool, string) { return stopped.standsStill(), "it runs" })

	// The other becomes leader, waits until nobody can be at work any more, and makes both exchanges.
	for s, token := range before {
		s.awaitExchanged(token)
		s.awaitReady()
	}
	held.release()
	stopped.signal(syscall.SIGCONT)
	if code := stopped.exitCode(); code != 1 {
		t.Errorf("a leader that has lost its lease ends with %d, want 1", code)
	}
	if !strings.Contains(stopped.logs(), "leader election lost") {
		t.Errorf("it does not say why it ended:\n%s", stopped.tail())
	}
	// Back again it is the second, and has nothing to do.
	stopped.start()
	idle.request()
	w.judge()
}

// standsStill reports whether the process is stopped by a signal.
func (r *replica) standsStill() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.life.cmd.Process.Pid))
	r.w.must(err)
	_, state, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(state, "T")
}

func TestChaosLostLeaseLosesNoPair(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	leader, other := w.elected(), w.elected()
	leader.start()
	sending, replying, committing, idle := w.subject("sending"), w.subject("replying"), w.subject("committing"), w.subject("idle")
	for _, s := range w.subjects {
		s.awaitReady()
	}
	other.start()
	atGitHub := w.gh.Inject(githubtest.Hold().ForRefreshToken(sending.holds()))
	onItsWay := w.gh.Inject(githubtest.Hold().AfterCommit().ForRefreshToken(replying.holds()))
	held := leader.proxy.inject(holdRequest(committing.commit()))
	for _, s := range []*subject{sending, replying, committing} {
		s.request()
	}
	w.arrived("the exchange at GitHub", atGitHub.Arrived())
	w.arrived("GitHub's reply", onItsWay.Arrived())
	w.arrived("the commit", held.arrived)

	refused := leader.proxy.inject(&apiFault{kind: "lease refused", on: leases, times: -1, refuse: true})
	leader.awaitLog(shuttingDown)
	if leader.over() {
		t.Fatal("the operator has ended with exchanges under way")
	}
	atGitHub.Release()
	onItsWay.Release()
	held.release()
	if code := leader.exitCode(); code != 1 {
		t.Errorf("it ended with %d, want 1", code)
	}
	// All three were committed by the one that has lost its lease, before it ended.
	for _, s := range []*subject{sending, replying, committing} {
		if newest, _ := w.gh.Last(s.logins[0]); s.holds() != newest.RefreshToken {
			t.Errorf("%s: the newest pair is not stored", s.name)
		}
	}
	leader.proxy.remove(refused)
	idle.request()
	w.judge()
}

func TestChaosTerminatedOperatorWaitsForItsExchanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	r := w.replica()
	r.start()
	fencing, sending, replying, committing := w.subject("fencing"), w.subject("sending"), w.subject("replying"), w.subject("committing")
	for _, s := range w.subjects {
		s.awaitReady()
	}
	fence := r.proxy.inject(holdReply(fencing.fence()))
	atGitHub := w.gh.Inject(githubtest.Hold().ForRefreshToken(sending.holds()))
	onItsWay := w.gh.Inject(githubtest.Hold().AfterCommit().ForRefreshToken(replying.holds()))
	commit := r.proxy.inject(holdRequest(committing.commit()))
	for _, s := range w.subjects {
		s.request()
	}
	w.arrived("the fence", fence.arrived)
	w.arrived("the exchange at GitHub", atGitHub.Arrived())
	w.arrived("GitHub's reply", onItsWay.Arrived())
	w.arrived("the commit", commit.arrived)

	r.signal(syscall.SIGTERM)
	r.awaitLog(shuttingDown)
	if r.over() {
		t.Fatal("the operator has ended with exchanges under way")
	}
	fence.release()
	atGitHub.Release()
	onItsWay.Release()
	commit.release()
	if code := r.exitCode(); code != 0 {
		t.Errorf("it ended with %d, want 0:\n%s", code, r.tail())
	}
	for _, s := range w.subjects {
		if newest, _ := w.gh.Last(s.logins[0]); s.holds() != newest.RefreshToken {
			t.Errorf("%s: the newest pair is not stored", s.name)
		}
	}
	if len(r.kept()) != 0 {
		t.Error("a record is left in the outbox")
	}
	r.start()
	w.judge()
}

// TestChaosStaleCachesBurnNothing has two active managers of which one sees nothing, or not all, of what the other does.
func TestChaosStaleCachesBurnNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	knowing, blind := w.replica(), w.replica()
	knowing.start()
	late, missed := w.subject("late"), w.subject("missed")
	for _, s := range w.subjects {
		s.awaitReady()
	}
	blind.start()
	blind.awaitLog(working)

	// The blind one learns of the Secrets too late: it means to exchange what the other is exchanging.
	secrets := blind.proxy.inject(&apiFault{kind: "watch held back", on: secretsWatch, holdReply: true, times: -1, onEvent: func([]byte) bool { return true }})
	resources := blind.proxy.inject(&apiFault{kind: "watch held back", on: resourcesWatch, holdReply: true, times: -1, onEvent: func([]byte) bool { return true }})
	reply := w.gh.Inject(githubtest.Hold().AfterCommit().ForRefreshToken(late.holds()))
	late.request()
	w.arrived("the exchange", reply.Arrived())
	refusals := make(chan int, 100)
	blind.proxy.inject(&apiFault{on: late.fence(), seen: func(status int) { refusals <- status }, times: -1})
	blind.proxy.remove(resources)
	select {
	case status := <-refusals:
		if status != 409 {
			t.Errorf("the fence of a manager that knows nothing got %d, want a conflict", status)
		}
	case <-time.After(w.patience):
		t.Fatal("the blind manager did not try")
	}
	reply.Release()
	w.eventually("the pair to be stored", func() (bool, string) {
		newest, _ := w.gh.Last(late.logins[0])
		return late.holds() == newest.RefreshToken, "not yet"
	})
	blind.proxy.remove(secrets)
	late.awaitReady()

	// The blind one never learns of a commit: the event is lost. Left alone it must find out by itself.
	dropped := blind.proxy.inject(&apiFault{kind: "watch event dropped", on: secretsWatch, times: -1, onEvent: func(frame []byte) bool { return !missed.event(frame) }})
	resources = blind.proxy.inject(&apiFault{kind: "watch held back", on: resourcesWatch, holdReply: true, times: -1, onEvent: func([]byte) bool { return true }})
	missed.rotate()
	w.arrived("the dropped event", dropped.arrived)
	knowing.kill()
	blind.proxy.remove(dropped)
	blind.proxy.remove(resources)
	missed.rotate()
	w.judge()
}
