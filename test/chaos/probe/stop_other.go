//go:build !linux

package probe

import (
	"os"
	"syscall"
)

// stop stops the process.
func stop() { _ = syscall.Kill(os.Getpid(), syscall.SIGSTOP) }
