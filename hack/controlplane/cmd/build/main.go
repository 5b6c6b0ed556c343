// Command build downloads or builds the programs of the local control plane, or
// those named as arguments, unless they are there already, and prints where.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane/binaries"
	"github.com/githubusertoken/github-user-token-operator/hack/interrupt"
)

func main() {
	if err := run(interrupt.Context(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, names []string) error {
	wanted := binaries.ControlPlane
	if len(names) > 0 {
		wanted = nil
		for _, name := range names {
			wanted = append(wanted, binaries.Name(name))
		}
	}
	paths, err := binaries.Find(ctx, os.Stderr, wanted...)
	if err != nil {
		return err
	}
	for _, name := range wanted {
		fmt.Println(paths[name])
	}
	return nil
}
