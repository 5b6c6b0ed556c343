//go:build !linux

package chaos

import "syscall"

// boundToParent puts the child out of reach of the terminal; the end of each test kills it.
func boundToParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
