package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/pairsecret"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// tend brings the pair Secret's metadata into line with the spec: labels, annotations, finalizer, and the
// time of the next refresh. It writes only when something differs.
func (r *Reconciler) tend(ctx context.Context, v *view) error {
	if v.pairMeta == nil || v.pair == nil || !v.pair.Controlled || v.pair.Deleting || v.pair.Version != v.pairMeta.ResourceVersion {
		return nil
	}
	change := metadataChange(v)
	if len(change) == 0 {
		return nil
	}
	change["resourceVersion"] = v.pairMeta.ResourceVersion
	body, err := json.Marshal(map[string]any{"metadata": change})
	if err != nil {
		return fmt.Errorf("encode the metadata of the pair Secret: %w", err)
	}
	var meta metav1.PartialObjectMetadata
	meta.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	meta.Namespace, meta.Name = v.pairMeta.Namespace, v.pairMeta.Name
	err = r.Client.Patch(ctx, &meta, client.RawPatch(types.MergePatchType, body))
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil // It has just changed; the event about it brings us back.
	}
	if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) {
		// The tokens are none the worse for it, so neither exchanges nor the report wait for somebody to mend it.
		v.untended = &obstacle{
			reason: v1alpha1.ReasonMetadataRefused, stalled: apierrors.IsInvalid(err),
			message: fmt.Sprintf("The API server does not take the labels and annotations of Secret %q: %s. Correct spec.secret, or what refuses it.", meta.Name, scrubbed(err, nil)),
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("heal the metadata of the pair Secret: %w", scrubbed(err, nil))
	}
	healed, _ := pairsecret.FromMetadata(&meta.ObjectMeta)
	r.memories.remember(v.token.UID, healed)
	return nil
}

// metadataChange is the merge patch of the metadata; empty when all is as it should be.
func metadataChange(v *view) map[string]any {
	meta, spec := &v.pairMeta.ObjectMeta, v.token.Spec.Secret
	labels := maps.Clone(spec.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[v1alpha1.LabelRole] = v1alpha1.RolePair
	labels[v1alpha1.LabelOwner] = v1alpha1.OwnerLabel(v.token.Name)
	annotations := extraAnnotations(spec)
	appliedLabels, appliedAnnotations := applied(meta.Annotations[v1alpha1.AnnotationAppliedMetadata])
	if annotations[v1alpha1.AnnotationAppliedMetadata] == "" {
		appliedAnnotations = append(appliedAnnotations, v1alpha1.AnnotationAppliedMetadata)
	}
	if next := nextRefresh(v); next != "" {
		annotations[v1alpha1.AnnotationNextRefreshAt] = next
	}

	change := map[string]any{}
	if patch := mapPatch(meta.Labels, labels, appliedLabels); len(patch) > 0 {
		change["labels"] = patch
	}
	if patch := mapPatch(meta.Annotations, annotations, appliedAnnotations); len(patch) > 0 {
		change["annotations"] = patch
	}
	if !slices.Contains(meta.Finalizers, v1alpha1.Finalizer) {
		change["finalizers"] = append(slices.Clone(meta.Finalizers), v1alpha1.Finalizer)
	}
	return change
}

// extraAnnotations are those that the spec asks for, with the list of what it asks for.
func extraAnnotations(spec v1alpha1.SecretTemplate) map[string]string {
	annotations := map[string]string{}
	maps.Copy(annotations, spec.Annotations)
	if text := appliedText(spec.Labels, spec.Annotations); text != "" {
		annotations[v1alpha1.AnnotationAppliedMetadata] = text
	}
	return annotations
}

// nextRefresh is the annotation that tells consumers when the token will be replaced.
func nextRefresh(v *view) string {
	if !v.pair.State.Expires() || v.pair.State.Verdict != nil || v.pair.State.AccessTokenEnded {
		return ""
	}
	return v.input.Policy.DueAt(&v.pair.State).UTC().Format(time.RFC3339)
}

// mapPatch sets what is wanted and takes off what was applied before and is wanted no longer.
func mapPatch(current, wanted map[string]string, appliedBefore []string) map[string]any {
	patch := map[string]any{}
	for key, value := range wanted {
		if existing, ok := current[key]; !ok || existing != value {
			patch[key] = value
		}
	}
	for _, key := range appliedBefore {
		_, stillWanted := wanted[key]
		if _, present := current[key]; present && !stillWanted {
			patch[key] = nil
		}
	}
	return patch
}

// appliedText and applied are the two directions of v1alpha1.AnnotationAppliedMetadata: "label,…;annotation,…".
func appliedText(labels, annotations map[string]string) string {
	if len(labels) == 0 && len(annotations) == 0 {
		return ""
	}
	return strings.Join(slices.Sorted(maps.Keys(labels)), ",") + ";" + strings.Join(slices.Sorted(maps.Keys(annotations)), ",")
}

func applied(text string) (labels, annotations []string) {
	first, second, _ := strings.Cut(text, ";")
	return splitList(first), splitList(second)
}

func splitList(text string) []string {
	var keys []string
	for key := range strings.SplitSeq(text, ",") {
		// What stands in an annotation may have been edited: never take off what is the operator's own.
		if key != "" && !strings.HasPrefix(key, v1alpha1.GroupVersion.Group+"/") {
			keys = append(keys, key)
		}
	}
	return keys
}

// withoutTokens is the metadata of a pair.
func withoutTokens(pair *rotation.Pair) *rotation.Pair {
	stripped := pair.Clone()
	stripped.AccessToken = credential.AccessToken{}
	stripped.RefreshToken = credential.RefreshToken{}
	stripped.SeedToken = credential.RefreshToken{}
	stripped.DeviceCode = credential.DeviceCode{}
	stripped.TokenType = ""
	return stripped
}
