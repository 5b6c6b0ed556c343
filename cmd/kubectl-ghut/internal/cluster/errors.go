package cluster

import (
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// ForbiddenError is a request that RBAC, or whoever else decides, does not let this user make.
type ForbiddenError struct {
	// Verb, Resource, Namespace and Name are the permission that is missing. Namespace is empty for what has none, and for a list
	// of all namespaces; Name is empty for a list.
	Verb      string
	Resource  schema.GroupResource
	Namespace string
	Name      string
	// Said is what the API server said.
	Said error
}

// Error names the permission.
func (e *ForbiddenError) Error() string {
	where := "in the whole cluster"
	if e.Namespace != "" {
		where = "in namespace " + e.Namespace
	}
	return fmt.Sprintf("a permission is missing: you may not %s %s (API group %q) %s", e.Verb, e.Resource.Resource, e.Resource.Group, where)
}

// Unwrap returns what the API server said.
func (e *ForbiddenError) Unwrap() error { return e.Said }

// IsForbidden reports whether a permission was missing.
func IsForbidden(err error) bool {
	_, ok := errors.AsType[*ForbiddenError](err)
	return ok
}

// IsNotFound reports whether there is no such object. That the whole kind is missing is something else.
func IsNotFound(err error) bool { return apierrors.IsNotFound(err) && !isKindMissing(err) }

// IsFinal reports whether to ask again would not help: the request was understood, and refused.
func IsFinal(err error) bool {
	var status apierrors.APIStatus
	if IsForbidden(err) || errors.Is(err, ErrNotInstalled) {
		return true
	}
	return errors.As(err, &status) && status.Status().Code >= 400 && status.Status().Code < 500 && !apierrors.IsTooManyRequests(err) && !apierrors.IsTimeout(err)
}

// IsUnanswered reports whether nobody has said what became of a request: it may have been done or not.
func IsUnanswered(err error) bool {
	var status apierrors.APIStatus
	return err != nil && !errors.Is(err, ErrNotInstalled) && (!errors.As(err, &status) || apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err))
}

// ErrNotInstalled: the definitions of the operator are not in this cluster.
var ErrNotInstalled = errors.New("GitHubUserTokens are not known in this cluster: the operator's custom resource definitions are not installed (kubectl ghut check)")

// isKindMissing reports whether the API server does not know the kind at all.
func isKindMissing(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || !apierrors.IsNotFound(err) {
		return false
	}
	details := status.Status().Details
	if details == nil {
		return true
	}
	for _, cause := range details.Causes {
		if cause.Type == metav1.CauseTypeUnexpectedServerResponse {
			return true
		}
	}
	return false
}

// explain turns an error of a request into a sentence. An admission webhook may quote what it was sent, so whatever looks like a
// token is taken out of texts that are not our own.
func explain(err error, verb string, gvk schema.GroupVersionKind, namespace, name string) error {
	resource := resourceOf(gvk)
	switch {
	case err == nil:
		return nil
	case apierrors.IsForbidden(err) && isByAuthorizer(err):
		return &ForbiddenError{Verb: verb, Resource: resource, Namespace: namespace, Name: name, Said: err}
	case isKindMissing(err) && resource.Group == ourGroup:
		return ErrNotInstalled
	case apierrors.IsNotFound(err):
		in := ""
		if namespace != "" {
			in = " in namespace " + namespace
		}
		return &sentence{fmt.Sprintf("there is no %s %s%s", kindOf(gvk), name, in), err}
	default:
		return &sentence{credential.Scrub(err.Error()), err}
	}
}

// sentence is an error in other words.
type sentence struct {
	text string
	said error
}

func (e *sentence) Error() string { return e.text }
func (e *sentence) Unwrap() error { return e.said }
