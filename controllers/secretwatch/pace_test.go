package secretwatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// telling is what a Pace has told, with the time since the test began. A Pace tells of several namespaces at once.
type telling struct {
	mu      sync.Mutex
	changes []Change
	at      []time.Duration
}

// add keeps a change that is told now, and returns how many were told by now.
func (t *telling) add(change Change, at time.Duration) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changes, t.at = append(t.changes, change), append(t.at, at)
	return len(t.at)
}

// soFar waits until the Pace has nothing to do now, and returns what it has told by then.
func (t *telling) soFar() ([]Change, []time.Duration) {
	synctest.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.changes), slices.Clone(t.at)
}

func newPace(size int, fails func(try int) error) (*Pace, *telling) {
	told, began := &telling{}, time.Now()
	return NewPace(rotation.SystemClock(), func(_ context.Context, change Change) (int, error) {
		if try := told.add(change, time.Since(began)); fails != nil {
			return 0, fails(try)
		}
		return size, nil
	}), told
}

func TestPaceTellsOfManyChangesOfASecretOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, told := newPace(100, nil)
		for range 1000 { // 100 a second
			p.Add(t.Context(), Change{Name: nameOf("seed")})
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		_, at := told.soFar()
		if n := len(at); n != 11 || at[0] > time.Millisecond || at[n-1] < 9900*time.Millisecond {
			t.Errorf("told at %v", at)
		}
	})
}

func TestPaceTellsOfOtherSecretsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, told := newPace(100, nil)
		for i := range 100 {
			p.Add(t.Context(), Change{Name: nameOf("seed")})
			p.Add(t.Context(), Change{Name: nameOf(fmt.Sprint(i))})
			time.Sleep(time.Millisecond)
		}
		_, at := told.soFar()
		if n := len(at); n < 99 || at[n-1] > 110*time.Millisecond {
			t.Errorf("told %d changes at %v", n, at)
		}
		time.Sleep(time.Minute)
	})
}

func TestPaceReadsOfANamespaceSoMuchASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, told := newPace(bytesPerSecond, nil)
		for i := range 10 {
			p.Add(t.Context(), Change{Name: nameOf(fmt.Sprint(i))})
		}
		p.Add(t.Context(), Change{Name: types.NamespacedName{Namespace: "team-b", Name: "seed"}})
		if changes, _ := told.soFar(); len(changes) != 2 {
			t.Errorf("told %v at once, one of each namespace is", changes)
		}
		time.Sleep(5500 * time.Millisecond)
		if _, at := told.soFar(); len(at) != 7 {
			t.Errorf("told at %v", at)
		}
		time.Sleep(time.Minute)
		if _, at := told.soFar(); len(at) != 11 {
			t.Errorf("told at %v", at)
		}
	})
}

func TestPaceTellsAtLastWhatAnyOfTheChangesWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, told := newPace(1, nil)
		for _, change := range []Change{{}, {Marked: true, Controller: "u"}, {Controller: "v"}} {
			change.Name = nameOf("seed")
			p.Add(t.Context(), change)
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		changes, _ := told.soFar()
		if want := []Change{{Name: nameOf("seed")}, {Name: nameOf("seed"), Marked: true, Controller: "v"}}; !slices.Equal(changes, want) {
			t.Errorf("told %+v, want %+v", changes, want)
		}
	})
}

func TestPaceTellsAgainAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, told := newPace(1, func(try int) error {
			if try < 4 {
				return errors.New("the API server is away")
			}
			return nil
		})
		p.Add(t.Context(), Change{Name: nameOf("seed"), Marked: true})
		time.Sleep(time.Minute)
		changes, at := told.soFar()
		if want := []time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second}; !slices.Equal(at, want) || !changes[3].Marked {
			t.Errorf("told %+v at %v", changes, at)
		}
	})
}

func TestPaceKeepsNothingOfWhatWasTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPace(1, nil)
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 100 {
			p.Add(ctx, Change{Name: nameOf(fmt.Sprint(i))})
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(p.queues) != 0 {
			t.Errorf("%d queues are left", len(p.queues))
		}
		p.Add(ctx, Change{Name: nameOf("seed")})
		cancel()
		synctest.Wait()
		if len(p.queues) != 0 {
			t.Errorf("%d queues are left after the end", len(p.queues))
		}
	})
}
