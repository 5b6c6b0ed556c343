// Command build downloads or builds the programs of the local control plane, or
// those named as arguments, unless they are there already, and prints where.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane/binaries"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
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
