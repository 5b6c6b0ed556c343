package controllers

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/metapatch"
	"github.com/githubusertoken/github-user-token-operator/internal/pairsecret"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// syncMetadata brings the pair Secret's metadata into line with the spec: labels, annotations, finalizer, and the
// time of the next refresh. It writes only when something differs. lookAt is when to call it again; zero when an event
// tells of it.
func (r *Reconciler) syncMetadata(ctx context.Context, s *scope.Scope) (found *problem.Problem, lookAt time.Time, err error) {
	if s.Pair == nil || !s.Pair.Controlled || s.Pair.Deleting {
		return nil, time.Time{}, nil
	}
	if s.Input.Edited {
		return nil, time.Time{}, nil // A write of our own would hide somebody else's, of which the data was not looked at yet.
	}
	meta, err := r.pairMetadata(ctx, s)
	if meta == nil || err != nil || s.Pair.Version != meta.ResourceVersion {
		return nil, time.Time{}, err // What was last written is not in the cache yet.
	}
	labels, annotations := wantedMetadata(s)
	wanted, wait := hashOfMetadata(labels, annotations), time.Duration(0)
	change := metadataChange(labels, annotations, &meta.ObjectMeta)
	if len(change) > 0 {
		wait = r.metadataWait(s, wanted, change)
	}
	if len(change) == 0 || wait > 0 {
		found, lookAt = r.metadataProblem(s, wait)
		return found, lookAt, nil
	}
	if found, err = r.patchMetadata(ctx, s, meta, change); found == nil && err == nil {
		r.metadataRight(s, wanted)
	}
	return found, retryAt(found), err
}

// patchMetadata makes one change of the pair Secret's metadata.
func (r *Reconciler) patchMetadata(ctx context.Context, s *scope.Scope, meta *metav1.PartialObjectMetadata, change map[string]any) (*problem.Problem, error) {
	change["resourceVersion"] = meta.ResourceVersion
	body, err := json.Marshal(map[string]any{"metadata": change})
	if err != nil {
		return nil, fmt.Errorf("encode the metadata of the pair Secret: %w", err)
	}
	written := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: meta.Namespace, Name: meta.Name}}
	err = r.Client.Patch(ctx, written, client.RawPatch(types.MergePatchType, body))
	switch {
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		return nil, nil // It has just changed; the event about it brings us back.
	case apierrors.IsInvalid(err), apierrors.IsForbidden(err):
		// The tokens are none the worse for it, so neither exchanges nor the report wait for somebody to mend it.
		return &problem.Problem{
			Reason: v1alpha1.ReasonMetadataRefused, Aside: true, Stalled: apierrors.IsInvalid(err), RetryAt: s.Now.Add(time.Minute),
			Message: fmt.Sprintf("The API server does not accept the labels and annotations of Secret %q: %s. Correct spec.secret, or what refuses it.", written.Name, r.scrubbed(ctx, s.Ref, err)),
		}, nil
	case err != nil:
		return nil, fmt.Errorf("bring the metadata of the pair Secret into line: %s", r.scrubbed(ctx, s.Ref, err))
	}
	if written.Annotations[v1alpha1.AnnotationState] != meta.Annotations[v1alpha1.AnnotationState] ||
		written.Annotations[v1alpha1.AnnotationIntent] != meta.Annotations[v1alpha1.AnnotationIntent] || !holdsItsPair(written) {
		return nil, nil // Admission has altered it: it is looked at like any edit of somebody else's.
	}
	healed, _ := pairsecret.FromMetadata(&written.ObjectMeta)
	r.lifecycle.MetadataWritten(s.Token.UID, healed)
	return nil, nil
}

// holdsItsPair reports whether the tokens in a pair Secret are those that its state speaks of. A write of its metadata may
// have been altered in its data.
func holdsItsPair(secret *corev1.Secret) bool {
	pair := pairsecret.FromSecret(secret)
	return pair.AccessToken.Fingerprint() == pair.State.AccessToken && pair.RefreshToken.Fingerprint() == pair.State.RefreshToken
}

// scrubbed is the text of the API server's error about a write of a pair Secret's metadata, without secrets: an
// admission webhook has seen the whole Secret, and may quote it. When it cannot be found out what that holds, nothing
// is quoted but the kind of the error.
func (r *Reconciler) scrubbed(ctx context.Context, ref rotation.Ref, err error) string {
	var secret corev1.Secret
	if client.IgnoreNotFound(r.APIReader.Get(ctx, types.NamespacedName(ref), &secret)) != nil {
		return fmt.Sprintf("the API server refuses it (%s)", cmp.Or(apierrors.ReasonForError(err), "Unknown"))
	}
	return credential.Scrub(err.Error(), scope.SecretsOf(pairsecret.FromSecret(&secret))...)
}

// pairMetadata is the pair Secret's metadata as the cache has it. One that bears no label of ours is not there:
// it is ours, and somebody took the label off. One that is too large is not whole there.
func (r *Reconciler) pairMetadata(ctx context.Context, s *scope.Scope) (*metav1.PartialObjectMetadata, error) {
	name := types.NamespacedName(s.Ref)
	meta, err := cachedSecret(ctx, r.Client, name)
	trimmed := meta != nil && metapatch.IsTrimmed(meta.Annotations)
	if err != nil || !trimmed && (meta != nil || s.Pair.Labels[v1alpha1.LabelRole] != "") {
		return meta, err
	}
	live := secretMetadata(name)
	if err := r.APIReader.Get(ctx, name, live); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return live, nil
}

// wantedMetadata are the labels and annotations that the pair Secret should have.
func wantedMetadata(s *scope.Scope) (labels, annotations map[string]string) {
	spec := s.Token.Spec.Secret
	labels = maps.Clone(map[string]string(spec.Labels))
	if labels == nil {
		labels = map[string]string{}
	}
	labels[v1alpha1.LabelRole] = v1alpha1.RolePair
	labels[v1alpha1.LabelOwner] = v1alpha1.OwnerLabel(s.Token.Name)
	annotations = metapatch.Annotations(spec.Labels, spec.Annotations)
	if next := s.NextRefreshAt(); !next.IsZero() {
		annotations[v1alpha1.AnnotationNextRefreshAt] = next.UTC().Format(time.RFC3339)
	}
	return labels, annotations
}

// metadataChange is the merge patch of the metadata; empty when all is as it should be.
func metadataChange(labels, annotations map[string]string, meta *metav1.ObjectMeta) map[string]any {
	appliedLabels, appliedAnnotations := metapatch.Applied(meta.Annotations[v1alpha1.AnnotationAppliedMetadata])
	if annotations[v1alpha1.AnnotationAppliedMetadata] == "" {
		appliedAnnotations = append(appliedAnnotations, v1alpha1.AnnotationAppliedMetadata)
	}
	change := map[string]any{}
	if patch := metapatch.Difference(meta.Labels, labels, appliedLabels); len(patch) > 0 {
		change["labels"] = patch
	}
	if patch := metapatch.Difference(meta.Annotations, annotations, appliedAnnotations); len(patch) > 0 {
		change["annotations"] = patch
	}
	if !slices.Contains(meta.Finalizers, v1alpha1.Finalizer) {
		change["finalizers"] = append(slices.Clone(meta.Finalizers), v1alpha1.Finalizer)
	}
	return change
}
