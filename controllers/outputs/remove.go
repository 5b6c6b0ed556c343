package outputs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// Remove removes all outputs of a resource that is being deleted. One that cannot be removed is logged, and goes
// with the resource by its owner reference. An error means that they could not be looked up.
func (o *Outputs) Remove(ctx context.Context, token *v1alpha1.GitHubUserToken) error {
	ctx, cancel := o.options.Clock.WithTimeout(ctx, timeout)
	defer cancel()
	found, err := o.find(ctx, token)
	if err != nil {
		return err
	}
	return o.removeSurplus(ctx, token, found)
}

// removeSurplus removes the outputs that the spec no longer asks for. It is part of a round, unless the resource is being
// deleted: then one that cannot be removed goes with the resource, by its owner reference. Otherwise it holds a token that
// nobody keeps any more, so that is a problem, and it is tried again; an error says that a resource must not go before its
// outputs, since they would stay.
func (o *Outputs) removeSurplus(ctx context.Context, token *v1alpha1.GitHubUserToken, found map[string]*metav1.ObjectMeta) (left error) {
	deleting := !token.DeletionTimestamp.IsZero()
	wanted := map[string]bool{}
	if !deleting {
		for _, spec := range token.AllOutputs() {
			wanted[spec.Name] = true
		}
	}
	var surplus []string
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if meta := found[name]; !wanted[name] && meta.DeletionTimestamp.IsZero() && GoesWith(token, meta) && IsOutputOf(token, meta) {
			surplus = append(surplus, name)
		}
	}
	if !deleting {
		o.notes.keep(token.UID, token.AllOutputs(), surplus)
	}
	for _, name := range surplus {
		meta := found[name]
		if !deleting && IsScoped(nil, meta) {
			continue // Its tokens are ended first.
		}
		if !deleting && (o.notes.waits(token, name) || !o.notes.mayRemove(token.UID, name, meta)) {
			continue
		}
		err := o.delete(ctx, token, meta)
		if err != nil {
			err = o.scrubbedMetadata(ctx, token, name, err)
		}
		switch {
		case deleting && err != nil && outlives(token, meta):
			left = errors.Join(left, fmt.Errorf("remove output %q: %w", name, err))
		case deleting && err != nil:
			logf.FromContext(ctx).Error(err, "An output could not be removed", "output", name)
		case deleting:
		case err != nil:
			o.notes.record(token, name, notRemoved(name, err))
		default:
			o.notes.record(token, name, nil)
			o.notes.removed(token.UID, name, meta.UID)
		}
	}
	return left
}

// outlives reports whether a Secret stays when its resource, which is being deleted, is gone: the garbage collector has taken the
// owner reference off, or is about to.
func outlives(token *v1alpha1.GitHubUserToken, meta *metav1.ObjectMeta) bool {
	return metav1.GetControllerOfNoCopy(meta) == nil || slices.Contains(token.Finalizers, metav1.FinalizerOrphanDependents)
}

// GoesWith reports whether a Secret is the resource's, or was until its resource was deleted with its Secrets orphaned
// (kubectl delete --cascade=orphan).
func GoesWith(token *v1alpha1.GitHubUserToken, meta *metav1.ObjectMeta) bool {
	return metav1.IsControlledBy(meta, token) || !token.DeletionTimestamp.IsZero() && metav1.GetControllerOfNoCopy(meta) == nil
}

// delete deletes the very Secret that was looked at, if it is an output still: under its version, for it may hold
// something else by now. When it has only been edited since, as by somebody who adds a label, it goes all the same. One
// that is gone already is no error.
func (o *Outputs) delete(ctx context.Context, token *v1alpha1.GitHubUserToken, meta *metav1.ObjectMeta) error {
	for try := 1; ; try++ {
		err := o.options.Client.Delete(ctx, secretMetadata(token.Namespace, meta.Name), client.Preconditions{UID: &meta.UID, ResourceVersion: &meta.ResourceVersion})
		if !apierrors.IsConflict(err) {
			return client.IgnoreNotFound(err)
		}
		live, lookErr := o.live(ctx, token.Namespace, meta.Name)
		switch {
		case lookErr != nil || live == nil || live.UID != meta.UID || !IsOutputOf(token, live):
			return lookErr // The Secret that was looked at is gone, or is an output no more.
		case try == maxTries:
			return err
		}
		meta = live
	}
}
