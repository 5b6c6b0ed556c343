// Command demo shows the operator at work on this machine. It starts a real
// control plane, a stand-in for GitHub, and the operator under the identity and
// rights of its ServiceAccount, applies config/samples as a user would, and
// tells of each rotation as it happens, until Ctrl-C:
//
//	go run ./hack/demo [--once] [--lifetime 30s]
//
// One of the samples waits for you: the demo says where to enter its code.
//
// With --once, or ONCE=1 in the environment, it ends after three rotations. It
// exits with 0 only if each left the previous pair dead at the stand-in and the new one alive.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/githubusertoken/github-user-token-operator/hack/interrupt"
)

func main() {
	o := options{}
	flag.BoolVar(&o.once, "once", askedOnce(), "end after three rotations; exit with 0 only if all went well (also: ONCE=1)")
	flag.DurationVar(&o.lifetime, "lifetime", 30*time.Second, "lifetime of access tokens, in whole seconds, at least 4s")
	flag.Parse()

	ctx, cancel := context.WithCancel(interrupt.Context())
	go endWithParent(ctx, cancel)
	err := run(ctx, o, os.Stdout)
	switch {
	case err == nil:
	case ctx.Err() != nil && !o.once: // Ctrl-C is how it is meant to end
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "demo: ended before three rotations were seen")
		os.Exit(130)
	default:
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		os.Exit(1)
	}
}

// askedOnce reports whether ONCE asks for an end.
func askedOnce() bool {
	value := os.Getenv("ONCE")
	return value != "" && value != "0" && value != "false"
}

// endWithParent ends the demo when the process that started it has ended: go run
// does not pass a SIGTERM on.
func endWithParent(ctx context.Context, cancel context.CancelFunc) {
	parent := os.Getppid()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if os.Getppid() != parent {
				cancel()
				return
			}
		}
	}
}
