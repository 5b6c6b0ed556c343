// Command golangci-lint is golangci-lint with two linters of the Kubernetes project compiled in: logcheck and
// kube-api-linter. .golangci.yaml at the root says what they look for.
package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/golangci/golangci-lint/v2/pkg/commands"
	"github.com/golangci/golangci-lint/v2/pkg/exitcodes"

	_ "sigs.k8s.io/kube-api-linter"
	_ "sigs.k8s.io/logtools/logcheck/gclplugin"
)

func main() {
	if err := commands.Execute(buildInfo()); err != nil {
		fmt.Fprintln(os.Stderr, "golangci-lint:", err)
		os.Exit(exitcodes.Failure)
	}
}

// buildInfo names the version of each part, since results of other versions are not taken from the cache.
func buildInfo() commands.BuildInfo {
	info := commands.BuildInfo{Commit: "unknown", Date: "(unknown)"}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return info
	}
	info.GoVersion = build.GoVersion
	var parts []string
	for _, dep := range build.Deps {
		switch dep.Path {
		case "github.com/golangci/golangci-lint/v2", "sigs.k8s.io/kube-api-linter", "sigs.k8s.io/logtools":
			parts = append(parts, dep.Path+"@"+dep.Version)
		}
	}
	info.Version = strings.Join(parts, ", ")
	return info
}
