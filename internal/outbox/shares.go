package outbox

import (
	"fmt"

	"github.com/githubusertoken/github-user-token-operator/internal/fair"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// maxRecords is for how many records there is room at most, however large the file system is.
const maxRecords = 1024

// shares counts the records that are kept, and the exchanges that may still bring one, by namespace. One whose pairs
// cannot be stored keeps them here for ever, and must leave room for the others. Its callers hold the outbox's lock.
type shares struct {
	places *fair.Places[string]
	// of is how many each namespace has, and limit how many there are in all.
	of    map[string]int
	limit int
	// reserved are the namespaces of the resources, by UID, for which room is reserved.
	reserved map[string]string
}

func newShares(limit int) *shares {
	return &shares{places: fair.NewPlaces[string](limit), limit: limit, of: map[string]int{}, reserved: map[string]string{}}
}

// capacity is for how many records there is room in a file system of so many bytes, beside the spares.
func capacity(bytes uint64, slots int) int {
	const others = 2                   // The holder's id, and the directory.
	reserved := uint64(slots) + others //nolint:gosec // a flag, and never negative
	return int(max(1, min(max(bytes/slotSize, reserved)-reserved, maxRecords)))
}

// reserve takes a place for the exchange of a resource.
func (s *shares) reserve(owner rotation.Owner) error {
	if _, has := s.reserved[owner.UID]; has {
		return nil
	}
	if !s.places.Take(owner.Namespace) {
		return fmt.Errorf("%w: it has %d of %d places", rotation.ErrShareUsed, s.of[owner.Namespace], s.limit)
	}
	s.of[owner.Namespace]++
	s.reserved[owner.UID] = owner.Namespace
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
func (s *shares) keep(owner rotation.Owner) {
	if _, has := s.reserved[owner.UID]; has {
		delete(s.reserved, owner.UID)
		return
	}
	s.takeAnyway(owner.Namespace)
}

// takeAnyway counts a file that is there.
func (s *shares) takeAnyway(namespace string) {
	s.places.TakeAnyway(namespace)
	s.of[namespace]++
}

// free gives back the place of a record.
func (s *shares) free(namespace string) {
	s.places.Free(namespace)
	if s.of[namespace]--; s.of[namespace] <= 0 {
		delete(s.of, namespace)
	}
}
