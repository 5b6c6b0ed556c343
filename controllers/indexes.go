package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/notices"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/internal/densecache"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

// Indexes of the cache.
const (
	// indexSecretNames indexes resources by the Secrets that they name.
	indexSecretNames = "secretNames"
	// indexPairOwner indexes pair Secrets by the UID of their resource.
	indexPairOwner = "pairOwner"
	// indexChainTokens indexes pair Secrets by the tokens that their chain goes back to; see seeds.ChainTokens.
	indexChainTokens = "chainTokens"
	// indexCodes indexes Secrets of device codes by the label that names their resource, and Secrets that bring codes back by the UID
	// in their name: each reconcile looks for them, and the Secrets of a namespace may be many.
	indexCodes = "codes"
)

// NewCache makes the manager's cache. The values of these indexes are as many as there are resources; those of others are few, and
// what they lead to is many.
func NewCache(config *rest.Config, options cache.Options) (cache.Cache, error) {
	return densecache.New(map[string]densecache.Index{
		indexSecretNames:        {Has: namesSecret},
		indexChainTokens:        {ClusterWide: true, Verbatim: true},
		indexPairOwner:          {Verbatim: true},
		indexCodes:              {Verbatim: true},
		outputs.IndexOwner:      {Verbatim: true},
		outputs.IndexOwnerLabel: {Verbatim: true},
		notices.IndexPairUser:   {ClusterWide: true},
	})(config, options)
}

func setupIndexes(indexer client.FieldIndexer) error {
	ctx, secret := context.Background(), secretMetadata(types.NamespacedName{})
	err := errors.Join(
		indexer.IndexField(ctx, &v1alpha1.GitHubUserToken{}, indexSecretNames, secretNames),
		indexer.IndexField(ctx, secret, indexChainTokens, chainTokens),
		indexer.IndexField(ctx, secret, indexPairOwner, pairOwner),
		indexer.IndexField(ctx, secret, indexCodes, codesOwner),
		indexer.IndexField(ctx, secret, outputs.IndexOwnerLabel, ownerLabel),
		indexer.IndexField(ctx, secret, outputs.IndexOwner, outputs.IndexedOwner),
	)
	if err != nil {
		return fmt.Errorf("set up the indexes: %w", err)
	}
	return nil
}

// secretNames are the Secrets that a resource names.
func secretNames(object client.Object) []string {
	token, ok := object.(*v1alpha1.GitHubUserToken)
	if !ok {
		return nil
	}
	names := []string{token.PairSecretName()}
	if ref := token.Spec.RefreshTokenRef; ref != nil {
		names = append(names, ref.Name)
	}
	if ref := token.Spec.App.ClientSecretRef; ref != nil {
		names = append(names, ref.Name)
	}
	for _, output := range token.AllOutputs() {
		names = append(names, output.Name)
	}
	return names
}

// namesSecret reports whether a resource names a Secret.
func namesSecret(object client.Object, name string) bool {
	token, ok := object.(*v1alpha1.GitHubUserToken)
	if !ok {
		return false
	}
	seed, secret := token.Spec.RefreshTokenRef, token.Spec.App.ClientSecretRef
	return token.PairSecretName() == name || seed != nil && seed.Name == name || secret != nil && secret.Name == name ||
		slices.ContainsFunc(token.AllOutputs(), func(output v1alpha1.Output) bool { return output.Name == name })
}

func pairOwner(object client.Object) []string {
	if object.GetLabels()[v1alpha1.LabelRole] != v1alpha1.RolePair {
		return nil
	}
	pair := pairOf(object) // An output may bear that label, and a pair somebody else's owner reference.
	if !pair.Controlled {
		return nil
	}
	return []string{pair.Owner.UID}
}

func ownerLabel(object client.Object) []string {
	if label := object.GetLabels()[v1alpha1.LabelOwner]; label != "" {
		return []string{label}
	}
	return nil
}

func codesOwner(object client.Object) []string {
	labels := object.GetLabels()
	switch labels[v1alpha1.LabelRole] {
	case v1alpha1.RoleLogin:
		return []string{labels[v1alpha1.LabelOwner]}
	case v1alpha1.RoleLoginCode:
		if uid := weblogin.UIDOf(object.GetName()); uid != "" {
			return []string{uid}
		}
	}
	return nil
}

func chainTokens(object client.Object) []string { return seeds.ChainTokens(&pairOf(object).State) }
