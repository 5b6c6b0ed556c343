package handoff

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
)

func TestHandoffProblem(t *testing.T) {
	forbidden := &ForbiddenError{"patch", "pods", "team-a"}
	name := &invalidWorkloadError{"Deployment", "../x", errInvalidName}
	for what, c := range map[string]struct {
		err     error
		reason  string
		stalled bool
		says    []string
	}{
		"what passes is tried again": {errors.New("pod web: no"), v1alpha1.ReasonHandoffIncomplete, false, []string{"Not every workload was notified of the new token: pod web: no."}},
		"a lack of permission is for somebody to mend": {fmt.Errorf("x: %w", forbidden), v1alpha1.ReasonHandoffForbidden, true, []string{
			"The operator may not patch pods in namespace team-a.", "config/components/handoff", "github-user-token-operator-handoff", "The token itself is refreshed.",
		}},
		"and so is a name that nothing can have": {name, v1alpha1.ReasonHandoffIncomplete, true, []string{
			`spec.handoff.restart names a Deployment "../x", and no workload can have that name. Correct it. The token itself is refreshed.`,
		}},
		"and a kind that cannot be restarted": {&invalidWorkloadError{"Job", "x", errUnknownKind}, v1alpha1.ReasonHandoffIncomplete, true, []string{
			`spec.handoff.restart names a Job "x", and this version of the operator cannot restart that kind. Correct it.`,
		}},
	} {
		t.Run(what, func(t *testing.T) {
			found := ProblemOf(c.err)
			if found.Reason != c.reason || found.Stalled != c.stalled || !found.Aside {
				t.Errorf("got %+v", found)
			}
			for _, text := range c.says {
				if !strings.Contains(found.Message, text) {
					t.Errorf("the message does not say %q: %s", text, found.Message)
				}
			}
		})
	}
}

func TestHandoffOfSeveralErrorsTheWorstIsReported(t *testing.T) {
	forbidden := &ForbiddenError{"patch", "pods", "team-a"}
	name := &invalidWorkloadError{"Deployment", "../x", errInvalidName}
	a, b := errors.New("a"), errors.New("b")
	for what, c := range map[string]struct {
		of   []error
		want string
	}{
		"none":                                {[]error{nil, nil}, ""},
		"one is told as it is":                {[]error{nil, a}, "a"},
		"the first of several, with how many": {[]error{a, nil, b, a}, "a (and 2 more)"},
		"a lack of permission goes before all, alone":            {[]error{a, name, fmt.Errorf("x: %w", forbidden), b}, "x: " + forbidden.Error()},
		"what must be corrected goes before what is tried again": {[]error{a, name}, name.Error() + " (and 1 more)"},
		"those of parts are counted once":                        {[]error{worst(a, b), nil, worst(b, a, a)}, "a (and 4 more)"},
		"and the worst of a part stays the worst":                {[]error{worst(a, b), worst(a, name)}, name.Error() + " (and 3 more)"},
	} {
		t.Run(what, func(t *testing.T) {
			err := worst(c.of...)
			if (err == nil) != (c.want == "") || err != nil && err.Error() != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestHandoffTroubleIsTriedAgainLaterEachTime(t *testing.T) {
	now, mono := time.Date(2026, 3, 4, 2, 0, 0, 0, time.UTC), time.Hour
	var trouble *trouble
	for i, want := range []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second} {
		trouble = trouble.then(errors.New("no"), now, mono)
		if got := trouble.retry; got != backoff.DueIn(want, now, mono) {
			t.Errorf("try %d is at %+v, want after %s", i+2, got, want)
		}
	}
	for range 20 {
		trouble = trouble.then(errors.New("no"), now, mono)
	}
	if got := trouble.retry.Monotonic - mono; got != retry.Max {
		t.Errorf("the longest pause is %s, want %s", got, retry.Max)
	}
	if trouble = trouble.then(&ForbiddenError{}, now, mono); trouble.failures != 1 {
		t.Error("another reason does not begin anew")
	}
	if trouble = trouble.then(nil, now, mono); trouble != nil {
		t.Errorf("a success leaves %+v", trouble)
	}
}
