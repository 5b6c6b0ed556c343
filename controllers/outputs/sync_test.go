package outputs

import (
	"errors"
	"fmt"
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

func TestOutputsAreSynced(t *testing.T) {
	edit := func(change func(*corev1.Secret)) func(*world) {
		return func(w *world) { w.server.edit("out", change) }
	}
	for name, c := range map[string]struct {
		// change is made to an output that was written and is in the cache.
		change   func(*world)
		requests []string
		// problem is the reason of what is shown, empty when nothing is.
		problem string
	}{
		"nothing has changed":       {func(*world) {}, nil, ""},
		"others have added a label": {edit(func(s *corev1.Secret) { s.Labels["theirs"] = "x" }), nil, ""},
		"it was deleted":            {func(w *world) { w.server.drop("out") }, []string{"create out", "get pair octocat"}, ""},
		"a label was changed":       {edit(func(s *corev1.Secret) { s.Labels[v1alpha1.LabelOwner] = "x" }), []string{"patch out"}, ""},
		"its value was edited":      {edit(func(s *corev1.Secret) { s.Data["access_token"] = []byte("x") }), []string{"get out", "get pair octocat", "update out"}, ""},
		"a key was removed":         {edit(func(s *corev1.Secret) { delete(s.Data, "expires_at") }), []string{"get out", "get pair octocat", "update out"}, ""},
		"a key was added":           {edit(func(s *corev1.Secret) { s.Data["x"] = []byte("x") }), []string{"get out", "get pair octocat", "update out"}, ""},
		"its source was removed":    {edit(func(s *corev1.Secret) { s.Annotations = nil }), []string{"get pair octocat", "update out"}, ""},
		"its controller was removed": {
			edit(func(s *corev1.Secret) { s.OwnerReferences = nil }), []string{"get pair octocat", "update out"}, "",
		},
		"the operator's labels were removed, so that the cache has it no more": {
			edit(func(s *corev1.Secret) { s.Labels = nil }), []string{"create out", "get out", "get pair octocat", "update out"}, "",
		},
		"somebody has written the very same data": {
			func(w *world) {
				w.server.edit("out", func(s *corev1.Secret) {})
				w.server.secrets["out"].ManagedFields[0].Manager = "kubectl-replace"
			}, []string{"get out", "get pair octocat"}, "",
		},
		"somebody has made it anew with another type": {
			func(w *world) {
				w.server.edit("out", func(s *corev1.Secret) { s.Type = "example.com/x" })
				w.server.secrets["out"].ManagedFields[0].Manager = "kubectl-replace"
			}, []string{"create out", "delete out", "get out", "get pair octocat", "update out"}, "",
		},
		"it has become somebody else's since the cache was read": {
			func(w *world) {
				w.server.secrets["out"].ManagedFields[0].Manager = "kubectl-replace"
				w.server.freeze()
				w.server.edit("out", func(s *corev1.Secret) { s.OwnerReferences[0].Name = "hubot" })
			}, []string{"get out", "get out", "get pair octocat", "update out"}, v1alpha1.ReasonOutputNotOwned,
		},
		"there is no cache yet": {
			func(w *world) { w.server.cacheErr = errCacheNotStarted }, []string{"get out"}, "",
		},
		"the pair is another": {
			func(w *world) { w.pairs.pair = newPair(w.token, secondToken) }, []string{"get pair octocat", "update out"}, "",
		},
		"the spec asks for another label": {
			func(w *world) { w.token.Spec.Outputs[0].Labels = map[string]string{"team": "a"} }, []string{"patch out"}, "",
		},
		"the spec asks for another format, whose type is another": {
			func(w *world) { w.token.Spec.Outputs[0].Format = v1alpha1.OutputFormatBasicAuth },
			[]string{"create out", "delete out", "get pair octocat", "update out"}, "",
		},
		"the spec asks for it no longer": {
			func(w *world) { w.token.Spec.Outputs = nil }, []string{"delete out"}, "",
		},
		"the spec asks for it no longer, and it cannot be removed": {
			func(w *world) {
				w.token.Spec.Outputs = nil
				w.server.before = func(verb, _ string) error {
					if verb == "delete" {
						return apierrors.NewForbidden(secretsResource, "out", errors.New("no"))
					}
					return nil
				}
			}, []string{"delete out", "get out", "get pair octocat"}, v1alpha1.ReasonOutputNotRemoved,
		},
		"the spec asks for it no longer, the pair holds no token, and it cannot be removed": {
			func(w *world) {
				w.token.Spec.Outputs, w.pairs.pair.State.AccessToken = nil, ""
				w.server.before = func(verb, _ string) error {
					if verb == "delete" {
						return errors.New("connection refused")
					}
					return nil
				}
			}, []string{"delete out", "get out", "get pair octocat"}, v1alpha1.ReasonOutputNotRemoved,
		},
		"the spec gives it another name": {
			func(w *world) { w.token.Spec.Outputs[0].Name = "other" }, []string{"create other", "delete out", "get pair octocat"}, "",
		},
		"what the spec asks for cannot be rendered": {
			func(w *world) { w.token.Spec.Outputs[0].Key = "expires_at" }, []string{"get pair octocat"}, v1alpha1.ReasonOutputInvalid,
		},
		"somebody else's Secret has taken its place": {
			func(w *world) {
				w.server.drop("out")
				w.server.add(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "out"}})
			}, []string{"create out", "get out", "get pair octocat"}, v1alpha1.ReasonOutputNotOwned,
		},
		"the pair holds no token": {
			func(w *world) { w.server.drop("out"); w.pairs.pair.State.AccessToken = "" }, nil, "",
		},
		"the pair was restored and is not proven": {
			func(w *world) { w.server.drop("out"); w.pairs.pair.State.Owner = "former" }, nil, "",
		},
		"the pair Secret is somebody else's": {
			func(w *world) { w.server.drop("out"); w.pairs.pair.Controlled = false }, nil, "",
		},
		"the API server refuses the labels": {
			func(w *world) {
				w.token.Spec.Outputs[0].Labels = map[string]string{"team": "a b"}
				w.server.before = func(string, string) error { return apierrors.NewForbidden(secretsResource, "out", errors.New("no")) }
			}, []string{"get out", "get pair octocat", "patch out"}, v1alpha1.ReasonOutputNotWritten,
		},
		"somebody is faster than the patch of the labels": {
			func(w *world) {
				w.token.Spec.Outputs[0].Labels = map[string]string{"team": "a"}
				w.server.before = func(string, string) error {
					return apierrors.NewConflict(secretsResource, "out", errors.New("changed"))
				}
			}, []string{"patch out"}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, opaque("out"))
			w.published()
			c.change(w)
			w.store.Forget("uid-1") // As after a restart, so that memory spares no request.
			reason, requeueAt := w.sync()
			w.wantRequests(c.requests...)
			if reason != c.problem || (reason == "") != requeueAt.IsZero() {
				t.Errorf("the problem is %q, looked at again at %v; want %q", reason, requeueAt, c.problem)
			}
			if c.problem != "" {
				return
			}
			w.server.before, w.server.cacheErr = nil, nil
			w.sync()
			w.server.counted()
			if reason, _ := w.sync(); reason != "" {
				t.Errorf("there is a problem afterwards: %s", reason)
			}
			w.wantRequests()
		})
	}
}

