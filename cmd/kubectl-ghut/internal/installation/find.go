// Package installation finds out how the operator is installed, as far as the user may see it.
package installation

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/cluster"
)

// DefaultNamespace is where the operator is, unless somebody has put it elsewhere.
const DefaultNamespace = "github-user-token-system"

// Selector is how the manifests and the chart label the Deployment of the operator.
var Selector = client.MatchingLabels{"app.kubernetes.io/name": "github-user-token-operator", "app.kubernetes.io/component": "manager"}

// Deploy is a Deployment of the operator.
type Deploy struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Image     string `json:"image"`
	// Version is the tag of the image; empty if it has none.
	Version string `json:"version,omitempty"`
	// Wanted and Available are numbers of pods.
	Wanted    int32 `json:"wanted"`
	Available int32 `json:"available"`
	// Args are the operator's flags.
	Args []string `json:"args,omitempty"`
	// ServiceAccount is whose rights it has.
	ServiceAccount string `json:"serviceAccount,omitempty"`
}

// Find looks for the operator: in a namespace, or in all of them, or in the default one if that is not allowed.
func Find(ctx context.Context, c cluster.Client, namespace string) ([]Deploy, error) {
	var list appsv1.DeploymentList
	err := c.List(ctx, &list, Selector, client.InNamespace(namespace))
	if cluster.IsForbidden(err) && namespace == "" {
		err = c.List(ctx, &list, Selector, client.InNamespace(DefaultNamespace))
	}
	if err != nil {
		return nil, err
	}
	if len(list.Items) == 0 {
		return nil, fmt.Errorf("no Deployment has the labels %s", labelText)
	}
	var found []Deploy
	for i := range list.Items {
		found = append(found, deployOf(&list.Items[i]))
	}
	return found, nil
}

const labelText = "app.kubernetes.io/name=github-user-token-operator,app.kubernetes.io/component=manager"

func deployOf(deployment *appsv1.Deployment) Deploy {
	d := Deploy{
		Namespace: deployment.Namespace, Name: deployment.Name, Wanted: 1, Available: deployment.Status.AvailableReplicas,
		ServiceAccount: deployment.Spec.Template.Spec.ServiceAccountName,
	}
	if replicas := deployment.Spec.Replicas; replicas != nil {
		d.Wanted = *replicas
	}
	for i := range deployment.Spec.Template.Spec.Containers {
		container := &deployment.Spec.Template.Spec.Containers[i]
		if container.Name == "manager" {
			d.Image, d.Args = container.Image, container.Args
		}
	}
	d.Version = tagOf(d.Image)
	return d
}

// tagOf is the tag of an image.
func tagOf(image string) string {
	image, _, _ = strings.Cut(image, "@")
	last := image[strings.LastIndex(image, "/")+1:]
	_, tag, _ := strings.Cut(last, ":")
	return tag
}
