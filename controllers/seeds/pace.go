package seeds

import (
	"sync"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
)

const (
	// bytesPerSecond is how much may be read of the Secrets of one namespace, for all that its resources ask for.
	bytesPerSecond = 1 << 20
	// bytesAtOnce is how much of it may be read at once, and muchAtOnce how much of that makes reads dear that only make sure.
	bytesAtOnce, muchAtOnce = 8 << 20, 1 << 20
	// roomForPaces is of how many namespaces it may be known what they have read, before those that have rested are forgotten.
	roomForPaces = 64
)

// PacedError: so much was read of the Secrets of a namespace of late that it waits.
type PacedError struct {
	// RetryIn is when about there is room again.
	RetryIn time.Duration
}

// Error says so. It tells no time: that would be another one at each look, and each look a write of the status.
func (*PacedError) Error() string {
	return "the operator reads a megabyte a second of the Secrets that are named in one namespace, and those of this one are large or changed all the time"
}

const (
	// leastPacedWait and mostPacedWait bound when a read that waited is tried again.
	leastPacedWait, mostPacedWait = time.Second, 30 * time.Second
)

// Backoff has the read tried again when there is room, and later each time while others are faster.
func (e *PacedError) Backoff() backoff.Backoff {
	return backoff.Backoff{First: max(e.RetryIn, leastPacedWait), Max: mostPacedWait}
}

// pace keeps what is read of the Secrets of a namespace to a measure: resources and Secrets may be changed a hundred times a
// second, and a Secret may have a megabyte.
type pace struct {
	// now is the monotonic clock; nil: nothing is paced.
	now func() time.Duration

	mu sync.Mutex
	// paid is until when what was read is paid for, by namespace.
	paid map[string]time.Duration
	left int
}

// check is a *PacedError when a namespace has read too much to read more now.
func (p *pace) check(namespace string) error {
	if wait := p.unpaid(namespace) - timeFor(bytesAtOnce); wait > 0 {
		return &PacedError{wait}
	}
	return nil
}

// isBusy reports whether much was read of the Secrets of a namespace of late.
func (p *pace) isBusy(namespace string) bool { return p.unpaid(namespace) > timeFor(muchAtOnce) }

// unpaid is how long it takes to pay for what was read.
func (p *pace) unpaid(namespace string) time.Duration {
	if p.now == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(p.paid[namespace]-p.now(), 0)
}

// add notes what was read.
func (p *pace) add(namespace string, bytes int) {
	if p.now == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if len(p.paid) > max(2*p.left, roomForPaces) {
		for other, until := range p.paid {
			if until <= now {
				delete(p.paid, other)
			}
		}
		p.left = len(p.paid)
	}
	p.paid[namespace] = max(now, p.paid[namespace]) + timeFor(bytes)
}

func timeFor(bytes int) time.Duration { return time.Duration(bytes) * time.Second / bytesPerSecond }
