//go:build linux

package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane"
)

// onlyChild returns the id of the only child of a process that has one thread.
func onlyChild(parent int) (int, error) {
	id := strconv.Itoa(parent)
	children, err := os.ReadFile(filepath.Join("/proc", id, "task", id, "children"))
	if err != nil {
		return 0, fmt.Errorf("look for the node's first process: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(children)))
	if err != nil {
		return 0, fmt.Errorf("look for the node's first process: %w", err)
	}
	return pid, nil
}

// killAndAwait kills the first process of a PID namespace and waits for its parent to have seen its end,
// which comes after that of all others in it.
func killAndAwait(pid int, parent *controlplane.Process) error {
	const patience = 30 * time.Second
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("end the node's first process: %w", err)
	}
	select {
	case <-parent.Ended():
		return nil
	case <-time.After(patience):
		return fmt.Errorf("the node's processes did not end within %s", patience)
	}
}

// poll calls try until it succeeds, ctx ends or half a minute has passed.
func poll(ctx context.Context, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-ticker.C:
		}
	}
}
