// Command pin writes hack/controlplane/binaries/checksums.txt, which says what
// official releases are made of. It is for maintainers, after a change of version.
package main

import (
	"fmt"
	"os"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane/binaries"
	"github.com/githubusertoken/github-user-token-operator/hack/interrupt"
)

func main() {
	if err := binaries.Pin(interrupt.Context(), os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(binaries.ChecksumsFile)
}
