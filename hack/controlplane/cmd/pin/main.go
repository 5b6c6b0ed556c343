// Command pin writes hack/controlplane/binaries/checksums.txt, which says what
// official releases are made of. It is for maintainers, after a change of version.
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
	err := binaries.Pin(ctx, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(binaries.ChecksumsFile)
}
