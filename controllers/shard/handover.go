package shard

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Handover has a deployment wait before it begins with a resource whose label has just made it its own: for as long as whoever
// served it before may be at work, who finishes what is begun and begins nothing. So a resource is in one pair of hands, and what
// was under way is over when it is looked at. Make it with NewHandover.
//
// It is known only to whoever has seen the label move. A process that starts meanwhile begins at once, which the intent in the
// pair Secret makes as safe.
type Handover struct {
	clock   Clock
	arrived memory.Slot[time.Duration]
}

// Clock is the time.
type Clock interface {
	// Monotonic is a clock that never jumps.
	Monotonic() time.Duration
}

// NewHandover makes a Handover. What it remembers of a resource goes with the rest of its memory.
func NewHandover(clock Clock, remembered *memory.Store) *Handover {
	return &Handover{clock: clock, arrived: memory.NewSlot[time.Duration](remembered)}
}

// Arrived notes that a resource has become this deployment's.
func (h *Handover) Arrived(uid types.UID) {
	now := h.clock.Monotonic()
	h.arrived.With(uid, func(at *time.Duration) { *at = now })
}

// Wait is for how long a resource is still left alone. One without the operator's finalizer nobody has begun with.
func (h *Handover) Wait(token *v1alpha1.GitHubUserToken) (wait time.Duration) {
	if !slices.Contains(token.Finalizers, v1alpha1.Finalizer) {
		return 0
	}
	now := h.clock.Monotonic()
	h.arrived.Peek(token.UID, func(at *time.Duration) { wait = max(0, *at+rotation.IntentTimeout-now) })
	return wait
}
