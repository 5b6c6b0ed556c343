package lifecycle

import (
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestResultWhenToReconcileAgain(t *testing.T) {
	at := func(d time.Duration) time.Time { return start.Add(d) }
	never := func(p *rotation.Pair) { p.State.ExpiresAt = time.Time{} }
	for name, c := range map[string]struct {
		pair  *rotation.Pair
		times []time.Time
		want  time.Duration
	}{
		"never, without a pair or a time":               {nil, []time.Time{{}, {}}, 0},
		"never, when the token does not expire":         {pairAt("1", never), nil, 0},
		"when the access token expires":                 {pairAt("1"), []time.Time{{}}, 8*time.Hour + time.Millisecond},
		"at a time before that":                         {pairAt("1"), []time.Time{{}, at(time.Hour)}, time.Hour + time.Millisecond},
		"not at a time after that":                      {pairAt("1"), []time.Time{at(9 * time.Hour)}, 8*time.Hour + time.Millisecond},
		"at the first of several":                       {nil, []time.Time{at(3 * time.Second), at(time.Second), at(2 * time.Second)}, time.Second + time.Millisecond},
		"not at a time that has come":                   {nil, []time.Time{at(0), at(-time.Second), at(time.Minute)}, time.Minute + time.Millisecond},
		"never again after the last":                    {nil, []time.Time{at(-time.Second)}, 0},
		"not when an access token expired":              {pairAt("1", func(p *rotation.Pair) { p.State.ExpiresAt = at(-time.Hour) }), nil, 0},
		"a moment later rather than a moment too early": {nil, []time.Time{at(time.Nanosecond)}, time.Nanosecond + time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			if got := requeueAfter(&scope.Scope{Pair: c.pair, Now: start}, c.times...); got != c.want {
				t.Errorf("after %s, want %s", got, c.want)
			}
		})
	}
}

func TestResultOfWhatStandsAsideIsTriedAgain(t *testing.T) {
	blocked := &problem.Problem{RetryAt: start.Add(30 * time.Second)}
	const want = 30*time.Second + time.Millisecond
	for name, s := range map[string]*scope.Scope{
		"a Secret that is not put back": {Now: start, RestoreBlocked: blocked},
		"a pair that does not move":     {Now: start, MoveBlocked: blocked},
	} {
		if got := requeueAfter(s, time.Time{}, start.Add(time.Hour)); got != want {
			t.Errorf("%s is tried again after %s, want %s", name, got, want)
		}
	}
}

func TestResultOfAProblem(t *testing.T) {
	if got := blocked(nil); got != (Result{State: Done}) {
		t.Errorf("no problem makes %+v", got)
	}
	p := &problem.Problem{Reason: "X", RetryAt: start}
	if got := blocked(p); got != (Result{State: Blocked, Problem: p, RequeueAt: start}) {
		t.Errorf("a problem makes %+v", got)
	}
}
