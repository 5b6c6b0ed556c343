package lifecycle

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// beforehand says what stands in the way of an exchange as far as it can be known without reading the resource's own
// Secrets: those may be large, and many resources may wait for the same.
func (c *Controller) beforehand(ctx context.Context, s *scope.Scope, decision rotation.Decision) (*problem.Problem, error) {
	if p := c.seeds.ClientSecretProblem(s.Token); p != nil {
		return p, nil
	}
	if decision.Action != rotation.ActionImport || s.Seed.Fingerprint != decision.Spends {
		return nil, nil
	}
	return c.ownership.Claim(ctx, s.Token, decision.Spends)
}

// blockedOrFailed is the result of what beforehand says.
func (c *Controller) blockedOrFailed(s *scope.Scope, p *problem.Problem, err error, what string) Result {
	if err != nil {
		return c.failed(s, err, what)
	}
	return blocked(p)
}

// Recheck says which keys of a Secret hold something else than those who name them were last told, and how many bytes
// were read to find that out; see seeds.Reader.Recheck. NamedSecretChanged is for those.
func (c *Controller) Recheck(ctx context.Context, secret types.NamespacedName, keys []string, first bool) (changed []string, size int, err error) {
	return c.seeds.Recheck(ctx, secret, keys, first)
}
