package deviceflow

import (
	"strings"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

var (
	// epoch is the wall clock when a code is offered in the tests.
	epoch   = time.Date(2026, time.March, 4, 2, 0, 0, 0, time.UTC)
	theCode = credential.NewDeviceCode("a device code").Fingerprint()
)

const testApp = "github.com/Iv23liEXAMPLE"

// offered is a Secret with the second code of a series, polled each five seconds and good for 15 minutes.
func offered(change func(*rotation.DeviceAuthorization)) *rotation.DeviceAuthorization {
	device := &rotation.DeviceAuthorization{
		UserCode: "WDJB-MJHT", VerificationURI: "https://github.com/login/device", DeviceCode: theCode,
		OfferedAt: epoch, ExpiresAt: epoch.Add(15 * time.Minute), Interval: 5 * time.Second,
		App: testApp, For: "the purpose", Asked: "once", Since: epoch.Add(-10 * time.Minute), Codes: 2,
	}
	if change != nil {
		change(device)
	}
	return device
}

// seenWith is what is seen of a resource whose Secret holds a code of its present series.
func seenWith(device *rotation.DeviceAuthorization) seen {
	return seen{device: device, app: testApp, purpose: "the purpose", asked: "once", generation: 3}
}

func TestDeviceFlowPlan(t *testing.T) {
	const mono = 1000 * time.Second // Now, by the monotonic clock.
	outage := &problem.Problem{Reason: v1alpha1.ReasonGitHubUnavailable, Message: "GitHub is down."}
	disabled := &problem.Problem{Reason: v1alpha1.ReasonDeviceFlowDisabled, Stalled: true}
	// known is the note of a code that was polled before.
	known := func(change func(*note)) note {
		n := note{code: theCode, next: mono, interval: 5 * time.Second}
		if change != nil {
			change(&n)
		}
		return n
	}
	for name, c := range map[string]struct {
		in    seen
		note  note
		after time.Duration // since the code was offered, by the wall clock
		want  plan          // series and code are tested apart
		codes int           // of the next series
		next  note
		// retryAt is the wait that the problem tells of; negative for none.
		retryAt time.Duration
	}{
		"without a code one is requested at once": {
			in: seenWith(nil), want: plan{stage: stageWanted}, codes: 1, next: note{}, retryAt: -1,
		},
		"after a restart a code is polled after its interval, since nobody knows when it last was": {
			in: seenWith(offered(nil)), want: plan{stage: stageOffered, wait: 5 * time.Second}, codes: 3,
			next: known(func(n *note) { n.next += 5 * time.Second }), retryAt: -1,
		},
		"a code is polled when its time has come": {
			in: seenWith(offered(nil)), note: known(nil), want: plan{stage: stageOffered}, codes: 3, next: known(nil), retryAt: -1,
		},
		"polls grow rarer with the age of a code": {
			in: seenWith(offered(nil)), note: known(nil), after: 10 * time.Minute, want: plan{stage: stageOffered}, codes: 3,
			next: known(func(n *note) { n.interval = 20 * time.Second }), retryAt: -1,
		},
		"the interval that GitHub asks for is never shortened": {
			in:   seenWith(offered(func(d *rotation.DeviceAuthorization) { d.Interval = time.Minute })),
			note: known(nil), after: 10 * time.Minute, want: plan{stage: stageOffered}, codes: 3,
			next: known(func(n *note) { n.interval = time.Minute }), retryAt: -1,
		},
		"a code is polled once more after it has expired": {
			in: seenWith(offered(nil)), note: known(nil), after: 15*time.Minute + 4*time.Second, want: plan{stage: stageOffered}, codes: 3,
			next: known(func(n *note) { n.interval = (15*time.Minute + 4*time.Second) / pollSlowdown }), retryAt: -1,
		},
		"a code that the clock ends is followed by another after a pause": {
			in: seenWith(offered(nil)), note: known(nil), after: 15*time.Minute + 5*time.Second,
			want: plan{stage: stageWanted, wait: 2 * time.Second}, codes: 3,
			next: known(func(n *note) { n.over, n.next = true, mono+2*time.Second }), retryAt: -1,
		},
		"the pause is not begun anew by looking again": {
			in: seenWith(offered(nil)), note: known(func(n *note) { n.over, n.next = true, mono+time.Second }), after: 15*time.Minute + 6*time.Second,
			want: plan{stage: stageWanted, wait: time.Second}, codes: 3,
			next: known(func(n *note) { n.over, n.next = true, mono+time.Second }), retryAt: -1,
		},
		"a code that the clock ends while no operator runs is followed after the pause too": {
			in: seenWith(offered(nil)), after: time.Hour - 10*time.Minute - time.Second,
			want: plan{stage: stageWanted, wait: 2 * time.Second}, codes: 3,
			next: known(func(n *note) { n.over, n.next = true, mono+2*time.Second }), retryAt: -1,
		},
		"a code that GitHub takes no more is followed by another, whatever the clock says": {
			in: seenWith(offered(nil)), note: known(func(n *note) { n.over, n.next = true, mono+2*time.Second }),
			want: plan{stage: stageWanted, wait: 2 * time.Second}, codes: 3,
			next: known(func(n *note) { n.over, n.next = true, mono+2*time.Second }), retryAt: -1,
		},
		"the series is over after an hour": {
			in: seenWith(offered(nil)), note: known(nil), after: 50 * time.Minute,
			want: plan{stage: stageEnded, ended: v1alpha1.ReasonAuthorizationExpired}, codes: 3, next: known(nil), retryAt: -1,
		},
		"the last code of a series may be used to its end": {
			in:   seenWith(offered(func(d *rotation.DeviceAuthorization) { d.Since, d.Codes = epoch.Add(-time.Hour), 10 })),
			note: known(nil), want: plan{stage: stageOffered}, codes: 11, next: known(nil), retryAt: -1,
		},
		"the series is over after ten codes": {
			in:   seenWith(offered(func(d *rotation.DeviceAuthorization) { d.Codes = 10 })),
			note: known(func(n *note) { n.over = true }),
			want: plan{stage: stageEnded, ended: v1alpha1.ReasonAuthorizationExpired}, codes: 11,
			next: known(func(n *note) { n.over = true }), retryAt: -1,
		},
		"nine codes are not ten": {
			in:   seenWith(offered(func(d *rotation.DeviceAuthorization) { d.Codes = 9 })),
			note: known(func(n *note) { n.over = true }), want: plan{stage: stageWanted}, codes: 10,
			next: known(func(n *note) { n.over = true }), retryAt: -1,
		},
		"a refusal ends the series at once, and after a restart too": {
			in:   seenWith(offered(func(d *rotation.DeviceAuthorization) { d.Ended = v1alpha1.ReasonAuthorizationDenied })),
			want: plan{stage: stageEnded, ended: v1alpha1.ReasonAuthorizationDenied}, codes: 3, next: note{}, retryAt: -1,
		},
		"a request begins another series at once after a refusal": {
			in: func() seen {
				in := seenWith(offered(func(d *rotation.DeviceAuthorization) { d.Ended = v1alpha1.ReasonAuthorizationDenied }))
				in.asked = "again"
				return in
			}(),
			want: plan{stage: stageWanted}, codes: 1, next: note{}, retryAt: -1,
		},
		"a request begins another series at once after ten codes": {
			in: func() seen {
				in := seenWith(offered(func(d *rotation.DeviceAuthorization) { d.Codes = 10 }))
				in.asked = "again"
				return in
			}(),
			note: known(func(n *note) { n.over, n.next = true, mono+5*time.Minute }), after: time.Hour,
			want: plan{stage: stageWanted}, codes: 1, next: known(func(n *note) { n.over = true }), retryAt: -1,
		},
		"and after an hour, though the last code has ended by the clock only": {
			in: func() seen {
				in := seenWith(offered(nil))
				in.asked = "again"
				return in
			}(),
			after: time.Hour, want: plan{stage: stageWanted}, codes: 1, next: known(func(n *note) { n.over = true }), retryAt: -1,
		},
		"a series begun anew keeps to the pauses after failures": {
			in: func() seen {
				in := seenWith(offered(func(d *rotation.DeviceAuthorization) { d.Ended = v1alpha1.ReasonAuthorizationDenied }))
				in.asked = "again"
				return in
			}(),
			note: note{next: mono + 4*time.Second, failures: 2, problem: outage, generation: 3, asked: "again"},
			want: plan{stage: stageWanted, wait: 4 * time.Second, problem: outage}, codes: 1,
			next:    note{next: mono + 4*time.Second, failures: 2, problem: outage, generation: 3, asked: "again"},
			retryAt: 4 * time.Second,
		},
		"a code that can still be entered is kept when another series is asked for": {
			in: func() seen {
				in := seenWith(offered(nil))
				in.asked = "again"
				return in
			}(),
			note: known(nil), want: plan{stage: stageOffered}, codes: 1, next: known(nil), retryAt: -1,
		},
		"another purpose has a series of its own": {
			in: func() seen {
				in := seenWith(offered(func(d *rotation.DeviceAuthorization) { d.Codes = 10 }))
				in.purpose = "another"
				return in
			}(),
			note: known(func(n *note) { n.over = true }), want: plan{stage: stageWanted}, codes: 1,
			next: known(func(n *note) { n.over = true }), retryAt: -1,
		},
		"a code for another App is not shown": {
			in: func() seen {
				in := seenWith(offered(nil))
				in.app, in.purpose = "github.com/another", "another"
				return in
			}(),
			note: known(nil), want: plan{stage: stageWanted}, codes: 1, next: note{next: mono}, retryAt: -1,
		},
		"another code in the Secret is polled after its own interval": {
			in: seenWith(offered(nil)), note: note{code: "another", next: mono, interval: time.Minute, over: true, failures: 3, problem: outage},
			want: plan{stage: stageOffered, wait: 5 * time.Second}, codes: 3, next: known(func(n *note) { n.next += 5 * time.Second }), retryAt: -1,
		},
		"a failed request waits, and tells when the next one is": {
			in: seenWith(nil), note: note{next: mono + 8*time.Second, failures: 3, problem: outage, generation: 3, asked: "once"},
			want: plan{stage: stageWanted, wait: 8 * time.Second, problem: outage}, codes: 1,
			next:    note{next: mono + 8*time.Second, failures: 3, problem: outage, generation: 3, asked: "once"},
			retryAt: 8 * time.Second,
		},
		"what stalls tells of no next try": {
			in: seenWith(nil), note: note{next: mono + 8*time.Second, failures: 3, problem: disabled, generation: 3, asked: "once"},
			want: plan{stage: stageWanted, wait: 8 * time.Second, problem: disabled}, codes: 1,
			next: note{next: mono + 8*time.Second, failures: 3, problem: disabled, generation: 3, asked: "once"}, retryAt: -1,
		},
		"a failed poll tells of no next try, since the code can be entered": {
			in: seenWith(offered(nil)), note: known(func(n *note) { n.failures, n.problem, n.generation, n.asked = 1, outage, 3, "once" }),
			want: plan{stage: stageOffered, problem: outage}, codes: 3,
			next: known(func(n *note) { n.failures, n.problem, n.generation, n.asked = 1, outage, 3, "once" }), retryAt: -1,
		},
		"a changed spec has a failed request tried at once": {
			in: seenWith(nil), note: note{next: mono + time.Minute, failures: 5, problem: disabled, generation: 2, asked: "once"},
			want: plan{stage: stageWanted}, codes: 1, next: note{next: mono, generation: 2, asked: "once"}, retryAt: -1,
		},
		"a request by annotation has it tried at once": {
			in: seenWith(nil), note: note{next: mono + time.Minute, failures: 5, problem: outage, generation: 3, asked: ""},
			want: plan{stage: stageWanted}, codes: 1, next: note{next: mono, generation: 3}, retryAt: -1,
		},
		"and so where there was nothing to tell of the failure": {
			in: seenWith(nil), note: note{next: mono + time.Minute, failures: 5, generation: 2, asked: "once"},
			want: plan{stage: stageWanted}, codes: 1, next: note{next: mono, generation: 2, asked: "once"}, retryAt: -1,
		},
		"a changed spec never has a code polled before its interval": {
			in:   seenWith(offered(nil)),
			note: known(func(n *note) { n.next, n.failures, n.problem, n.generation = mono+time.Minute, 5, outage, 2 }),
			want: plan{stage: stageOffered, wait: 5 * time.Second}, codes: 3,
			next: known(func(n *note) { n.next, n.generation = mono+5*time.Second, 2 }), retryAt: -1,
		},
		"a changed spec shortens no pause between codes": {
			in: seenWith(offered(nil)), note: known(func(n *note) { n.over, n.next = true, mono+time.Minute }),
			want: plan{stage: stageWanted, wait: time.Minute}, codes: 3,
			next: known(func(n *note) { n.over, n.next = true, mono+time.Minute }), retryAt: -1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			now, was := epoch.Add(c.after), c.note
			got, next := planNext(c.in, c.note, now, mono)
			if c.note != was {
				t.Error("the note that was given is changed")
			}
			if got.wait <= 0 {
				got.wait = 0 // It is due.
			}
			if got.stage != c.want.stage || got.ended != c.want.ended || got.wait != c.want.wait {
				t.Errorf("stage %d, ended %q, wait %s; want %d, %q, %s", got.stage, got.ended, got.wait, c.want.stage, c.want.ended, c.want.wait)
			}
			if got.code != c.in.code() {
				t.Errorf("it speaks of code %q", got.code)
			}
			if got.series.Codes != c.codes || got.series.For != c.in.purpose || got.series.Asked != c.in.asked || got.series.App != c.in.app {
				t.Errorf("the next code inherits %+v", got.series)
			}
			if c.codes == 1 && !got.series.Since.Equal(now) || c.codes > 1 && !got.series.Since.Equal(c.in.device.Since) {
				t.Errorf("the series of the next code is said to be since %s", got.series.Since)
			}
			switch {
			case (got.problem == nil) != (c.want.problem == nil):
				t.Errorf("it tells of %+v, want %+v", got.problem, c.want.problem)
			case got.problem == nil:
			case got.problem.Reason != c.want.problem.Reason:
				t.Errorf("it tells of %s", got.problem.Reason)
			case c.retryAt < 0 && !got.problem.RetryAt.IsZero(), c.retryAt >= 0 && !got.problem.RetryAt.Equal(now.Add(c.retryAt)):
				t.Errorf("the next try is told to be at %s", got.problem.RetryAt)
			}
			if next.code == "" && c.next == (note{}) {
				c.next.next = next.next // Due, whenever that was.
				if next.next > mono {
					t.Errorf("it is put off by %s", next.next-mono)
				}
			}
			if next != c.next {
				t.Errorf("remembered is %+v, want %+v", next, c.next)
			}
		})
	}
	if !outage.RetryAt.IsZero() {
		t.Error("the problem in a note was changed")
	}
}

