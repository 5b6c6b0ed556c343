package outputs

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

func TestOutputsAreRemovedWithTheirResource(t *testing.T) {
	relabel := func(s *corev1.Secret) { s.Labels["theirs"] = "x" }
	for name, c := range map[string]struct {
		change   func(*world)
		requests []string
		stays    bool
	}{
		"all of them":              {func(*world) {}, []string{"delete out"}, false},
		"one that is gone already": {func(w *world) { w.server.freeze(); w.server.drop("out") }, []string{"delete out"}, false},
		"one that the spec does not name": {
			func(w *world) { w.token.Spec.Outputs = nil }, []string{"delete out"}, false,
		},
		"one that was edited since the cache was read": {
			func(w *world) { w.server.freeze(); w.server.edit("out", relabel) }, []string{"delete out", "delete out", "get out"}, false,
		},
		"one that is edited without end stays until the garbage collector comes": {
			func(w *world) {
				w.server.before = func(verb, _ string) error {
					if verb == "delete" {
						w.server.edit("out", relabel)
					}
					return nil
				}
			}, []string{"delete out", "delete out", "delete out", "delete out", "get out", "get out", "get out", "get out"}, true,
		},
		"one that has become somebody else's stays": {
			func(w *world) {
				w.server.freeze()
				w.server.edit("out", func(s *corev1.Secret) { s.OwnerReferences[0].Name, s.OwnerReferences[0].UID = "hubot", "uid-2" })
			}, []string{"delete out", "get out"}, true,
		},
		"one that was made anew by somebody stays": {
			func(w *world) {
				w.server.freeze()
				w.server.edit("out", func(s *corev1.Secret) { s.UID = "another" })
			}, []string{"delete out", "get out"}, true,
		},
		"one of another resource stays": {
			func(w *world) {
				w.server.edit("out", func(s *corev1.Secret) { s.OwnerReferences[0].Name, s.OwnerReferences[0].UID = "hubot", "uid-2" })
			}, nil, true,
		},
		"one of a former resource of this name stays": {
			func(w *world) { w.token.UID = types.UID("uid-2") }, nil, true,
		},
		"one that was orphaned goes": {
			func(w *world) { w.server.edit("out", func(s *corev1.Secret) { s.OwnerReferences = nil }) }, []string{"delete out"}, false,
		},
		"one without a controller that bears no mark of ours stays": {
			func(w *world) {
				w.server.edit("out", func(s *corev1.Secret) {
					s.OwnerReferences = nil
					delete(s.Annotations, v1alpha1.AnnotationSource)
				})
			}, nil, true,
		},
		"a pair under the label of an output stays": {
			func(w *world) {
				w.server.edit("out", func(s *corev1.Secret) { s.Finalizers = []string{v1alpha1.Finalizer} })
			}, nil, true,
		},
		"one that is being deleted is left to that": {
			func(w *world) {
				w.server.edit("out", func(s *corev1.Secret) { s.DeletionTimestamp = new(metav1.Now()) })
			}, nil, true,
		},
		"one whose deletion is refused is no obstacle": {
			func(w *world) {
				w.server.before = func(string, string) error { return apierrors.NewForbidden(secretsResource, "out", errors.New("no")) }
			}, []string{"delete out", "get out", "get pair octocat"}, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, opaque("out"))
			w.published()
			w.store.Forget("uid-1")
			c.change(w)
			w.token.DeletionTimestamp = new(metav1.Now())
			if err := w.Remove(t.Context(), w.token); err != nil {
				t.Fatal(err)
			}
			w.wantRequests(c.requests...)
			if stays := w.server.get("out") != nil; stays != c.stays {
				t.Errorf("it is there: %t, want %t", stays, c.stays)
			}
			if w.store.Len() != 0 {
				t.Error("something is remembered of a resource that goes")
			}
		})
	}
}

