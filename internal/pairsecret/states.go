package pairsecret

import (
	"strings"
	"sync"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const (
	// statesKept is how many states are remembered at least, once there were so many, and twice as many at most.
	statesKept = 256
	// maxStateKept is how long a state may be to be remembered. What the operator writes is seldom longer.
	maxStateKept = 2 << 10
)

// states are the states that were last decoded. One that a watch brings is wanted by each index of the cache, by whoever is told of
// the change and by the reconcile that follows; to decode it each time was a fifth of the operator's own work for a refresh.
var states decodedStates

// decodedStates are by their text, in two generations: when the younger one is full the older one goes.
type decodedStates struct {
	mu             sync.Mutex
	younger, older map[string]*rotation.State
}

// decodeState is decode for a state.
func decodeState(text string, into *rotation.State) error {
	if known := states.get(text); known != nil {
		*into = known.Clone()
		return nil
	}
	if err := decode(text, MaxState, into); err != nil {
		return err
	}
	if len(text) <= maxStateKept {
		states.add(text, into.Clone())
	}
	return nil
}

// get is a state that is not to be changed; nil when it is not known.
func (d *decodedStates) get(text string) *rotation.State {
	d.mu.Lock()
	defer d.mu.Unlock()
	if state := d.younger[text]; state != nil {
		return state
	}
	state := d.older[text]
	if state != nil {
		d.keep(text, state)
	}
	return state
}

func (d *decodedStates) add(text string, state rotation.State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.keep(strings.Clone(text), &state) // It may be a part of a whole page of a list.
}

func (d *decodedStates) keep(text string, state *rotation.State) {
	if d.younger == nil || len(d.younger) == statesKept {
		d.younger, d.older = make(map[string]*rotation.State, statesKept), d.younger
	}
	d.younger[text] = state
}
