package simulation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/controllers/lifecycle"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// replica is one pod slot of the operator's Deployment: a node's clock, an outbox, one process at a time.
type replica struct {
	world *world
	name  string
	box   *box
	pods  int
	lives int
	// skew is how wrong the node's wall clock is.
	skew time.Duration
	// cutOff is until when the API server cannot be reached from here.
	cutOff moment
	life   *life
}

// life is one process of a replica, from start to end.
type life struct {
	world   *world
	replica *replica
	name    string
	born    moment
	holder  rotation.Holder
	watch   *watch
	queue   *queue
	// controller is the product: what decides, acts and remembers in this process.
	controller *lifecycle.Controller
	runner     *runner.Runner
	// ctx is cancelled at SIGTERM and when the lease is lost.
	ctx    context.Context
	cancel context.CancelFunc

	tasks   []*task
	dead    bool
	stopped bool
	// deferred is what happens when a stopped process is resumed.
	deferred []func()

	leading  bool
	draining bool
	// ledSince is when it began to lead.
	ledSince moment
	// behind says that the wall clock was behind at any time of this life.
	behind bool
	// setBack says that the wall clock was set back during this life, and jumpedAt when it was last set at all.
	setBack  bool
	jumpedAt moment
	ids      int
	// reported is when this process first told of each resource how it stands, by the UID.
	reported map[string]moment
}

// leaseDuration is after what time another replica takes over.
const leaseDuration = 15 * time.Second

// grace is how long a process has to end its work after SIGTERM.
const grace = time.Minute

func (l *life) String() string { return l.name }

func (l *life) wall() time.Time { return epoch.Add(l.world.now + l.replica.skew) }

// start begins the next process of a replica.
func (r *replica) start() {
	w := r.world
	r.lives++
	l := &life{
		world: w, replica: r, name: fmt.Sprintf("%s.%d", r.name, r.lives), born: w.now, behind: r.skew < 0, reported: map[string]moment{},
	}
	l.holder = rotation.Holder{Outbox: r.box.id, Process: l.name}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.queue = newQueue(l)
	l.watch = newWatch(l)
	l.controller = l.newController()
	l.watch.tell()
	r.life = l
	w.lives = append(w.lives, l)
	w.tracef("START %s", l)
	w.corrupt(r.box)
	if w.cfg.Break != BreakReplaySkipped && w.cfg.Break != BreakReplayByLeader {
		l.controller.Replay(discard, slices.Clone(r.box.records))
	}
	if !w.cfg.LeaderElection {
		l.lead()
	} else {
		w.elect(nil)
	}
	l.after(w.between(10*time.Millisecond, 2*time.Second), l.reconcileAll)
}

// newController builds the product as main does, on the ports of this world.
func (l *life) newController() *lifecycle.Controller {
	options := runner.Options{
		Limit: cmp.Or(l.world.cfg.Places, maxExchanges), Go: l.spawn, Sleep: clock{l}.Sleep, PassPanic: isKill,
		OnDone: func(uid types.UID) {
			res, _ := l.world.ownerOf(string(uid))
			l.queue.add(res.namespace)
		},
	}
	l.runner = runner.New(options)
	return lifecycle.New(lifecycle.Options{
		Cache: l.watch, Apps: apps{l}, Versions: l.watch, API: store{l}, GitHub: exchanger{l}, Limiter: limiter{}, Outbox: outbox{l, l.replica.box},
		Clock: clock{l}, Reporter: reporter{l}, Memory: memory.NewStore(), Holder: l.holder, NewID: l.newID,
		Runner: l.runner, CheckRunner: runner.New(options), PassPanic: isKill, Random: l.random,
		Wake: func(name types.NamespacedName) { l.queue.add(name.Namespace) },
	})
}

// maxExchanges is how many exchanges one process makes at once: all that are due.
const maxExchanges = 100_000

// isKill reports whether a panic is the end of the simulated process.
func isKill(cause any) bool { return cause == any(errKilled) }