func TestOutputsOfTheLivePairAreRestoredOnlyIfItIsTheResourcesOwn(t *testing.T) {
	for name, change := range map[string]func(*pairs){
		"it is somebody else's by now": func(p *pairs) { p.pair.Controlled = false },
		"it has another owner by now":  func(p *pairs) { p.pair.Owner.UID = "another" },
		"it is not proven by now":      func(p *pairs) { p.pair.State.Owner = "another" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, opaque("out"))
			s := w.scope()
			change(w.pairs)
			if found, _, err := w.Sync(t.Context(), s, nil); found != nil || err != nil {
				t.Errorf("found %v, %v", found, err)
			}
			w.wantRequests("get pair octocat")
		})
	}
}

func TestOutputsAreRestoredFromTheLivePairThatIsNewerThanTheCache(t *testing.T) {
	w := newWorld(t, opaque("out"))
	s := w.scope()
	w.pairs.pair = newPair(w.token, secondToken)
	if found, _, err := w.Sync(t.Context(), s, nil); found != nil || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
	w.wantToken("out", secondToken)
}

func TestOutputIsRestoredWithTheTimeOfTheNextRefreshOfNow(t *testing.T) {
	w := newWorld(t, opaque("out"))
	s := w.scope()
	w.pairs.pair.NextRefreshAt = time.Time{} // The annotation is missing, or of a policy of before.
	if found, _, err := w.Sync(t.Context(), s, nil); found != nil || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
	want := s.NextRefreshAt().UTC().Format(time.RFC3339)
	if got := w.server.get("out").Annotations[v1alpha1.AnnotationNextRefreshAt]; got != want {
		t.Errorf("the next refresh is at %q, want %q", got, want)
	}
}

