package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// flawless is a result with which everything is as promised.
func flawless() result {
	counted := requests{of: map[operation]int{{"patch", "secrets"}: 8, {"patch", "githubusertokens/status"}: 4, {"get", "secrets"}: 4}}
	return result{
		options: options{resources: 2, lifetime: 30 * time.Second, duration: time.Minute, longestGap: promisedGap},
		figures: figures{logins: 2, gaps: suite.Durations{time.Millisecond, time.Second, 3, 4}},
		ledger:  stage.Ledger{Summary: githubtest.Summary{Presentations: 6, Exchanges: 6}},
		audited: counted, metered: counted,
	}
}

func TestSoakVerdict(t *testing.T) {
	if err := flawless().verdict(); err != nil {
		t.Errorf("a flawless result: %v", err)
	}
	for says, spoil := range map[string]func(*result){
		"at least 4 were due":              func(r *result) { r.figures.gaps = r.figures.gaps[:3] },
		"1 refresh tokens were presented":  func(r *result) { r.ledger.Summary.DoubleSpends = 1 },
		"holds 1 things":                   func(r *result) { r.ledger.Summary.Violations = 1 },
		"1 of 7 refresh tokens":            func(r *result) { r.ledger.Summary.Presentations = 7 },
		"6 exchanges were made":            func(r *result) { r.lost = true },
		"not as they must be":              func(r *result) { r.figures.problems = []string{"x"} },
		"longer than 1s":                   func(r *result) { r.figures.gaps[0] = time.Second + 1 },
		"audit log: 3.250 writes":          func(r *result) { r.audited = requests{of: map[operation]int{{"patch", "secrets"}: 13}} },
		"metrics: 1.250 reads":             func(r *result) { r.metered = requests{of: map[operation]int{{"list", "secrets"}: 5}} },
		"audit log: 3.500 writes per rota": func(r *result) { r.audited = requests{of: map[operation]int{{"create", "events"}: 14}} },
	} {
		r := flawless()
		spoil(&r)
		if err := r.verdict(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v does not say %q", err, says)
		}
	}
}

// TestSoakThatIsSmall is the real thing, for a moment: it holds the operator to its
// budget of reads and writes, and to every other promise.
func TestSoakThatIsSmall(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var out strings.Builder
	// The machine is shared with other tests, which says nothing about the operator.
	busy := 5 * time.Second
	if err := run(ctx, options{resources: 5, lifetime: 12 * time.Second, duration: 12 * time.Second, longestGap: busy}, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "spent twice 0, violations 0") {
		t.Errorf("the output does not tell of the ledger:\n%s", out.String())
	}
}

func TestSoakStartAmongResourcesAtRest(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var out strings.Builder
	if err := run(ctx, options{resources: 20, lifetime: time.Hour, rest: time.Second}, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "refresh tokens presented         1, one of them asked for") {
		t.Errorf("the output does not tell what was presented:\n%s", out.String())
	}
}
