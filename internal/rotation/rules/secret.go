package rules

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// newerFormat leaves a chain alone that a newer version of the operator has written. What it means is not
// known here, and an exchange on the strength of a guess could not be taken back.
func newerFormat(in Input) (rotation.Decision, bool) {
	if in.Pair == nil || !in.Pair.IsNewer() {
		return rotation.Decision{}, false
	}
	return blocked(v1alpha1.ReasonStateFormatTooNew), true
}

// retained takes up the pair that a deleted resource of the same name, seed and App has left behind, and
// the resource's own pair when somebody took its owner reference off.
func retained(in Input) (rotation.Decision, bool) {
	if in.Pair == nil || in.Pair.Controlled || !in.Pair.Orphan {
		return rotation.Decision{}, false
	}
	state := &in.Pair.State
	if state.Owner == in.Owner.UID && !in.Pair.IsRetained() {
		return in.orBackoff(rotation.Decision{Action: rotation.ActionAdopt}), true
	}
	// One that was just being imported goes on, wherever it was when its resource went.
	sameSeed := in.Seed == "" || in.Seed == state.PendingSeed || state.KnowsSeed(in.Seed, in.App)
	if !in.Pair.IsRetained() || state.OwnerName != in.Owner.Name || state.App != in.App || !sameSeed {
		return rotation.Decision{}, false
	}
	return in.orBackoff(rotation.Decision{Action: rotation.ActionAdopt}), true
}

func foreignSecret(in Input) (rotation.Decision, bool) {
	if in.Pair == nil || in.Pair.Controlled {
		return rotation.Decision{}, false
	}
	return blocked(v1alpha1.ReasonSecretNotOwned), true
}

// garbledState has a state that an edit has made unreadable computed anew, before anything is done on the
// strength of it.
func garbledState(in Input) (rotation.Decision, bool) {
	if in.Pair == nil || !in.Pair.Controlled || !in.Pair.LacksState() {
		return rotation.Decision{}, false
	}
	return in.orBackoff(rotation.Decision{Action: rotation.ActionRecover}), true
}

// misplaced brings the pair to the name that the spec asks for. An exchange whose outcome is unknown is
// settled under the former name first, and while somebody else's Secret is in the way the chain goes on there. Where there
// are two Secrets already they become one first, as soon as nobody can be at work in the former: its token may
// be one that the other's pair was got for.
func misplaced(in Input) (rotation.Decision, bool) {
	if in.Pair == nil || !in.Pair.Controlled || !in.Misplaced || !in.Duplicate && in.Now.Before(in.MoveNotBefore) {
		return rotation.Decision{}, false
	}
	if in.Pair.Intent != nil && (!in.Duplicate || in.intentMayBeAtWork()) {
		return rotation.Decision{}, false
	}
	if in.Now.Before(in.MoveNotBefore) { // Which of the two is the newer is not known: no token of either is sent.
		return wait(v1alpha1.ReasonExchanging, in.MoveNotBefore), true
	}
	return rotation.Decision{Action: rotation.ActionMove}, true
}

// lostSecret has a deleted Secret put back. While the API server refuses that, as a quota does, the chain goes on in the Secret
// that was deleted: our finalizer holds it, and workloads read it.
func lostSecret(in Input) (rotation.Decision, bool) {
	switch {
	case in.Backup:
	case in.Pair == nil, !in.Pair.Deleting, in.Now.Before(in.RestoreNotBefore):
		return rotation.Decision{}, false
	}
	return in.orBackoff(rotation.Decision{Action: rotation.ActionRestore}), true
}

// edited has the data looked at when somebody else has written the Secret: they may have edited its tokens,
// which metadata does not tell.
func edited(in Input) (rotation.Decision, bool) {
	if in.Pair == nil || !in.Pair.Controlled || in.Pair.Deleting || !in.Edited {
		return rotation.Decision{}, false
	}
	return in.orBackoff(rotation.Decision{Action: rotation.ActionTakeUp}), true
}

// rolledBack has a pair disowned that is older than one that was there before: it is spent, or may be. Disowned it has to be
// proven like one that was restored from elsewhere, also after a restart.
func rolledBack(in Input) (rotation.Decision, bool) {
	if in.Pair == nil || !in.Pair.Controlled || !in.RolledBack {
		return rotation.Decision{}, false
	}
	if in.Pair.Intent != nil && in.intentMayBeAtWork() {
		return wait(v1alpha1.ReasonOutcomeUnknown, in.Now.Add(max(rotation.IntentTimeout-in.IntentSeen, time.Second))), true
	}
	return in.orBackoff(rotation.Decision{Action: rotation.ActionDisown}), true
}

// reclaimable recognises a pair Secret that belonged to a former resource of this name and App, and came back
// from a backup: with the owner reference to that resource, or without any. A pair that was retained is
// another matter, see there.
func reclaimable(in Input) (rotation.Decision, bool) {
	if in.Pair == nil || in.Pair.Controlled || in.Pair.IsRetained() {
		return rotation.Decision{}, false
	}
	former := in.Pair.Orphan || (in.Pair.Owner.Name == in.Owner.Name && in.Pair.Owner.UID != in.Owner.UID)
	if !former || in.Pair.State.OwnerName != in.Owner.Name || in.Pair.State.App != in.App {
		return rotation.Decision{}, false
	}
	return in.orBackoff(rotation.Decision{Action: rotation.ActionReclaim}), true
}
