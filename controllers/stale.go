package controllers

import (
	"context"

	"github.com/go-logr/logr"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// staleTries is how many fences in a row may meet something newer than the cache shows before the Secret is
// read live. A cache that merely lags has caught up by then.
const staleTries = 3

// seeForItself looks at the pair Secret past the cache when fence after fence meets something newer there: an
// event of the watch was lost, and without a further change of the Secret the cache would never learn of it.
func (r *Reconciler) seeForItself(log logr.Logger, token *v1alpha1.GitHubUserToken, job rotation.Job) {
	tries := 0
	r.memories.with(token.UID, func(remembered *memory) {
		if remembered.failure != nil {
			tries = remembered.failure.tries
		}
	})
	if tries < staleTries {
		return
	}
	live, err := r.Store.Get(context.Background(), job.Ref)
	if err != nil {
		log.V(1).Info("The pair Secret could not be looked at", "why", words(err))
		return
	}
	if job.Pair != nil && isOlder(job.Pair.Version, live.Version) {
		r.memories.with(token.UID, func(remembered *memory) { remembered.latest = withoutTokens(live) })
	}
}
