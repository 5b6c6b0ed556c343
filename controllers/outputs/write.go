package outputs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/format"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/managers"
	"github.com/githubusertoken/github-user-token-operator/internal/metapatch"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// maxTries bounds how often one write of an output begins anew because the Secret was not as expected.
const maxTries = 4

// write brings one output into being from a pair that was read with its data. current is the metadata as it is
// known, nil when there is no such Secret. Where that is right, which is the ordinary case, it is one request:
// a replacement of the whole under the known version, or a creation.
func (o *Outputs) write(ctx context.Context, token *v1alpha1.GitHubUserToken, spec v1alpha1.Output, pair *rotation.Pair, current *metav1.ObjectMeta) error {
	defaults := format.DefaultsOf(pair)
	rendered, err := format.Render(spec, pair, defaults)
	if err != nil {
		return &renderError{err}
	}
	wanted := format.MetadataFor(spec, pair, defaults)
	for try := 1; ; try++ {
		if current != nil && !IsOutputOf(token, current) {
			return errNotOwned
		}
		var written *corev1.Secret
		written, err = o.put(ctx, token, spec.Name, rendered, wanted, false, current)
		if err == nil {
			o.notes.wrote(token.UID, spec.Name, &written.ObjectMeta)
			outputWrites.WithLabelValues("written").Inc()
			return nil
		}
		switch {
		case errors.Is(err, errAltered):
			o.notes.sawAltered(token.UID, spec.Name, written.ResourceVersion)
			return scrubbed(err, pair, rendered.Data)
		case try == maxTries:
			return scrubbed(err, pair, rendered.Data)
		case spec.Published && apierrors.IsConflict(err):
			return nil // Another process may have published the other chain's token: the event brings us back, and what is published is found out anew.
		case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
			if current, err = o.live(ctx, token.Namespace, spec.Name); err != nil {
				return err
			}
		case apierrors.IsNotFound(err) && current != nil:
			current = nil
		case current != nil && isImmutable(err):
			// Another type, or made immutable: only a new Secret can be right.
			if err := o.delete(ctx, token, current); err != nil {
				return scrubbed(err, pair, rendered.Data)
			}
			current = nil
		default:
			return scrubbed(err, pair, rendered.Data)
		}
	}
}

// put is the one request. What others have added to the metadata stays. holds says that there are scoped tokens in it: its keys do not tell, since those
// of any other output are a user's to choose.
func (o *Outputs) put(ctx context.Context, token *v1alpha1.GitHubUserToken, name string, rendered format.Rendered, wanted format.Metadata, holds bool, current *metav1.ObjectMeta) (*corev1.Secret, error) {
	var finalizers []string
	if current != nil {
		finalizers = current.Finalizers
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: token.Namespace, Name: name, Labels: wanted.Labels, Annotations: wanted.Annotations, Finalizers: finalizersOf(finalizers, holds),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(token, v1alpha1.GroupVersion.WithKind(kind))},
		},
		Type: corev1.SecretType(rendered.Type), Data: maps.Clone(rendered.Data), // The answer is read into it.
	}
	if current == nil {
		err := o.options.Client.Create(ctx, secret, client.FieldOwner(managers.Name))
		return secret, cmp.Or(err, compare(secret, rendered))
	}
	secret.UID, secret.ResourceVersion = current.UID, current.ResourceVersion
	labels, annotations := wanted.Difference(current.Labels, current.Annotations)
	secret.Labels, secret.Annotations = metapatch.Patched(current.Labels, labels), metapatch.Patched(current.Annotations, annotations)
	for _, reference := range current.OwnerReferences {
		if reference.Controller == nil || !*reference.Controller {
			secret.OwnerReferences = append(secret.OwnerReferences, reference)
		}
	}
	err := o.options.Client.Update(ctx, secret, client.FieldOwner(managers.Name))
	return secret, cmp.Or(err, compare(secret, rendered))
}

// errAltered: the output was written, but what is stored is not what was written.
var errAltered = errors.New("an admission webhook or policy alters what the operator writes; change it so that it leaves alone the Secrets that have the label " + v1alpha1.LabelRole)

// compare is errAltered where the API server has stored other data than it was sent: what is read there may be no token. The
// managedFields say nothing of it, since what admission does to a write counts as the writer's.
func compare(stored *corev1.Secret, sent format.Rendered) error {
	if maps.EqualFunc(stored.Data, sent.Data, slices.Equal[[]byte]) {
		return nil
	}
	return errAltered
}

// patchMetadata brings the metadata of an output that is otherwise right into line.
func (o *Outputs) patchMetadata(ctx context.Context, token *v1alpha1.GitHubUserToken, spec v1alpha1.Output, pair *rotation.Pair, current *metav1.ObjectMeta) error {
	change := map[string]any{"resourceVersion": current.ResourceVersion, "uid": current.UID}
	labels, annotations := format.MetadataFor(spec, pair, format.DefaultsOf(pair)).Difference(current.Labels, current.Annotations)
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
	meta := secretMetadata(token.Namespace, spec.Name)
	err = o.options.Client.Patch(ctx, meta, client.RawPatch(types.MergePatchType, body), client.FieldOwner(managers.Name))
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil // It has just changed; the event about it brings us back.
	}
	if err != nil {
		return o.scrubbedMetadata(ctx, token, spec.Name, err)
	}
	o.notes.wrote(token.UID, spec.Name, &meta.ObjectMeta)
	return nil
}
