package outputs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

func TestOutputsArePublishedInOneRequestEach(t *testing.T) {
	w := newWorld(t, opaque("a"), opaque("b"), opaque("c"))
	w.Publish(t.Context(), w.token, w.pairs.pair)
	w.wantRequests("create a", "create b", "create c")
	w.server.freeze() // The versions just written are known, whatever the cache shows.
	for _, access := range []string{secondToken, firstToken, secondToken} {
		w.pairs.pair = newPair(w.token, access)
		w.Publish(t.Context(), w.token, w.pairs.pair)
		w.wantRequests("update a", "update b", "update c")
		w.wantToken("a", access)
	}
	if controller := metav1.GetControllerOf(w.server.get("c")); controller == nil || controller.UID != w.token.UID {
		t.Error("the resource is not the controller of its output")
	}
}

func TestOutputsArePublishedWhateverEndsTheCaller(t *testing.T) {
	w := newWorld(t, opaque("out"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.Publish(ctx, w.token, w.pairs.pair)
	w.wantToken("out", firstToken)
}

func TestOutputsHoldUpARotationForFiveSecondsAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, opaque("out"))
		hanging := hangingClient{writer{w.server}}
		w.options.Client = hanging
		began := time.Now()
		w.Publish(t.Context(), w.token, w.pairs.pair)
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("it took %v", took)
		}
		if late := w.Late(w.token); !slices.Equal(late, []string{"out"}) || !w.Transient("uid-1") {
			t.Errorf("late are %v", late)
		}
	})
}

func TestOutputsBeforeThereIsACacheAreLookedUpLive(t *testing.T) {
	w := newWorld(t, opaque("out"))
	w.published()
	w.store.Forget("uid-1")
	w.server.cacheErr = errCacheNotStarted
	w.pairs.pair = newPair(w.token, secondToken)
	w.Publish(t.Context(), w.token, w.pairs.pair)
	w.wantRequests("get out", "update out")
	w.wantToken("out", secondToken)
}

func TestOutputsThatCannotBeLookedUpCountAsLate(t *testing.T) {
	w := newWorld(t, opaque("a"), opaque("b"))
	w.published()
	w.server.cacheErr = errors.New("the index is gone")
	w.pairs.pair = newPair(w.token, secondToken)
	w.Publish(t.Context(), w.token, w.pairs.pair)
	if late := w.Late(w.token); !slices.Equal(late, []string{"a", "b"}) || !w.Transient("uid-1") {
		t.Errorf("late are %v: workloads would be told of a token that their outputs do not hold", late)
	}
}

func TestOutputWhoseWorkPanicsFailsAlone(t *testing.T) {
	w := newWorld(t, opaque("a"), opaque("b"))
	w.server.before = func(_, name string) error {
		if name == "a" {
			panic(firstToken)
		}
		return nil
	}
	w.Publish(t.Context(), w.token, w.pairs.pair)
	w.wantToken("b", firstToken)
	if late := w.Late(w.token); !slices.Equal(late, []string{"a"}) || w.panics != 1 {
		t.Errorf("late are %v, and %d panics were told of", late, w.panics)
	}
}

func TestOutputWriteThatMeetsSomethingElse(t *testing.T) {
	type hook = func(w *world, verb string, try int) error
	nothing := func(*world) {}
	for name, c := range map[string]struct {
		// before changes the Secret after the cache was read; then answers the n-th request.
		before   func(*world)
		then     hook
		requests []string
		late     bool
	}{
		"it has been edited since the cache was read": {
			func(w *world) {
				w.server.freeze()
				w.server.edit("out", func(secret *corev1.Secret) { secret.Labels["theirs"] = "x" })
			}, nil, []string{"get out", "update out", "update out"}, false,
		},
		"it is gone": {
			func(w *world) { w.server.freeze(); w.server.drop("out") }, nil,
			[]string{"create out", "update out"}, false,
		},
		"it has appeared": {
			func(w *world) {
				w.server.lag = map[string]*corev1.Secret{}
			}, nil, []string{"create out", "get out", "update out"}, false,
		},
		"it was made immutable": {
			func(w *world) {
				w.server.edit("out", func(secret *corev1.Secret) { secret.Immutable = new(true) })
			}, nil, []string{"create out", "delete out", "update out"}, false,
		},
		"it was made immutable, and is gone when it is to be deleted": {
			func(w *world) {
				w.server.edit("out", func(secret *corev1.Secret) { secret.Immutable = new(true) })
			}, func(w *world, verb string, _ int) error {
				if verb == "delete" {
					w.server.drop("out")
				}
				return nil
			}, []string{"create out", "delete out", "update out"}, false,
		},
		"somebody else's Secret has taken its place": {
			func(w *world) {
				w.server.freeze()
				w.server.drop("out")
				w.server.add(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "out", Labels: map[string]string{v1alpha1.LabelRole: v1alpha1.RolePair}}})
			}, nil, []string{"get out", "update out"}, true,
		},
		"it changes without end": {
			nothing, func(_ *world, verb string, _ int) error {
				if verb == "update" {
					return apierrors.NewConflict(secretsResource, "out", errors.New("changed"))
				}
				return nil
			}, []string{"get out", "get out", "get out", "update out", "update out", "update out", "update out"}, true,
		},
		"the API server refuses it": {
			nothing, func(*world, string, int) error {
				return apierrors.NewForbidden(secretsResource, "out", errors.New("no"))
			},
			[]string{"update out"}, true,
		},
		"an immutable one that cannot be deleted": {
			func(w *world) {
				w.server.edit("out", func(secret *corev1.Secret) { secret.Immutable = new(true) })
			}, func(_ *world, verb string, _ int) error {
				if verb == "delete" {
					return apierrors.NewForbidden(secretsResource, "out", errors.New("no"))
				}
				return nil
			}, []string{"delete out", "update out"}, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, opaque("out"))
			w.published()
			w.store.Forget("uid-1") // As after a restart: the cache is all that is known.
			c.before(w)
			tries := 0
			if c.then != nil {
				w.server.before = func(verb, _ string) error { tries++; return c.then(w, verb, tries) }
			}
			w.pairs.pair = newPair(w.token, secondToken)
			w.Publish(t.Context(), w.token, w.pairs.pair)
			w.wantRequests(c.requests...)
			if late := len(w.Late(w.token)) > 0; late != c.late {
				t.Errorf("late: %t, want %t", late, c.late)
			}
			if !c.late {
				w.wantToken("out", secondToken)
			}
		})
	}
}

