package outputs

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/managers"
	"github.com/githubusertoken/github-user-token-operator/internal/metapatch"
)

// IndexOwner is the name of the cache's index of outputs by the UID of the resource that controls them. Its
// function is IndexedOwner.
const IndexOwner = "outputOwner"

// IndexOwnerLabel is the name of the cache's index of our Secrets by the label that names their resource.
const IndexOwnerLabel = "ownerLabel"

// IndexedOwner is the UID of the resource that controls an output; none for any other Secret.
func IndexedOwner(object client.Object) []string {
	controller := metav1.GetControllerOfNoCopy(object)
	if controller == nil || object.GetLabels()[v1alpha1.LabelRole] != v1alpha1.RoleOutput {
		return nil
	}
	return []string{string(controller.UID)}
}

// find is the outputs of a resource by name: all that it controls, and whatever stands under the names that its
// spec gives and carries a label of ours. It reads the cache, or the API server before there is one.
func (o *Outputs) find(ctx context.Context, token *v1alpha1.GitHubUserToken) (map[string]*metav1.ObjectMeta, error) {
	found := map[string]*metav1.ObjectMeta{}
	var controlled metav1.PartialObjectMetadataList
	controlled.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	err := o.options.Client.List(ctx, &controlled, client.InNamespace(token.Namespace), client.MatchingFields{IndexOwner: string(token.UID)})
	if _, ok := errors.AsType[*cache.ErrCacheNotStarted](err); ok {
		return o.findLive(ctx, token)
	}
	if err != nil {
		return nil, fmt.Errorf("look for outputs in the cache: %w", err)
	}
	for i := range controlled.Items {
		found[controlled.Items[i].Name] = &controlled.Items[i].ObjectMeta
	}
	for _, spec := range token.AllOutputs() {
		if found[spec.Name] == nil {
			meta, err := metadataFrom(ctx, o.options.Client, token.Namespace, spec.Name)
			if err != nil {
				return nil, fmt.Errorf("look for Secret %s in the cache: %w", spec.Name, err)
			}
			if meta != nil {
				found[spec.Name] = meta
			}
		}
		if meta := found[spec.Name]; meta != nil && metapatch.IsTrimmed(meta.Annotations) {
			if found[spec.Name], err = o.live(ctx, token.Namespace, spec.Name); err != nil {
				return nil, err
			}
		}
		if newest := o.notes.newest(token.UID, spec.Name, found[spec.Name]); newest != nil {
			found[spec.Name] = newest
		}
	}
	return found, nil
}

func (o *Outputs) findLive(ctx context.Context, token *v1alpha1.GitHubUserToken) (map[string]*metav1.ObjectMeta, error) {
	found := map[string]*metav1.ObjectMeta{}
	for _, spec := range token.AllOutputs() {
		meta, err := o.live(ctx, token.Namespace, spec.Name)
		if err != nil {
			return nil, err
		}
		if meta != nil {
			found[spec.Name] = meta
		}
	}
	return found, nil
}

// live is the metadata of a Secret read past the cache, as the cache would have it; nil when there is none.
func (o *Outputs) live(ctx context.Context, namespace, name string) (*metav1.ObjectMeta, error) {
	meta, err := metadataFrom(ctx, o.options.Live, namespace, name)
	if err != nil {
		return nil, fmt.Errorf("look at Secret %s: %w", name, err)
	}
	if meta != nil {
		meta.ManagedFields = managers.OfData(meta.ManagedFields)
	}
	return meta, nil
}

// metadataFrom is the metadata of a Secret; nil when there is none.
func metadataFrom(ctx context.Context, from client.Reader, namespace, name string) (*metav1.ObjectMeta, error) {
	meta := secretMetadata(namespace, name)
	err := from.Get(ctx, client.ObjectKeyFromObject(meta), meta)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // absence is an ordinary answer here
	}
	if err != nil {
		return nil, err
	}
	return &meta.ObjectMeta, nil
}

func secretMetadata(namespace, name string) *metav1.PartialObjectMetadata {
	meta := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	meta.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return meta
}
