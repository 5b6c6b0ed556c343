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
	if err := s.goBuild(ctx, s.Root, append(arguments, ".", "./hack/stand-in")...); err != nil {
		return err
	}
	s.say("Built after %.1f s", time.Since(begin).Seconds())
	return nil
}

// BuildPlugin compiles the kubectl plugin, as a version, into a folder of its own, with the script by which kubectl completes it,
// and returns that folder: it is to be in a PATH.
func (s *Stage) BuildPlugin(ctx context.Context, version string) (string, error) {
	s.say("Building the kubectl plugin")
	folder := s.dir.Path("plugin")
	if err := os.Mkdir(folder, 0o700); err != nil {
		return "", fmt.Errorf("make a folder for the plugin: %w", err)
	}
	arguments := []string{"build", "-ldflags", "-X main.version=" + version, "-o", filepath.Join(folder, "kubectl-ghut"), "."}
	if err := s.goBuild(ctx, filepath.Join(s.Root, "cmd", "kubectl-ghut"), arguments...); err != nil {
		return "", err
	}
	const completion = "kubectl_complete-ghut"
	script, err := os.ReadFile(filepath.Join(s.Root, "hack", completion))
	if err != nil {
		return "", fmt.Errorf("read the plugin's completion: %w", err)
	}
	if err := os.WriteFile(filepath.Join(folder, completion), script, 0o700); err != nil {
		return "", fmt.Errorf("write the plugin's completion: %w", err)
	}
	return folder, nil
}

// goBuild runs go in a folder.
func (s *Stage) goBuild(ctx context.Context, folder string, arguments ...string) error {
	cmd := exec.CommandContext(ctx, "go", arguments...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GOTMPDIR="+s.dir.Path("go-build"))
	cmd.Stdout, cmd.Stderr = s.options.Log, s.options.Log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	return nil
}

func (s *Stage) binaries() string { return s.dir.Path("bin") }

// binary is the path of a program that was built; "operator" is named by the module.
func (s *Stage) binary(name string) string { return filepath.Join(s.binaries(), name) }
