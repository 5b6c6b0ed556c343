package secretwatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// telling is what a Pace has told, with the time since the test began.
type telling struct {
	changes []Change
	at      []time.Duration
}

func newPace(size int, fails func(try int) error) (*Pace, *telling) {
	told, began := &telling{}, time.Now()
	return NewPace(rotation.SystemClock(), func(_ context.Context, change Change) (int, error) {
		told.changes, told.at = append(told.changes, change), append(told.at, time.Since(began))
		if fails != nil {
			return 0, fails(len(told.at))
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
		if n := len(told.at); n != 11 || told.at[0] > time.Millisecond || told.at[n-1] < 9900*time.Millisecond {
			t.Errorf("told at %v", told.at)
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
		if n := len(told.at); n < 99 || told.at[n-1] > 110*time.Millisecond {
			t.Errorf("told %d changes at %v", n, told.at)
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
		synctest.Wait()
		if len(told.at) != 2 {
			t.Errorf("told %v at once, one of each namespace is", told.changes)
		}
		time.Sleep(5500 * time.Millisecond)
		if len(told.at) != 7 {
			t.Errorf("told at %v", told.at)
		}
		time.Sleep(time.Minute)
		if len(told.at) != 11 {
			t.Errorf("told at %v", told.at)
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
		if want := []Change{{Name: nameOf("seed")}, {Name: nameOf("seed"), Marked: true, Controller: "v"}}; !slices.Equal(told.changes, want) {
			t.Errorf("told %+v, want %+v", told.changes, want)
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
		if want := []time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second}; !slices.Equal(told.at, want) || !told.changes[3].Marked {
			t.Errorf("told %+v at %v", told.changes, told.at)
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
