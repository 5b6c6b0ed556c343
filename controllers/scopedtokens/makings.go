package scopedtokens

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// GitHub has no more than ten tokens made within an hour for one account and App, as it says of OAuth Apps; whether it counts scoped
// tokens, or refreshes, it does not say. Were scoped tokens to use it up, it would be the user's own login or refresh that is refused. So
// a resource has so many made, which is two rotations of four outputs, and leaves two for its chain.
const (
	maxMade  = 8
	madeTime = time.Hour
)

// makings is how many tokens may still be made for a resource.
type makings struct {
	left int
	// lost is how many of them never arrived.
	lost int
	// free is when one more may be made than that; zero where it depends on what comes of requests that are under way.
	free time.Time
	// window is the time in which so many may be made.
	window time.Duration
}

// windowOf is the time in which so many tokens may be made: an hour, and less where tokens live for less than GitHub's eight hours.
func windowOf(state *rotation.State) time.Duration {
	if !state.Expires() {
		return madeTime
	}
	return min(madeTime, max(0, state.ExpiresAt.Sub(state.IssuedAt)/8))
}

// makingsOf counts what was made for all outputs of a resource, or may have been. What stands in the outputs is what other processes know.
func (k *Keeper) makingsOf(w *work, all []output, found map[string]*metav1.ObjectMeta, now time.Time) makings {
	if w.pair == nil {
		return makings{}
	}
	m := makings{left: maxMade, window: windowOf(&w.pair.State)}
	var made, lost []time.Time
	k.notes.Peek(w.token.UID, func(n *notes) {
		n.made = ledger{Made: n.made}.madeSince(now, m.window)
		lost = append(lost, n.lost...)
		made = append(made, n.made...)
		for _, o := range all {
			l, err := ledgerOf(found[o.name])
			if err != nil {
				l = ledger{}
			}
			if known := n.byName[o.name]; known != nil {
				l.Made, l.Lost = union(l.Made, known.made), union(l.Lost, known.lost)
			}
			made, lost = append(made, l.Made...), append(lost, l.Lost...)
		}
	})
	lost = ledger{Made: lost}.madeSince(now, m.window)
	m.lost = len(lost)
	made = append(ledger{Made: made}.madeSince(now, m.window), lost...)
	if slices.SortFunc(made, time.Time.Compare); len(made) >= maxMade {
		m.free = made[len(made)-maxMade].Add(m.window)
	}
	m.left -= len(made)
	return m
}

// union is one list with what the other has beside it.
func union(times, more []time.Time) []time.Time {
	all := slices.Clone(times)
	for _, at := range more {
		if !slices.ContainsFunc(all, at.Equal) {
			all = append(all, at)
		}
	}
	return all
}

// mayMake takes one of the tokens that may still be made, and returns how it was before.
func (w *work) mayMake() (before makings, may bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if before = w.makings; before.left <= 0 {
		return before, false
	}
	w.makings.left--
	return before, true
}

// madeNone gives back what mayMake has taken.
func (w *work) madeNone() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.makings.left++
}

// madeSince are the tokens that were made within a time. What is still to come somebody else has written.
func (l ledger) madeSince(now time.Time, window time.Duration) []time.Time {
	return slices.DeleteFunc(slices.Clone(l.Made), func(at time.Time) bool { return !at.After(now.Add(-window)) || at.After(now.Add(margin)) })
}

// noteMade takes over what this process remembers of tokens that it had made into the ledger of an output that is about to be written.
func (k *Keeper) noteMade(uid types.UID, name string, l *ledger) {
	k.notes.Peek(uid, func(n *notes) {
		if known := n.byName[name]; known != nil {
			l.Made = union(l.Made, known.made)
		}
	})
	slices.SortFunc(l.Made, time.Time.Compare)
	l.Made = l.Made[max(0, len(l.Made)-maxMade):]
}
