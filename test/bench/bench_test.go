package bench

import (
	"fmt"
	"testing"
)

// What a cycle costs at most: calls of the API server by kind, and what the operator allocates. Times are held to nothing
// here, since the machine is anybody's.
const (
	mostRenewalWrites, mostRenewalReads = 3, 1
	mostIssueWrites, mostIssueReads     = 5, 8
	mostEvents                          = 1
	mostDeletionWrites                  = 4
	mostDeletionReads                   = 6
)

func TestBenchRenewal(t *testing.T) {
	needs(t, "renewal")
	for range settings.rounds {
		m := measured(t, shape{name: "renewal burst", cycles: settings.burst}, barely, plainly, ours)
		if m.per(m.calls.writes()) > mostRenewalWrites || m.per(m.calls.reads()) > mostRenewalReads || m.calls.events() > 0 {
			t.Errorf("a renewal took %s", calls(m))
		}
	}
}

func TestBenchFirstIssue(t *testing.T) {
	needs(t, "issue")
	for range settings.rounds {
		m := measured(t, shape{name: "first issue burst", issue: true, cycles: settings.burst}, barely, plainly, ours)
		if m.per(m.calls.writes()) > mostIssueWrites || m.per(m.calls.reads()) > mostIssueReads || m.per(m.calls.events()) > mostEvents {
			t.Errorf("a first issue took %s", calls(m))
		}
	}
}

func TestBenchSteadyRenewal(t *testing.T) {
	needs(t, "steady")
	for _, rate := range settings.rates {
		measured(t, shape{name: fmt.Sprintf("%d renewals a second", rate), cycles: rate * int(settings.steady.Seconds()), rate: rate}, plainly, ours)
	}
}

func needs(t *testing.T, part string) {
	t.Helper()
	if !has(part) {
		t.Skip("not asked for: -parts")
	}
}
