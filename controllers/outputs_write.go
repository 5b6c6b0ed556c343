package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/output"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// errOutputNotOwned: a Secret of the output's name belongs to somebody else.
var errOutputNotOwned = errors.New("the Secret belongs to somebody else")

// maxOutputTries bounds how often one write of an output begins anew because the Secret was not as expected.
const maxOutputTries = 4

// writeOutput brings one output into being from a pair that was read with its data. current is the metadata
// as it is known, nil when there is no such Secret. Where that is right, which is the ordinary case, it is
// one request: a replacement of the whole under the known version, or a creation.
func (r *Reconciler) writeOutput(ctx context.Context, token *v1alpha1.GitHubUserToken, spec v1alpha1.Output, pair *rotation.Pair, current *metav1.ObjectMeta) error {
	rendered, err := output.Render(spec, pair, outputDefaults(pair))
	if err != nil {
		return &renderError{err}
	}
	wanted := outputMetadata(spec, pair)
	for try := 1; ; try++ {
		if current != nil && !isOutputOf(token, current) {
			return errOutputNotOwned
		}
		var written *corev1.Secret
		written, err = r.putOutput(ctx, token, spec.Name, rendered, wanted, current)
		if err == nil {
			r.outputs.wrote(token.UID, spec.Name, &written.ObjectMeta)
			outputWrites.WithLabelValues("written").Inc()
			return nil
		}
		switch {
		case try == maxOutputTries:
			return scrubbed(err, rendered.Data)
		case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
			if current, err = r.liveOutput(ctx, token.Namespace, spec.Name); err != nil {
				return err
			}
		case apierrors.IsNotFound(err) && current != nil:
			current = nil
		case current != nil && isImmutable(err):
			// Another type, or made immutable: only a new Secret can be right.
			if err := r.deleteOutput(ctx, token, current); err != nil {
				return scrubbed(err, rendered.Data)
			}
			current = nil
		default:
			return scrubbed(err, rendered.Data)
		}
	}
}

// renderError: the output cannot be rendered as its spec asks.
type renderError struct{ error }

func (e *renderError) Unwrap() error { return e.error }

// putOutput is the one request. What others have added to the metadata stays.
func (r *Reconciler) putOutput(ctx context.Context, token *v1alpha1.GitHubUserToken, name string, rendered output.Rendered, wanted output.Metadata, current *metav1.ObjectMeta) (*corev1.Secret, error) {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: token.Namespace, Name: name, Labels: wanted.Labels, Annotations: wanted.Annotations,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(token, v1alpha1.GroupVersion.WithKind("GitHubUserToken"))},
		},
		Type: corev1.SecretType(rendered.Type), Data: rendered.Data,
	}
	if current == nil {
		err := r.Client.Create(ctx, secret, client.FieldOwner(outputManager))
		return secret, err
	}
	secret.UID, secret.ResourceVersion, secret.Finalizers = current.UID, current.ResourceVersion, current.Finalizers
	labels, annotations := outputMetadataPatch(current, wanted)
	secret.Labels, secret.Annotations = patched(current.Labels, labels), patched(current.Annotations, annotations)
	for _, reference := range current.OwnerReferences {
		if reference.Controller == nil || !*reference.Controller {
			secret.OwnerReferences = append(secret.OwnerReferences, reference)
		}
	}
	err := r.Client.Update(ctx, secret, client.FieldOwner(outputManager))
	return secret, err
}

// patchOutput brings the metadata of an output that is otherwise right into line.
func (r *Reconciler) patchOutput(ctx context.Context, token *v1alpha1.GitHubUserToken, name string, current *metav1.ObjectMeta, wanted output.Metadata) error {
	change := map[string]any{"resourceVersion": current.ResourceVersion, "uid": current.UID}
	labels, annotations := outputMetadataPatch(current, wanted)
	if len(labels) > 0 {
		change["labels"] = labels
	}
	if len(annotations) > 0 {
		change["annotations"] = annotations
	}
	body, err := json.Marshal(map[string]any{"metadata": change})
	if err != nil {
		return fmt.Errorf("encode the metadata of an output: %w", err)
	}
	meta := secretMetadata(token.Namespace, name)
	err = r.Client.Patch(ctx, meta, client.RawPatch(types.MergePatchType, body), client.FieldOwner(outputManager))
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil // It has just changed; the event about it brings us back.
	}
	if err != nil {
		return scrubbed(err, nil)
	}
	r.outputs.wrote(token.UID, name, &meta.ObjectMeta)
	return nil
}

// deleteOutput deletes the very Secret that was looked at, if it is an output still: under its version, for it may hold
// something else by now. When it has only been edited since, as by somebody who adds a label, it goes all the same. One
// that is gone already is no error.
func (r *Reconciler) deleteOutput(ctx context.Context, token *v1alpha1.GitHubUserToken, meta *metav1.ObjectMeta) error {
	for try := 1; ; try++ {
		err := r.Client.Delete(ctx, secretMetadata(token.Namespace, meta.Name), client.Preconditions{UID: &meta.UID, ResourceVersion: &meta.ResourceVersion})
		if !apierrors.IsConflict(err) {
			return client.IgnoreNotFound(err)
		}
		live, err := r.liveOutput(ctx, token.Namespace, meta.Name)
		if err != nil || live == nil || live.UID != meta.UID || !isOutputOf(token, live) || try == maxOutputTries {
			return err
		}
		meta = live
	}
}

// liveOutput is the metadata of a Secret read past the cache; nil when there is none.
func (r *Reconciler) liveOutput(ctx context.Context, namespace, name string) (*metav1.ObjectMeta, error) {
	meta := secretMetadata(namespace, name)
	err := r.APIReader.Get(ctx, client.ObjectKeyFromObject(meta), meta)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // absence is an ordinary answer here
	}
	if err != nil {
		return nil, fmt.Errorf("look at Secret %s: %w", name, err)
	}
	meta.ManagedFields = dataManagers(meta.ManagedFields)
	return &meta.ObjectMeta, nil
}

