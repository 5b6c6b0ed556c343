// Package background says how much work that nobody waits for may be under way at once, by whether the API server has too much to do:
// after an upgrade every status may have to be written anew, and that must not be what slows the API server down for others.
//
// One piece always may be, and an answer that takes long is none to yield to: whoever is the cause of either may be one
// namespace alone, and the work is that of all. What is slow is done less often by itself, as no more of it begins before it ends.
//
// There is no clock to hand in: in a testing/synctest bubble it is simulated.
package background

import (
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Limit is safe for concurrent use. Make it with New.
type Limit struct {
	most int
	set  func(int)

	mu sync.Mutex
	// now is how much may be under way, at least one.
	now int
	// good counts the writes that succeeded since the limit was last changed.
	good int
	// changed is when the limit was last changed: what was sent before says nothing of it.
	changed time.Time
}

// New makes a Limit. set is told how much may be under way, from New on; it must not block.
func New(most int, set func(int)) *Limit {
	l := &Limit{most: max(1, most), set: set, changed: time.Now()}
	l.now = l.most
	set(l.now)
	return l
}

// Answered is told of each write that the API server has answered, or has not, whoever has waited for it: for how long that took.
// A nil Limit limits nothing.
func (l *Limit) Answered(took time.Duration, err error) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch sent := time.Now().Add(-took); {
	case sent.Before(l.changed): // It is no news.
	case isOverloaded(err):
		l.change(max(1, l.now/2))
	case err == nil:
		if l.good++; l.good >= 4*l.now {
			l.change(min(l.now+1, l.most))
		}
	default: // Neither: it may be about the object, or have met no API server.
	}
}

func (l *Limit) change(to int) {
	l.good = 0
	if to == l.now {
		return
	}
	l.now, l.changed = to, time.Now()
	l.set(to)
}

// isOverloaded reports whether the API server has said that it has too much to do.
func isOverloaded(err error) bool {
	return apierrors.IsTooManyRequests(err) || apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) || apierrors.IsServiceUnavailable(err)
}
