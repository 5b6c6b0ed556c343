package lifecycle

import (
	"context"
	"errors"
	"slices"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// unheldPause is until the finalizer is tried again, at the latest.
const unheldPause = retry.RefusedMax

// hold puts our finalizer on a resource that has none, so that its deletion policy can be carried out. It returns the resource
// as it is then; nil when it is gone. Where the finalizer cannot be had, for whatever reason, unheld says why: the workloads need a
// token all the same.
func (c *Controller) hold(ctx context.Context, token *v1alpha1.GitHubUserToken) (held *v1alpha1.GitHubUserToken, unheld *problem.Problem, err error) {
	if slices.Contains(token.Finalizers, v1alpha1.Finalizer) {
		return token, nil, nil
	}
	const what = "spec.deletionPolicy cannot be carried out when this resource is deleted"
	held, err = c.api.AddFinalizer(ctx, token)
	switch {
	case err == nil:
		return held, nil, nil
	case errors.Is(err, ErrFinalizerAltered) && held != nil:
		unheld = words.FinalizerAltered(what, err)
		token = held
	case errors.Is(err, rotation.ErrConflict):
		return nil, nil, err // Somebody has just changed it: the next event brings what is new.
	default:
		unheld = words.FinalizerRefused(what, err)
	}
	unheld.Aside = true
	return token, unheld, nil
}
