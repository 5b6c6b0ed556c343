package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// claim asks for the right to exchange a seed's token. Of several resources with the same token one owns
// it: whoever has begun, otherwise the oldest. The others exchange nothing.
func (r *Reconciler) claim(ctx context.Context, token *v1alpha1.GitHubUserToken, seed credential.Fingerprint) (*obstacle, error) {
	r.wakeAll(r.claims.put(claimOf(token), seed))
	if owner, err := r.chainOwner(ctx, token.UID, seed); owner != nil || err != nil {
		return inUse(owner), err
	}
	if err := r.claimForOlder(ctx, token); err != nil {
		return nil, err
	}
	if owner, taken := r.claims.take(token.UID); !taken {
		return inUse(&owner), nil
	}
	return nil, nil
}

// giveUpClaim drops the claim to a token that is no longer in the seed.
func (r *Reconciler) giveUpClaim(token *v1alpha1.GitHubUserToken, found seed) {
	examined := found.version != "" || found.problem != nil || token.Spec.RefreshTokenRef == nil
	if examined && r.claims.known(token.UID) && !r.claims.holds(token.UID, found.fingerprint) {
		r.wakeAll(r.claims.put(claimOf(token), ""))
	}
}

// wakeAll has resources reconciled whose turn it may be.
func (r *Reconciler) wakeAll(names []types.NamespacedName) {
	for _, name := range names {
		r.queue.add(name)
	}
}

// freed are the resources that want a token which a changed or deleted pair Secret does not hold any more.
func (r *Reconciler) freed(before, after client.Object) []types.NamespacedName {
	var held []string
	if after != nil && metav1.GetControllerOfNoCopy(after) != nil {
		held = chainTokens(after)
	}
	var names []types.NamespacedName
	for _, token := range chainTokens(before) {
		if !slices.Contains(held, token) {
			names = append(names, r.claims.wanting(credential.Fingerprint(token))...)
		}
	}
	return names
}

func inUse(owner *types.NamespacedName) *obstacle {
	if owner == nil {
		return nil
	}
	return &obstacle{
		reason: v1alpha1.ReasonRefreshTokenInUse, stalled: true,
		message: fmt.Sprintf("GitHubUserToken %s owns this refresh token; exchanging it here would end its chain. Delete one of the two, or authorize once more for this one.", owner),
	}
}

// chainOwner is the resource whose stored chain goes back to the token or stands at it now; nil when there
// is none.
func (r *Reconciler) chainOwner(ctx context.Context, uid types.UID, seed credential.Fingerprint) (*types.NamespacedName, error) {
	var pairs metav1.PartialObjectMetadataList
	pairs.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	if err := r.Client.List(ctx, &pairs, client.MatchingFields{indexChainTokens: string(seed)}); err != nil {
		return nil, fmt.Errorf("look for other chains of the same refresh token: %w", err)
	}
	for i := range pairs.Items {
		controller := metav1.GetControllerOfNoCopy(&pairs.Items[i])
		if controller != nil && controller.UID != uid {
			return &types.NamespacedName{Namespace: pairs.Items[i].Namespace, Name: controller.Name}, nil
		}
	}
	return nil, nil
}

// claimForOlder looks at the seeds of all older resources that have not imported theirs yet, so that the
// oldest gets the token whichever is reconciled first.
func (r *Reconciler) claimForOlder(ctx context.Context, token *v1alpha1.GitHubUserToken) error {
	var all v1alpha1.GitHubUserTokenList
	if err := r.Client.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("look for older resources: %w", err)
	}
	mine := claimOf(token)
	for i := range all.Items {
		other := &all.Items[i]
		if other.UID == token.UID || other.Spec.RefreshTokenRef == nil || !other.DeletionTimestamp.IsZero() ||
			!before(claimOf(other), mine) || r.claims.known(other.UID) {
			continue
		}
		pair, err := r.cachedSecret(ctx, rotation.Ref{Namespace: other.Namespace, Name: other.PairSecretName()})
		if err != nil {
			return err
		}
		if pair != nil {
			continue // Its chain is in the index.
		}
		found, _, err := r.seeds.read(ctx, keyOf(other))
		if err != nil {
			return err
		}
		r.claims.put(claimOf(other), found.fingerprint)
	}
	return nil
}

func claimOf(token *v1alpha1.GitHubUserToken) claim {
	return claim{
		name:    types.NamespacedName{Namespace: token.Namespace, Name: token.Name},
		created: token.CreationTimestamp.Time, uid: token.UID,
	}
}

// indexChainTokens indexes pair Secrets by the fingerprints of the logins that they were imported from, of
// one being imported, and of the refresh token they hold.
const indexChainTokens = "chainTokens"

func chainTokens(object client.Object) []string {
	var state rotation.State
	if err := json.Unmarshal([]byte(object.GetAnnotations()[v1alpha1.AnnotationState]), &state); err != nil {
		return nil
	}
	var tokens []string
	for _, seed := range state.Seeds {
		if seed.RefusedFor == "" {
			tokens = append(tokens, string(seed.Fingerprint))
		}
	}
	for _, fingerprint := range []credential.Fingerprint{state.RefreshToken, state.PendingSeed} {
		if fingerprint != "" {
			tokens = append(tokens, string(fingerprint))
		}
	}
	return tokens
}
