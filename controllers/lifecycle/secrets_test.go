package lifecycle

import (
	"context"
	"errors"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// learned is a watch that has told of nothing yet.
type learned struct {
	seeds.Versions
	known map[types.NamespacedName]string
}

func (l learned) Version(name types.NamespacedName) (version string, known bool) {
	version, known = l.known[name]
	return version, known
}

func (l learned) Learn(name types.NamespacedName, version string) { l.known[name] = version }
func (l learned) Forget(name types.NamespacedName)                { delete(l.known, name) }

// lookedAt counts what is read live.
type lookedAt struct {
	*cluster
	times int
}

func (l *lookedAt) Metadata(ctx context.Context, ref rotation.Ref) (*rotation.Pair, error) {
	l.times++
	return l.cluster.Metadata(ctx, ref)
}

func TestPairThatIsNotThereIsLookedForOnce(t *testing.T) {
	w := newWorld(t)
	live, watch := &lookedAt{cluster: w.cluster}, learned{known: map[types.NamespacedName]string{}}
	w.observer.metadata, w.observer.versions = live, watch
	store := ownStore{w.cluster, w.notes, watch}
	look := func(want int) *rotation.Pair {
		t.Helper()
		pair, err := w.observer.hiddenPair(t.Context(), inPlace)
		if err != nil || live.times != want {
			t.Errorf("it was read %d times, want %d (%v)", live.times, want, err)
		}
		return pair
	}
	for range 5 {
		look(1)
	}
	// Somebody else takes the name, and the watch does not tell.
	w.secrets[inPlace] = pairAt("1", func(p *rotation.Pair) { p.Controlled, p.Owner = false, rotation.Owner{} })
	if _, err := store.Create(t.Context(), pairAt("")); !errors.Is(err, rotation.ErrExists) {
		t.Fatalf("it was created: %v", err)
	}
	if look(2) == nil {
		t.Error("what stands there is not seen")
	}
	watch.known[types.NamespacedName(inPlace)] = "1" // Now it does.
	look(3)
	if look(4) == nil {
		t.Error("what stands there is not seen any more")
	}
	// No answer to a creation does not mean that there is no Secret.
	delete(w.secrets, inPlace)
	clear(watch.known)
	look(5)
	look(5)
	store.Store = &versions{err: errNoAnswer}
	if _, err := store.Create(t.Context(), pairAt("")); !errors.Is(err, errNoAnswer) {
		t.Fatal(err)
	}
	look(6)
}
