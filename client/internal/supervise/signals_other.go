//go:build !unix

package supervise

import (
	"os"
	"os/exec"
	"time"
)

// Forwarded are the signals that the command gets: there is only one, and the console sends it to the command as well.
var Forwarded = []os.Signal{os.Interrupt}

// terminate ends at once here: there is no signal that a command could answer.
var terminate = os.Kill

func isEnd(signal os.Signal) bool { return signal == os.Interrupt }

func apart(*exec.Cmd) {}

func pass(*exec.Cmd, os.Signal) {}

func send(command *exec.Cmd, signal os.Signal) { _ = command.Process.Signal(signal) }

func sweep(*exec.Cmd, time.Duration) {}

func bySignal(*os.ProcessState) (int, bool) { return 0, false }

func number(os.Signal) int { return 2 }
