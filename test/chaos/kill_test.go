package chaos

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/chaos/probe"
)

func TestChaosKilledContainerLosesNothingThatItKept(t *testing.T) {
	t.Parallel()
	killedAtEveryStep(t, false)
}

func TestChaosKilledPodLosesNothingThatItCommitted(t *testing.T) {
	t.Parallel()
	killedAtEveryStep(t, true)
}

// step is one moment of the protocol at which a resource stands when the operator is killed.
type step struct {
	*subject
	first bool // of a first exchange
	lost  bool
	// arm sees to it that the resource will stand there, and returns what waits until it does.
	arm func(*subject) (wait func())
}

// killedAtEveryStep brings one resource to each step of a first and of a later exchange, kills the operator while
// they stand there, and starts another process in the same pod or in a new one. A new pod has an empty outbox.
func killedAtEveryStep(t *testing.T, newPod bool) {
	w := newWorld(t, worldOptions{})
	r := w.replica().probed()
	onAPI := func(match func(*subject) func(*apiCall) bool, hold func(func(*apiCall) bool) *apiFault) func(*subject) func() {
		return func(s *subject) func() {
			held := r.proxy.inject(hold(match(s)))
			return func() { w.arrived(s.name, held.arrived) }
		}
	}
	before, after := holdRequest, holdReply
	atGitHub := func(fault githubtest.Fault) func(*subject) func() {
		return func(s *subject) func() {
			pair, _ := w.gh.Last(s.logins[0])
			injected := w.gh.Inject(fault.ForRefreshToken(pair.RefreshToken))
			return func() { w.arrived(s.name, injected.Arrived()) }
		}
	}
	inside := func(place string) func(*subject) func() {
		return func(s *subject) func() {
			r.order(place+"-"+s.name, probe.Block)
			return func() { r.awaitOrder(place + "-" + s.name) }
		}
	}
	done := func(s *subject) func() {
		token := s.holds()
		return func() { s.awaitExchanged(token); s.awaitReady() }
	}

	var steps []step
	for _, first := range []bool{true, false} {
		fence, prefix := (*subject).fence, "refresh-"
		if first {
			fence, prefix = (*subject).firstFence, "import-"
		}
		// presented is how often the token must have been presented in the end. A record in the outbox of a pod
		// that is gone is lost with it, and the token is tried once more.
		add := func(name string, presented int, lost bool, arm func(*subject) func()) {
			s := w.prepare(prefix+name, w.namespaces[0], clientID)
			s.due = presented
			if !first {
				s.due++ // its import
			}
			steps = append(steps, step{subject: s, first: first, lost: lost, arm: arm})
		}
		again := 0
		if newPod {
			again = 1
		}
		add("before-fence", 1, false, onAPI(fence, before))
		add("after-fence", 1, false, onAPI(fence, after))
		add("mid-send", 2, false, atGitHub(githubtest.Hold()))
		add("reply-on-its-way", 2, true, atGitHub(githubtest.Hold().AfterCommit()))
		add("reply-received", 2, true, inside("received"))
		add("kept", 1+again, newPod, inside("kept"))
		add("before-commit", 1+again, newPod, onAPI((*subject).commit, before))
		add("after-commit", 1, false, onAPI((*subject).commit, after))
		if !first {
			add("before-status", 1, false, onAPI((*subject).status, before))
			add("done", 1, false, done)
		}
	}
	idle, written := w.prepare("idle", w.namespaces[0], clientID), w.prepare("written", w.namespaces[0], clientID)
	peaceful, imports, refreshes := []*subject{idle, written}, []*subject{}, []*subject{}
	for _, s := range steps {
		if s.first {
			imports = append(imports, s.subject)
		} else {
			refreshes = append(refreshes, s.subject)
		}
	}
	peaceful = append(peaceful, refreshes...)

	r.start()
	w.each(peaceful, (*subject).apply)
	for _, s := range peaceful {
		s.awaitReady()
	}
	var waits []func()
	for _, s := range steps {
		waits = append(waits, s.arm(s.subject))
	}
	w.each(imports, (*subject).apply)
	w.each(refreshes, (*subject).annotate)
	for _, wait := range waits {
		wait()
	}
	// Who stands between the outbox's write and its rename keeps all others out, so he comes last.
	r.order("written-"+written.name, probe.Block)
	written.due += 2
	w.must(written.annotate())
	r.awaitOrder("written-" + written.name)
	written.lost = true
	for _, s := range steps {
		s.subject.lost = s.lost
	}

	at := r.kill()
	r.proxy.clear()
	// What GitHub holds ends when it notices that the client has gone. To release it would be a race with that.
	if newPod {
		r.freshOutbox()
	}
	r.start()
	w.settle(at)
	w.judge()
}

func TestChaosKilledOperatorSettlesWithinAMinuteUnderLoad(t *testing.T) {
	t.Parallel()
	subjects, kills := 30, 4
	if long {
		subjects, kills = 60, 60
	}
	w := newWorld(t, worldOptions{app: githubtest.App{AccessTokenLifetime: loadLifetime}})
	r := w.replica()
	w.load(subjects)
	r.start()
	w.random = &history{}
	var at time.Time
	for i := range kills {
		// Not before the first exchanges after the start, and then at any moment.
		w.awaitExchanges(subjects/2 + rand.IntN(subjects))
		at = r.kill()
		newPod := i%4 == 3
		k := killed{at: at, kept: map[string]bool{}}
		if newPod {
			r.freshOutbox()
		} else {
			for _, record := range r.kept() {
				if found, err := record.Reply.Tokens(); err == nil {
					k.kept[githubtest.Fingerprint(found.AccessToken.Reveal())] = true
				}
			}
		}
		w.random.kills = append(w.random.kills, k)
		r.start()
	}
	w.calm(kills)
	w.settle(at)
	w.judge()
}
