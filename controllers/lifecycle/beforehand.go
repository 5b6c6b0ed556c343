package lifecycle

import (
	"context"

	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// beforehand says what stands in the way of an exchange as far as it can be known without reading the resource's own
// Secrets: those may be large, and many resources may wait for the same.
func (e *exchanges) beforehand(ctx context.Context, s *scope.Scope, decision rotation.Decision) (*problem.Problem, error) {
	if p := e.seeds.ClientSecretProblem(s.App); p != nil {
		return p, nil
	}
	if decision.Action != rotation.ActionImport || s.Seed.Fingerprint != decision.Spends {
		return nil, nil
	}
	p, err := e.ownership.Claim(ctx, s.Token, decision.Spends)
	if p == nil && err == nil && s.Seed.IsSpent {
		p = seeds.Spent(s.Ref.Name)
	}
	return p, err
}
