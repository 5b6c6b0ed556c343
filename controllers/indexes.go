package controllers

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
)

// Indexes of the cache.
const (
	// indexSecretNames indexes resources by the Secrets that they name.
	indexSecretNames = "secretNames"
	// indexPairOwner indexes pair Secrets by the UID of their resource.
	indexPairOwner = "pairOwner"
	// indexChainTokens indexes pair Secrets by the tokens that their chain goes back to; see seeds.ChainTokens.
	indexChainTokens = "chainTokens"
	// indexCodes indexes Secrets of device codes by the label that names their resource: each reconcile looks for them, and the
	// Secrets of a namespace may be many.
	indexCodes = "codes"
)

func (r *Reconciler) setupIndexes(mgr manager.Manager) error {
	ctx, indexer, secret := context.Background(), mgr.GetFieldIndexer(), secretMetadata(types.NamespacedName{})
	err := errors.Join(
		indexer.IndexField(ctx, &v1alpha1.GitHubUserToken{}, indexSecretNames, secretNames),
		indexer.IndexField(ctx, secret, indexChainTokens, chainTokens),
		indexer.IndexField(ctx, secret, indexPairOwner, pairOwner),
		indexer.IndexField(ctx, secret, indexCodes, codesOwner),
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
	for _, output := range token.Spec.Outputs {
		names = append(names, output.Name)
	}
	return names
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

func codesOwner(object client.Object) []string {
	labels := object.GetLabels()
	if labels[v1alpha1.LabelRole] != v1alpha1.RoleLogin {
		return nil
	}
	return []string{labels[v1alpha1.LabelOwner]}
}

func chainTokens(object client.Object) []string { return seeds.ChainTokens(&pairOf(object).State) }
