package reading

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// watches gives out watches, or an error.
type watches struct {
	mu    sync.Mutex
	given []*watch.FakeWatcher
	err   error
}

func (w *watches) begin(context.Context) (watch.Interface, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return nil, w.err
	}
	w.given = append(w.given, watch.NewFake())
	return w.given[len(w.given)-1], nil
}

func (w *watches) last() *watch.FakeWatcher {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.given[len(w.given)-1]
}

func (w *watches) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.given)
}

func (w *watches) refuse(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

func changeOf(name string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: name}}
}

func told(changed <-chan struct{}) bool {
	synctest.Wait()
	select {
	case <-changed:
		return true
	default:
		return false
	}
}

func TestTokenServerIsToldOfChangesOfAResource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watches{}
		c := NewChanges(logr.Discard(), w.begin)
		go func() { _ = c.Start(t.Context()) }()
		synctest.Wait()
		if !c.Watched() {
			t.Fatal("it is not watched")
		}
		one, cancelOne := c.Subscribe(octocat)
		two, cancelTwo := c.Subscribe(octocat)
		other, cancelOther := c.Subscribe(types.NamespacedName{Namespace: "team-a", Name: "monalisa"})
		w.last().Modify(changeOf("octocat"))
		w.last().Modify(changeOf("octocat"))
		w.last().Action(watch.Bookmark, changeOf("monalisa"))
		if !told(one) || !told(two) || told(one) || told(other) {
			t.Error("those are told who do not wait for it, or not all, or twice")
		}
		w.last().Delete(changeOf("octocat"))
		if !told(one) || !told(two) {
			t.Error("a deletion is not told of")
		}
		cancelTwo()
		w.last().Add(changeOf("octocat"))
		if !told(one) || told(two) {
			t.Error("one who has gone is told, or the other is not")
		}
		cancelOne()
		cancelOther()
		if len(c.waiting) != 0 {
			t.Errorf("%v is kept", c.waiting)
		}
	})
}

// What was changed between two watches, all are told to look for.
func TestTokenServerLooksAgainWhenAWatchHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watches{}
		c := NewChanges(logr.Discard(), w.begin)
		go func() { _ = c.Start(t.Context()) }()
		synctest.Wait()
		changed, cancel := c.Subscribe(octocat)
		defer cancel()
		for _, end := range []func(*watch.FakeWatcher){
			func(f *watch.FakeWatcher) { f.Stop() },
			func(f *watch.FakeWatcher) { f.Error(&metav1.Status{Reason: metav1.StatusReasonExpired}) },
		} {
			before := w.count()
			end(w.last())
			synctest.Wait()
			if c.Watched() || told(changed) {
				t.Error("it is still watched, or somebody is told before it is again")
			}
			time.Sleep(2 * time.Second)
			if !told(changed) || w.count() != before+1 || !c.Watched() {
				t.Errorf("there are %d watches", w.count())
			}
		}
		w.refuse(errors.New("forbidden"))
		w.last().Stop()
		time.Sleep(time.Hour)
		synctest.Wait()
		if c.Watched() {
			t.Error("it is watched although it is forbidden")
		}
		w.refuse(nil)
		time.Sleep(watchBackoff.Max)
		if !told(changed) || !c.Watched() {
			t.Error("it is not watched though it may be by now")
		}
	})
}