func (l *life) newID() string {
	l.ids++
	return l.name + "-" + strconv.Itoa(l.ids)
}

// after has something happen in a process: not if it has died, and later if it is stopped.
func (l *life) after(d time.Duration, fn func()) {
	l.world.after(d, func() { l.do(fn) })
}

func (l *life) do(fn func()) {
	switch {
	case l.dead:
	case l.stopped:
		l.deferred = append(l.deferred, func() { l.do(fn) })
	default:
		fn()
	}
}

// struck lets disaster befall a process just before one of its tasks goes on. It reports whether it did.
func (l *life) struck(t *task, wait uint64) bool {
	w := l.world
	if t.attempt == nil {
		return false
	}
	res := t.attempt.res
	switch {
	case w.strikesOn(res, Kill, 1200):
		l.end("kill -9")
		l.restart(w.between(time.Second, 5*time.Second))
	case w.strikesOn(res, PodDeleted, 8000):
		l.end("pod deleted")
		l.replica.newPod()
		l.restart(w.between(2*time.Second, 30*time.Second))
	case w.strikesOn(res, Stop, 1500):
		w.tracef("STOP %s", l)
		l.stopped = true
		l.deferred = append(l.deferred, func() { w.wake(t, wait) })
		w.elect(l)
		w.after(w.pause(), l.resume)
	case w.strikesOn(res, LeaseLost, 4000):
		l.drain("lost its lease")
		return false
	case w.strikesOn(res, Terminate, 3000):
		l.drain("SIGTERM")
		return false
	case w.strikesOn(res, ClockJump, 4000):
		l.jump()
		return false
	default:
		return false
	}
	return true
}

// pause is for how long a process is stopped. With leader election every second time another one leads by then.
func (w *world) pause() time.Duration {
	if w.cfg.LeaderElection && w.chance().IntN(2) == 0 {
		return w.between(leaseDuration, 2*time.Minute)
	}
	return w.mostly(20*time.Second, 3*time.Minute)
}

func (l *life) jump() {
	by := l.world.between(-8*time.Hour, 8*time.Hour)
	if by < 0 {
		l.setBack = true
	}
	l.jumpedAt = l.world.now
	l.replica.skew += by
	l.behind = l.behind || l.replica.skew < 0
	l.world.tracef("CLOCK of %s is off by %v", l, l.replica.skew)
}

// clockBegins lets the clock of a node be ahead when a token is sent, by up to three quarters of a lifetime: that is what
// can be mended. Later somebody sets it right, and every second time the process begins anew.
func (l *life) clockBegins(res *resource) {
	w := l.world
	if !w.strikesOn(res, ClockAhead, 60) {
		return
	}
	by := w.between(w.cfg.Lifetime/4, w.cfg.Lifetime*3/4)
	l.replica.skew += by
	w.tracef("CLOCK of %s is off by %v", l, l.replica.skew)
	restarts := w.chance().IntN(2) == 0
	w.after(w.mostly(time.Minute, w.cfg.Lifetime/4), func() {
		if w.calm {
			return
		}
		l.replica.skew -= by
		now := l.replica.life
		now.setBack = true
		w.tracef("CLOCK of %s is set right: off by %v", now, l.replica.skew)
		if restarts && !now.dead {
			now.end("node began anew")
			now.restart(w.between(time.Second, 5*time.Second))
		}
	})
}

func (l *life) resume() {
	if l.dead || !l.stopped {
		return
	}
	l.world.tracef("CONT %s", l)
	l.stopped = false
	deferred := l.deferred
	l.deferred = nil
	l.world.rng.Shuffle(len(deferred), func(i, j int) { deferred[i], deferred[j] = deferred[j], deferred[i] })
	for _, fn := range deferred {
		l.world.after(l.world.between(0, 20*time.Millisecond), fn)
	}
	if l.world.cfg.LeaderElection && l.world.leader != l && l.leading {
		l.after(l.world.between(0, 2*time.Second), func() { l.drain("lost its lease") })
	}
}

