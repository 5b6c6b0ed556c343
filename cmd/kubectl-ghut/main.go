// Command kubectl-ghut is kubectl ghut: what people do with GitHubUserTokens. docs/kubectl-ghut.md describes its commands.
package main

import (
	"os"

	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/commands"
)

// version is set by the linker.
var version = "dev"

func main() {
	os.Exit(commands.Main(version, os.Args[1:]))
}
