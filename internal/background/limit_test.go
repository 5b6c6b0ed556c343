package background

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var errOverloaded = apierrors.NewTooManyRequests("later", 1)

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

func (w *world) expect(t *testing.T, want ...int) {
	t.Helper()
	if !slices.Equal(w.said, want) {
		t.Errorf("the limit was %v, want %v", w.said, want)
	}
	w.said = nil
}

func TestBackgroundWorkYieldsWhereTheAPIServerSaysThatItHasTooMuchToDo(t *testing.T) {
	for name, err := range map[string]error{
		"too many requests":      errOverloaded,
		"no answer in time":      apierrors.NewTimeoutError("later", 1),
		"none of another server": apierrors.NewServerTimeout(schema.GroupResource{}, "patch", 1),
		"unavailable":            apierrors.NewServiceUnavailable("later"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.answers(100, 10*time.Millisecond, nil)
				w.expect(t, 6)
				w.answers(100, 10*time.Millisecond, err)
				w.expect(t, 3, 1) // And never nothing.
				w.answers(100, 10*time.Millisecond, nil)
				w.expect(t, 2, 3, 4, 5, 6)
			})
		})
	}
}

// An API server that is slow for everybody, or for whoever has the most to write, is nothing that all have to wait for.
func TestBackgroundWorkGoesOnWhereTheAPIServerIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		for range 1000 {
			w.answers(1, time.Second, nil)
			w.answers(3, 20*time.Millisecond, nil)
		}
		w.expect(t, 6)
	})
}

// What is wrong with an object, and an API server that is not there, tell nothing of how much it has to do.
func TestBackgroundWorkIsNotMoreOrLessForOtherErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.answers(1, time.Millisecond, errOverloaded)
		w.expect(t, 6, 3)
		w.answers(1000, time.Millisecond, errors.New("connection refused"))
		w.answers(1000, time.Millisecond, apierrors.NewConflict(schema.GroupResource{}, "octocat", nil))
		w.expect(t)
	})
}

// One moment in which the API server has too much to do is one reason to yield, however many writes were under way.
func TestBackgroundWorkYieldsOnceForWhatWasUnderWayAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		time.Sleep(time.Second)
		for range 6 {
			w.Answered(500*time.Millisecond, errOverloaded)
		}
		w.expect(t, 6, 3)
	})
}

func TestBackgroundWorkIsAlwaysSome(t *testing.T) {
	w := &world{}
	w.Limit = New(0, func(n int) { w.said = append(w.said, n) })
	w.answers(3, 0, errOverloaded)
	w.expect(t, 1)
}
