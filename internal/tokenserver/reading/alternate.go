package reading

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/pairsecret"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/release"
)

// takeLeading puts the pair of the alternate in the place of the resource's own where that one is published: what is given out is what workloads read.
// One that cannot be looked at is no reason to give out the other, which may have been replaced.
func (r *Reader) takeLeading(ctx context.Context, read *release.Read) error {
	if !read.Resource.IsAlternating() || read.Withheld != "" {
		return nil
	}
	var alternate v1alpha1.GitHubUserToken
	name := types.NamespacedName{Namespace: read.Resource.Namespace, Name: v1alpha1.AlternateName(read.Resource.Name)}
	if err := r.live.Get(ctx, name, &alternate); err != nil {
		return notFoundOr("read the resource of the second authorization", err)
	}
	_, uid, is := alternate.AlternateOf()
	if !is || uid != string(read.Resource.UID) {
		return nil
	}
	var secret corev1.Secret
	if err := r.live.Get(ctx, types.NamespacedName{Namespace: name.Namespace, Name: alternate.PairSecretName()}, &secret); err != nil {
		return notFoundOr("read the Secret of the second authorization", err)
	}
	pair := pairsecret.FromSecret(&secret)
	if !pair.Controlled || pair.Owner.UID != string(alternate.UID) || pair.State.Owner != string(alternate.UID) {
		return nil
	}
	for _, own := range read.Pairs {
		if own.State.Publication > pair.State.Publication {
			return nil
		}
	}
	if pair.State.Publication > 0 {
		read.Pairs = append(read.Pairs[:0:0], scope.AsOf(scope.OwnerOf(read.Resource), pair))
	}
	return nil
}