func TestDeviceFlowNote(t *testing.T) {
	const mono = 1000 * time.Second
	some := &problem.Problem{Reason: v1alpha1.ReasonGitHubUnavailable}
	polled := note{code: theCode, next: mono, interval: 5 * time.Second}
	failed := func(times int) func(*note) {
		return func(n *note) {
			for range times {
				n.failed(mono, 3, "once", some, retry.After(nil))
			}
		}
	}
	over := polled
	over.over = true
	for name, c := range map[string]struct {
		note   note
		change func(*note)
		wait   time.Duration
		over   bool
		count  int
	}{
		"a first request that fails is made again after two seconds": {note{}, failed(1), 2 * time.Second, false, 1},
		"then later each time":                              {note{}, failed(4), 16 * time.Second, false, 4},
		"but no later than five minutes":                    {note{}, failed(20), 5 * time.Minute, false, 20},
		"so too after a code that came to nothing":          {over, failed(20), 5 * time.Minute, true, 20},
		"a poll that fails waits for the interval at least": {polled, failed(1), 5 * time.Second, false, 1},
		"and for a minute at most":                          {polled, failed(20), time.Minute, false, 20},
		"a rate limit is waited out, however long": {polled, func(n *note) {
			wait := retry.After(nil)
			wait.First = time.Hour
			n.failed(mono, 3, "once", some, wait)
		}, time.Hour, false, 1},
		"a person who has not entered the code is waited for": {polled, func(n *note) { n.pending(mono, 0, testApp, true) }, 5 * time.Second, false, 0},
		"as GitHub asks":                         {polled, func(n *note) { n.pending(mono, 10*time.Second, testApp, true) }, 10 * time.Second, false, 0},
		"an answer forgets failures":             {polled, func(n *note) { failed(3)(n); n.pending(mono, 0, testApp, true) }, 5 * time.Second, false, 0},
		"a first code that ended has a next one": {polled, func(n *note) { n.ended(mono, 1, false) }, time.Second, true, 0},
		"the pause grows with the codes":         {polled, func(n *note) { failed(2)(n); n.ended(mono, 5, false) }, 16 * time.Second, true, 0},
		"up to five minutes":                     {polled, func(n *note) { n.ended(mono, 10, false) }, 5 * time.Minute, true, 0},
		"a refusal that the Secret does not tell of is heard again by the next poll": {polled, func(n *note) { n.ended(mono, 1, true) }, 5 * time.Second, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			n := c.note
			c.change(&n)
			if wait := n.next - mono; wait != c.wait || n.over != c.over || n.failures != c.count {
				t.Errorf("it waits %s, over %t, %d failures; want %s, %t, %d", wait, n.over, n.failures, c.wait, c.over, c.count)
			}
			if (n.problem != nil) != (c.count > 0) {
				t.Errorf("it tells of %+v after %d failures", n.problem, c.count)
			}
			if n.code != c.note.code {
				t.Error("it speaks of another code")
			}
		})
	}
}

