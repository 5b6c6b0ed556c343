package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
)

// applyAtStandIn applies a sample for which a person logs in, as the person of the cluster. Its App has to be at the stand-in by the address that
// a browser on this machine reaches: the operator alone takes the stand-in for github.com, where its codes are good for nothing.
func applyAtStandIn(ctx context.Context, s *stage.Stage, what, sample, kubeconfig string) error {
	content, err := os.ReadFile(filepath.Join(s.Root, sample))
	if err != nil {
		return err
	}
	changed, err := atHost(content, s.GitHub.Host())
	if err != nil {
		return fmt.Errorf("change %s: %w", sample, err)
	}
	path := s.Path(filepath.Base(sample))
	if err := os.WriteFile(path, changed, 0o600); err != nil {
		return err
	}
	fmt.Fprintf(s.Log(), "%s: kubectl -n team-a apply -f %s (with spec.app.host: %s)\n", what, sample, s.GitHub.Host())
	_, err = s.Kubectl(ctx, "apply", "-n", "team-a", "-f", path, "--kubeconfig="+kubeconfig)
	return err
}

// atHost is a manifest whose App is at a host.
func atHost(manifest []byte, host string) ([]byte, error) {
	var object unstructured.Unstructured
	if err := yaml.Unmarshal(manifest, &object.Object); err != nil {
		return nil, err
	}
	if err := unstructured.SetNestedField(object.Object, host, "spec", "app", "host"); err != nil {
		return nil, err
	}
	return yaml.Marshal(object.Object)
}
