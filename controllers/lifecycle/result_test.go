package lifecycle

import (
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
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
		"at once when a time has passed":                {nil, []time.Time{at(time.Minute), at(-time.Second)}, time.Millisecond},
		"at once when a time has just come":             {pairAt("1"), []time.Time{at(0)}, time.Millisecond},
		"not when an access token expired":              {pairAt("1", func(p *rotation.Pair) { p.State.ExpiresAt = at(-time.Hour) }), nil, 0},
		"a moment later rather than a moment too early": {nil, []time.Time{at(time.Nanosecond)}, time.Nanosecond + time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			if got := newWorld(t).notes.requeueAfter(&scope.Scope{Token: tokenOf(uid), Pair: c.pair, Now: start}, c.times...); got != c.want {
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
		notes := newWorld(t).notes
		s.Token = tokenOf(uid)
		if got := notes.requeueAfter(s, time.Time{}, start.Add(time.Hour)); got != want {
			t.Errorf("%s is tried again after %s, want %s", name, got, want)
		}
		s.Now = blocked.RetryAt
		if got := notes.requeueAfter(s); got != 0 {
			t.Errorf("%s is tried again %s after Decide has seen that its time has come", name, got)
		}
	}
}

// A time that stays where it is must not have the resource reconciled without end.
func TestResultOfATimeThatHasPassedIsNoLoop(t *testing.T) {
	notes, s, passed := newWorld(t).notes, &scope.Scope{Token: tokenOf(uid), Now: start}, start.Add(-time.Second)
	looks := 0
	for until := start.Add(time.Hour); s.Now.Before(until); looks++ {
		again := notes.requeueAfter(s, passed, start.Add(24*time.Hour))
		if again <= 0 || again > retry.Max+time.Millisecond || looks < 2 && again > time.Second+time.Millisecond {
			t.Fatalf("after look %d again after %s", looks+1, again)
		}
		s.Now = s.Now.Add(again)
	}
	if looks > 25 {
		t.Errorf("%d looks were made in an hour", looks)
	}
	if again := notes.requeueAfter(s, passed, s.Now.Add(time.Second)); again != time.Second+time.Millisecond {
		t.Errorf("what is still to come is put off: again after %s", again)
	}
	notes.requeueAfter(s)
	if again := notes.requeueAfter(s, passed); again != time.Millisecond {
		t.Errorf("when it was done meanwhile, the next is followed after %s", again)
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
