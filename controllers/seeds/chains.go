package seeds

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Chain names the resource that controls a pair Secret.
type Chain struct {
	// Namespace is that of both.
	Namespace string
	// Owner and UID are those of the resource.
	Owner string
	UID   types.UID
}

// ChainTokens are the fingerprints by which pair Secrets are indexed: of the logins that the chain was
// imported from, of one being imported, and of the refresh token it holds. Logins that were refused are none
// of them: others may try those with another App. The state may be nil.
func ChainTokens(state *rotation.State) []string {
	if state == nil {
		return nil
	}
	var tokens []string
	add := func(fingerprint credential.Fingerprint) {
		if text := string(fingerprint); text != "" && !slices.Contains(tokens, text) {
			tokens = append(tokens, text)
		}
	}
	for _, seed := range state.Seeds {
		if seed.RefusedFor == "" {
			add(seed.Fingerprint)
		}
	}
	add(state.RefreshToken)
	add(state.PendingSeed)
	return tokens
}

// chainOwner is another resource whose stored chain goes back to the token or stands at it now; nil when there
// is none.
func (o *Ownership) chainOwner(ctx context.Context, uid types.UID, fingerprint credential.Fingerprint) (*types.NamespacedName, error) {
	chains, err := o.options.Chains(ctx, fingerprint)
	if err != nil {
		return nil, fmt.Errorf("look for other chains of the same refresh token: %w", err)
	}
	others := slices.DeleteFunc(slices.Clone(chains), func(c Chain) bool { return c.UID == uid })
	if len(others) == 0 {
		return nil, nil
	}
	first := slices.MinFunc(others, func(a, b Chain) int { // A cache has them in any order; the status names one.
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Owner, b.Owner))
	})
	return &types.NamespacedName{Namespace: first.Namespace, Name: first.Owner}, nil
}
