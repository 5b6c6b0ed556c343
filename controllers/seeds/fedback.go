package seeds

import (
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// FedBack is what the condition Authorized says of a seed that holds a token of the resource's own chain. Look recognizes
// the sentence, so that nothing else may stand in its place.
const FedBack = "The seed holds a refresh token of this resource's own chain: something copies the pair Secret into it, which is of no use and in the way of the next login, so stop that copy."

// IsFedBack reports whether a seed holds a token that the resource's chain has, or had before, and that was not imported from
// a seed. It is never exchanged from there: the chain has spent it, or will.
func IsFedBack(seed scope.Seed, state *rotation.State) bool {
	return state != nil && state.HasHeld(seed.Fingerprint) && !state.HasImported(seed.Fingerprint)
}
