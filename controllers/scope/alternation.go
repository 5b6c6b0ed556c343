package scope

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/turns"
)

// Alternation is what is known of the other one of two chains that take turns.
type Alternation struct {
	// IsPrimary says that the resource is the one that workloads know, and the other one its alternate.
	IsPrimary bool
	// Other is the other resource; nil when there is none.
	Other *v1alpha1.GitHubUserToken
	// Pair is the other one's pair Secret's metadata; nil when there is none.
	Pair *rotation.Pair
	// Of is what the turn was found out from.
	Of turns.Of
	// Next is the number that the next pair of either chain gets.
	Next int64
}

// NextPublication is the number that the next pair of the resource gets; zero where its chain is alone.
func (s *Scope) NextPublication() int64 {
	if s.Alternation == nil {
		return 0
	}
	return s.Alternation.Next
}

// ForReaders is the scope as those look at it who give the access token to workloads: with the published pair, which is the other chain's where
// that one leads. Only the resource that workloads know has readers.
func (s *Scope) ForReaders() *Scope {
	a := s.Alternation
	if a == nil || !a.IsPrimary {
		return s
	}
	view := *s
	view.Chain = s.Owner.UID
	if a.Pair != nil && a.Pair.Controlled && !turns.Leads(a.Of.Own, a.Of.Other) {
		view.Ref, view.Pair, view.Chain, view.Input.ExpiresIn = a.Pair.Ref, AsOf(s.Owner, a.Pair), a.Of.Other.Owner, nil
	}
	return &view
}

// PublishedSecret is the name of the Secret in which workloads read the access token.
func (s *Scope) PublishedSecret() string {
	if s.Token.IsAlternating() {
		return s.Token.PublishedSecretName()
	}
	return s.Ref.Name
}

// ReplacedAt is when another access token is published in place of a pair's, where two chains take turns.
func ReplacedAt(state *rotation.State) time.Time {
	if !state.Expires() {
		return time.Time{}
	}
	return state.IssuedAt.Add(turns.PeriodOf(state.ExpiresAt.Sub(state.IssuedAt)))
}

// AsOf is a pair of another chain as one of the resource's own, for what is derived from it.
func AsOf(owner rotation.Owner, pair *rotation.Pair) *rotation.Pair {
	own := pair.Clone()
	own.Owner, own.State.Owner, own.State.OwnerName = owner, owner.UID, owner.Name
	return own
}

// Derived is a pair that was read live, as what is derived from it looks at it; nil when it is not the one of the scope's chain.
func (s *Scope) Derived(live *rotation.Pair) *rotation.Pair {
	chain := s.Owner.UID
	if s.Chain != "" {
		chain = s.Chain
	}
	if !live.Controlled || live.Owner.UID != chain || live.State.Owner != chain {
		return nil
	}
	return AsOf(s.Owner, live)
}