// The first code of a series that the clock ends is followed by the next after a pause, the second after a
// longer one, and so on until the series is over.
func TestDeviceFlowEachCodeThatTheClockEndsIsFollowedLater(t *testing.T) {
	in, now, mono, n := seenWith(nil), epoch, time.Duration(0), note{}
	step, n := planNext(in, n, now, mono)
	if step.stage != stageWanted || step.wait > 0 {
		t.Fatalf("the first code is not requested at once: %+v", step)
	}
	var pauses []time.Duration
	for step.stage == stageWanted {
		offer := step.series
		offer.DeviceCode = credential.NewDeviceCode(strings.Repeat("x", 20+offer.Codes)).Fingerprint()
		offer.Interval, offer.OfferedAt, offer.ExpiresAt = time.Second, now, now.Add(-time.Hour) // Dead on arrival.
		in.device = &offer
		step, n = planNext(in, n, now, mono)
		if step.stage == stageWanted {
			pauses = append(pauses, step.wait)
			now, mono = now.Add(step.wait), mono+step.wait
		}
	}
	if step.stage != stageEnded || step.ended != v1alpha1.ReasonAuthorizationExpired {
		t.Errorf("the series does not end: %+v", step)
	}
	if len(pauses) != maxSeriesCodes-1 {
		t.Errorf("%d codes followed the first, want %d", len(pauses), maxSeriesCodes-1)
	}
	for i, pause := range pauses {
		if want := min(time.Second<<i, retry.Max); pause != want {
			t.Errorf("the pause after code %d is %s, want %s", i+1, pause, want)
		}
	}
}

// A code that GitHub has given for one App may be named for another by whoever may write the Secret.
func TestDeviceFlowCodeIsKnownForItsOwnAppOnly(t *testing.T) {
	for app, given := range map[string]bool{testApp: true, "github.com/Iv23liMADEUP": false} {
		in := seenWith(offered(func(d *rotation.DeviceAuthorization) { d.App = app }))
		in.app = app
		if next, _ := planNext(in, note{code: theCode, given: givenCode{testApp, theCode}}, epoch, 0); next.code != theCode || next.given != given {
			t.Errorf("for %s the plan is %+v", app, next)
		}
	}
}
