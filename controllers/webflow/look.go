package webflow

import (
	"context"
	"slices"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/rules"
)

// Codes tells which Secrets bring codes. lifecycle.Cache is one.
type Codes interface {
	LoginCodesFor(ctx context.Context, owner rotation.Owner) ([]rotation.Ref, error)
}

// Look is what Decide looks at of logins by the web flow. Nobody looks for a code but that of the attempt that waits.
func Look(ctx context.Context, s *scope.Scope, cache Codes) (seen rules.WebLogin, err error) {
	if s.Web.Refused != "" || s.Web.Asked.ID == "" {
		return rules.WebLogin{}, nil
	}
	seen.Request = s.Web.Asked
	if state := s.Stored(); state != nil && state.Web.IsWaiting(s.Now) {
		codes, err := cache.LoginCodesFor(ctx, s.Owner)
		if err != nil {
			return rules.WebLogin{}, err
		}
		wanted := rotation.Ref{Namespace: s.Owner.Namespace, Name: v1alpha1.LoginCodeSecretName(state.Web.ID)}
		seen.HasCode = slices.Contains(codes, wanted)
	}
	return seen, nil
}

// refuse has a request be as if nobody had made it, but for what is told of it: what is decided of the resource then, goes on.
func refuse(s *scope.Scope, why string) {
	s.Web.Refused, s.Input.Web = why, rules.WebLogin{}
}
