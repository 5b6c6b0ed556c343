package outputs

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

func stalled(message string) *problem.Problem {
	return &problem.Problem{Reason: v1alpha1.ReasonOutputNotOwned, Aside: true, Stalled: true, Message: message}
}

func retried(message string) *problem.Problem {
	return &problem.Problem{Reason: v1alpha1.ReasonOutputNotWritten, Aside: true, Transient: true, Message: message}
}

// fail records problems of outputs, as a round does.
func (w *world) fail(problems map[string]*problem.Problem) {
	defer w.notes.begin(w.token.UID)()
	for name, found := range problems {
		w.notes.record(w.token, name, found)
	}
}

func TestOutputProblemThatIsShown(t *testing.T) {
	type problems = map[string]*problem.Problem
	for name, c := range map[string]struct {
		problems problems
		want     string
	}{
		"none":                             {problems{"a": nil}, ""},
		"the only one":                     {problems{"a": nil, "b": retried("b fails.")}, "b fails."},
		"the first by name, others named":  {problems{"c": retried("c fails."), "a": retried("a fails."), "b": retried("b fails.")}, "a fails. Further outputs in trouble: b, c."},
		"what needs somebody goes first":   {problems{"a": retried("a fails."), "b": stalled("b is taken."), "c": retried("c fails.")}, "b is taken. Further outputs in trouble: a, c."},
		"of those the first by name":       {problems{"a": retried("a fails."), "c": stalled("c is taken."), "b": stalled("b is taken.")}, "b is taken. Further outputs in trouble: a, c."},
		"one that is right is not counted": {problems{"a": nil, "b": stalled("b is taken."), "c": nil}, "b is taken."},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.fail(c.problems)
				shown, requeueAt := w.notes.problem("uid-1", time.Now())
				if shown == nil {
					if c.want != "" || !requeueAt.IsZero() {
						t.Fatalf("nothing is shown, and it is looked at again at %v; want %q", requeueAt, c.want)
					}
					return
				}
				if shown.Message != c.want {
					t.Errorf("shown is %q, want %q", shown.Message, c.want)
				}
				if shown.Stalled != shown.RetryAt.IsZero() {
					t.Errorf("stalled: %t, and the next try is at %v", shown.Stalled, shown.RetryAt)
				}
			})
		})
	}
}

func TestOutputRetryTimes(t *testing.T) {
	another := func() *problem.Problem {
		return &problem.Problem{Reason: v1alpha1.ReasonNamespaceTerminating, Aside: true}
	}
	for name, c := range map[string]struct {
		// failures are those of one output, one after the other.
		failures []*problem.Problem
		want     time.Duration
	}{
		"the first failure":                           {[]*problem.Problem{retried("")}, time.Second},
		"each further one doubles the wait":           {[]*problem.Problem{retried(""), retried(""), retried("")}, 4 * time.Second},
		"up to half a minute":                         {[]*problem.Problem{retried(""), retried(""), retried(""), retried(""), retried(""), retried(""), retried(""), retried(""), retried(""), retried("")}, 30 * time.Second},
		"another reason begins anew":                  {[]*problem.Problem{retried(""), retried(""), another()}, time.Second},
		"a success begins anew":                       {[]*problem.Problem{retried(""), retried(""), nil, retried("")}, time.Second},
		"what waits for somebody is looked at rarely": {[]*problem.Problem{stalled("")}, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				for _, failure := range c.failures {
					w.fail(map[string]*problem.Problem{"out": failure})
				}
				now := w.options.Clock.Now()
				if _, requeueAt := w.notes.problem("uid-1", now); requeueAt.Sub(now) != c.want {
					t.Errorf("it is tried again after %v, want %v", requeueAt.Sub(now), c.want)
				}
				time.Sleep(c.want - time.Nanosecond)
				if !w.notes.waits(w.token, "out") {
					t.Error("it is tried again too early")
				}
				time.Sleep(time.Nanosecond)
				if w.notes.waits(w.token, "out") {
					t.Error("it is not tried when its time has come")
				}
				now = w.options.Clock.Now()
				if _, requeueAt := w.notes.problem("uid-1", now); !requeueAt.Equal(now) {
					t.Errorf("its time has come, and it is to be tried at %v", requeueAt)
				}
			})
		})
	}
}

func TestOutputRetryIsAtTheEarliestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fail(map[string]*problem.Problem{"a": retried(""), "b": stalled(""), "c": retried("")})
		w.fail(map[string]*problem.Problem{"c": retried("")}) // In 2 s.
		for _, c := range []struct {
			passes, want time.Duration
			tried        string // and found right
		}{{0, time.Second, ""}, {1500 * time.Millisecond, 1500 * time.Millisecond, ""}, {0, 2 * time.Second, "a"}, {time.Second, 5 * time.Minute, "c"}} {
			time.Sleep(c.passes)
			w.fail(map[string]*problem.Problem{c.tried: nil})
			now := w.options.Clock.Now()
			start := now.Add(-w.options.Clock.Monotonic())
			if _, requeueAt := w.notes.problem("uid-1", now); requeueAt.Sub(start) != c.want {
				t.Errorf("after %v it is to be tried at %v, want %v", w.options.Clock.Monotonic(), requeueAt.Sub(start), c.want)
			}
		}
	})
}

