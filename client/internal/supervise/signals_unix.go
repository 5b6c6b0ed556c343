//go:build unix

package supervise

import (
	"os"
	"os/exec"
	"syscall"
)

// Forwarded are the signals that the command gets.
var Forwarded = []os.Signal{
	syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH, syscall.SIGCONT,
}

const terminate = syscall.SIGTERM

// isEnd reports whether a signal asks for the end, so that a command which ends by it is not started again.
func isEnd(signal os.Signal) bool {
	switch signal {
	case syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP:
		return true
	}
	return false
}

// apart gives the command a process group of its own, so that what it starts gets the signals too. At a terminal it stays in ours: it
// could not read from the terminal otherwise.
func apart(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: !atTerminal()}
}

// pass hands a signal on. At a terminal the command has those of the keyboard already.
func pass(command *exec.Cmd, signal os.Signal) {
	if atTerminal() && (signal == syscall.SIGINT || signal == syscall.SIGQUIT || signal == syscall.SIGWINCH) {
		return
	}
	send(command, signal)
}

func send(command *exec.Cmd, signal os.Signal) {
	number, ok := signal.(syscall.Signal)
	if !ok {
		return
	}
	pid := command.Process.Pid
	if command.SysProcAttr.Setpgid {
		pid = -pid
	}
	_ = syscall.Kill(pid, number) // It may have ended.
}

func bySignal(state *os.ProcessState) (int, bool) {
	status, ok := state.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return 0, false
	}
	return int(status.Signal()), true
}

func number(signal os.Signal) int {
	if n, ok := signal.(syscall.Signal); ok {
		return int(n)
	}
	return 0
}
