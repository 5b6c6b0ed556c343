package pairsecret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Store is rotation.Store on an API server.
type Store struct {
	// Client writes.
	Client client.Client
	// Live reads past the cache.
	Live client.Reader
}

var _ rotation.Store = (*Store)(nil)

// Get implements rotation.Store.
func (s *Store) Get(ctx context.Context, ref rotation.Ref) (*rotation.Pair, error) {
	var secret corev1.Secret
	if err := s.Live.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, &secret); err != nil {
		return nil, explain("read", ref, nil, err)
	}
	return FromSecret(&secret), nil
}

// Create implements rotation.Store.
func (s *Store) Create(ctx context.Context, pair *rotation.Pair) (*rotation.Pair, error) {
	if err := s.ownerLives(ctx, pair.Owner); err != nil {
		return nil, err
	}
	secret := toSecret(pair)
	if err := s.Client.Create(ctx, secret); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, rotation.ErrTerminating // It is the namespace that was not found.
		}
		return nil, explain("create", pair.Ref, pair, err)
	}
	return FromSecret(secret), nil
}

// ownerLives makes sure that the owner was not deleted for good: a Secret created for it now would be an
// orphan that its finalizer holds for ever.
func (s *Store) ownerLives(ctx context.Context, owner rotation.Owner) error {
	var meta metav1.PartialObjectMetadata
	meta.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("GitHubUserToken"))
	err := s.Live.Get(ctx, client.ObjectKey{Namespace: owner.Namespace, Name: owner.Name}, &meta)
	switch {
	case apierrors.IsNotFound(err):
		return rotation.ErrOwnerGone
	case err != nil:
		return fmt.Errorf("look for the resource before its Secret is created: %w", err)
	case string(meta.UID) != owner.UID:
		return rotation.ErrOwnerGone
	default:
		return nil
	}
}

// Update implements rotation.Store.
func (s *Store) Update(ctx context.Context, current, next *rotation.Pair) (*rotation.Pair, error) {
	body, err := patch(current, next)
	if err != nil {
		return nil, fmt.Errorf("encode the change of a pair: %w", err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: current.Ref.Namespace, Name: current.Ref.Name}}
	if err := s.Client.Patch(ctx, secret, client.RawPatch(types.MergePatchType, body)); err != nil {
		return nil, explain("update", current.Ref, next, err)
	}
	return FromSecret(secret), nil
}

// Remove implements rotation.Store.
func (s *Store) Remove(ctx context.Context, pair *rotation.Pair) error {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: pair.Ref.Namespace, Name: pair.Ref.Name}}
	uid := types.UID(pair.UID)
	// Deletion is asked for first: from then on the name is only held by the finalizer, and if this process
	// dies in between, the Secret counts as deleted and is dealt with as such.
	if !pair.Deleting {
		err := s.Client.Delete(ctx, secret, client.Preconditions{UID: &uid})
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil:
			return explain("delete", pair.Ref, pair, err)
		}
	}
	return s.dropFinalizer(ctx, pair)
}

// dropFinalizer takes our finalizer off, and leaves those of others.
func (s *Store) dropFinalizer(ctx context.Context, pair *rotation.Pair) error {
	var meta metav1.PartialObjectMetadata
	meta.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	err := s.Live.Get(ctx, client.ObjectKey{Namespace: pair.Ref.Namespace, Name: pair.Ref.Name}, &meta)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return explain("read", pair.Ref, pair, err)
	case string(meta.UID) != pair.UID:
		return nil // Another Secret stands there already; ours is gone.
	}
	kept := []string{}
	for _, finalizer := range meta.Finalizers {
		if finalizer != v1alpha1.Finalizer {
			kept = append(kept, finalizer)
		}
	}
	if len(kept) == len(meta.Finalizers) {
		return nil
	}
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"resourceVersion": meta.ResourceVersion, "uid": meta.UID, "finalizers": kept,
	}})
	if err != nil {
		return fmt.Errorf("encode the removal of a finalizer: %w", err)
	}
	err = s.Client.Patch(ctx, &meta, client.RawPatch(types.MergePatchType, body))
	if apierrors.IsNotFound(err) {
		return nil
	}
	return explain("release", pair.Ref, pair, err)
}

// Retain lets go of a pair whose resource is deleted with deletionPolicy Retain: the Secret stays, without
// an owner and without our finalizer.
func (s *Store) Retain(ctx context.Context, pair *rotation.Pair) error {
	state := pair.State.Clone()
	state.Retained = true
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"resourceVersion": pair.Version, "uid": pair.UID,
		"annotations":     map[string]any{v1alpha1.AnnotationState: encode(state)},
		"ownerReferences": nil,
		"finalizers":      nil,
	}})
	if err != nil {
		return fmt.Errorf("encode the release of a pair: %w", err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: pair.Ref.Namespace, Name: pair.Ref.Name}}
	err = s.Client.Patch(ctx, secret, client.RawPatch(types.MergePatchType, body))
	if apierrors.IsNotFound(err) {
		return nil
	}
	return explain("release", pair.Ref, pair, err)
}

// explain turns an error of the API server into one of rotation's, with words that hold no secret. Those
// that are none of rotation's leave the outcome of a write unknown.
func explain(verb string, ref rotation.Ref, pair *rotation.Pair, err error) error {
	if err == nil {
		return nil
	}
	kind := error(nil)
	switch {
	case apierrors.IsNotFound(err):
		kind = rotation.ErrNotFound
	case apierrors.IsAlreadyExists(err):
		kind = rotation.ErrExists
	case apierrors.IsConflict(err):
		kind = rotation.ErrConflict
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		kind = rotation.ErrTerminating
	case apierrors.IsInvalid(err) && strings.Contains(err.Error(), "immutable"):
		kind = rotation.ErrImmutable
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsUnauthorized(err), apierrors.IsBadRequest(err),
		apierrors.IsRequestEntityTooLargeError(err), apierrors.IsMethodNotSupported(err), apierrors.IsNotAcceptable(err):
		kind = rotation.ErrDenied
	}
	words := fmt.Errorf("%s Secret %s/%s: %w", verb, ref.Namespace, ref.Name, errors.New(scrub(pair, err.Error())))
	if kind == nil {
		return words
	}
	return fmt.Errorf("%w: %w", kind, words)
}

// scrub takes out every token of the pair: an admission webhook may quote what it was sent.
func scrub(pair *rotation.Pair, text string) string {
	if pair == nil {
		return text
	}
	for _, secret := range []string{
		pair.AccessToken.Reveal(), pair.RefreshToken.Reveal(), pair.SeedToken.Reveal(), pair.DeviceCode.Reveal(),
	} {
		if secret == "" {
			continue
		}
		text = strings.ReplaceAll(text, secret, credential.Redacted)
		encoded, _ := json.Marshal([]byte(secret))
		text = strings.ReplaceAll(text, strings.Trim(string(encoded), `"`), credential.Redacted)
	}
	return text
}
