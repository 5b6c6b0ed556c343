//go:build unix

package supervise

import (
	"os"
	"os/exec"
	"syscall"
	"time"
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

// sweep waits for what a command that has ended has left in its process group, and kills it when it takes too long. While there is any of
// it the group's number is nobody else's.
func sweep(command *exec.Cmd, grace time.Duration) {
	if !command.SysProcAttr.Setpgid {
		return
	}
	group := -command.Process.Pid
	for end := time.Now().Add(grace); syscall.Kill(group, 0) == nil; time.Sleep(sweepEvery) {
		if !time.Now().Before(end) {
			_ = syscall.Kill(group, syscall.SIGKILL)
			return
		}
	}
}

// sweepEvery is how often it is looked whether anything is left: nobody tells.
const sweepEvery = 20 * time.Millisecond

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
