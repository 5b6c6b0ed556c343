package tokencheck

import (
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const (
	second = time.Second
	minute = time.Minute
)

func TestTokenCheckSchedule(t *testing.T) {
	owner := rotation.Owner{UID: "u1"}
	const now = time.Hour
	// An interval of ten seconds leaves six between two checks, and two for each of two answers.
	every := 6 * second
	first := spread(owner, every)
	for name, c := range map[string]struct {
		note   note
		target target
		want   note
		work   work
	}{
		"an account that is not known is asked for at once": {
			target: target{userUnknown: true},
			want:   note{userTries: 1, userAt: now + 2*second}, work: work{learnUser: true, next: 2 * second},
		},
		"and later each time": {
			note:   note{userTries: 3, userAt: now},
			target: target{userUnknown: true},
			want:   note{userTries: 4, userAt: now + 16*second}, work: work{learnUser: true, next: 16 * second},
		},
		"after half an hour at most": {
			note:   note{userTries: 100, userAt: now},
			target: target{userUnknown: true},
			want:   note{userTries: 101, userAt: now + 30*minute}, work: work{learnUser: true, next: 30 * minute},
		},
		"not before its time": {
			note:   note{userTries: 3, userAt: now + second},
			target: target{userUnknown: true},
			want:   note{userTries: 3, userAt: now + second}, work: work{next: second},
		},
		"an account that is known ends that": {
			note:   note{userTries: 3, userAt: now, every: every, checkAt: now + second},
			target: target{interval: 10 * second},
			want:   note{every: every, checkAt: now + second}, work: work{next: second},
		},
		"the first check is somewhere in the first interval": {
			target: target{interval: 10 * second},
			want:   note{every: every, checkAt: now + first}, work: work{next: first},
		},
		"the token of a chain that has just ended is checked at once": {
			target: target{interval: 10 * second, ended: true},
			want:   note{every: every, checkAt: now + callTimeout, ended: true}, work: work{checkToken: true, next: callTimeout},
		},
		"also when its next check is not due yet": {
			note:   note{every: every, checkAt: now + 5*second},
			target: target{interval: 10 * second, ended: true},
			want:   note{every: every, checkAt: now + callTimeout, ended: true}, work: work{checkToken: true, next: callTimeout},
		},
		"and once": {
			note:   note{every: every, checkAt: now + 5*second, ended: true},
			target: target{interval: 10 * second, ended: true},
			want:   note{every: every, checkAt: now + 5*second, ended: true}, work: work{next: 5 * second},
		},
		"a new interval begins anew": {
			note:   note{every: minute, checkAt: now},
			target: target{interval: 10 * second},
			want:   note{every: every, checkAt: now + first}, work: work{next: first},
		},
		"a check that is due leaves its answer some time": {
			note:   note{every: every, checkAt: now},
			target: target{interval: 10 * second},
			want:   note{every: every, checkAt: now + callTimeout}, work: work{checkToken: true, next: callTimeout},
		},
		"both at once, and the earlier of the next": {
			note:   note{every: every, checkAt: now},
			target: target{interval: 10 * second, userUnknown: true},
			want:   note{userTries: 1, userAt: now + 2*second, every: every, checkAt: now + callTimeout},
			work:   work{learnUser: true, checkToken: true, next: 2 * second},
		},
		"a token that is known to be dead is checked every quarter of an hour": {
			note:   note{every: deadCheck, checkAt: now},
			target: target{interval: 10 * second, knownDead: true},
			want:   note{every: deadCheck, checkAt: now + callTimeout}, work: work{checkToken: true, next: callTimeout},
		},
		"or as rarely as was asked for": {
			note:   note{every: time.Hour - 10*second, checkAt: now + minute},
			target: target{interval: time.Hour, knownDead: true},
			want:   note{every: time.Hour - 10*second, checkAt: now + minute}, work: work{next: minute},
		},
		"what was said of a former token is forgotten": {
			note:   note{every: every, checkAt: now + second, suspect: "former"},
			target: target{interval: 10 * second, token: "new"},
			want:   note{every: every, checkAt: now + second}, work: work{next: second},
		},
		"what was said of this one is not": {
			note:   note{every: every, checkAt: now + second, suspect: "this"},
			target: target{interval: 10 * second, token: "this"},
			want:   note{every: every, checkAt: now + second, suspect: "this"}, work: work{next: second},
		},
		"an interval that was switched off begins anew some day": {
			note:   note{every: every, checkAt: now},
			target: target{userUnknown: true},
			want:   note{userTries: 1, userAt: now + 2*second, checkAt: now}, work: work{learnUser: true, next: 2 * second},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.target.owner = owner
			got, w := due(c.note, c.target, now)
			if got != c.want {
				t.Errorf("the note is %+v, want %+v", got, c.want)
			}
			if w != c.work {
				t.Errorf("the work is %+v, want %+v", w, c.work)
			}
		})
	}
}