func TestOutputInTroubleIsTriedAtOnceWhen(t *testing.T) {
	for name, c := range map[string]struct {
		found  *problem.Problem
		change func(*world)
		waits  bool
	}{
		"nothing has changed":                                {stalled(""), func(*world) {}, true},
		"the spec has changed":                               {retried(""), func(w *world) { w.token.Generation++ }, false},
		"a Secret has changed and somebody was waited for":   {stalled(""), func(w *world) { w.Reconsider("uid-1") }, false},
		"a Secret has changed and the API server had failed": {retried(""), func(w *world) { w.Reconsider("uid-1") }, true},
		"a Secret of another resource has changed":           {stalled(""), func(w *world) { w.Reconsider("uid-2") }, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.fail(map[string]*problem.Problem{"out": c.found})
			c.change(w)
			if waits := w.notes.waits(w.token, "out"); waits != c.waits {
				t.Errorf("it waits: %t, want %t", waits, c.waits)
			}
		})
	}
}

// A Secret that goes while a write that found it in its way is under way must not be missed.
func TestOutputThatIsBlockedIsTriedAgainWhenItsSecretChangesMeanwhile(t *testing.T) {
	for name, c := range map[string]struct {
		changes bool
		found   *problem.Problem
		waits   bool
	}{
		"changed meanwhile": {true, stalled(""), false},
		"unchanged":         {false, stalled(""), true},
		"changed meanwhile, and the API server failed": {true, retried(""), true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			first, second := w.notes.begin("uid-1"), w.notes.begin("uid-1")
			first()
			if c.changes {
				w.Reconsider("uid-1")
			}
			w.notes.record(w.token, "taken", c.found)
			second()
			if waits := w.notes.waits(w.token, "taken"); waits != c.waits {
				t.Errorf("it waits: %t, want %t", waits, c.waits)
			}
			w.notes.record(w.token, "taken", nil)
			if w.store.Len() != 0 {
				t.Error("something is remembered after the end")
			}
		})
	}
}

func TestOutputsOfAForgottenResourceAreNotRememberedAnew(t *testing.T) {
	w := newWorld(t)
	end := w.notes.begin("uid-1")
	w.store.Forget("uid-1")
	w.notes.record(w.token, "out", retried(""))
	w.notes.wrote("uid-1", "out", &secretMetadata("team-a", "out").ObjectMeta)
	w.notes.foundRight("uid-1", "out", "1")
	end()
	if w.store.Len() != 0 {
		t.Error("something is remembered of a resource that was forgotten while its outputs were written")
	}
}

func TestOutputsThatAreLateOrTransient(t *testing.T) {
	for name, c := range map[string]struct {
		problems  map[string]*problem.Problem
		late      []string
		transient bool
	}{
		"all are written":                       {map[string]*problem.Problem{"a": nil}, nil, false},
		"one could not be written for a moment": {map[string]*problem.Problem{"b": retried("")}, []string{"b"}, true},
		"one waits for somebody":                {map[string]*problem.Problem{"a": stalled("")}, []string{"a"}, false},
		"one waits for a scoped token":          {map[string]*problem.Problem{"a": {Reason: v1alpha1.ReasonScopedTokenNotMade, Transient: true}}, []string{"a"}, false},
		"they are sorted":                       {map[string]*problem.Problem{"b": stalled(""), "a": retried("")}, []string{"a", "b"}, true},
		"one that is wanted no longer":          {map[string]*problem.Problem{"gone": stalled("")}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, opaque("b"), opaque("a"))
			w.fail(c.problems)
			if late := w.Late(w.token); !slices.Equal(late, c.late) {
				t.Errorf("late are %v, want %v", late, c.late)
			}
			if transient := w.Transient("uid-1"); transient != c.transient {
				t.Errorf("transient: %t, want %t", transient, c.transient)
			}
		})
	}
}

func TestOutputRoundOfAForgottenResourceDoesNotEndThatOfTheNext(t *testing.T) {
	w := newWorld(t)
	endOld := w.notes.begin("uid-1")
	w.store.Forget("uid-1")
	endNew := w.notes.begin("uid-1")
	w.notes.record(w.token, "other", retried("")) // So that there is a note in any case.
	endOld()
	w.Reconsider("uid-1")
	w.notes.record(w.token, "out", stalled(""))
	endNew()
	if w.notes.waits(w.token, "out") {
		t.Error("a change that came while the output was written was missed")
	}
}

func TestOutputThatFailedIsLookedAtAnew(t *testing.T) {
	w := newWorld(t)
	defer w.notes.begin("uid-1")()
	cached, written := secretMetadata("team-a", "out").ObjectMeta, secretMetadata("team-a", "out").ObjectMeta
	cached.ResourceVersion, written.ResourceVersion = "1", "2"
	w.notes.wrote("uid-1", "out", &written)
	if got := w.notes.newest("uid-1", "out", &cached); got.ResourceVersion != "2" {
		t.Error("what was just written is not believed")
	}
	w.notes.record(w.token, "out", retried(""))
	if got := w.notes.newest("uid-1", "out", &cached); got.ResourceVersion != "1" {
		t.Error("what was written is believed although the next write did not succeed on the strength of it")
	}
}
