package bench

import (
	"fmt"
	"testing"
)

// What a cycle costs at most: calls of the API server by kind, and objects that the operator allocates. Times are held to nothing
// here, since the machine is anybody's. A call in ten cycles may be one that was made again.
const (
	mostRenewalWrites, mostRenewalReads, mostRenewalObjects = 3.1, 1.1, 8000
	mostIssueWrites, mostIssueReads, mostIssueObjects       = 5.7, 9.5, 14000
	mostEvents                                              = 1
	mostDeletionWrites, mostDeletionReads                   = 4.5, 6
)

func TestBenchRenewal(t *testing.T) {
	if !asked(t, "renewal") {
		return
	}
	for range settings.rounds {
		m := measured(t, shape{name: "renewal burst", cycles: settings.burst}, barely, plainly, ours)
		if m.per(m.calls.writes()) > mostRenewalWrites || m.per(m.calls.reads()) > mostRenewalReads || m.calls.events() > 0 || m.eachObjects() > mostRenewalObjects {
			t.Errorf("a renewal took %.0f objects and %s", m.eachObjects(), calls(m))
		}
	}
}

func TestBenchFirstIssue(t *testing.T) {
	if !asked(t, "issue") {
		return
	}
	for range settings.rounds {
		m := measured(t, shape{name: "first issue burst", issue: true, cycles: settings.burst}, barely, plainly, ours)
		if m.per(m.calls.writes()) > mostIssueWrites || m.per(m.calls.reads()) > mostIssueReads || m.per(m.calls.events()) > mostEvents || m.eachObjects() > mostIssueObjects {
			t.Errorf("a first issue took %.0f objects and %s", m.eachObjects(), calls(m))
		}
	}
}

func TestBenchSteadyRenewal(t *testing.T) {
	if !asked(t, "steady") {
		return
	}
	for _, rate := range settings.rates {
		measured(t, shape{name: fmt.Sprintf("%d renewals a second", rate), cycles: rate * int(settings.steady.Seconds()), rate: rate}, plainly, ours)
	}
}

// asked reports whether a part is to be measured.
func asked(t *testing.T, part string) bool {
	t.Helper()
	if !has(part) {
		t.Log("not asked for: -parts")
		return false
	}
	return true
}
