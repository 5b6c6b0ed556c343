package registry

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/memory"
)

// A tenant can make and delete resources by force, each under a name of its own, for as long as the process lives.
func TestRegistryForgetsThoseThatHaveBeenGoneForLongest(t *testing.T) {
	store := memory.NewStore()
	r := New(Options{Memory: store})
	uid := func(n int) types.UID { return types.UID(fmt.Sprint(n)) }
	for n := range 3 * maxGone {
		store.Learn(uid(n), types.NamespacedName{Name: fmt.Sprint(n)})
		r.bury(uid(n))
		if n == 1 {
			r.gone.Remove(uid(1)) // The cache was behind: it is there.
		}
	}
	if most := maxGone + 1; store.Len() > most {
		t.Errorf("%d are remembered; at most %d should be", store.Len(), most)
	}
	for n, want := range map[int]bool{0: false, 1: true, 3*maxGone - 1: true} {
		if known := r.Knows(uid(n)); known != want {
			t.Errorf("%d is known: %t", n, known)
		}
	}
}
