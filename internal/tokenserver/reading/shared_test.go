package reading

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/release"
)

var octocat = types.NamespacedName{Namespace: "team-a", Name: "octocat"}

// Who asks gets what was read after they have asked, and there is one read at a time for a resource, however many ask.
func TestTokenServerSharesAReadThatBeganAfterEachHasAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads, atOnce, most atomic.Int32
		s := NewShared(func(context.Context, release.Of) (release.Read, error) {
			reads.Add(1)
			if n := atOnce.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer atOnce.Add(-1)
			time.Sleep(100 * time.Millisecond)
			return release.Read{}, nil
		})
		var all sync.WaitGroup
		ask := func() {
			asked := time.Now()
			_, began, err := s.Get(t.Context(), release.Of{NamespacedName: octocat})
			if err != nil || began.Before(asked) {
				t.Errorf("asked at %s, and it began to be read at %s, %v", asked, began, err)
			}
		}
		for range 50 {
			all.Go(ask)
		}
		synctest.Wait()
		time.Sleep(50 * time.Millisecond)
		for range 50 {
			all.Go(ask)
		}
		all.Wait()
		if reads.Load() != 2 || most.Load() != 1 {
			t.Errorf("%d reads for a hundred, %d at once", reads.Load(), most.Load())
		}
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.running) != 0 {
			t.Error("something is kept of it")
		}
	})
}

func TestTokenServerReadsResourcesBesideEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewShared(func(context.Context, release.Of) (release.Read, error) {
			time.Sleep(time.Second)
			return release.Read{}, nil
		})
		began := time.Now()
		var all sync.WaitGroup
		for _, name := range []string{"a", "b", "c"} {
			all.Go(func() { _, _, _ = s.Get(t.Context(), release.Of{NamespacedName: types.NamespacedName{Name: name}}) })
		}
		all.Wait()
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestTokenServerThrowsAwayWhatTookLongerThanASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			times []time.Duration
			reads int
			err   error
		}{
			{[]time.Duration{time.Second}, 1, nil},
			{[]time.Duration{time.Second + 1, 0}, 2, nil},
			{[]time.Duration{2 * time.Second, 2 * time.Second, 2 * time.Second}, 3, errSlow},
		} {
			reads := 0
			s := NewShared(func(context.Context, release.Of) (release.Read, error) {
				reads++
				time.Sleep(c.times[reads-1])
				return release.Read{}, nil
			})
			_, began, err := s.Get(t.Context(), release.Of{NamespacedName: octocat})
			if !errors.Is(err, c.err) || reads != c.reads || err == nil && !IsFresh(began) {
				t.Errorf("%v: %d reads, of %s, %v", c.times, reads, began, err)
			}
		}
	})
}

func TestTokenServerReadEndsForWhoeverGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewShared(func(context.Context, release.Of) (release.Read, error) {
			time.Sleep(time.Second)
			return release.Read{Withheld: "read"}, nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var other sync.WaitGroup
		other.Go(func() {
			if read, _, err := s.Get(t.Context(), release.Of{NamespacedName: octocat}); err != nil || read.Withheld != "read" {
				t.Errorf("the other got %v", err)
			}
		})
		if _, _, err := s.Get(ctx, release.Of{NamespacedName: octocat}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		other.Wait()
	})
}

func TestTokenServerReadThatPanicsIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewShared(func(context.Context, release.Of) (release.Read, error) { panic("ghu_secret") })
		for range 2 {
			if _, _, err := s.Get(t.Context(), release.Of{NamespacedName: octocat}); !errors.Is(err, errPanicked) {
				t.Errorf("got %v", err)
			}
		}
	})
}

// Whose turn does not come is told that it is this process that has too much to do.
func TestTokenServerSaysWhoseReadHasNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewShared(func(context.Context, release.Of) (release.Read, error) {
			time.Sleep(3 * callTimeout)
			return release.Read{}, nil
		})
		var all sync.WaitGroup
		for i := range maxReads {
			all.Go(func() {
				_, _, _ = s.Get(t.Context(), release.Of{NamespacedName: types.NamespacedName{Namespace: fmt.Sprint("team-", i), Name: "octocat"}})
			})
		}
		synctest.Wait()
		began := time.Now()
		if _, _, err := s.Get(t.Context(), release.Of{NamespacedName: octocat}); ReasonOf(err) != Busy || time.Since(began) != callTimeout {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
		all.Wait()
	})
}

// What is read at once is bounded, and the resources of one namespace leave others their turn. Those who ask for one whose turn has not come share it.
func TestTokenServerReadsABoundedNumberAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var atOnce, most, reads atomic.Int32
		s := NewShared(func(context.Context, release.Of) (release.Read, error) {
			reads.Add(1)
			n := atOnce.Add(1)
			for have := most.Load(); n > have && !most.CompareAndSwap(have, n); have = most.Load() {
			}
			defer atOnce.Add(-1)
			time.Sleep(100 * time.Millisecond)
			return release.Read{}, nil
		})
		began := time.Now()
		var all sync.WaitGroup
		for i := range 10 * maxReads {
			all.Go(func() {
				for range 2 {
					all.Go(func() {
						if _, _, err := s.Get(t.Context(), release.Of{NamespacedName: types.NamespacedName{Namespace: "team-b", Name: fmt.Sprint(i)}}); err != nil {
							t.Error(err)
						}
					})
				}
			})
		}
		synctest.Wait()
		time.Sleep(time.Millisecond)
		if _, _, err := s.Get(t.Context(), release.Of{NamespacedName: octocat}); err != nil || time.Since(began) > 250*time.Millisecond {
			t.Errorf("another namespace has it after %s, %v", time.Since(began), err)
		}
		all.Wait()
		if most.Load() > maxReads || reads.Load() > 12*maxReads {
			t.Errorf("%d were read at once, and %d in all", most.Load(), reads.Load())
		}
	})
}
