package outputs

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// rival changes an output back whenever it was put right.
type rival func(*world)

func edits(change func(*corev1.Secret)) rival {
	return func(w *world) {
		if w.server.get("out") != nil {
			w.server.edit("out", change)
		}
	}
}

// unseen is a change after which the cache does not show the output any more, of which an event tells.
func unseen(change rival) rival {
	return func(w *world) {
		if before := w.server.get("out"); before != nil {
			change(w)
			w.Gone(w.token.UID, "out", before.UID)
		}
	}
}

var rivals = map[string]rival{
	"merges a key":       edits(func(s *corev1.Secret) { s.Data["theirs"] = []byte("x") }),
	"replaces the token": edits(func(s *corev1.Secret) { s.Data["access_token"] = []byte("x") }),
	"strips a label":     edits(func(s *corev1.Secret) { delete(s.Labels, "team") }),
	"strips the marks":   unseen(edits(func(s *corev1.Secret) { s.Labels = nil })),
	"strips annotations": edits(func(s *corev1.Secret) { s.Annotations = nil }),
	"strips the owner":   edits(func(s *corev1.Secret) { s.OwnerReferences = nil }),
	"deletes it":         unseen(func(w *world) { w.server.drop("out") }),
	"makes it anew with another type": func(w *world) {
		w.server.edit("out", func(s *corev1.Secret) { s.UID, s.Type = "", "example.com/x" })
		w.server.secrets["out"].ManagedFields[0].Manager = "kubectl-replace"
	},
	"removes it and the spec is without it": func(w *world) {
		w.token.Spec.Outputs = nil
		if w.server.get("out") == nil {
			w.server.add(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{
				Name: "out", Labels: map[string]string{v1alpha1.LabelRole: v1alpha1.RoleOutput},
				OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(w.token, v1alpha1.GroupVersion.WithKind(kind))},
			}})
		}
	},
	"touches it, and owns its data as well": func(w *world) {
		w.server.edit("out", func(s *corev1.Secret) { s.Annotations["touched"] = time.Now().String() })
		w.server.secrets["out"].ManagedFields[0].Manager = "mirror"
	},
}

// contested lets a rival be at it for a while, with a reconcile for each event, and counts the requests of the operator.
func (w *world) contested(rival rival, during time.Duration) (requests int, shown *problem.Problem) {
	w.t.Helper()
	for began := time.Now(); time.Since(began) < during; time.Sleep(during / 1000) {
		rival(w)
		found, _, err := w.Sync(w.t.Context(), w.scope(), nil)
		if err != nil {
			w.t.Fatal(err)
		}
		requests, shown = requests+len(w.server.counted()), found
	}
	return requests, shown
}

func TestOutputContestOverAnOutputIsBoundedAndToldOf(t *testing.T) {
	for name, rival := range rivals {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				output := opaque("out")
				output.Labels = map[string]string{"team": "a"}
				w := newWorld(t, output)
				w.published()
				requests, shown := w.contested(rival, 10*time.Second)
				if requests > 7*5 { // Seven rounds; the dearest takes five requests.
					t.Errorf("%d requests were made in ten seconds", requests)
				}
				if strings.HasPrefix(name, "touches") {
					if shown != nil {
						t.Errorf("a change of what is left to others is told of: %s", shown.Message)
					}
					return
				}
				if shown == nil || shown.Reason != v1alpha1.ReasonContested || shown.Stalled || !shown.Aside || shown.RetryAt.IsZero() {
					t.Fatalf("shown is %+v", shown)
				}
				for _, want := range []string{`output "out"`, "7 times", "later each time"} {
					if !strings.Contains(shown.Message, want) {
						t.Errorf("the message does not say %q: %s", want, shown.Message)
					}
				}
				if requests, _ := w.contested(rival, 50*time.Minute); requests > 16*5 {
					t.Errorf("%d requests were made in the fifty minutes after", requests)
				}
			})
		})
	}
}

func TestOutputContestNamesWhoIsInTheData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, opaque("out"))
		w.published()
		_, shown := w.contested(rivals["merges a key"], 10*time.Second)
		if shown == nil || !strings.Contains(shown.Message, `as field manager "kubectl-edit"`) {
			t.Errorf("shown is %+v", shown)
		}
	})
}

func TestOutputContestThatHasEndedIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, opaque("out"))
		w.published()
		w.contested(rivals["merges a key"], 10*time.Second)
		if _, requeueAt := w.sync(); requeueAt.IsZero() {
			t.Fatal("the output is not put right at any time")
		} else {
			time.Sleep(time.Until(requeueAt) + time.Nanosecond)
		}
		w.sync()
		w.wantToken("out", firstToken)
		shown, requeueAt := w.sync()
		if shown != v1alpha1.ReasonContested || requeueAt.IsZero() {
			t.Fatalf("a moment after the last round it is not told of: %q", shown)
		}
		time.Sleep(time.Until(requeueAt))
		if shown, requeueAt := w.sync(); shown != "" || !requeueAt.IsZero() {
			t.Errorf("what has stood for a minute is told of: %q, again at %v", shown, requeueAt)
		}
		time.Sleep(10 * time.Minute)
		w.sync()
		if w.store.Len() != 0 {
			t.Error("something is remembered of a contest that is over")
		}
	})
}

func TestOutputContestDoesNotHoldANewTokenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, opaque("out"))
		w.published()
		w.contested(rivals["replaces the token"], time.Minute)
		w.pairs.pair = newPair(w.token, secondToken)
		w.Publish(t.Context(), w.token, w.pairs.pair)
		w.wantToken("out", secondToken)
		rivals["replaces the token"](w)
		w.sync()
		w.wantToken("out", secondToken) // Another token is another contest.
	})
}

func TestOutputContestIsAboutOneOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, opaque("out"), opaque("other"))
		w.published()
		w.contested(rivals["deletes it"], 10*time.Second)
		w.server.drop("other")
		w.sync()
		w.wantToken("other", firstToken)
		if w.server.get("out") != nil {
			t.Error("the contested output is put right with the other")
		}
	})
}
