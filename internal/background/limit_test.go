package background

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// world is a Limit, and what it has said.
type world struct {
	*Limit
	said []int
}

func newWorld() *world {
	w := &world{}
	w.Limit = New(6, func(n int) { w.said = append(w.said, n) })
	return w
}

// answers are so many in a row, one after the other.
func (w *world) answers(n int, took time.Duration, err error) {
	for range n {
		time.Sleep(took + time.Millisecond)
		w.Answered(took, err)
	}
}

func TestBackgroundWorkYieldsWhereTheAPIServerIsSlow(t *testing.T) {
	for name, err := range map[string]error{"it takes long": nil, "it says so": apierrors.NewTooManyRequests("later", 1)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				took := 10 * time.Millisecond
				if err == nil {
					took = 300 * time.Millisecond
				}
				w := newWorld()
				w.answers(100, 10*time.Millisecond, nil)
				if !slices.Equal(w.said, []int{6}) {
					t.Fatalf("it was not slow, and the limit was %v", w.said)
				}
				w.answers(3, took, err)
				if want := []int{6, 3, 1, 0}; !slices.Equal(w.said, want) {
					t.Fatalf("the limit was %v, want %v", w.said, want)
				}
				// It rests for longer each time, whatever others are told.
				for _, rest := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second} {
					w.said = nil
					began := time.Now()
					for len(w.said) == 0 {
						w.answers(1, 10*time.Millisecond, nil)
					}
					if rested := time.Since(began).Round(100 * time.Millisecond); rested < rest-100*time.Millisecond || rested > rest+100*time.Millisecond || w.said[0] != 1 {
						t.Fatalf("after %s it was %v, want 1 after %s", rested, w.said, rest)
					}
					w.answers(1, took, err)
					if w.said[1] != 0 {
						t.Fatalf("it is slow, and the limit is %v", w.said)
					}
				}
			})
		})
	}
}

func TestBackgroundWorkComesBackStepByStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.answers(3, time.Second, nil)
		time.Sleep(firstRest)
		synctest.Wait()
		w.answers(100, 10*time.Millisecond, nil)
		if want := []int{6, 3, 1, 0, 1, 2, 3, 4, 5, 6}; !slices.Equal(w.said, want) {
			t.Errorf("the limit was %v, want %v", w.said, want)
		}
		w.said = nil
		w.answers(3, time.Second, nil)
		began := time.Now()
		time.Sleep(firstRest)
		synctest.Wait()
		if w.said[len(w.said)-1] != 1 {
			t.Errorf("the first rest after it was quick again takes longer than %s: %v", time.Since(began), w.said)
		}
	})
}

// One moment in which the API server is slow is one reason to yield, however many writes were under way.
func TestBackgroundWorkYieldsOnceForWhatWasUnderWayAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		time.Sleep(time.Second)
		for range 6 {
			w.Answered(500*time.Millisecond, nil)
		}
		if want := []int{6, 3}; !slices.Equal(w.said, want) {
			t.Errorf("the limit was %v, want %v", w.said, want)
		}
		// What no object can be done about is no load.
		time.Sleep(time.Second)
		w.Answered(time.Millisecond, apierrors.NewConflict(schema.GroupResource{}, "octocat", nil))
		if len(w.said) != 2 {
			t.Errorf("after a conflict the limit was %v", w.said)
		}
	})
}
