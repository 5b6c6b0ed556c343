package simulation

import (
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Config says what happens in a run, down to the last detail.
type Config struct {
	// Seed chooses everything that is left to chance.
	Seed uint64
	// Resources and Replicas say how many of each there are.
	Resources, Replicas int
	// LeaderElection lets one replica work at a time; without it all do.
	LeaderElection bool
	// Lifetime is that of access tokens.
	Lifetime time.Duration
	// Rotations is after how many exchanges the faults stop and everything must settle.
	Rotations int
	// Faults are the kinds of faults that happen, and Rarity how much rarer than usual; 0 is 1.
	Faults Faults
	Rarity int
	// Frequent makes faults that many times more frequent; 0 is 1.
	Frequent int
	// Places is how many exchanges one process makes at once; 0 is all that are due.
	Places int
	// Plain resources get their logins by seeds, and ask GitHub for nothing but exchanges.
	Plain bool
	// FullQuota has the quota of each namespace take no Secret of a login beside a chain, as long as faults happen.
	FullQuota bool
	// SettleWithin, if not 0, is how long after the death of a process its intents may last.
	SettleWithin time.Duration
	// Only, if not nil, names the only faults that happen.
	Only map[string]bool
	// Break is a rule of the protocol that is broken on purpose.
	Break Break
	// Trace, if not nil, is told everything that happens.
	Trace io.Writer `json:"-"`
}

// ConfigFor is the run that belongs to a seed. The seeds cover small worlds and large ones, one replica to
// three, with leader election and without, short lifetimes and long ones, many faults and few.
func ConfigFor(seed uint64) Config {
	lifetimes := []time.Duration{time.Hour, time.Hour, 10 * time.Minute, time.Hour, 8 * time.Hour}
	cfg := Config{
		Seed: seed, Resources: 1 + int(seed%40), Replicas: 1 + int(seed%3), LeaderElection: seed%2 == 0,
		Lifetime: lifetimes[seed%5], Rotations: 300, Faults: faultsOf(seed), Rarity: 1 + int(seed%4),
	}
	if cfg.Replicas > 1 && !cfg.Faults.both(mutatingFaults).isEmpty() {
		cfg.LeaderElection = true
	}
	if cfg.Replicas > 1 && !cfg.LeaderElection {
		cfg.Faults = cfg.Faults.except(needLeader)
	}
	return cfg
}

// Report is what came of a run.
type Report struct {
	// Violation is the first invariant that was broken, and ViolatedAt when; empty when none was.
	Violation  string
	ViolatedAt time.Duration
	// Rotations counts the exchanges at GitHub that succeeded, Exchanges all that were sent.
	Rotations, Exchanges int
	// UnderWay counts the exchanges that have had no answer when the run ended.
	UnderWay int
	// Redeemed counts the pairs that a person's code has brought.
	Redeemed int
	// RedeemedOnTheWeb counts the pairs that a code of the web flow has brought.
	RedeemedOnTheWeb int
	// Writes and Reads count requests of the operator about Secrets.
	Writes, Reads int
	// Restored counts Secrets that were put back.
	Restored int
	Faults   [faultCount]int
	Outcomes map[rotation.Outcome]int
	Verdicts map[string]int
	// Fates counts the pairs that were issued and did not stay.
	Fates map[string]int
	// Simulated is how much time passed.
	Simulated time.Duration

	hits []string
}

// world is a run.
type world struct {
	*scheduler

	cfg       Config
	report    *Report
	api       *apiServer
	gitHub    *gitHub
	all       []*resource
	resources map[string]*resource
	replicas  []*replica
	lives     []*life
	leader    *life
	// calm says that nothing goes wrong any more.
	calm bool
	// lastDeath is when a process died last.
	lastDeath moment
	// behindUntil is until when a process has worked by a clock that was behind: it has let tokens grow old.
	behindUntil moment
	// replies are those that were looked into.
	replies map[*github.Reply]replied
	// acting is the resource that a person is working on.
	acting *resource
}

// Run runs a world until everything has settled, or an invariant is broken.
func Run(cfg Config) *Report {
	w := newWorld(cfg)
	defer w.end()
	for w.report.Rotations < cfg.Rotations && w.goOn() {
	}
	w.finish()
	w.report.Simulated = w.now
	w.report.UnderWay = w.gitHub.underWay()
	w.countFates()
	return w.report
}

func newWorld(cfg Config) *world {
	cfg.Rarity, cfg.Frequent = max(cfg.Rarity, 1), max(cfg.Frequent, 1)
	w := &world{
		scheduler: newScheduler(rand.New(rand.NewPCG(cfg.Seed, 0x5eed))),
		cfg:       cfg, resources: map[string]*resource{}, replies: map[*github.Reply]replied{},
		report: &Report{Outcomes: map[rotation.Outcome]int{}, Verdicts: map[string]int{}, Fates: map[string]int{}},
	}
	w.api = &apiServer{world: w, secrets: map[rotation.Ref]*object{}, codes: map[rotation.Ref]*storedCode{}, brought: map[rotation.Ref]string{}}
	w.gitHub = &gitHub{world: w, tokens: map[string]*issued{}, access: map[string]*issued{}, names: map[credential.Fingerprint]*issued{}, codes: map[string]*deviceCode{}, webCodes: map[string]*webCode{}}
	for i := range cfg.Resources {
		res := &resource{number: i, plain: cfg.Plain, rng: rand.New(rand.NewPCG(cfg.Seed, uint64(i))), namespace: fmt.Sprintf("ns%d", i), account: fmt.Sprintf("user%d", i), honoured: map[string]*issued{}, verdicts: map[rotation.Verdict]bool{}, retained: map[string]bool{}, deleted: map[string]moment{}}
		w.all, w.resources[res.namespace] = append(w.all, res), res
		if res.usesSeed() {
			w.logIn(res, res.account)
		}
		w.create(res)
	}
	for i := range cfg.Replicas {
		r := &replica{world: w, name: string(rune('A' + i)), box: &box{}}
		w.replicas = append(w.replicas, r)
		r.newPod()
		if skew := w.between(-4*time.Hour, 4*time.Hour); cfg.Faults.Has(ClockJump) {
			r.skew = skew
		}
		r.start()
	}
	return w
}

// longest is how long a run may take: a world in which nothing is exchanged any more is stuck.
func (w *world) longest() time.Duration {
	return time.Duration(w.cfg.Rotations+10) * w.cfg.Lifetime * 4
}

// goOn runs one event. It is false when the run is over.
func (w *world) goOn() bool {
	if w.report.Violation != "" {
		return false
	}
	if most := 50 * (w.cfg.Rotations + 10); w.report.Exchanges > most || w.report.Writes > 20*most {
		w.violate("%d exchanges and %d writes for %d rotations: something is tried without end", w.report.Exchanges, w.report.Writes, w.report.Rotations)
		return false
	}
	if w.now > w.longest() {
		w.violate("after %v only %d exchanges were made: everything is stuck", w.now, w.report.Rotations)
		return false
	}
	return w.step()
}

func (w *world) runFor(d time.Duration) {
	until := w.now + d
	w.at(until, func() {})
	for w.now < until && w.goOn() {
	}
}

func (w *world) end() {
	for _, l := range w.lives {
		l.dead = true
		w.kill(l)
	}
	w.dismiss()
}

func (w *world) countFates() {
	for _, p := range w.gitHub.tokens {
		if p.fate != fateNone && p.generation > 0 {
			w.report.Fates[string(p.fate)]++
		}
	}
}
