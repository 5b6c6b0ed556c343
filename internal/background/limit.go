// Package background says how much work that nobody waits for may be under way at once, by how fast the API server answers:
// after an upgrade every status may have to be written anew, and that must not be what slows the API server down for others.
//
// There is no clock to hand in: the clock and the timer must agree, and in a testing/synctest bubble both are simulated.
package background

import (
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

const (
	// slow is from when on an answer to a write says that the API server is loaded. It is many times what one takes where the
	// operator alone writes as fast as it can.
	slow = 250 * time.Millisecond
	// firstRest and longestRest are for how long all of it rests when the API server is slow although only one piece was
	// under way: longer each time.
	firstRest, longestRest = time.Second, 30 * time.Second
)

// Limit is safe for concurrent use. Make it with New.
type Limit struct {
	most int
	set  func(int)

	mu sync.Mutex
	// now is how much may be under way; zero while all of it rests.
	now int
	// quick counts quick answers since the limit was last changed.
	quick int
	// rests counts the rests in a row.
	rests int
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
	isSlow := took >= slow || isOverloaded(err)
	switch sent := time.Now().Add(-took); {
	case l.now == 0, sent.Before(l.changed): // Neither is news.
	case !isSlow:
		if l.quick++; l.quick >= 4*l.now {
			l.rests = 0
			l.change(min(l.now+1, l.most))
		}
	case l.now > 1:
		l.change(l.now / 2)
	default:
		l.rest()
	}
}

// rest lets nothing begin for a while, and then one piece.
func (l *Limit) rest() {
	wait := min(firstRest<<min(l.rests, 10), longestRest)
	l.rests++
	l.change(0)
	time.AfterFunc(wait, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.change(1)
	})
}

func (l *Limit) change(to int) {
	l.quick = 0
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
