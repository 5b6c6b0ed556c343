package controllers

import (
	"context"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// An admission webhook may refuse a write with any code. That an object does not exist, or does already, is therefore
// believed only when a read, which no webhook sees, says so too.

// checkedClient turns such an answer to a write into a refusal where it is not true.
type checkedClient struct {
	client.Client

	live client.Reader
}

// Create implements client.Client.
func (c checkedClient) Create(ctx context.Context, object client.Object, options ...client.CreateOption) error {
	err := c.Client.Create(ctx, object, options...)
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	return c.check(ctx, object, err, true)
}

// Update implements client.Client.
func (c checkedClient) Update(ctx context.Context, object client.Object, options ...client.UpdateOption) error {
	return c.checkGone(ctx, object, c.Client.Update(ctx, object, options...))
}

// Patch implements client.Client.
func (c checkedClient) Patch(ctx context.Context, object client.Object, patch client.Patch, options ...client.PatchOption) error {
	return c.checkGone(ctx, object, c.Client.Patch(ctx, object, patch, options...))
}

// Delete implements client.Client.
func (c checkedClient) Delete(ctx context.Context, object client.Object, options ...client.DeleteOption) error {
	return c.checkGone(ctx, object, c.Client.Delete(ctx, object, options...))
}

// Status implements client.Client.
func (c checkedClient) Status() client.SubResourceWriter {
	return checkedStatus{c.Client.Status(), c}
}

// checkedStatus is checkedClient for the status.
type checkedStatus struct {
	client.SubResourceWriter

	client checkedClient
}

// Patch implements client.SubResourceWriter.
func (s checkedStatus) Patch(ctx context.Context, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
	return s.client.checkGone(ctx, object, s.SubResourceWriter.Patch(ctx, object, patch, options...))
}

// checkGone checks whether an object that a write is said not to have found is really gone.
func (c checkedClient) checkGone(ctx context.Context, object client.Object, err error) error {
	if !apierrors.IsNotFound(err) {
		return err
	}
	return c.check(ctx, object, err, false)
}

// check returns the answer to a write if it is true that the object exists, or does not, and otherwise a refusal with its
// words. Of kinds that the operator may not read, which are pods and workloads, nothing depends on it.
func (c checkedClient) check(ctx context.Context, object client.Object, answer error, exists bool) error {
	kind, err := c.GroupVersionKindFor(object)
	if err != nil || kind.Kind != "Secret" && kind.Group != v1alpha1.GroupVersion.Group {
		return answer
	}
	var meta metav1.PartialObjectMetadata
	meta.SetGroupVersionKind(kind)
	err = c.live.Get(ctx, client.ObjectKeyFromObject(object), &meta)
	switch {
	case err != nil && !apierrors.IsNotFound(err):
		return fmt.Errorf("look whether %s %s exists: %w", kind.Kind, object.GetName(), err)
	case (err == nil) == exists:
		return answer
	default:
		return &apierrors.StatusError{ErrStatus: metav1.Status{
			Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden,
			Message: answer.Error() + " (which is not so: something on the way to the API server refuses the write)",
		}}
	}
}
