package validnames

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Client refuses to write under such names.
type Client struct{ client.Client }

// Patch implements client.Client.
func (c Client) Patch(ctx context.Context, object client.Object, patch client.Patch, options ...client.PatchOption) error {
	if problems := rest.IsValidPathSegmentName(object.GetName()); len(problems) > 0 {
		return fmt.Errorf("invalid name %q: %v", object.GetName(), problems)
	}
	return c.Client.Patch(ctx, object, patch, options...)
}

// Delete implements client.Client.
func (c Client) Delete(ctx context.Context, object client.Object, options ...client.DeleteOption) error {
	if problems := rest.IsValidPathSegmentName(object.GetName()); len(problems) > 0 {
		return fmt.Errorf("invalid name %q: %v", object.GetName(), problems)
	}
	return c.Client.Delete(ctx, object, options...)
}

// Reader finds nothing under such names.
type Reader struct{ client.Reader }

// Get implements client.Reader.
func (r Reader) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	if len(rest.IsValidPathSegmentName(key.Name)) > 0 {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "object"}, key.Name)
	}
	return r.Reader.Get(ctx, key, object, options...)
}
