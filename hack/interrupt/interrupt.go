// Package interrupt ends the programs of hack and test as a person expects of them.
package interrupt

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Context ends with the first Ctrl-C, or when the process is told to stop otherwise. A second Ctrl-C ends the process at
// once.
func Context() context.Context {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)
	return ctx
}