func TestTokenCheckThatATokenIsDeadIsBelievedTheSecondTime(t *testing.T) {
	const now = time.Hour
	for name, c := range map[string]struct {
		suspect   credential.Fingerprint
		knownDead bool
		interval  time.Duration
		believed  bool
		checkAt   time.Duration
	}{
		"the first time it is checked again in a moment":            {interval: minute, checkAt: now + confirmAfter},
		"which is shorter when checks are close":                    {interval: 10 * second, checkAt: now + 2*second},
		"the second time it is believed":                            {suspect: "token", interval: minute, believed: true},
		"what was said of another token does not count":             {suspect: "other", interval: minute, checkAt: now + confirmAfter},
		"what is known is not asked twice every quarter of an hour": {knownDead: true, interval: minute, believed: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, believed := foundDead(note{suspect: c.suspect}, target{token: "token", interval: c.interval, knownDead: c.knownDead}, now)
			if believed != c.believed || got.checkAt != c.checkAt {
				t.Errorf("believed: %t, and the next check at %s; want %t at %s", believed, got.checkAt, c.believed, c.checkAt)
			}
			if !believed && got.suspect != "token" {
				t.Errorf("suspected is %q", got.suspect)
			}
		})
	}
}

func TestTokenCheckNextAfterAnAnswer(t *testing.T) {
	const now = time.Hour
	for name, c := range map[string]struct {
		every      time.Duration
		failures   int
		found      answer
		retryAfter time.Duration
		wait       time.Duration
		// left is the count of failures after it.
		left int
	}{
		"alive: at the interval":                         {every: minute, failures: 5, found: alive, wait: minute},
		"dead: at the interval":                          {every: minute, failures: 5, found: dead, wait: minute},
		"nothing was said: soon":                         {every: minute, found: unknown, wait: 2 * second, left: 1},
		"nothing was said again: later":                  {every: minute, failures: 2, found: unknown, wait: 8 * second, left: 3},
		"nothing was said for long: at the interval":     {every: minute, failures: 9, found: unknown, wait: minute, left: 10},
		"nothing, with a long interval: in half an hour": {every: 5 * time.Hour, failures: 99, found: unknown, wait: 30 * minute, left: 100},
		"GitHub asks to wait: so long":                   {every: minute, failures: 3, found: unknown, retryAfter: time.Hour, wait: time.Hour},
		"it asks for less than the back-off":             {every: minute, failures: 3, found: unknown, retryAfter: second, wait: second},
		"refused: at the interval":                       {every: minute, found: refused, wait: minute, left: 1},
		"refused again: less and less":                   {every: minute, failures: 4, found: refused, wait: 160 * second, left: 5},
		"refused for long: every half hour":              {every: minute, failures: 99, found: refused, wait: 30 * minute, left: 100},
		"refused, with a longer interval: at that":       {every: time.Hour, failures: 99, found: refused, wait: time.Hour, left: 100},
		"refused, and GitHub asks to wait: so long":      {every: minute, failures: 4, found: refused, retryAfter: time.Hour, wait: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			got := checked(note{every: c.every, checkFailures: c.failures, suspect: "token"}, c.found, c.retryAfter, now)
			if wait := got.checkAt - now; wait != c.wait || got.checkFailures != c.left {
				t.Errorf("the next is in %s after %d failures, want %s after %d", wait, got.checkFailures, c.wait, c.left)
			}
			if got.refused != (c.found == refused) {
				t.Errorf("refused is %t", got.refused)
			}
			// An answer that says nothing in between does not end a suspicion.
			if kept := got.suspect != ""; kept != (c.found == unknown || c.found == refused) {
				t.Errorf("the suspicion stands: %t", kept)
			}
		})
	}
}

func TestTokenCheckReconsidersOnlyWhatWasRefused(t *testing.T) {
	if got, want := reconsidered(note{refused: true, checkFailures: 7, checkAt: time.Hour}, minute), (note{checkAt: minute}); got != want {
		t.Errorf("after a refusal: %+v, want %+v", got, want)
	}
	if n := (note{checkFailures: 7, checkAt: time.Hour}); reconsidered(n, minute) != n {
		t.Error("what failed for another reason is checked at once: an edit does not mend an outage")
	}
}

// A revocation is noticed within the interval: in the worst case it comes right after a check, and two answers
// must follow.
func TestTokenCheckTwoAnswersFitIntoTheInterval(t *testing.T) {
	for _, interval := range []time.Duration{10 * second, 17 * second, minute, 4380 * time.Hour} {
		every, confirm := pace(interval)
		if every <= 0 || confirm <= 0 || every+confirm >= interval {
			t.Errorf("of %s there are %s between two checks and %s until the second answer", interval, every, confirm)
		}
	}
}

func TestTokenCheckFirstChecksAreSpreadAndTheSameAtEachStart(t *testing.T) {
	halves := map[bool]int{}
	for i := range 1000 {
		owner := rotation.Owner{UID: string(rune('a'+i%26)) + time.Duration(i).String()}
		at := spread(owner, time.Hour)
		if at < 0 || at >= time.Hour || at != spread(owner, time.Hour) {
			t.Fatalf("the first check of %s is at %s", owner.UID, at)
		}
		halves[at < 30*minute]++
	}
	if halves[true] < 350 || halves[false] < 350 {
		t.Errorf("of 1000 first checks %d are in the first half", halves[true])
	}
}
