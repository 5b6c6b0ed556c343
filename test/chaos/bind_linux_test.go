package chaos

import "syscall"

// boundToParent has the kernel kill the child when the thread that starts it ends.
func boundToParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
