//go:build tools

// Package tools names the command that hack/controlplane/binaries builds from
// this module, so that go mod tidy keeps what it needs.
package tools

import _ "github.com/opencontainers/runc"
