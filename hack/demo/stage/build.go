package stage

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// build compiles the operator and the stand-in into the stage's folder. What Go
// says about downloads goes to the log; its temporary files go to the folder.
func (s *Stage) build(ctx context.Context) error {
	s.say("Building the operator and the stand-in for GitHub (about a minute the first time)")
	begin := time.Now()
	for _, dir := range []string{s.binaries(), s.dir.Path("go-build")} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return fmt.Errorf("make a folder for the programs: %w", err)
		}
	}
	arguments := []string{"build", "-o", s.binaries() + string(filepath.Separator)}
	if s.options.Overlay != "" {
		arguments = append(arguments, "-overlay", s.options.Overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(arguments, ".", "./hack/stand-in")...)
	cmd.Dir = s.Root
	cmd.Env = append(os.Environ(), "GOTMPDIR="+s.dir.Path("go-build"))
	cmd.Stdout, cmd.Stderr = s.options.Log, s.options.Log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	s.say("Built after %.1f s", time.Since(begin).Seconds())
	return nil
}

func (s *Stage) binaries() string { return s.dir.Path("bin") }

// binary is the path of a program that was built; "operator" is named by the module.
func (s *Stage) binary(name string) string { return filepath.Join(s.binaries(), name) }
