package outputs

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// An output whose next try is a moment away is passed over, and comes due while others are written. No event tells of that.
func TestOutputThatComesDueWhileOthersAreWrittenIsTriedAtOnce(t *testing.T) {
	for name, surplus := range map[string]bool{"one that could not be written": false, "one that could not be removed": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, opaque("late"), opaque("slow"))
				w.published()
				if surplus {
					w.token.Spec.Outputs = []v1alpha1.Output{opaque("slow")}
				} else {
					w.server.edit("late", func(s *corev1.Secret) { s.Data["access_token"] = []byte("x") })
				}
				w.server.before = func(_, name string) error {
					if name == "late" {
						return errors.New("not now")
					}
					return nil
				}
				_, requeueAt := w.sync()
				if time.Until(requeueAt) != time.Second {
					t.Fatalf("it is tried again in %s", time.Until(requeueAt))
				}
				time.Sleep(time.Second - time.Millisecond)
				w.server.drop("slow")
				w.server.before = func(string, string) error {
					time.Sleep(time.Second)
					return nil
				}
				s := w.scope()
				shown, requeueAt, err := w.Sync(t.Context(), s, nil)
				if err != nil || shown == nil {
					t.Fatalf("shown is %+v, %v", shown, err)
				}
				if requeueAt.IsZero() || requeueAt.After(s.Now) {
					t.Fatalf("its time has come, and nobody comes back before %v", requeueAt)
				}
				if shown, requeueAt := w.sync(); shown != "" || !requeueAt.IsZero() {
					t.Errorf("after the try it is still told of: %q, again at %v", shown, requeueAt)
				}
			})
		})
	}
}

// The same of an output that somebody else changes back, and that is put right later each time.
func TestOutputContestThatComesDueWhileOthersAreWrittenIsLookedAtAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, opaque("other"), opaque("out"))
		w.published()
		w.contested(rivals["merges a key"], 10*time.Second)
		_, requeueAt := w.sync()
		time.Sleep(time.Until(requeueAt) - time.Millisecond)
		w.server.drop("other")
		w.server.before = func(string, string) error {
			time.Sleep(time.Second)
			return nil
		}
		s := w.scope()
		shown, requeueAt, err := w.Sync(t.Context(), s, nil)
		if err != nil || shown == nil || shown.Reason != v1alpha1.ReasonContested {
			t.Fatalf("shown is %+v, %v", shown, err)
		}
		if requeueAt.IsZero() || requeueAt.After(s.Now) {
			t.Fatalf("its time has come, and nobody comes back before %v", requeueAt.Sub(s.Now))
		}
		w.sync()
		if left := w.server.get("out").Data["theirs"]; left != nil {
			t.Error("it was not put right")
		}
	})
}

// A try that has come due and waits for the end of a contest is not asked for all the time.
func TestOutputInTroubleThatIsContestedIsTriedWhenTheContestAllows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, opaque("out"))
		w.published()
		w.contested(rivals["merges a key"], 10*time.Second)
		w.fail(map[string]*problem.Problem{"out": retried("out fails.")})
		time.Sleep(time.Second)
		if _, requeueAt := w.sync(); time.Until(requeueAt) <= 0 {
			t.Errorf("it is tried again in %s", time.Until(requeueAt))
		}
	})
}

// What nobody makes again is not looked at: the time at which it was to be removed again has no meaning any more.
func TestOutputContestOverAnOutputThatIsGoneIsNotOverdue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, opaque("out"))
		w.published()
		w.contested(rivals["removes it and the spec is without it"], 10*time.Second)
		rivals["removes it and the spec is without it"](w)
		_, requeueAt := w.sync()
		if time.Until(requeueAt) <= 0 {
			t.Fatalf("it is removed again in %s", time.Until(requeueAt))
		}
		w.server.drop("out")
		time.Sleep(time.Until(requeueAt) + time.Second)
		s := w.scope()
		if _, requeueAt, err := w.Sync(t.Context(), s, nil); err != nil || !requeueAt.IsZero() && !requeueAt.After(s.Now) {
			t.Errorf("it is looked at again at %v, %v", requeueAt, err)
		}
	})
}