func TestOutputMetadataThatWasJustPatchedIsNotPatchedAgain(t *testing.T) {
	w := newWorld(t, opaque("out"))
	w.published()
	w.server.freeze()
	w.token.Spec.Outputs[0].Labels = map[string]string{"team": "a"}
	w.sync()
	w.wantRequests("patch out")
	w.sync()
	w.wantRequests()
}

func TestOutputThatIsWaitedForMakesNoRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, opaque("out"))
		w.server.add(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "out"}})
		if reason, _ := w.sync(); reason != v1alpha1.ReasonOutputNotOwned {
			t.Fatalf("the problem is %q", reason)
		}
		w.server.counted()
		reason, requeueAt := w.sync()
		w.wantRequests()
		if reason != v1alpha1.ReasonOutputNotOwned || time.Until(requeueAt) != 5*time.Minute {
			t.Errorf("the problem is %q, looked at again in %v", reason, time.Until(requeueAt))
		}
		w.server.drop("out")
		w.Reconsider("uid-1")
		if reason, requeueAt := w.sync(); reason != "" || !requeueAt.IsZero() {
			t.Errorf("the Secret in the way is gone, and the problem is %q", reason)
		}
		w.wantToken("out", firstToken)
	})
}

func TestOutputProblemEndsWithItsCause(t *testing.T) {
	for name, change := range map[string]func(*world){
		"the output is wanted no longer": func(w *world) { w.token.Spec.Outputs = nil },
		"another is wanted in its place": func(w *world) { w.token.Spec.Outputs = []v1alpha1.Output{opaque("other")}; w.server.before = nil },
		"it was written, and only the answer was lost": func(w *world) {
			w.server.before = nil
			w.Publish(w.t.Context(), w.token, w.pairs.pair)
			w.fail(map[string]*problem.Problem{"out": retried("no answer")})
			time.Sleep(time.Second)
		},
		"there is no token to write":         func(w *world) { w.pairs.pair.State.AccessToken = "" },
		"the output was written by somebody": func(w *world) { time.Sleep(time.Second); w.server.before = nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, opaque("out"))
				w.server.before = func(verb, _ string) error {
					if verb == "create" {
						return apierrors.NewServiceUnavailable("no etcd")
					}
					return nil
				}
				if reason, requeueAt := w.sync(); reason != v1alpha1.ReasonOutputNotWritten || time.Until(requeueAt) != time.Second {
					t.Fatalf("the problem is %q, looked at again in %v", reason, time.Until(requeueAt))
				}
				change(w)
				if reason, requeueAt := w.sync(); reason != "" || !requeueAt.IsZero() {
					t.Errorf("the problem is %q, looked at again at %v", reason, requeueAt)
				}
			})
		})
	}
}

