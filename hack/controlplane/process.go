package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane/binaries"
)

// startTimeout bounds how long a component may take until it is ready, if the
// caller's context does not bound it closer.
const startTimeout = 2 * time.Minute

// readyPoll is the time between two looks at whether a component is ready.
const readyPoll = 50 * time.Millisecond

// Process is a component of the control plane. It can be stopped, killed,
// suspended and started again, on the same port and with the same data, while
// the others run on. Its methods may be called from several goroutines.
type Process struct {
	name    binaries.Name
	path    string
	args    []string
	env     []string // nil: this process's, with dir for a home
	dir     string   // working directory
	logPath string   // appended to over restarts
	ready   func(context.Context) error

	mu      sync.Mutex
	current *run
}

// run is one life of a process.
type run struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has been reaped
	state string        // how it ended; valid once ended is closed
}

// Start starts the process and waits until it is ready. If that fails, or ctx
// ends first, the process is killed and the error holds the end of its log.
func (p *Process) Start(ctx context.Context) error {
	r, err := p.launch()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := p.await(ctx, r); err != nil {
		p.Kill()
		return fmt.Errorf("%s did not become ready: %w; the end of its log:\n%s", p.name, err, tail(p.logPath))
	}
	return nil
}

func (p *Process) launch() (*run, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current != nil && !p.current.over() {
		return nil, fmt.Errorf("%s is running already", p.name)
	}
	log, err := os.OpenFile(p.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", p.name, err)
	}
	defer log.Close() // the child has its own descriptor

	cmd := exec.Command(p.path, p.args...) //nolint:noctx // It outlives the call that starts it.
	cmd.Dir = p.dir
	cmd.Env = p.env
	if cmd.Env == nil {
		cmd.Env = append(os.Environ(), "HOME="+p.dir)
	}
	cmd.Stdout = log
	cmd.Stderr = log
	if err := startBound(cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	r := &run{cmd: cmd, ended: make(chan struct{})}
	go func() {
		r.state = "exit status 0"
		if err := cmd.Wait(); err != nil {
			r.state = err.Error()
		}
		close(r.ended)
	}()
	p.current = r
	return r, nil
}

func (r *run) over() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

func (p *Process) await(ctx context.Context, r *run) error {
	ticker := time.NewTicker(readyPoll)
	defer ticker.Stop()
	for {
		err := p.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-r.ended:
			return fmt.Errorf("it ended with %s", r.state)
		case <-ctx.Done():
			return fmt.Errorf("%w, and at last: %w", context.Cause(ctx), err)
		case <-ticker.C:
		}
	}
}

// running returns the present life of the process, or nil.
func (p *Process) running() *run {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil || p.current.over() {
		return nil
	}
	return p.current
}

// PID is the process id, or 0 while the process is not running.
func (p *Process) PID() int {
	if r := p.running(); r != nil {
		return r.cmd.Process.Pid
	}
	return 0
}

// LogPath is the file that holds what the process has written, over all
// restarts. It goes away with the control plane.
func (p *Process) LogPath() string { return p.logPath }

// Signal sends a signal, such as SIGSTOP, to the process.
func (p *Process) Signal(sig os.Signal) error {
	r := p.running()
	if r == nil {
		return fmt.Errorf("%s is not running", p.name)
	}
	if err := r.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("signal %s: %w", p.name, err)
	}
	return nil
}

// Stop asks the process to end (SIGTERM) and waits until it has. When ctx ends
// before, it is killed, and Stop returns an error. A process that is not
// running is left alone.
func (p *Process) Stop(ctx context.Context) error {
	r := p.running()
	if r == nil {
		return nil
	}
	// A suspended process would not see the SIGTERM without the SIGCONT.
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGCONT} {
		if err := r.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop %s: %w", p.name, err)
		}
	}
	select {
	case <-r.ended:
		return nil
	case <-ctx.Done():
		p.Kill()
		return fmt.Errorf("%s did not end by itself and was killed: %w", p.name, ctx.Err())
	}
}

// Kill ends the process at once (SIGKILL) and returns when it is gone.
func (p *Process) Kill() {
	if r := p.running(); r != nil {
		_ = r.cmd.Process.Kill() // fails only if it has ended
		<-r.ended
	}
}

// tail returns the last lines of a log, for an error that must explain itself.
func tail(path string) string {
	const most = 20
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}
