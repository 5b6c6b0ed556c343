package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"

	"k8s.io/apimachinery/pkg/api/equality"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// report writes the status in one patch, if it differs from what stands there, and makes events of the
// transitions. A status that was written and is not in the cache yet is not written again, and what it told is
// not told again by the next one.
func (r *Reconciler) report(ctx context.Context, token *v1alpha1.GitHubUserToken, status *v1alpha1.GitHubUserTokenStatus) error {
	if equality.Semantic.DeepEqual(&token.Status, status) {
		return nil
	}
	hash, stood, written := hashOf(status), standingOf(&token.Status), false
	r.memories.with(token.UID, func(remembered *memory) {
		if isOlder(token.ResourceVersion, remembered.statusVersion) {
			stood, written = remembered.standing, remembered.statusHash == hash
		}
	})
	if written {
		return nil
	}
	before := token.DeepCopy()
	after := token.DeepCopy()
	after.Status = *status
	if err := r.Client.Status().Patch(ctx, after, client.MergeFrom(before)); err != nil {
		return client.IgnoreNotFound(fmt.Errorf("write the status: %w", err))
	}
	r.memories.with(token.UID, func(remembered *memory) {
		remembered.statusHash, remembered.statusVersion, remembered.standing = hash, after.ResourceVersion, standingOf(status)
	})
	r.announce(token, stood, status)
	return nil
}

// reportFlight reports an exchange whose pair cannot be stored. Any other flight reports when it has landed.
func (r *Reconciler) reportFlight(ctx context.Context, token *v1alpha1.GitHubUserToken) (ctrl.Result, error) {
	var trouble string
	r.memories.with(token.UID, func(remembered *memory) { trouble = remembered.commitTrouble })
	if trouble == "" {
		return ctrl.Result{}, nil
	}
	v, err := r.gather(ctx, token)
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, r.report(ctx, token, statusOf(v, rotation.Decision{}, &obstacle{
		reason:  v1alpha1.ReasonCommitting,
		message: trouble,
	}))
}

func hashOf(status *v1alpha1.GitHubUserTokenStatus) uint64 {
	text, err := json.Marshal(status)
	if err != nil {
		return 0
	}
	hash := fnv.New64a()
	_, _ = hash.Write(text)
	return hash.Sum64()
}
