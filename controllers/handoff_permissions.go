package controllers

import (
	"context"
	"errors"
	"fmt"
	"sync"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// permissions finds out what the operator may do for a handoff, so that a lack shows when a handoff is asked
// for and not hours later, when a workload needs it.
type permissions struct {
	client client.Client
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

// handoffForbiddenError: the operator lacks a permission that a handoff needs.
type handoffForbiddenError struct{ verb, resource, namespace string }

func (e *handoffForbiddenError) Error() string {
	return fmt.Sprintf("the operator may not %s %s in namespace %s", e.verb, e.resource, e.namespace)
}

// mayPatch asks the API server, which everybody may ask that.
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
		return fmt.Errorf("ask for the permission to patch %s: %w", resource, err)
	}
	if !review.Status.Allowed {
		return &handoffForbiddenError{"patch", resource.String(), namespace}
	}
	p.granted.Store(wanted, true)
	return nil
}

// taken looks anew for a permission that was found to be there, after a refusal: it may have been taken away.
// nil means that it is there, so somebody else refuses, such as an admission policy.
func (p *permissions) taken(ctx context.Context, resource schema.GroupResource, namespace string) error {
	p.granted.Delete(permission{resource, namespace})
	var forbidden *handoffForbiddenError
	if err := p.mayPatch(ctx, resource, namespace); errors.As(err, &forbidden) {
		return err
	}
	return nil
}

// isForbidden says whether the API server, or a policy in it, has refused what was asked.
func isForbidden(err error) bool {
	var refused *scrubbedError
	return errors.As(err, &refused) && refused.reason == metav1.StatusReasonForbidden
}

// permitted says what the operator may not do that a handoff of this resource needs.
func (h *handoff) permitted(ctx context.Context, token *v1alpha1.GitHubUserToken) error {
	var errs []error
	if token.Spec.Handoff.Pods == v1alpha1.PodHandoffSync {
		errs = append(errs, h.pods.listable(ctx, token.Namespace), h.permissions.mayPatch(ctx, podsResource, token.Namespace))
	}
	for _, reference := range token.Spec.Handoff.Restart {
		errs = append(errs, checkWorkloadName(reference.Kind, reference.Name), h.permissions.mayPatch(ctx, workloadKinds[reference.Kind].GroupResource(), token.Namespace))
	}
	return firstOf(errs)
}
