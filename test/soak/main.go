// Command soak lets many resources with short-lived tokens rotate on a real
// control plane for a while, with the operator as a process of its own under the
// rights of its ServiceAccount, and measures what the operator promises:
//
//	go run ./test/soak [--resources 200] [--lifetime 30s] [--duration 10m] [--bursts 0] [-- flags of the operator…]
//
// It exits with 0 only if no refresh token was presented twice, every pair that
// was issued came to stand in its Secret, no Secret held a dead access token for
// longer than a second, and a rotation cost the API server at most 3 writes and
// 1 read on average.
//
//	go run ./test/soak --resources 20000 --lifetime 8h --rest 1m
//
// measures a large number of resources at rest instead: the operator starts
// anew, and must exchange and write nothing.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/githubusertoken/github-user-token-operator/hack/interrupt"
)

func main() {
	o := options{}
	flag.IntVar(&o.resources, "resources", 200, "number of GitHubUserTokens, each of a user of its own")
	flag.DurationVar(&o.lifetime, "lifetime", 30*time.Second, "lifetime of access tokens, in whole seconds")
	flag.DurationVar(&o.duration, "duration", 10*time.Minute, "how long to measure")
	flag.IntVar(&o.bursts, "bursts", 0, "how often meanwhile to ask for a refresh of all resources at once")
	flag.DurationVar(&o.rest, "rest", 0, "restart the operator when all are ready, and measure for so long what it does when nothing is due")
	flag.DurationVar(&o.longestGap, "longest-gap", promisedGap, "how long a Secret may hold a dead access token; more than the promise for a machine that is busy otherwise")
	flag.Parse()
	o.operatorArguments = flag.Args()

	if err := run(interrupt.Context(), o, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "soak: %v\n", err)
		os.Exit(1)
	}
}
