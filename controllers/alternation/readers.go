package alternation

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// ReadersOf is the resource whose readers are given the token of a pair that was just stored for another one, and the pair as its own: that of an
// alternate is published for the resource that workloads know. Of any other resource it is what it is.
func (t *Turns) ReadersOf(ctx context.Context, token *v1alpha1.GitHubUserToken, pair *rotation.Pair) (*v1alpha1.GitHubUserToken, *rotation.Pair) {
	primary := token
	if name, _, ok := token.AlternateOf(); ok {
		found, _ := t.cache.Resource(ctx, types.NamespacedName{Namespace: token.Namespace, Name: name})
		if found == nil || !IsAlternateOf(token, found) || !found.DeletionTimestamp.IsZero() {
			return token, pair
		}
		primary = found
	}
	if !primary.IsAlternating() {
		return token, pair
	}
	own := scope.AsOf(scope.OwnerOf(primary), pair)
	own.NextRefreshAt = scope.ReplacedAt(&pair.State)
	return primary, own
}
