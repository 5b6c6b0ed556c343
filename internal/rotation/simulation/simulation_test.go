package simulation

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"maps"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

var (
	rotations = flag.Int("rotations", 100_000, "how many rotations TestSimulation makes")
	seed      = flag.Uint64("seed", 1, "the first seed of TestSimulation")
	replay    = flag.String("replay", "", "a run, as a failing test has printed it, to be traced by TestReplay")
)

// TestSimulation runs world after world until enough rotations were made. In each everything that can go
// wrong does, and every invariant holds.
func TestSimulation(t *testing.T) {
	var (
		next  = *seed - 1
		total totals
		mu    sync.Mutex
		group sync.WaitGroup
		done  atomic.Int64
	)
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for done.Load() < int64(*rotations) && !t.Failed() {
				cfg := configFor(atomic.AddUint64(&next, 1))
				report := Run(cfg)
				done.Add(int64(report.Rotations))
				mu.Lock()
				total.add(report)
				mu.Unlock()
				if report.Violation != "" {
					complain(t, cfg, report)
				}
			}
		})
	}
	group.Wait()
	total.log(t)
}

// configFor makes every second world a short one with more faults. Both kinds have all that a seed can choose.
func configFor(seed uint64) Config {
	if seed%2 == 0 {
		return huntConfig(seed/2, BreakNone)
	}
	return ConfigFor(seed / 2)
}

// complain reports a run that broke an invariant, made small.
func complain(t *testing.T, cfg Config, report *Report) {
	t.Helper()
	small := Shrink(cfg, 600)
	var trace bytes.Buffer
	small.Trace = &trace
	again := Run(small)
	encoded, err := json.Marshal(small)
	if err != nil {
		t.Error(err)
	}
	lines := strings.Split(trace.String(), "\n")
	t.Errorf("seed %d: %s\nMade small: %s\nTrace it with: go test ./internal/rotation/simulation -run TestReplay -v -args -replay='%s'\n%s",
		cfg.Seed, report.Violation, again.Violation, encoded, strings.Join(lines[max(0, len(lines)-60):], "\n"))
}

// TestReplay runs one world twice and finds that nothing in it is left to chance. With -replay it traces a
// run that has failed.
func TestReplay(t *testing.T) {
	cfg := ConfigFor(30)
	if *replay != "" {
		cfg = Config{}
		if err := json.Unmarshal([]byte(*replay), &cfg); err != nil {
			t.Fatal(err)
		}
	}
	var first, second bytes.Buffer
	cfg.Trace = &first
	report := Run(cfg)
	cfg.Trace = &second
	Run(cfg)
	if !bytes.Equal(first.Bytes(), second.Bytes()) || first.Len() == 0 {
		t.Errorf("two runs of the same seed differ (%d and %d bytes of trace)", first.Len(), second.Len())
	}
	if *replay != "" {
		_, _ = os.Stdout.Write(first.Bytes())
	}
	if report.Violation != "" {
		t.Error(report.Violation)
	}
}

// While nothing goes wrong a rotation costs two writes to Secrets and no read of one. The first one of a login
// costs two reads more, for a backup and the fence, and, where the account is not pinned, a read and a write
// for it.
func TestAHealthyRotationCostsTwoWritesAndNoRead(t *testing.T) {
	for replicas := 1; replicas <= 3; replicas++ {
		run := func(rotations int) *Report {
			report := Run(Config{Seed: 1, Resources: 20, Replicas: replicas, LeaderElection: true, Lifetime: time.Hour, Rotations: rotations, Plain: true})
			if report.Violation != "" {
				t.Error(report.Violation)
			}
			if report.Exchanges-report.UnderWay != report.Rotations {
				t.Errorf("%d exchanges brought %d rotations", report.Exchanges, report.Rotations)
			}
			return report
		}
		short, long := run(500), run(1500)
		if writes, rotations := long.Writes-short.Writes, long.Rotations-short.Rotations; writes != 2*rotations || rotations < 900 {
			t.Errorf("%d replicas: %d rotations cost %d writes", replicas, rotations, writes)
		}
		if reads := long.Reads - short.Reads; reads != 0 {
			t.Errorf("%d replicas: further rotations cost %d reads", replicas, reads)
		}
		if first := short.Writes - 2*short.Rotations; first > 20 || short.Reads > 4*20 {
			t.Errorf("%d replicas: 20 first issues cost %d writes and %d reads more", replicas, first, short.Reads)
		}
	}
}

// Two managers without leader election work on the same resources: each rotation is still made once.
func TestManagersWithoutLeaderElectionDoNotSpendTwice(t *testing.T) {
	report := Run(Config{Seed: 1, Resources: 20, Replicas: 3, Lifetime: time.Hour, Rotations: 1000})
	if report.Violation != "" {
		t.Error(report.Violation)
	}
	if report.Exchanges-report.UnderWay != report.Rotations || report.Outcomes[rotation.Stale] == 0 {
		t.Errorf("%d exchanges for %d rotations, with %d fences that met another's", report.Exchanges, report.Rotations, report.Outcomes[rotation.Stale])
	}
}

// After kill -9 at any step everything is settled within a minute. A deleted pod takes up to half a minute to
// come back, which is added to that.
func TestSettledWithinAMinuteAfterDeath(t *testing.T) {
	for kind, within := range map[Fault]time.Duration{Kill: time.Minute, PodDeleted: 90 * time.Second} {
		for replicas := 1; replicas <= 3; replicas++ {
			died := 0
			for seed := range uint64(40) {
				report := Run(Config{
					Seed: seed, Resources: 10, Replicas: replicas, LeaderElection: seed%2 == 0, Lifetime: time.Hour,
					Rotations: 100, Faults: Of(kind), SettleWithin: within, Frequent: 20,
				})
				died += report.Faults[kind]
				if report.Violation != "" {
					t.Errorf("%v, seed %d, %d replicas: %s", kind, seed, replicas, report.Violation)
				}
			}
			if died < 50 {
				t.Errorf("%v: only %d processes died", kind, died)
			}
		}
	}
}

