package handoff

import (
	"context"
	"errors"
	"fmt"
	"sync"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// permissions finds out what the operator may do for a handoff, so that a lack shows when a handoff is asked
// for and not hours later, when a workload needs it.
type permissions struct {
	client Client
	// granted are the permissions that were found to be there. One that is taken away later shows when it is
	// needed.
	granted sync.Map
}

var podsResource = schema.GroupResource{Resource: "pods"}

// permission is to patch a resource in a namespace.
type permission struct {
	resource  schema.GroupResource
	namespace string
}

// mayPatch asks the API server, which everybody may ask that. A *ForbiddenError means no.
func (p *permissions) mayPatch(ctx context.Context, resource schema.GroupResource, namespace string) error {
	wanted := permission{resource, namespace}
	if _, known := p.granted.Load(wanted); known {
		return nil
	}
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: namespace, Verb: "patch", Group: resource.Group, Resource: resource.Resource,
		},
	}}
	if err := p.client.Create(ctx, review); err != nil {
		return fmt.Errorf("check the permission to patch %s: %w", resource, scrubbed(err))
	}
	if !review.Status.Allowed {
		return &ForbiddenError{"patch", resource.String(), namespace}
	}
	p.granted.Store(wanted, true)
	return nil
}

// refused asks anew for a permission that was found to be there, after a refusal: it may have been taken away.
// nil means that it is there, or that nobody knows, so somebody else refuses, such as an admission policy.
func (p *permissions) refused(ctx context.Context, resource schema.GroupResource, namespace string) error {
	p.granted.Delete(permission{resource, namespace})
	var forbidden *ForbiddenError
	if err := p.mayPatch(ctx, resource, namespace); errors.As(err, &forbidden) {
		return err
	}
	return nil
}
