package check

import (
	"fmt"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/installation"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/standing"
)

// oldest is the oldest Kubernetes on which the definitions work.
var oldest = version.MustParseGeneric("1.31")

// Kubernetes judges its version.
func Kubernetes(text string) Finding {
	is, err := version.ParseGeneric(text)
	switch {
	case err != nil:
		return Finding{"Kubernetes", Unknown, "its version is " + text}
	case is.LessThan(oldest):
		return Finding{"Kubernetes", Fail, fmt.Sprintf("%s is older than %s, which the definitions need", text, oldest)}
	default:
		return Finding{"Kubernetes", OK, text}
	}
}

// Definition judges a custom resource definition.
func Definition(crd *apiextensionsv1.CustomResourceDefinition) Finding {
	what := "definition " + crd.Spec.Names.Kind
	var served []string
	for _, v := range crd.Spec.Versions {
		if v.Served {
			served = append(served, v.Name)
		}
	}
	established := slices.ContainsFunc(crd.Status.Conditions, func(c apiextensionsv1.CustomResourceDefinitionCondition) bool {
		return c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue
	})
	switch {
	case !established:
		return Finding{what, Fail, "the API server has not taken it up"}
	case !slices.Contains(served, v1alpha1.GroupVersion.Version):
		return Finding{what, Fail, fmt.Sprintf("it serves %s, and this plugin speaks %s", strings.Join(served, ", "), v1alpha1.GroupVersion.Version)}
	default:
		return Finding{what, OK, "serves " + strings.Join(served, ", ")}
	}
}

// Operator judges a Deployment of it. It may be at work although the Deployment has no pod, as a process of its own, which the lease
// tells.
func Operator(d installation.Deploy, plugin string, leads bool) Finding {
	what := fmt.Sprintf("operator %s/%s", d.Namespace, d.Name)
	says := fmt.Sprintf("%d of %d pods are available, image %s", d.Available, d.Wanted, d.Image)
	switch {
	case d.Available == 0 && leads:
		return Finding{what, Note, "it is at work, as the lease tells, but not in a pod of this Deployment: as a process elsewhere, as in make demo, or its last pod has just ended"}
	case d.Wanted == 0:
		return Finding{what, Fail, "it is scaled to 0, so nothing is refreshed"}
	case d.Available == 0:
		return Finding{what, Fail, "no pod is available: " + says}
	case d.Version != "" && strings.HasPrefix(plugin, "v") && d.Version != plugin:
		return Finding{what, Note, says + "; the plugin is " + plugin}
	default:
		return Finding{what, OK, says}
	}
}

// patienceWithLeader is how long a leader may be silent beyond its lease.
const patienceWithLeader = 15 * time.Second

// Lease judges whether somebody is the leader.
func Lease(lease *coordinationv1.Lease, now time.Time) Finding {
	what := fmt.Sprintf("lease %s/%s", lease.Namespace, lease.Name)
	if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" || lease.Spec.RenewTime == nil {
		return Finding{what, Fail, "nobody holds it, so nobody is at work"}
	}
	lasts := 15 * time.Second
	if seconds := lease.Spec.LeaseDurationSeconds; seconds != nil {
		lasts = time.Duration(*seconds) * time.Second
	}
	says := fmt.Sprintf("held by %s, renewed %s", *lease.Spec.HolderIdentity, standing.Away(lease.Spec.RenewTime.Time, now))
	if now.Sub(lease.Spec.RenewTime.Time) > lasts+patienceWithLeader {
		return Finding{what, Fail, says + ": that is too long ago, so nobody is at work"}
	}
	return Finding{what, OK, says}
}