// A node's clock that is ahead when a token is sent, and is set right later, with a restart or without one, keeps no dead
// token in the hands of workloads: GitHub's Date tells.
func TestAClockThatWasAheadLetsNoTokenExpire(t *testing.T) {
	ahead := 0
	for seed := range uint64(40) {
		report := Run(Config{
			Seed: seed, Resources: 10, Replicas: 1, Lifetime: 8 * time.Hour, Rotations: 150, Faults: Of(ClockAhead, Kill), Frequent: 5,
		})
		ahead += report.Faults[ClockAhead]
		if report.Violation != "" {
			t.Errorf("seed %d: %s", seed, report.Violation)
		}
	}
	if ahead < 100 {
		t.Errorf("a clock was ahead only %d times", ahead)
	}
}

// A token that GitHub refuses once, although it is good, is presented once more and goes on without a person.
func TestAMistakeOfGitHubsNeedsNoPerson(t *testing.T) {
	mistaken := 0
	for seed := range uint64(40) {
		report := Run(Config{
			Seed: seed, Resources: 10, Replicas: 1 + int(seed%2), LeaderElection: seed%4 == 0, Lifetime: time.Hour, Rotations: 100, Plain: true,
			Faults: onlyMistakes, Frequent: 5,
		})
		mistaken += report.Faults[GitHubMistaken]
		if report.Violation != "" {
			t.Errorf("seed %d: %s", seed, report.Violation)
		}
	}
	if mistaken < 50 {
		t.Errorf("GitHub was mistaken only %d times", mistaken)
	}
}

// Ten thousand resources that are due at the same instant are all exchanged once.
func TestTenThousandResourcesDueAtOnce(t *testing.T) {
	report := Run(Config{Seed: 1, Resources: 10_000, Replicas: 2, LeaderElection: true, Lifetime: time.Hour, Rotations: 10_000})
	if report.Violation != "" {
		t.Error(report.Violation)
	}
	if report.Exchanges-report.UnderWay != report.Rotations {
		t.Errorf("%d exchanges for %d rotations", report.Exchanges, report.Rotations)
	}
}

// A run that breaks an invariant is made small, and still breaks it.
func TestShrink(t *testing.T) {
	var found []Config
	was := map[uint64]int{}
	for next := huntConfig(62, BreakOutboxSkipped); len(found) < 5; next.Seed++ {
		if report := Run(next); report.Violation != "" {
			found, was[next.Seed] = append(found, next), len(report.hits)
		}
	}
	slices.SortFunc(found, func(a, b Config) int { return cmp.Compare(was[a.Seed], was[b.Seed]) })
	fewest := math.MaxInt
	for _, cfg := range found[:2] { // Where little has happened there is least to try.
		small := Shrink(cfg, 600)
		if Run(small).Violation == "" {
			t.Fatal("what was made small does not fail any more")
		}
		if small.Resources > cfg.Resources || small.Faults.Count() > cfg.Faults.Count() || len(small.Only) > was[cfg.Seed] {
			t.Errorf("seed %d with %d faults was made larger: %+v", cfg.Seed, was[cfg.Seed], small)
		}
		fewest = min(fewest, max(len(small.Only), small.Faults.Count()))
	}
	if fewest > 4 {
		t.Errorf("none was made small: the smallest has %d faults", fewest)
	}
}

// totals are the figures of many runs.
type totals struct {
	runs, rotations, exchanges, writes, reads, restored int
	redeemed, redeemedOnTheWeb                          int
	faults                                              [faultCount]int
	outcomes                                            map[string]int
	verdicts                                            map[string]int
	fates                                               map[string]int
	simulated                                           time.Duration
}

func (s *totals) add(r *Report) {
	if s.fates == nil {
		s.outcomes, s.verdicts, s.fates = map[string]int{}, map[string]int{}, map[string]int{}
	}
	s.runs++
	s.rotations += r.Rotations
	s.exchanges += r.Exchanges
	s.writes += r.Writes
	s.reads += r.Reads
	s.restored += r.Restored
	s.redeemed += r.Redeemed
	s.redeemedOnTheWeb += r.RedeemedOnTheWeb
	s.simulated += r.Simulated
	for kind, n := range r.Faults {
		s.faults[kind] += n
	}
	for outcome, n := range r.Outcomes {
		s.outcomes[string(outcome)] += n
	}
	for reason, n := range r.Verdicts {
		s.verdicts[reason] += n
	}
	for fate, n := range r.Fates {
		s.fates[fate] += n
	}
}

func (s *totals) log(t *testing.T) {
	t.Logf("%d rotations by %d exchanges in %d runs, %.0f simulated hours, %d writes, %d reads, %d Secrets put back",
		s.rotations, s.exchanges, s.runs, s.simulated.Hours(), s.writes, s.reads, s.restored)
	t.Logf("%d logins by device codes, %d by codes of the web flow", s.redeemed, s.redeemedOnTheWeb)
	t.Logf("double spends: 0; pairs lost otherwise than below: 0")
	for kind, n := range s.faults {
		t.Logf("  fault    %7d  %v", n, Fault(kind))
	}
	for name, figures := range map[string]map[string]int{"outcome": s.outcomes, "verdict": s.verdicts, "pairs": s.fates} {
		for _, key := range slices.Sorted(maps.Keys(figures)) {
			t.Logf("  %-8s %7d  %s", name, figures[key], key)
		}
	}
}
