package gitserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// CreateRepository makes a bare repository at dir/name (name ends in .git by custom), with one commit of
// the given files on the branch main. File names may have folders in them.
func CreateRepository(ctx context.Context, dir, name string, files map[string]string) error {
	bare := filepath.Join(dir, name)
	if err := run(ctx, dir, nil, "init", "--quiet", "--bare", "--initial-branch=main", bare); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "gitserver-")
	if err != nil {
		return fmt.Errorf("make a work tree: %w", err)
	}
	defer os.RemoveAll(work)
	for path, content := range files {
		file := filepath.Join(work, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return fmt.Errorf("make a folder of the work tree: %w", err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			return fmt.Errorf("write a file of the work tree: %w", err)
		}
	}
	env := []string{
		"GIT_DIR=" + bare, "GIT_WORK_TREE=" + work,
		"GIT_AUTHOR_NAME=octocat", "GIT_AUTHOR_EMAIL=octocat@example.com",
		"GIT_COMMITTER_NAME=octocat", "GIT_COMMITTER_EMAIL=octocat@example.com",
	}
	if err := run(ctx, work, env, "add", "--all"); err != nil {
		return err
	}
	return run(ctx, work, env, "commit", "--quiet", "--allow-empty", "--message=Add the files")
}

// run runs git apart from the machine's and the user's configuration.
func run(ctx context.Context, dir string, env []string, args ...string) error {
	command := exec.CommandContext(ctx, "git", args...)
	command.Dir = dir
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull}, env...)
	if text, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w", args[0], errors.Join(err, errors.New(strings.TrimSpace(string(text)))))
	}
	return nil
}
