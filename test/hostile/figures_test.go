package hostile

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// totals are the figures of this run.
var totals figures

// figures are what was done to the operator, and what became of the others.
type figures struct {
	refreshes   int
	late, seen  suite.Durations
	plainTook   suite.Durations
	plainFailed int
	memory      int64
	writes      int
	searched    int
	canaries    int
	kills       int
	// done and refused count the tenant's requests; faults what the webhook did.
	done, refused, faults map[string]int
	breaks                []string

	mu sync.Mutex
	// reasons counts what those that behave were said to wait for.
	reasons map[string]int
}

// said counts a reason for which one that behaves is said to wait.
func (f *figures) said(reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.reasons == nil {
		f.reasons = map[string]int{}
	}
	f.reasons[reason]++
}

// print tells them to people.
func (f *figures) print(out io.Writer) {
	for _, caught := range f.breaks {
		fmt.Fprintf(out, "hostile: break: %s\n", caught)
	}
	if f.refreshes == 0 {
		return
	}
	fmt.Fprintf(out, `
%d resources of a hostile tenant at %g requests a second for %s, seed %d, beside %d that behave; %d kills
  pairs of those that behave        %d
  due until stored                  %s, of %d (both are told in whole seconds: up to 1 s is rounding)
  stored until a watch tells of it  %s
  a plain client's three writes     %s, of %d, %d failed
  the operator's memory at most     %s
  GitHub                            %s
  writes of Secrets by the operator %d
  searched for tokens               %.1f MB for %d tokens
`, settings.resources, settings.rate, settings.duration, settings.seed, settings.victims, f.kills,
		f.refreshes, f.late, len(f.late), f.seen, f.plainTook, len(f.plainTook), f.plainFailed,
		suite.Memory(f.memory, f.memory > 0), the.calls, f.writes, float64(f.searched)/1e6, f.canaries)
	for _, reason := range slices.Sorted(maps.Keys(f.reasons)) {
		fmt.Fprintf(out, "  they waited for: %-16s %d statuses\n", reason, f.reasons[reason])
	}
	for _, what := range slices.Sorted(maps.Keys(f.done)) {
		fmt.Fprintf(out, "  tenant: %-25s %d, %d of them refused\n", what, f.done[what], f.refused[what])
	}
	for _, what := range slices.Sorted(maps.Keys(f.faults)) {
		fmt.Fprintf(out, "  webhook: %-24s %d\n", what, f.faults[what])
	}
}

// promised is how long after it was due a refresh may be stored when a plain client is as quick as usual.
const promised = 5 * time.Second

// verdict says which promise the refreshes have broken; empty for none.
func (f *figures) verdict() string {
	if len(f.late) == 0 || len(f.plainTook) == 0 {
		return "nothing was measured"
	}
	for _, share := range []float64{0.5, 0.99, 1} {
		if late, most := f.late.Quantile(share), max(promised, 2*f.plainTook.Quantile(share)); late > most {
			return fmt.Sprintf("of the refreshes %g %% were stored within %s, which is more than %s", share*100, late, most)
		}
	}
	return ""
}
