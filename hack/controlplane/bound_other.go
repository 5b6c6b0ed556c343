//go:build !linux

package controlplane

import (
	"os/exec"
	"syscall"
)

// bind puts the child out of reach of the terminal. Other kernels than Linux
// know no death signal: there the children outlive a parent that is
// killed with SIGKILL, and only then.
func bind(cmd *exec.Cmd) { detach(cmd) }

// detach puts the child out of reach of the terminal.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}
