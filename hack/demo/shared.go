package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
)

const (
	// platformApp is an App that the administrator offers to the namespaces with platformLabel.
	platformApp   = samples + "/more/cluster_github_app.yaml"
	platformLabel = "github-app"
	// sharedApp is a token of it, for a team that has no client secret.
	sharedApp  = samples + "/more/shared_app.yaml"
	sharedTeam = "team-b"
)

// shareApp does what docs/shared-app.md says: as the administrator it offers an App to a team, which then, with the rights of
// the person, has a token of it.
func shareApp(ctx context.Context, s *stage.Stage, w *world, kubeconfig string) error {
	client, err := kubernetes.NewForConfig(s.Plane.AdminConfig())
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	for name, values := range w.offered {
		_, err := client.CoreV1().Secrets(stage.Namespace).Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: values,
		}, metav1.CreateOptions{})
		if err != nil {
			return fmt.Errorf("create Secret %s/%s: %w", stage.Namespace, name, err)
		}
	}
	_, err = client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: sharedTeam, Labels: map[string]string{platformLabel: "platform"}},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("create namespace %s: %w", sharedTeam, err)
	}
	fmt.Fprintf(s.Log(), "Offering one App to many teams, as the administrator: kubectl apply -f %s\n", platformApp)
	if _, err := s.Kubectl(ctx, "apply", "-f", platformApp); err != nil {
		return err
	}
	fmt.Fprintf(s.Log(), "A token of it, as the user %q who has no client secret: kubectl -n %s apply -f %s\n", person, sharedTeam, sharedApp)
	if _, err := s.Kubectl(ctx, "apply", "-n", sharedTeam, "-f", sharedApp, "--kubeconfig="+kubeconfig); err != nil {
		return err
	}
	w.shown = append(w.shown, types.NamespacedName{Namespace: sharedTeam, Name: "octocat"})
	return nil
}
