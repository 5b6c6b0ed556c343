// Command controlplane runs a local control plane until Ctrl-C. It applies the
// kustomizations, or folders of manifests, that are named as arguments.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane"
	"github.com/githubusertoken/github-user-token-operator/hack/interrupt"
)

func main() {
	if err := run(interrupt.Context(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kustomizations []string) error {
	cp, err := controlplane.Start(ctx, controlplane.Options{Install: kustomizations})
	if err != nil {
		return err
	}
	defer cp.Stop()
	fmt.Printf("export KUBECONFIG=%s\n", cp.AdminKubeconfig())
	<-ctx.Done()
	return nil
}
