package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/lifecycle"
	"github.com/githubusertoken/github-user-token-operator/controllers/secretwatch"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/pairsecret"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// clusterAPI is lifecycle.API on a real API server.
type clusterAPI struct {
	*pairsecret.Store
	// mayHold reports whether a resource may be given the finalizer now.
	mayHold func(types.UID) bool
	// held is told that a resource was given the finalizer.
	held func(types.UID)
}

var _ lifecycle.API = clusterAPI{}

// ReadSecret implements seeds.Source.
func (a clusterAPI) ReadSecret(ctx context.Context, name types.NamespacedName) (*seeds.Secret, error) {
	var secret corev1.Secret
	err := a.Live.Get(ctx, name, &secret)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // absence is an ordinary answer here
	}
	if err != nil {
		return nil, fmt.Errorf("read Secret %s: %s", name, credential.Scrub(err.Error()))
	}
	return &seeds.Secret{Version: secretwatch.VersionOf(&secret), Ours: isOurs(&secret), Data: secret.Data, Metadata: secret.ObjectMeta.Size()}, nil
}

// Metadata implements lifecycle.API.
func (a clusterAPI) Metadata(ctx context.Context, ref rotation.Ref) (*rotation.Pair, error) {
	meta := secretMetadata(types.NamespacedName(ref))
	err := a.Live.Get(ctx, client.ObjectKeyFromObject(meta), meta)
	if apierrors.IsNotFound(err) {
		return nil, rotation.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	pair, _ := pairsecret.FromMetadata(&meta.ObjectMeta)
	return pair, nil
}

// Resource implements lifecycle.API.
func (a clusterAPI) Resource(ctx context.Context, name types.NamespacedName) (*v1alpha1.GitHubUserToken, error) {
	var token v1alpha1.GitHubUserToken
	err := a.Live.Get(ctx, name, &token)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // absence is an ordinary answer here
	}
	if err != nil {
		return nil, fmt.Errorf("look at the resource: %w", err)
	}
	return &token, nil
}

// AddFinalizer implements lifecycle.API. Where somebody takes the finalizer off each time, the resource is for a while
// treated as if it had it: its token is refreshed all the same.
func (a clusterAPI) AddFinalizer(ctx context.Context, token *v1alpha1.GitHubUserToken) (*v1alpha1.GitHubUserToken, error) {
	if !a.mayHold(token.UID) {
		left := token.DeepCopy()
		controllerutil.AddFinalizer(left, v1alpha1.Finalizer)
		return left, nil
	}
	held, err := a.patchFinalizers(ctx, token, controllerutil.AddFinalizer)
	if err == nil && held != nil || errors.Is(err, lifecycle.ErrFinalizerAltered) {
		a.held(token.UID)
	}
	return held, err
}

// RemoveFinalizer implements lifecycle.API.
func (a clusterAPI) RemoveFinalizer(ctx context.Context, token *v1alpha1.GitHubUserToken) error {
	_, err := a.patchFinalizers(ctx, token, controllerutil.RemoveFinalizer)
	return err
}

// patchFinalizers writes the resource's finalizers under its resourceVersion, and returns the resource as it is
// then; nil when it is gone.
func (a clusterAPI) patchFinalizers(ctx context.Context, token *v1alpha1.GitHubUserToken, change func(client.Object, string) bool) (*v1alpha1.GitHubUserToken, error) {
	changed := token.DeepCopy()
	if !change(changed, v1alpha1.Finalizer) {
		return token, nil
	}
	finalizers := slices.Clone(changed.Finalizers)
	patch := client.MergeFromWithOptions(token, client.MergeFromWithOptimisticLock{})
	err := a.Client.Patch(ctx, changed, patch)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // it is gone, and nothing is to be done about it
	}
	if apierrors.IsConflict(err) {
		return nil, fmt.Errorf("write the resource's finalizers: %w", rotation.ErrConflict)
	}
	if err != nil {
		return nil, fmt.Errorf("write the resource's finalizers %v: %w", finalizers, err)
	}
	if slices.Contains(changed.Finalizers, v1alpha1.Finalizer) != slices.Contains(finalizers, v1alpha1.Finalizer) {
		return changed, lifecycle.ErrFinalizerAltered
	}
	return changed, nil
}
