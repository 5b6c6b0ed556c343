package outbox

import (
	"errors"
	"fmt"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// maxPlaces is how many places there are at most, however large the file system is.
const maxPlaces = 1024

// parts is into how many parts the places are divided. One namespace has one of them at most, and the last of them is for
// namespaces that have no place yet.
const parts = 8

// patience is for how long a record may wait and still count as one that is about to be stored. That takes milliseconds,
// and a try that the API server does not answer half a minute.
const patience = 30 * time.Second

// nobody is the namespace of files that cannot be read. No resource is in it.
const nobody = ""

// errFull: there is no place, whoever asks.
var errFull = errors.New("the outbox is full")

// shares counts the records that are kept, and the exchanges that may still bring one, by namespace. One whose pairs
// cannot be stored keeps them here for ever, and must leave room for the others. Its callers hold the outbox's lock.
type shares struct {
	// limit is how many places there are, and taken how many are not free: more than there are when an earlier life has
	// left so many.
	limit, taken int
	of           map[string]*holding
	// reserved are the namespaces of the resources, by UID, for which a place is reserved.
	reserved map[string]string
}

// holding is what a namespace has.
type holding struct {
	places int
	// since are the times at which its records were kept, by file. Its other places are those of exchanges under way.
	since map[string]time.Time
	// unwanted are those of them, by file, whose pairs are not to be stored.
	unwanted map[string]bool
}

func newShares(limit int) *shares {
	return &shares{limit: limit, of: map[string]*holding{}, reserved: map[string]string{}}
}

// capacity is how many places there are in a file system of so many bytes, beside the spares.
func capacity(bytes uint64, slots int) int {
	const others = 2                   // The holder's id, and the directory.
	reserved := uint64(slots) + others //nolint:gosec // a flag, and never negative
	return int(max(1, min(max(bytes/slotSize, reserved)-reserved, maxPlaces)))
}

// allows reports whether a namespace that has so many places may have one more when so many are free. The first one is for
// whoever asks. For a further one more must be free than the last part and six times what the namespace has: so one that
// is alone comes to an eighth of all, and each that follows to a seventh of what the ones before it have left beside the
// last part.
func (s *shares) allows(has, free int) bool {
	if has == 0 {
		return free > 0
	}
	return (parts-2)*has < free-s.limit/parts
}

// room says why a resource gets no place now. Whoever only has to wait for exchanges of its own namespace is told so;
// whoever would be refused without them, too, is told of the namespace's records; and whoever has none of those is told
// that there is no place at all.
func (s *shares) room(owner rotation.Owner, now time.Time) error {
	if _, has := s.reserved[owner.UID]; has {
		return nil
	}
	has, waiting := s.count(owner.Namespace, now)
	free := s.limit - s.taken
	switch passing := has - waiting; {
	case s.allows(has, free):
		return nil
	case s.allows(waiting, free+passing):
		return rotation.ErrPlacesInUse
	case waiting > 0:
		return fmt.Errorf("%w: %d of %d places", rotation.ErrShareUsed, waiting, s.limit)
	default:
		return fmt.Errorf("%w: pairs that wait to be stored, and exchanges under way, take all of its %d places", errFull, s.limit)
	}
}

// count is how many places a namespace has, and how many of them records have that have waited for long.
func (s *shares) count(namespace string, now time.Time) (has, waiting int) {
	h := s.of[namespace]
	if h == nil {
		return 0, 0
	}
	for file, since := range h.since {
		if now.Sub(since) > patience && !h.unwanted[file] {
			waiting++
		}
	}
	return h.places, waiting
}

// reserve takes a place for the exchange of a resource.
func (s *shares) reserve(owner rotation.Owner, now time.Time) error {
	if err := s.room(owner, now); err != nil {
		return err
	}
	if _, has := s.reserved[owner.UID]; !has {
		s.reserved[owner.UID] = owner.Namespace
		s.take(owner.Namespace)
	}
	return nil
}

// release gives back what is reserved for a resource.
func (s *shares) release(owner rotation.Owner) {
	if namespace, has := s.reserved[owner.UID]; has {
		delete(s.reserved, owner.UID)
		s.free(namespace)
	}
}

// keep gives a record the place that was reserved for it, or one of its own: what was received must not wait.
func (s *shares) keep(owner rotation.Owner, file string, now time.Time) {
	s.release(owner)
	s.found(owner.Namespace, file, now)
}

// found counts a record that is there, whether there is a place for it or not.
func (s *shares) found(namespace, file string, since time.Time) {
	s.take(namespace).since[file] = since
}

// forget gives back the place of a record.
func (s *shares) forget(namespace, file string) {
	if h := s.of[namespace]; h != nil {
		delete(h.since, file)
		delete(h.unwanted, file)
		s.free(namespace)
	}
}

// unwant notes that the pair of a record is not to be stored.
func (s *shares) unwant(namespace, file string) {
	if h := s.of[namespace]; h != nil {
		h.unwanted[file] = true
	}
}

// oldest is the age of the record that was kept first and whose pair is to be stored; zero when there is none.
func (s *shares) oldest(now time.Time) (age time.Duration) {
	for _, h := range s.of {
		for file, since := range h.since {
			if !h.unwanted[file] {
				age = max(age, now.Sub(since))
			}
		}
	}
	return age
}

func (s *shares) take(namespace string) *holding {
	h := s.of[namespace]
	if h == nil {
		h = &holding{since: map[string]time.Time{}, unwanted: map[string]bool{}}
		s.of[namespace] = h
	}
	h.places++
	s.taken++
	return h
}

func (s *shares) free(namespace string) {
	s.taken--
	if s.of[namespace].places--; s.of[namespace].places == 0 {
		delete(s.of, namespace)
	}
}
