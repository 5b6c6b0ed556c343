// Package supervise runs a command with a token in its environment, and starts it again with the next one.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"time"
)

// Codes of a command that did not run, as shells and env have them.
const (
	CodeFailed       = 125
	CodeNotRunnable  = 126
	CodeNotFound     = 127
	codeBySignalFrom = 128
)

// Token is one that a command gets.
type Token struct{ Text, Fingerprint string }

// Job is a command, and where its tokens come from.
type Job struct {
	// Command is the program with its arguments.
	Command []string
	// Variables are the names under which it finds the token.
	Variables []string
	// Grace is how long it may take to end after SIGTERM before it is killed.
	Grace time.Duration
	// First gets the first token.
	First func(context.Context) (Token, error)
	// Next waits for the token that follows one with this fingerprint, as long as the context lets it.
	Next func(ctx context.Context, fingerprint string) Token
	// Signals are those for the command.
	Signals <-chan os.Signal
	// Say tells people what happens. It gets no token.
	Say func(format string, args ...any)
}

// Run runs the command until it ends by itself or by a signal from outside, and returns its exit code. An error says why it did not
// run.
func (j *Job) Run(ctx context.Context) (int, error) {
	token, code, err := j.first(ctx)
	if err != nil || code != 0 {
		return code, err
	}
	for {
		run, err := j.start(token)
		if err != nil {
			return codeOfStart(err), err
		}
		next, again := j.watch(ctx, run, token)
		if !again {
			return codeOf(run.state), nil
		}
		token = next
	}
}

// first gets the first token, unless a signal ends it all before.
func (j *Job) first(ctx context.Context) (Token, int, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		token Token
		err   error
	}
	got := make(chan result, 1)
	go func() {
		token, err := j.First(ctx)
		got <- result{token, err}
	}()
	for {
		select {
		case r := <-got:
			if r.err != nil {
				return Token{}, CodeFailed, r.err
			}
			return r.token, 0, nil
		case signal := <-j.Signals:
			if isEnd(signal) {
				return Token{}, codeBySignalFrom + number(signal), nil
			}
		}
	}
}

// running is a command that was started.
type running struct {
	command *exec.Cmd
	ended   chan struct{}
	state   *os.ProcessState
}

func (r *running) hasEnded() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

// send sends a signal, unless the command has ended: its number may be another's by then.
func (r *running) send(signal os.Signal) {
	if !r.hasEnded() {
		send(r.command, signal)
	}
}

func (j *Job) start(token Token) (*running, error) {
	command := exec.Command(j.Command[0], j.Command[1:]...) //nolint:noctx // It ends by signals, in its own time.
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.Env = os.Environ()
	for _, variable := range j.Variables {
		command.Env = append(command.Env, variable+"="+token.Text) // The last one counts.
	}
	apart(command)
	if err := command.Start(); err != nil {
		return nil, err
	}
	run := &running{command: command, ended: make(chan struct{})}
	go func() {
		_ = command.Wait() // What it has to say stands in the state.
		run.state = command.ProcessState
		close(run.ended)
	}()
	return run, nil
}

// watch waits until the command has ended, and says whether it is to be started again.
func (j *Job) watch(ctx context.Context, run *running, token Token) (Token, bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rotated := make(chan Token, 1)
	go func() {
		if next := j.Next(ctx, token.Fingerprint); ctx.Err() == nil {
			rotated <- next
		}
	}()
	var next Token
	var grace <-chan time.Time
	stopping, leaving := false, false
	for {
		select {
		case <-run.ended:
			if again := stopping && !leaving; again {
				sweep(run.command, j.Grace) // What it has left running has the former token.
				return next, true
			}
			return next, false
		case next = <-rotated:
			if leaving || run.hasEnded() {
				continue // It is about to end for good, or has: a command that is done is not started again.
			}
			j.Say("the token was replaced: the command is started again with the new one")
			stopping = true
			run.send(terminate)
			timer := time.NewTimer(j.Grace)
			defer timer.Stop()
			grace = timer.C
		case <-grace:
			j.Say("the command has not ended within %s: it is killed", j.Grace)
			run.send(os.Kill)
		case signal := <-j.Signals:
			// A command may go on after the others: an interrupt ends a line, a hangup has a configuration read.
			leaving = leaving || isEnd(signal) && (stopping || signal == terminate)
			if !run.hasEnded() {
				pass(run.command, signal)
			}
		}
	}
}

// codeOf is the exit code as shells tell it.
func codeOf(state *os.ProcessState) int {
	if signal, ok := bySignal(state); ok {
		return codeBySignalFrom + signal
	}
	return state.ExitCode()
}

func codeOfStart(err error) int {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return CodeNotFound
	}
	return CodeNotRunnable
}

// Check says what is wrong with a job before anything is asked for.
func (j *Job) Check() error {
	if len(j.Command) == 0 {
		return errors.New("there is no command: ghut-token exec -- COMMAND [ARGUMENT...]")
	}
	if _, err := exec.LookPath(j.Command[0]); err != nil {
		return fmt.Errorf("the command cannot be run: %w", err)
	}
	return nil
}