// outputHolds says whether an output's data, read live, is what was rendered.
func (r *Reconciler) outputHolds(ctx context.Context, token *v1alpha1.GitHubUserToken, name string, rendered output.Rendered) (version string, holds bool, err error) {
	var secret corev1.Secret
	err = r.APIReader.Get(ctx, client.ObjectKey{Namespace: token.Namespace, Name: name}, &secret)
	if apierrors.IsNotFound(err) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("look at output %s: %w", name, err)
	}
	same := maps.EqualFunc(secret.Data, rendered.Data, slices.Equal[[]byte]) && string(secret.Type) == rendered.Type
	return secret.ResourceVersion, same && isOutputOf(token, &secret.ObjectMeta), nil
}

// isOutputOf says whether a Secret may be written as an output of the resource: it is controlled by it or by
// a former resource of this name, or it carries the marks of its outputs and has no controller, as after a
// restore from a backup. A pair or its backup is no output, whatever its labels say.
func isOutputOf(token *v1alpha1.GitHubUserToken, meta *metav1.ObjectMeta) bool {
	role := meta.Labels[v1alpha1.LabelRole]
	if role == v1alpha1.RolePair || role == v1alpha1.RoleBackup || meta.Annotations[v1alpha1.AnnotationState] != "" ||
		slices.Contains(meta.Finalizers, v1alpha1.Finalizer) {
		return false
	}
	if controller := metav1.GetControllerOfNoCopy(meta); controller != nil {
		group, _, _ := strings.Cut(controller.APIVersion, "/")
		return group == v1alpha1.GroupVersion.Group && controller.Kind == "GitHubUserToken" && controller.Name == token.Name
	}
	return role == v1alpha1.RoleOutput && meta.Labels[v1alpha1.LabelOwner] == v1alpha1.OwnerLabel(token.Name) &&
		meta.Annotations[v1alpha1.AnnotationSource] != ""
}

// isControlledBy says whether the resource itself is the controller of a Secret.
func isControlledBy(token *v1alpha1.GitHubUserToken, meta *metav1.ObjectMeta) bool {
	controller := metav1.GetControllerOfNoCopy(meta)
	return controller != nil && controller.UID == token.UID
}

// outputDefaults are what outputs take from the pair. The host is the pair's own and not that of spec.app:
// after a change there the stored token still belongs to the former host.
func outputDefaults(pair *rotation.Pair) output.Defaults {
	host, _, _ := strings.Cut(pair.State.App, "/")
	defaults := output.Defaults{AppHost: host}
	if pair.State.User != nil {
		defaults.UserLogin = pair.State.User.Login
	}
	return defaults
}

// outputMetadata is the metadata that an output is to have, with the list of what its spec asks for.
func outputMetadata(spec v1alpha1.Output, pair *rotation.Pair) output.Metadata {
	wanted := output.MetadataFor(spec, pair, outputDefaults(pair))
	if text := appliedText(spec.Labels, spec.Annotations); text != "" {
		wanted.Annotations[v1alpha1.AnnotationAppliedMetadata] = text
	}
	return wanted
}

// outputMetadataPatch is what must change in the metadata: what is wanted is set, and what was applied
// before and is wanted no longer is taken off. What others have added stays.
func outputMetadataPatch(current *metav1.ObjectMeta, wanted output.Metadata) (labels, annotations map[string]any) {
	labelsBefore, annotationsBefore := applied(current.Annotations[v1alpha1.AnnotationAppliedMetadata])
	labels = mapPatch(current.Labels, wanted.Labels, labelsBefore)
	annotations = mapPatch(current.Annotations, wanted.Annotations, append(annotationsBefore,
		v1alpha1.AnnotationAppliedMetadata, v1alpha1.AnnotationExpiresAt, v1alpha1.AnnotationNextRefreshAt))
	return labels, annotations
}

// patched is a copy of a map with a merge patch applied.
func patched(current map[string]string, patch map[string]any) map[string]string {
	next := maps.Clone(current)
	if next == nil {
		next = map[string]string{}
	}
	for key, value := range patch {
		if text, ok := value.(string); ok {
			next[key] = text
		} else {
			delete(next, key)
		}
	}
	return next
}

func secretMetadata(namespace, name string) *metav1.PartialObjectMetadata {
	meta := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	meta.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return meta
}

func isImmutable(err error) bool {
	return apierrors.IsInvalid(err) && strings.Contains(err.Error(), "immutable")
}

// scrubbed is an error of the API server without what it was sent: an admission webhook may quote it, whole
// or in part. The kind of the error is kept.
func scrubbed(err error, data map[string][]byte) error {
	var known []string
	for _, value := range data {
		known = append(known, string(value))
	}
	return &scrubbedError{credential.Scrub(err.Error(), known...), apierrors.ReasonForError(err), apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)}
}

// scrubbedError is an error of the API server in words that hold no secret.
type scrubbedError struct {
	text        string
	reason      metav1.StatusReason
	terminating bool
}

func (e *scrubbedError) Error() string { return e.text }

// refused says whether the API server has looked at the request and does not want it.
func (e *scrubbedError) refused() bool {
	switch e.reason {
	case metav1.StatusReasonForbidden, metav1.StatusReasonInvalid, metav1.StatusReasonBadRequest, metav1.StatusReasonUnauthorized,
		metav1.StatusReasonRequestEntityTooLarge, metav1.StatusReasonMethodNotAllowed, metav1.StatusReasonNotAcceptable:
		return true
	default:
		return false
	}
}
