// Command controlplane builds and runs the local control plane.
//
//	controlplane build [BINARY ...]   build what is missing, with progress
//	controlplane up [KUSTOMIZATION ...] start one, apply, print its KUBECONFIG, run until Ctrl-C
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane"
)

const usage = `usage:
  controlplane build [BINARY ...]       build etcd and Kubernetes, or the named programs, unless they are built
  controlplane up [KUSTOMIZATION ...]   run a control plane until Ctrl-C, with these applied`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	switch args[0] {
	case "build":
		return build(ctx, args[1:])
	case "up":
		return up(ctx, args[1:])
	default:
		return errors.New(usage)
	}
}

func build(ctx context.Context, names []string) error {
	wanted := controlplane.Default
	if len(names) > 0 {
		wanted = nil
	}
	for _, name := range names {
		wanted = append(wanted, controlplane.Binary(name))
	}
	paths, err := controlplane.Binaries(ctx, os.Stderr, wanted...)
	if err != nil {
		return err
	}
	for _, name := range wanted {
		fmt.Println(paths[name])
	}
	return nil
}

func up(ctx context.Context, kustomizations []string) error {
	cp, err := controlplane.Start(ctx, controlplane.Options{Install: kustomizations})
	if err != nil {
		return err
	}
	defer cp.Stop()
	fmt.Printf("export KUBECONFIG=%s\n", cp.AdminKubeconfig())
	<-ctx.Done()
	return nil
}
