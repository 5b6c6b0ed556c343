package chaos

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"
)

// totals are the figures of all tests of this run.
var totals figures

// figures count what was done to the operator and what became of it.
type figures struct {
	mu                              sync.Mutex
	resources, rotations, lifes     int
	lost, truthful, doubleSpends    int
	faults                          map[string]int
	settled                         []time.Duration
	searchedBytes, searchedCanaries int
	breaks                          []string
}

// fault counts a fault by its kind.
func (f *figures) fault(kind string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.faults == nil {
		f.faults = map[string]int{}
	}
	f.faults[kind]++
}

// caught notes that a test has noticed a break, and by what.
func (f *figures) caught(name, catcher, complaint string) {
	f.with(func(f *figures) {
		f.breaks = append(f.breaks, fmt.Sprintf("%s: caught by %s (%s)", name, catcher, complaint))
	})
}

// settledAfter notes how long it took from a kill -9 until nothing was left to find out.
func (f *figures) settledAfter(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settled = append(f.settled, d)
}

func (f *figures) with(change func(*figures)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// print tells them to people.
func (f *figures) print(w io.Writer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rotations == 0 && len(f.breaks) == 0 {
		return
	}
	fmt.Fprintf(w, "chaos: %d resources, %d rotations, %d lives of the operator\n", f.resources, f.rotations, f.lifes)
	fmt.Fprintf(w, "chaos: pairs lost that were kept or committed: %d; impossible cases, each reported as ReplyLost: %d; double spends: %d\n",
		f.lost, f.truthful, f.doubleSpends)
	if n := len(f.settled); n > 0 {
		slices.Sort(f.settled)
		fmt.Fprintf(w, "chaos: settled after kill -9: p50 %.1f s, max %.1f s, of %d\n",
			f.settled[n/2].Seconds(), f.settled[n-1].Seconds(), n)
	}
	fmt.Fprintf(w, "chaos: searched %.1f MB of logs, events, statuses, metrics, dumps and files for %d tokens\n",
		float64(f.searchedBytes)/1e6, f.searchedCanaries)
	slices.Sort(f.breaks)
	for _, caught := range f.breaks {
		fmt.Fprintf(w, "chaos: break: %s\n", caught)
	}
	for _, kind := range slices.Sorted(maps.Keys(f.faults)) {
		fmt.Fprintf(w, "chaos: fault %-52s %d\n", kind, f.faults[kind])
	}
}