func TestOutputThatWasFoundRightIsNotReadAgain(t *testing.T) {
	w := newWorld(t, opaque("out"))
	w.published()
	w.server.edit("out", func(*corev1.Secret) {})
	w.server.secrets["out"].ManagedFields[0].Manager = "kubectl-replace"
	w.sync()
	w.wantRequests("get out", "get pair octocat")
	w.sync()
	w.wantRequests()
	w.Gone("uid-1", "out", w.server.get("out").UID)
	w.sync()
	w.wantRequests("get out", "get pair octocat")
}

func TestOutputThatWasJustWrittenIsBelievedUntilItIsSeenToBeGone(t *testing.T) {
	w := newWorld(t, opaque("out"))
	w.server.freeze() // The cache shows none of it.
	w.published()
	written := w.server.get("out").UID
	w.sync()
	w.wantRequests()
	w.server.drop("out")
	w.Gone("uid-1", "out", "one of before")
	w.sync()
	w.wantRequests()
	w.Gone("uid-1", "out", written)
	w.sync()
	w.wantRequests("create out", "get pair octocat")
}

// Somebody deletes what is created so fast that the cache has shown it and its end before the creation is answered.
func TestOutputThatIsGoneBeforeItsCreationIsAnsweredIsMadeAgain(t *testing.T) {
	w := newWorld(t, opaque("out"))
	w.server.freeze()
	w.server.created = func(uid types.UID) {
		w.server.created = nil
		w.server.drop("out")
		w.Gone("uid-1", "out", uid)
	}
	w.Publish(t.Context(), w.token, w.pairs.pair)
	w.wantRequests("create out")
	w.sync()
	w.wantRequests("create out", "get pair octocat")
	if w.server.get("out") == nil {
		t.Error("it is gone")
	}
	w.sync()
	w.wantRequests()
}

// Others that are made and deleted meanwhile, however many, cost nothing but that what is written is not remembered.
func TestOutputIsNotRememberedWhereTooManyHaveGone(t *testing.T) {
	w := newWorld(t, opaque("out"))
	w.server.freeze()
	w.server.created = func(types.UID) {
		w.server.created = nil
		for n := range 10 * maxGone {
			w.Gone("uid-1", "another", types.UID(fmt.Sprint(n)))
		}
		w.notes.slot.Peek("uid-1", func(n *notes) {
			if len(n.round.gone) > maxGone {
				t.Errorf("%d are remembered", len(n.round.gone))
			}
		})
	}
	w.published()
	w.sync()
	w.wantRequests("create out", "get out", "get pair octocat", "update out")
}

// Its owner and label were taken off before it was deleted, so that no event told whose it was.
func TestOutputThatIsMissingForLongIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, opaque("out"))
		w.server.freeze()
		w.published()
		w.server.drop("out")
		_, requeueAt, err := w.Sync(t.Context(), w.scope(), nil)
		if err != nil || !requeueAt.Equal(time.Now().Add(arrivalTime)) {
			t.Fatalf("it is looked for again at %v, %v", requeueAt, err)
		}
		w.wantRequests()
		time.Sleep(arrivalTime)
		w.sync()
		w.wantRequests("create out", "get pair octocat")
		if w.server.get("out") == nil {
			t.Error("it is gone")
		}
	})
}

func TestOutputsThatAreRightAreNotRemembered(t *testing.T) {
	w := newWorld(t, opaque("out"))
	w.published()
	w.sync()
	if w.store.Len() != 0 {
		t.Error("something is remembered of an output that is in the cache as it was written")
	}
}

func TestOutputsThatCannotBeLookedAtAreAnError(t *testing.T) {
	for name, c := range map[string]func(*world){
		"in the cache": func(w *world) { w.server.cacheErr = errors.New("the index is gone") },
		"in the pair":  func(w *world) { w.server.before = func(string, string) error { return errors.New("no answer") } },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, opaque("out"))
			c(w)
			if found, requeueAt, err := w.Sync(t.Context(), w.scope(), nil); err == nil || found != nil || !requeueAt.IsZero() {
				t.Errorf("found %v, %v, %v", found, requeueAt, err)
			}
		})
	}
}
