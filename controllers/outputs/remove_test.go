package outputs

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
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

func TestOutputsThatCannotBeLookedUpHoldUpADeletion(t *testing.T) {
	w := newWorld(t, opaque("out"))
	w.server.cacheErr = errors.New("the index is gone")
	if err := w.Remove(t.Context(), w.token); err == nil {
		t.Error("there is no error")
	}
}