func TestOutputReplacementKeepsWhatOthersHaveAdded(t *testing.T) {
	spec := opaque("out")
	spec.Labels = map[string]string{"asked-for": "x"}
	w := newWorld(t, spec)
	w.published()
	w.server.edit("out", func(secret *corev1.Secret) {
		secret.Labels["theirs"], secret.Annotations["theirs"] = "x", "y"
		secret.Finalizers = []string{"example.com/theirs"}
		secret.OwnerReferences = append(secret.OwnerReferences, metav1.OwnerReference{UID: "theirs", Name: "theirs"})
		secret.Data["theirs"] = []byte("x")
	})
	w.token.Spec.Outputs[0].Labels = nil
	w.pairs.pair = newPair(w.token, secondToken)
	w.Publish(t.Context(), w.token, w.pairs.pair)
	got := w.server.get("out")
	if got.Labels["theirs"] != "x" || got.Annotations["theirs"] != "y" || len(got.Finalizers) != 1 || len(got.OwnerReferences) != 2 {
		t.Errorf("metadata of others is gone: %+v", got.ObjectMeta)
	}
	if _, ok := got.Labels["asked-for"]; ok {
		t.Error("a label that is asked for no longer is still there")
	}
	if _, ok := got.Data["theirs"]; ok {
		t.Error("data of others is still there")
	}
}

// hangingClient answers no write until the context ends.
type hangingClient struct{ writer }

func (hangingClient) Create(ctx context.Context, _ client.Object, _ ...client.CreateOption) error {
	<-ctx.Done()
	return ctx.Err()
}

// A webhook may put something else in the place of a token, or add to it. managedFields count that as the operator's own.
func TestOutputThatAdmissionAltersIsNotTakenForWritten(t *testing.T) {
	for name, alter := range map[string]func(*corev1.Secret){
		"redacts the token": func(s *corev1.Secret) { s.Data[v1alpha1.KeyAccessToken] = []byte("redacted") },
		"drops it":          func(s *corev1.Secret) { delete(s.Data, v1alpha1.KeyAccessToken) },
		"adds a key":        func(s *corev1.Secret) { s.Data["added"] = []byte("x") },
	} {
		for _, existing := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, opaque("out"))
					if existing {
						w.published()
					}
					w.server.admit = alter
					w.pairs.pair = newPair(w.token, secondToken)
					w.Publish(t.Context(), w.token, w.pairs.pair)
					if late := w.Late(w.token); !slices.Equal(late, []string{"out"}) || w.Transient("uid-1") {
						t.Errorf("late are %v: workloads would be told of a token that their output does not hold", late)
					}
					w.server.counted()
					for range 3 { // It is tried again with pauses, and said all the while.
						found, again, err := w.Sync(t.Context(), w.scope(), nil)
						if err != nil || found == nil || found.Reason != v1alpha1.ReasonOutputNotWritten || !strings.Contains(found.Message, "admission webhook or policy alters") || !again.After(time.Now()) {
							t.Fatalf("%+v, again at %s, %v", found, again, err)
						}
						time.Sleep(time.Until(again))
					}
					if tries := len(w.server.counted()); tries < 2 || tries > 9 {
						t.Errorf("there were %d requests", tries)
					}
					w.server.admit = nil
					time.Sleep(time.Hour)
					if reason, _ := w.sync(); reason != "" {
						t.Errorf("it is still said: %s", reason)
					}
					w.wantToken("out", secondToken)
					if len(w.Late(w.token)) != 0 {
						t.Error("it is still late")
					}
				})
			})
		}
	}
}
