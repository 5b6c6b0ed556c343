package controlplane

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane/binaries"
)

// What runs beside a control plane, such as an operator, can be run with the same
// care: it does not outlive this process, and its folders and ports are given back.

// Program is what NewProcess runs.
type Program struct {
	// Name is what errors call it.
	Name string
	// Path is the binary.
	Path string
	Args []string
	// Env is the whole environment. Default: this process's, with Dir for a home.
	Env []string
	// Dir is the working directory.
	Dir string
	// LogPath is the file that takes what it writes.
	LogPath string
	// Ready returns nil once the program does its work. It is asked every 50 ms.
	Ready func(context.Context) error
}

// NewProcess describes a process to be started. As the components of a control
// plane it dies with this process and does not see the terminal's Ctrl-C.
func NewProcess(program Program) *Process {
	return &Process{
		name: binaries.Name(program.Name), path: program.Path, args: program.Args, env: program.Env,
		dir: program.Dir, logPath: program.LogPath, ready: program.Ready,
	}
}

// Ended is closed when the present life of the process has ended. Before the
// first Start it is nil.
func (p *Process) Ended() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil {
		return nil
	}
	return p.current.ended
}

// LogTail is the end of what the process has written.
func (p *Process) LogTail() string { return tail(p.logPath) }

// TempDir is a folder that is deleted by Remove, or when this process ends,
// however it ends.
type TempDir struct {
	path    string
	removal *removal
}

// NewTempDir makes a folder as os.MkdirTemp does, with an absolute path.
func NewTempDir(parent, pattern string) (*TempDir, error) {
	path, err := os.MkdirTemp(parent, pattern)
	if err != nil {
		return nil, fmt.Errorf("make a temporary folder: %w", err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("make a temporary folder: %w", err)
	}
	removal, err := removeWhenDone(path)
	if err != nil {
		os.RemoveAll(path)
		return nil, err
	}
	return &TempDir{path: path, removal: removal}, nil
}

// Path is the folder joined with the given names.
func (d *TempDir) Path(names ...string) string {
	return filepath.Join(append([]string{d.path}, names...)...)
}

// Remove deletes the folder and returns when it is gone.
func (d *TempDir) Remove() error {
	if err := d.removal.now(); err != nil {
		return fmt.Errorf("delete %s: %w", d.path, err)
	}
	return nil
}

// ReserveAddress finds a free port of 127.0.0.1 that no control plane of this
// machine takes until release is called.
func ReserveAddress() (address string, release func(), err error) {
	reserved, err := reservePort(loopback)
	if err != nil {
		return "", nil, err
	}
	return net.JoinHostPort(loopback, reserved.String()), reserved.release, nil
}
