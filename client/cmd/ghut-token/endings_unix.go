//go:build unix

package main

import (
	"os"
	"syscall"
)

// endings are the signals that end what this program does itself.
var endings = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}
