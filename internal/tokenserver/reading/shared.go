package reading

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/fair"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/release"
)

const (
	// maxAge is how old a read may be when it is used: what was committed before it began is in it.
	maxAge = time.Second
	// maxReads is how many there are at once, whatever each of them holds. Namespaces of resources take turns.
	maxReads = 16
)

// errSlow: the API server takes so long that what it says is no longer sure.
var errSlow = errors.New("the API server takes too long to say what it has stored now")

// Shared has those share a read who ask for the same resource at once. There is one at a time for each; who comes while one is under way
// shares the next one with all others who have. Make it with NewShared; it is safe for concurrent use.
type Shared struct {
	read   func(context.Context, release.Of) (release.Read, error)
	places *fair.Semaphore

	mu      sync.Mutex
	running map[release.Of]*flight
}

// flight is one read.
type flight struct {
	// began is when it began; zero while it is not its turn.
	began time.Time
	done  chan struct{}
	read  release.Read
	err   error
	// next is the one for those who have come since it began; nil when there are none.
	next *flight
}

// NewShared makes one of what reads.
func NewShared(read func(context.Context, release.Of) (release.Read, error)) *Shared {
	return &Shared{read: read, places: fair.NewSemaphore(maxReads), running: map[release.Of]*flight{}}
}

// Get is a read that has begun after the call, and not more than a second ago. One that has taken longer is made once more.
func (s *Shared) Get(ctx context.Context, of release.Of) (read release.Read, began time.Time, err error) {
	for range 3 {
		f := s.join(of)
		select {
		case <-f.done:
		case <-ctx.Done():
			return release.Read{}, time.Time{}, ctx.Err()
		}
		if f.err != nil {
			return release.Read{}, time.Time{}, f.err
		}
		if time.Since(f.began) <= maxAge {
			return f.read, f.began, nil
		}
	}
	return release.Read{}, time.Time{}, errSlow
}

// IsFresh reports whether what has begun to be read then may still be used.
func IsFresh(began time.Time) bool { return time.Since(began) <= maxAge }

// join is the next read of a resource to begin.
func (s *Shared) join(of release.Of) *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	current := s.running[of]
	if current == nil {
		f := &flight{done: make(chan struct{})}
		s.begin(of, f)
		return f
	}
	if current.began.IsZero() {
		return current
	}
	if current.next == nil {
		current.next = &flight{done: make(chan struct{})}
	}
	return current.next
}

// begin begins a read when it is its turn. It is nobody's alone, so that nobody's going away ends it: the reader bounds its time.
func (s *Shared) begin(of release.Of, f *flight) {
	s.running[of] = f
	go func() {
		f.err = errPanicked // Unless read returns.
		defer func() {
			_ = recover() // What it says may quote what was read.
			s.end(of, f)
		}()
		turn, cancel := context.WithTimeout(context.Background(), callTimeout)
		defer cancel()
		if s.places.Acquire(turn, of.Namespace) != nil {
			f.err = ErrBusy
			return
		}
		defer s.places.Release(of.Namespace)
		s.mu.Lock()
		f.began = time.Now()
		s.mu.Unlock()
		f.read, f.err = s.read(context.Background(), of)
	}()
}

// ErrBusy is that of a read whose turn has not come: too much is read at once.
var ErrBusy = errors.New("there is too much to be read at once")

// errPanicked is the error of a read whose work ended in a panic.
var errPanicked = errors.New("the token server itself failed")

func (s *Shared) end(of release.Of, f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(f.done)
	if f.next == nil {
		delete(s.running, of)
		return
	}
	s.begin(of, f.next)
}
