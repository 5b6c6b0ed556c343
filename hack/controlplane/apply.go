package controlplane

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Apply does what a user does with kubectl apply --server-side: -k for a folder
// with a kustomization, otherwise -f. It returns when the CRDs among
// the objects are served.
func (cp *ControlPlane) Apply(ctx context.Context, path string) error {
	flag := "-f"
	if _, err := os.Stat(filepath.Join(path, "kustomization.yaml")); err == nil {
		flag = "-k"
	}
	applied, err := cp.runKubectl(ctx, "apply", "--server-side", flag, path, "-o", "name")
	if err != nil {
		return err
	}
	wait := []string{"wait", "--for=condition=Established", "--timeout=1m"}
	crds := 0
	for name := range strings.FieldsSeq(applied) {
		if strings.HasPrefix(name, "customresourcedefinition.apiextensions.k8s.io/") {
			wait = append(wait, name)
			crds++
		}
	}
	if crds == 0 {
		return nil
	}
	_, err = cp.runKubectl(ctx, wait...)
	return err
}

// runKubectl returns what kubectl prints, or an error with what it complains about.
func (cp *ControlPlane) runKubectl(ctx context.Context, args ...string) (string, error) {
	cmd := cp.Kubectl(ctx, args...)
	var stdout, stderr strings.Builder
	cmd.Stdout = &stdout
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}
