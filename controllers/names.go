package controllers

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// client-go puts the name of an object that is known by its metadata alone into the path of a request as it
// stands, so that "../" in it leads to another namespace or kind. Names come from specs, and from owner
// references, which anybody can write: what can be no part of a path is sent by neither of these two.

// guardedClient refuses to write under such names.
type guardedClient struct{ client.Client }

// Patch implements client.Client.
func (c guardedClient) Patch(ctx context.Context, object client.Object, patch client.Patch, options ...client.PatchOption) error {
	if problems := rest.IsValidPathSegmentName(object.GetName()); len(problems) > 0 {
		return fmt.Errorf("invalid name %q: %v", object.GetName(), problems)
	}
	return c.Client.Patch(ctx, object, patch, options...)
}

// Delete implements client.Client.
func (c guardedClient) Delete(ctx context.Context, object client.Object, options ...client.DeleteOption) error {
	if problems := rest.IsValidPathSegmentName(object.GetName()); len(problems) > 0 {
		return fmt.Errorf("invalid name %q: %v", object.GetName(), problems)
	}
	return c.Client.Delete(ctx, object, options...)
}

// guardedReader finds nothing under such names.
type guardedReader struct{ client.Reader }

// Get implements client.Reader.
func (r guardedReader) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	if len(rest.IsValidPathSegmentName(key.Name)) > 0 {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "object"}, key.Name)
	}
	return r.Reader.Get(ctx, key, object, options...)
}
