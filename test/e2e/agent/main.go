// Command agent is what runs in the agents' pods of the end-to-end tests: it works at GitHub without end, as an agent does that gets its
// token from the token server, and tells the test which calls it made and which failed. It never tells a token.
//
//	agent environment NAME URL  calls URL with the token in an environment variable, and tries nothing again
//	agent git URL               asks git for the references of a repository; git gets its token as its configuration says
//	agent go URL                calls URL by the client in Go, which gets the next token and tries again when GitHub refuses one
//
// PAUSE is the pause between two calls; POD and COLLECTOR say who tells whom.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/githubusertoken/github-user-token-operator/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	pause, err := time.ParseDuration(os.Getenv("PAUSE"))
	if err != nil {
		return fmt.Errorf("PAUSE: %w", err)
	}
	if len(args) < 2 {
		return fmt.Errorf("%q is not understood", args)
	}
	switch job, args := args[0], args[1:]; {
	case job == "environment" && len(args) == 2:
		return repeat(ctx, pause, environment(args[0], args[1]))
	case job == "git" && len(args) == 1:
		return repeat(ctx, pause, git(args[0]))
	case job == "go" && len(args) == 1:
		call, err := retrying(ctx, args[0])
		if err != nil {
			return err
		}
		return repeat(ctx, pause, call)
	default:
		return fmt.Errorf("%s %q is not understood", job, args)
	}
}

// repeat makes a call again and again, and tells what came of it.
func repeat(ctx context.Context, pause time.Duration, call func(context.Context) error) error {
	told := newTeller()
	for {
		began := time.Now()
		err := call(ctx)
		if ctx.Err() != nil {
			return ctx.Err() // A call that its end broke off has not failed.
		}
		if err := told.tell(ctx, began, err); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// environment is a program that knows no more than a variable.
func environment(name, url string) func(context.Context) error {
	token := os.Getenv(name)
	return func(ctx context.Context) error { return get(ctx, http.DefaultClient, url, token) }
}

// retrying is a program that uses the client in Go.
func retrying(ctx context.Context, url string) (func(context.Context) error, error) {
	tokens, err := client.New(client.Options{
		Server: os.Getenv("GHUT_SERVER"), Namespace: os.Getenv("GHUT_NAMESPACE"), Name: os.Getenv("GHUT_NAME"), CAFile: os.Getenv("GHUT_CA_FILE"),
	})
	if err != nil {
		return nil, err
	}
	github := &http.Client{Transport: &client.Transport{Source: client.NewSource(ctx, tokens)}}
	return func(ctx context.Context) error { return get(ctx, github, url, "") }, nil
}

func get(ctx context.Context, through *http.Client, url, token string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := through.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil { // So that the connection is used again.
		return err
	}
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

// git is a program that calls git.
func git(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		cmd := exec.CommandContext(ctx, "git", "ls-remote", "--quiet", "--exit-code", url, "HEAD")
		cmd.Env = append(os.Environ(), "HOME=/tmp", "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1")
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, bytes.TrimSpace(text))
		}
		return nil
	}
}