// end is kill -9: memory is gone, the outbox stays, requests on their way go on.
func (l *life) end(why string) {
	w := l.world
	if l.dead {
		return
	}
	w.tracef("DEAD %s: %s", l, why)
	l.dead = true
	if l.leading && l.behind {
		w.behindUntil = w.now
	}
	w.lives = slices.DeleteFunc(w.lives, func(other *life) bool { return other == l })
	l.cancel()
	tasks := slices.Clone(l.tasks)
	w.kill(l)
	for _, t := range tasks {
		if t.attempt != nil {
			w.judgeDeath(t.attempt)
		}
	}
	w.elect(l)
	if w.cfg.SettleWithin > 0 {
		w.expectSettled(l)
	}
}

// expectSettled looks after a while whether the intents that a dead process has left are gone. Whoever dies
// meanwhile begins the while anew.
func (w *world) expectSettled(l *life) {
	w.lastDeath = w.now
	for _, res := range w.all {
		o := w.secretOf(res)
		if o == nil || o.pair.Intent == nil || o.pair.Intent.Holder != l.holder {
			continue
		}
		left := o.pair.Intent.ID
		var look func()
		look = func() {
			if wait := w.lastDeath + w.cfg.SettleWithin - w.now; wait > 0 {
				w.after(wait, look)
			} else if o := w.secretOf(res); o != nil && o.pair.Intent != nil && o.pair.Intent.ID == left {
				w.violate("%s: intent %s is not settled %v after its holder died", res.namespace, left, w.cfg.SettleWithin)
			}
		}
		w.after(w.cfg.SettleWithin, look)
	}
}

func (r *replica) newPod() {
	r.world.destroy(r.box)
	r.pods++
	r.box = &box{id: fmt.Sprintf("%s-pod-%d", r.name, r.pods)}
}

func (l *life) restart(after time.Duration) {
	l.world.after(after, l.replica.start)
}

// drain is SIGTERM or a lost lease: nothing new begins, what is under way is waited for.
func (l *life) drain(why string) {
	if l.draining || l.dead {
		return
	}
	w := l.world
	w.tracef("DRAIN %s: %s", l, why)
	l.draining = true
	l.cancel()
	_ = l.runner.Drain(l.ctx) // Nothing new begins; what is under way is waited for below.
	w.interrupt(l)
	if w.leader == l {
		w.elect(l)
	}
	deadline := w.now + grace
	var poll func()
	poll = func() {
		if len(l.tasks) > 0 && w.now < deadline {
			l.after(500*time.Millisecond, poll)
			return
		}
		l.end("exit")
		l.restart(w.between(time.Second, 3*time.Second))
	}
	l.after(10*time.Millisecond, poll)
}

// elect gives the lease to a replica that can hold it, when the present leader is lost or there is none.
func (w *world) elect(lost *life) {
	if !w.cfg.LeaderElection || lost != nil && lost != w.leader {
		return
	}
	w.after(leaseDuration, func() {
		if w.leader != nil && w.leader.fit() {
			return
		}
		old := w.leader
		for _, l := range w.lives {
			if l.fit() && l != old {
				w.leader = l
				l.lead()
				w.tracef("LEADER %s", l)
				if w.cfg.Break == BreakReplayByLeader {
					l.controller.Replay(discard, slices.Clone(l.replica.box.records))
				}
				l.after(0, l.reconcileAll)
				if old != nil && !old.dead {
					old.after(w.between(0, 2*time.Second), func() { old.drain("lost its lease") })
				}
				return
			}
		}
		w.elect(nil)
	})
}

func (l *life) lead() { l.leading, l.ledSince = true, l.world.now }

func (l *life) fit() bool {
	return !l.dead && !l.stopped && !l.draining && l.world.now >= l.replica.cutOff
}

var errPanic = errors.New("a simulated panic")

// panics is a nil pointer somewhere in what an attempt calls.
func (w *world) panics() {
	if f := w.current.attempt; f != nil && w.strikes(Panic, 3000) {
		panic(errPanic)
	}
}
