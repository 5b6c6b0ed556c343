package handoff

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// kinds are the workloads that can be restarted, all by an annotation at spec.template.metadata. To add one:
// a line here, the kind in the enum of v1alpha1.WorkloadReference and its group in the rule (then make generate manifests), and its
// resource in both roles of config/components/handoff. TestHandoffKindsAreThoseThatTheRolesAllow finds what is missing.
var kinds = map[string]schema.GroupVersionResource{
	"Deployment":  {Group: "apps", Version: "v1", Resource: "deployments"},
	"StatefulSet": {Group: "apps", Version: "v1", Resource: "statefulsets"},
	"DaemonSet":   {Group: "apps", Version: "v1", Resource: "daemonsets"},
	"Rollout":     {Group: "argoproj.io", Version: "v1alpha1", Resource: "rollouts"},
}

// ResourceOf is the resource of a kind of workload; known is false for a kind that cannot be restarted.
func ResourceOf(kind string) (resource schema.GroupVersionResource, known bool) {
	resource, known = kinds[kind]
	return resource, known
}

// checkReference is checkWorkload for a reference, which may say of which API group the kind is. Of another group it is
// another kind, whatever its name.
func checkReference(reference v1alpha1.WorkloadReference) (schema.GroupVersionResource, error) {
	resource, err := checkWorkload(reference.Kind, reference.Name)
	if err == nil && reference.APIGroup != "" && reference.APIGroup != resource.Group {
		err = &invalidWorkloadError{reference.Kind, reference.Name, errOtherGroup}
	}
	return resource, err
}

// checkWorkload does not count on the CRD, which does not look again at what was stored under another one: a
// name that is a path would have workloads of other namespaces restarted. The resource is there whenever the
// kind is known.
func checkWorkload(kind, name string) (schema.GroupVersionResource, error) {
	resource, known := ResourceOf(kind)
	switch {
	case !known:
		return resource, &invalidWorkloadError{kind, name, errUnknownKind}
	case len(validation.IsDNS1123Subdomain(name)) > 0:
		return resource, &invalidWorkloadError{kind, name, errInvalidName}
	default:
		return resource, nil
	}
}
