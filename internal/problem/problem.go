package problem

import (
	"fmt"
	"time"
)

// Problem is why something that should happen does not happen now.
type Problem struct {
	// Reason is a reason of a condition, one of those in api/v1alpha1.
	Reason string
	// Message says it to a person, in whole sentences. No token ever stands in it.
	Message string
	// Stalled reports that nothing more will happen until somebody changes something. Otherwise it is tried
	// again without anybody's doing.
	Stalled bool
	// Unauthorized reports that a person must authorize the App again, or put a refresh token where it belongs.
	Unauthorized bool
	// Aside reports that no exchange is held up by it.
	Aside bool
	// Ambiguous reports that nobody knows whether GitHub exchanged the token.
	Ambiguous bool
	// Transient reports that nobody refused what was tried: it may succeed in a moment.
	Transient bool
	// OfApp reports that whoever administers the App has to act, who may be somebody else than who made the resource.
	OfApp bool
	// AppRefused reports that GitHub has refused the client ID or client secret of the App.
	AppRefused bool
	// RetryAt is when the next try is, by the wall clock; zero when there is none, or its time is not known.
	RetryAt time.Time
}

// Sentence is the message, with the time of the next try when that is known.
func (p *Problem) Sentence() string {
	if p.RetryAt.IsZero() {
		return p.Message
	}
	return fmt.Sprintf("%s The next try is at %s.", p.Message, p.RetryAt.UTC().Format(time.RFC3339))
}

// First is the problem that is shown of several; nil when there is none. What holds up the next exchange goes
// before what does not, and of the latter what waits for somebody goes before what is tried again. Among
// equals the order of the arguments decides.
func First(problems ...*Problem) *Problem {
	rank := func(p *Problem) int {
		switch {
		case !p.Aside:
			return 0
		case p.Stalled:
			return 1
		default:
			return 2
		}
	}
	var first *Problem
	for _, p := range problems {
		if p != nil && (first == nil || rank(p) < rank(first)) {
			first = p
		}
	}
	return first
}
