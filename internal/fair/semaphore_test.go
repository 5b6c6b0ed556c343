package fair

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// raise makes a number at least another one.
func raise(most *atomic.Int32, n int32) {
	for before := most.Load(); n > before && !most.CompareAndSwap(before, n); before = most.Load() {
	}
}

// Whoever comes behind a thousand of one namespace waits for one of them, and not for all.
func TestSemaphoreNamespacesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSemaphore(8)
		var flood, most atomic.Int32
		for range 1000 {
			go func() {
				if err := s.Acquire(t.Context(), "flood"); err != nil {
					t.Error(err)
				}
				raise(&most, flood.Add(1))
				time.Sleep(time.Second)
				flood.Add(-1)
				s.Release("flood")
			}()
		}
		synctest.Wait()
		time.Sleep(1500 * time.Millisecond)
		began := time.Now()
		var group sync.WaitGroup
		for _, namespace := range []string{"a", "b", "c", "d"} {
			group.Go(func() {
				if err := s.Acquire(t.Context(), namespace); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Second)
				s.Release(namespace)
			})
		}
		group.Wait()
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("four others had their turn after %s", took)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if most.Load() != 6 || len(s.waiting)+len(s.turns)+s.places.taken != 0 {
			t.Errorf("%d of one namespace had a place at once; left are %d, %d, %d", most.Load(), len(s.waiting), len(s.turns), s.places.taken)
		}
	})
}

func TestSemaphoreThoseWhoWaitNoLongerLeaveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, random := NewSemaphore(3), rand.New(rand.NewPCG(1, 2))
		var at, most, given atomic.Int32
		for i := range 500 {
			patience, work := time.Duration(random.IntN(2000))*time.Millisecond, time.Duration(random.IntN(100))*time.Millisecond
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				namespace := string(rune('a' + i%4))
				if err := s.Acquire(ctx, namespace); err != nil {
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Error(err)
					}
					return
				}
				given.Add(1)
				raise(&most, at.Add(1))
				time.Sleep(work)
				at.Add(-1)
				s.Release(namespace)
			}()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if most.Load() != 3 || given.Load() < 50 {
			t.Errorf("%d had a place, %d at once", given.Load(), most.Load())
		}
		if len(s.waiting)+len(s.turns)+s.places.taken != 0 {
			t.Errorf("left are %v, %v, %d", s.waiting, s.turns, s.places.taken)
		}
	})
}
