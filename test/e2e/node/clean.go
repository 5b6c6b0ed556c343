//go:build linux

package node

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
)

//go:embed clean.sh
var cleanScript string

// namePrefix begins the name of a node's folder and of its control groups. The id of the process that
// has made them follows.
const namePrefix = "github-user-token-e2e-"

// cleaner is a shell that removes a node's folder and control groups when it is asked to, or when this
// process ends without having asked.
type cleaner struct {
	cmd   *exec.Cmd
	input io.Closer
}

func cleanWhenDone(cgroup, dir string) (*cleaner, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	defer reader.Close()
	cmd := exec.Command("/bin/sh", "-c", cleanScript, "sh", cgroup, dir) //nolint:noctx // It ends with this process.
	cmd.Dir = "/"
	cmd.Stdin = reader
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // out of reach of the terminal's Ctrl-C
	if err := cmd.Start(); err != nil {
		writer.Close()
		return nil, fmt.Errorf("start the removal of %s: %w", dir, err)
	}
	return &cleaner{cmd: cmd, input: writer}, nil
}

// now removes everything and returns when it is gone.
func (c *cleaner) now() error {
	c.input.Close()
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("remove a node's control groups and folder: %w", err)
	}
	return nil
}

// removeLeftovers removes the folders and control groups of nodes whose process is gone, which are there
// only if the machine or the cleaner was killed as well.
func removeLeftovers() error {
	var errs []error
	owner := regexp.MustCompile("^" + namePrefix + `([0-9]+)-`)
	for _, parent := range []string{os.TempDir(), "/sys/fs/cgroup", "/sys/fs/cgroup/*"} {
		paths, err := filepath.Glob(filepath.Join(parent, namePrefix+"*"))
		errs = append(errs, err)
		for _, path := range paths {
			match := owner.FindStringSubmatch(filepath.Base(path))
			if match == nil || alive(match[1]) {
				continue
			}
			if parent == os.TempDir() {
				errs = append(errs, os.RemoveAll(path))
			} else {
				errs = append(errs, removeGroups(path))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove what an earlier run has left: %w", err)
	}
	return nil
}

func alive(pid string) bool {
	number, err := strconv.Atoi(pid)
	return err == nil && syscall.Kill(number, 0) == nil
}

// removeGroups removes a control group and those in it. They hold no process.
func removeGroups(path string) error {
	children, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, child := range children {
		if child.IsDir() {
			if err := removeGroups(filepath.Join(path, child.Name())); err != nil {
				return err
			}
		}
	}
	return syscall.Rmdir(path)
}
