package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
)

// person is the user of the cluster that applies the samples. What it may do
// stands in user.yaml.
const person = "demo"

//go:embed user.yaml
var personRights []byte

// aggregationTimeout is how long the cluster may take to add the operator's
// roles to its own.
const aggregationTimeout = time.Minute

// makePerson gives the user its rights and a kubeconfig, and returns the path of that.
func makePerson(ctx context.Context, s *stage.Stage) (string, error) {
	rights := s.Path("user.yaml")
	if err := os.WriteFile(rights, personRights, 0o600); err != nil {
		return "", err
	}
	if err := s.Plane.Apply(ctx, rights); err != nil {
		return "", err
	}
	config, err := s.Plane.UserConfig(person)
	if err != nil {
		return "", err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return "", fmt.Errorf("make a client: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, aggregationTimeout)
	defer cancel()
	for {
		review, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
				Verb: "create", Group: "githubusertoken.dev", Resource: "githubusertokens", Namespace: "team-a",
			}},
		}, metav1.CreateOptions{})
		if err != nil {
			return "", fmt.Errorf("wait until the role edit holds the rights of config/rbac/githubusertoken_editor_role.yaml: %w", err)
		}
		if review.Status.Allowed {
			break
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("the role edit does not get the rights of config/rbac/githubusertoken_editor_role.yaml: %w", context.Cause(ctx))
		case <-time.After(100 * time.Millisecond):
		}
	}
	path := s.Path("kubeconfig")
	return path, s.Plane.WriteKubeconfig(path, config)
}
