package controllers

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/leftovers"
	"github.com/githubusertoken/github-user-token-operator/controllers/lifecycle"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/pairsecret"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

// clusterCache is lifecycle.Cache over the manager's cache.
type clusterCache struct {
	client.Reader

	namespaces watchedNamespaces
}

// watchedNamespaces tell why the cache does not hold a namespace, with nil when it does. *namespaces.Watched implements it.
type watchedNamespaces interface{ Err(namespace string) error }

var _ lifecycle.Cache = clusterCache{}

// Secret implements lifecycle.Cache.
func (c clusterCache) Secret(ctx context.Context, ref rotation.Ref) (*rotation.Pair, error) {
	meta, err := cachedSecret(ctx, c.Reader, types.NamespacedName(ref))
	if meta == nil || err != nil {
		return nil, err
	}
	pair, _ := pairsecret.FromMetadata(&meta.ObjectMeta)
	return pair, nil
}

// PairsOf implements lifecycle.Cache.
func (c clusterCache) PairsOf(ctx context.Context, owner rotation.Owner) ([]*rotation.Pair, error) {
	return c.pairs(ctx, client.InNamespace(owner.Namespace), client.MatchingFields{indexPairOwner: owner.UID})
}

// SecretsFor implements lifecycle.Cache.
func (c clusterCache) SecretsFor(ctx context.Context, name types.NamespacedName) ([]*rotation.Pair, error) {
	return c.pairs(ctx, client.InNamespace(name.Namespace), client.MatchingFields{outputs.IndexOwnerLabel: v1alpha1.OwnerLabel(name.Name)})
}

// CodesFor implements lifecycle.Cache.
func (c clusterCache) CodesFor(ctx context.Context, name types.NamespacedName) ([]leftovers.Code, error) {
	var secrets metav1.PartialObjectMetadataList
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	err := c.List(ctx, &secrets, client.InNamespace(name.Namespace), client.UnsafeDisableDeepCopy,
		client.MatchingFields{indexCodes: v1alpha1.OwnerLabel(name.Name)})
	if err != nil {
		return nil, fmt.Errorf("look for device codes in the cache: %w", err)
	}
	var codes []leftovers.Code
	for i := range secrets.Items {
		if meta := &secrets.Items[i].ObjectMeta; pairsecret.IsLogin(meta) {
			codes = append(codes, leftovers.Code{
				Ref: rotation.Ref{Namespace: meta.Namespace, Name: meta.Name}, Orphan: metav1.GetControllerOfNoCopy(meta) == nil,
			})
		}
	}
	return codes, nil
}

// LoginCodesFor implements lifecycle.Cache.
func (c clusterCache) LoginCodesFor(ctx context.Context, owner rotation.Owner) ([]rotation.Ref, error) {
	var secrets metav1.PartialObjectMetadataList
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	err := c.List(ctx, &secrets, client.InNamespace(owner.Namespace), client.UnsafeDisableDeepCopy, client.MatchingFields{indexCodes: owner.UID})
	if err != nil {
		return nil, fmt.Errorf("look for codes that were brought back in the cache: %w", err)
	}
	var refs []rotation.Ref
	for i := range secrets.Items {
		if name := secrets.Items[i].Name; weblogin.UIDOf(name) == owner.UID {
			refs = append(refs, rotation.Ref{Namespace: owner.Namespace, Name: name})
		}
	}
	return refs, nil
}

// ChainsWith implements lifecycle.Cache.
func (c clusterCache) ChainsWith(ctx context.Context, token credential.Fingerprint) ([]seeds.Chain, error) {
	pairs, err := c.pairs(ctx, client.MatchingFields{indexChainTokens: string(token)})
	if err != nil {
		return nil, err
	}
	var chains []seeds.Chain
	for _, pair := range pairs {
		if pair.Owner.UID != "" {
			chains = append(chains, seeds.ChainOf(pair, token))
		}
	}
	return chains, nil
}

func (c clusterCache) pairs(ctx context.Context, options ...client.ListOption) ([]*rotation.Pair, error) {
	var secrets metav1.PartialObjectMetadataList
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	if err := c.List(ctx, &secrets, options...); err != nil {
		return nil, fmt.Errorf("look for pair Secrets in the cache: %w", err)
	}
	var pairs []*rotation.Pair
	for i := range secrets.Items {
		pair, _ := pairsecret.FromMetadata(&secrets.Items[i].ObjectMeta)
		pairs = append(pairs, pair)
	}
	return pairs, nil
}

// Resource implements lifecycle.Cache.
func (c clusterCache) Resource(ctx context.Context, name types.NamespacedName) (*v1alpha1.GitHubUserToken, bool) {
	var token v1alpha1.GitHubUserToken
	err := c.Get(ctx, name, &token)
	var notStarted *cache.ErrCacheNotStarted
	switch {
	case err == nil:
		return &token, true
	case apierrors.IsNotFound(err):
		return nil, c.namespaces.Err(name.Namespace) == nil
	case errors.As(err, &notStarted):
		return nil, false
	default:
		return nil, false // In doubt nothing is known.
	}
}

// Resources implements lifecycle.Cache.
func (c clusterCache) Resources(ctx context.Context, namespace string) ([]*v1alpha1.GitHubUserToken, error) {
	var all v1alpha1.GitHubUserTokenList
	if err := c.List(ctx, &all, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the resources in the cache: %w", err)
	}
	tokens := make([]*v1alpha1.GitHubUserToken, len(all.Items))
	for i := range all.Items {
		tokens[i] = &all.Items[i]
	}
	return tokens, nil
}

// cachedSecret is the metadata of a Secret of ours as the cache has it; nil when it has none.
func cachedSecret(ctx context.Context, reader client.Reader, name types.NamespacedName) (*metav1.PartialObjectMetadata, error) {
	meta := secretMetadata(name)
	err := reader.Get(ctx, name, meta)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // absence is an ordinary answer here
	}
	if err != nil {
		return nil, fmt.Errorf("look for Secret %s in the cache: %w", name.Name, err)
	}
	return meta, nil
}

func secretMetadata(name types.NamespacedName) *metav1.PartialObjectMetadata {
	meta := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}
	meta.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return meta
}
