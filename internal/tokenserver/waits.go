package tokenserver

import (
	"container/list"
	"sync"

	"github.com/githubusertoken/github-user-token-operator/internal/fair"
)

const (
	// maxWaits is how many requests wait at once for longer than patience, and maxShortWaits how many for no longer: those wait for an exchange to end,
	// and are not to stand behind those who wait for the next one.
	maxWaits      = 1024
	maxShortWaits = 256
)

// waits are the places of those who wait. When there is none left the namespace with the most of them gives its oldest one to another, which has
// fewer: whoever waits there is answered early, as at the end of the wait, and asks again. So neither one namespace nor several together keep others
// from waiting, and where nobody else wants to wait one may have all places.
type waits struct {
	short *fair.Places

	mu    sync.Mutex
	taken int
	// of are those who wait, of each namespace the oldest first.
	of map[string]*list.List
}

func newWaits() *waits {
	return &waits{short: fair.NewPlaces(maxShortWaits), of: map[string]*list.List{}}
}

// join takes a place, which leave gives back; leave is nil when there is none. ended is closed when somebody else has the place.
func (w *waits) join(namespace string, isShort bool) (ended <-chan struct{}, leave func()) {
	place := fair.Key{Namespace: namespace}
	if isShort {
		if !w.short.Take(place) {
			return nil, nil
		}
		return nil, func() { w.short.Free(place) }
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.taken >= maxWaits && !w.makeRoom(namespace) {
		return nil, nil
	}
	mine := w.of[namespace]
	if mine == nil {
		mine = list.New()
		w.of[namespace] = mine
	}
	end := make(chan struct{})
	element := mine.PushBack(end)
	w.taken++
	return end, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.remove(namespace, element)
	}
}

// makeRoom has the oldest wait of the namespace with the most of them end, if it has more than another would then have.
func (w *waits) makeRoom(namespace string) bool {
	most, largest := 0, ""
	for other, have := range w.of {
		if have.Len() > most {
			most, largest = have.Len(), other
		}
	}
	mine := 0
	if have := w.of[namespace]; have != nil {
		mine = have.Len()
	}
	if mine+1 >= most {
		return false
	}
	oldest := w.of[largest].Front()
	close(oldest.Value.(chan struct{}))
	w.remove(largest, oldest)
	return true
}

// remove takes one out, unless that was done.
func (w *waits) remove(namespace string, element *list.Element) {
	have := w.of[namespace]
	if have == nil {
		return
	}
	before := have.Len()
	have.Remove(element) // It is none of the list's when it was removed, and the list may be a new one.
	w.taken -= before - have.Len()
	if have.Len() == 0 {
		delete(w.of, namespace)
	}
}