// With kubectl delete --cascade=orphan nobody else removes it.
func TestOutputsThatWouldOutliveTheirResourceHoldUpItsDeletion(t *testing.T) {
	for name, orphan := range map[string]func(*world){
		"orphaned": func(w *world) { w.server.edit("out", func(s *corev1.Secret) { s.OwnerReferences = nil }) },
		"about to be orphaned": func(w *world) {
			w.token.Finalizers = append(w.token.Finalizers, metav1.FinalizerOrphanDependents)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, opaque("out"))
			w.published()
			orphan(w)
			w.token.DeletionTimestamp = new(metav1.Now())
			w.server.before = func(string, string) error {
				return apierrors.NewForbidden(secretsResource, "out", errors.New("the webhook has seen "+firstToken))
			}
			if err := w.Remove(t.Context(), w.token); err == nil || !strings.Contains(err.Error(), `"out"`) || strings.Contains(err.Error(), firstToken) {
				t.Errorf("the error is %v", err)
			}
			w.server.before = nil
			if err := w.Remove(t.Context(), w.token); err != nil || w.server.get("out") != nil {
				t.Errorf("it is there still: %v", err)
			}
		})
	}
}

func TestOutputsThatCannotBeLookedUpHoldUpADeletion(t *testing.T) {
	w := newWorld(t, opaque("out"))
	w.server.cacheErr = errors.New("the index is gone")
	if err := w.Remove(t.Context(), w.token); err == nil {
		t.Error("there is no error")
	}
}

// The Secret holds a token that nobody keeps any more, and nothing tells of a policy that was changed.
func TestOutputsThatCannotBeRemovedAreReportedAndTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, opaque("out"), opaque("kept"))
		w.published()
		w.token.Spec.Outputs = w.token.Spec.Outputs[1:]
		w.token.Generation++
		denied := true
		w.server.before = func(verb, _ string) error {
			if verb == "delete" && denied {
				return apierrors.NewForbidden(secretsResource, "out", errors.New("the webhook has seen "+firstToken))
			}
			return nil
		}
		deletes := func() (n int) {
			for _, request := range w.server.counted() {
				if request == "delete out" {
					n++
				}
			}
			return n
		}
		var requeueAt time.Time
		for range 10 { // It is tried again when it said it would be, and not by reconciles for other reasons.
			var found *problem.Problem
			found, requeueAt, _ = w.Sync(t.Context(), w.scope(), nil)
			if n := deletes(); n != 1 || found == nil || found.Reason != v1alpha1.ReasonOutputNotRemoved || found.Stalled || strings.Contains(found.Message, firstToken) || !found.RetryAt.Equal(requeueAt) {
				t.Fatalf("%d deletes, and the problem is %+v, looked at again at %s", n, found, requeueAt)
			}
			if again, _, _ := w.Sync(t.Context(), w.scope(), nil); again == nil || again.Message != found.Message || deletes() != 0 {
				t.Fatalf("at once the problem is %+v", again)
			}
			if wait := time.Until(requeueAt); wait <= 0 || wait > 30*time.Second {
				t.Fatalf("it is tried again after %s", wait)
			}
			time.Sleep(time.Until(requeueAt))
		}
		if late := w.Late(w.token); len(late) != 0 || w.Transient("uid-1") {
			t.Errorf("outputs %v count as late", late)
		}
		denied = false
		if reason, at := w.sync(); reason != "" || w.server.get("out") != nil {
			t.Errorf("afterwards the problem is %q, looked at again at %s", reason, at)
		}
		if reason, _ := w.sync(); reason != "" || deletes() != 1 {
			t.Errorf("it is removed again, or the problem is %q", reason)
		}
	})
}

func TestOutputsThatAreWantedAgainAreInNoTrouble(t *testing.T) {
	for name, change := range map[string]func(*world){
		"somebody has removed it": func(w *world) { w.server.drop("out") },
		"the spec wants it again": func(w *world) { w.token.Spec.Outputs = []v1alpha1.Output{opaque("out")}; w.token.Generation++ },
		"it has become another's": func(w *world) {
			w.server.edit("out", func(s *corev1.Secret) { s.OwnerReferences[0].Name, s.OwnerReferences[0].UID = "hubot", "uid-2" })
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, opaque("out"))
			w.published()
			w.token.Spec.Outputs = nil
			w.server.before = func(verb, _ string) error {
				if verb == "delete" {
					return errors.New("connection refused")
				}
				return nil
			}
			if reason, _ := w.sync(); reason != v1alpha1.ReasonOutputNotRemoved {
				t.Fatalf("the problem is %q", reason)
			}
			change(w)
			if reason, at := w.sync(); reason != "" || !at.IsZero() {
				t.Errorf("the problem is %q, looked at again at %s", reason, at)
			}
		})
	}
}
