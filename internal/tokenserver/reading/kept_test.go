package reading

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestTokenServerKeepsABoundedNumberAndDropsWhatHasExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := kept[int, int]{}
		for i := range 3 * maxKept {
			_, _ = kept.get(i, func() (int, error) { return i, nil })
		}
		if len(kept.values) > maxKept {
			t.Errorf("%d are kept", len(kept.values))
		}
		time.Sleep(keptFor)
		_, _ = kept.get(-1, func() (int, error) { return 1, nil })
		if len(kept.values) != 1 || len(kept.reading) != 0 {
			t.Errorf("%d are kept after they have expired, and %d are being read", len(kept.values), len(kept.reading))
		}
	})
}

// Those who ask at once share a read, and its error; nobody keeps that.
func TestTokenServerReadsOnceForAllWhoAskAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := errors.New("away")
		kept := kept[string, int]{}
		for _, want := range []error{away, nil} {
			var reads atomic.Int32
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					value, err := kept.get("x", func() (int, error) {
						reads.Add(1)
						time.Sleep(time.Second)
						return 7, want
					})
					if value != 7 || !errors.Is(err, want) {
						t.Errorf("got %d, %v", value, err)
					}
				})
			}
			all.Wait()
			if reads.Load() != 1 {
				t.Errorf("%d reads", reads.Load())
			}
		}
	})
}
