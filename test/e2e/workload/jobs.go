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
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// watchInterval is how often a file is read, and so the error of a time told. Of many files each is read that much
// more seldom.
const watchInterval = 5 * time.Millisecond

// callInterval is the pause between two calls, of a busy program.
const callInterval = 20 * time.Millisecond

// cloneInterval is the pause between two clones.
const cloneInterval = 250 * time.Millisecond

func fingerprint(token []byte) string {
	return string(credential.NewAccessToken(string(token)).Fingerprint())
}

// watchAll watches many files, until the first cannot be watched.
func watchAll(ctx context.Context, files []string) error {
	ended := make(chan error, len(files))
	for _, file := range files {
		go func() { ended <- watch(ctx, file, time.Duration(len(files))*watchInterval) }()
	}
	return <-ended
}

// watch tells of each content that a file gets, and when it was first read.
func watch(ctx context.Context, file string, interval time.Duration) error {
	var last []byte
	for {
		content, err := os.ReadFile(file)
		now := time.Now()
		if err != nil {
			return fmt.Errorf("read the token: %w", err)
		}
		if !bytes.Equal(content, last) {
			last = content
			if err := tell(ctx, Report{Event: "see", At: now, Fingerprint: fingerprint(content)}); err != nil {
				return err
			}
		}
		if err := pause(ctx, interval); err != nil {
			return err
		}
	}
}

// environment tells what a variable holds, once: it cannot change.
func environment(ctx context.Context, name string) error {
	value, ok := os.LookupEnv(name)
	if !ok {
		return fmt.Errorf("the environment variable %s is not set", name)
	}
	if err := tell(ctx, Report{Event: "see", At: time.Now(), Fingerprint: fingerprint([]byte(value))}); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// call calls a URL with the token in a file. On 401 it reads the file until it holds another token, and
// repeats the call with that. It tells of each call that fails, and of the first that succeeds with a token.
func call(ctx context.Context, file, url string) error {
	token, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the token: %w", err)
	}
	var told []byte
	for {
		status, err := get(ctx, url, token)
		report := Report{Event: "ok", At: time.Now(), Fingerprint: fingerprint(token)}
		switch {
		case err != nil:
			report.Event, report.Detail = "failed", err.Error()
		case status != http.StatusOK:
			report.Event, report.Detail = "failed", http.StatusText(status)
		}
		if report.Event == "failed" || !bytes.Equal(told, token) {
			if err := tell(ctx, report); err != nil {
				return err
			}
			told = token
		}
		if status == http.StatusUnauthorized {
			if token, err = another(ctx, file, token); err != nil {
				return err
			}
			continue
		}
		if err := pause(ctx, callInterval); err != nil {
			return err
		}
	}
}

// countInterval is how often it is told how many calls have succeeded.
const countInterval = time.Second

// each calls a URL with what read returns each time. It tells of each call that fails, and how many have not.
func each(ctx context.Context, url string, read func() ([]byte, error)) error {
	count, told := 0, time.Now()
	for {
		token, err := read()
		if err != nil {
			return fmt.Errorf("read the token: %w", err)
		}
		status, err := get(ctx, url, token)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		report := Report{Event: "failed", At: time.Now(), Fingerprint: fingerprint(token)}
		switch {
		case err != nil:
			report.Detail = err.Error()
		case status != http.StatusOK:
			report.Detail = http.StatusText(status)
		default:
			count++
			report.Event, report.Count = "called", count
		}
		if report.Event == "failed" || time.Since(told) >= countInterval {
			if err := tell(ctx, report); err != nil {
				return err
			}
			if report.Event == "called" {
				count, told = 0, time.Now()
			}
		}
		if err := pause(ctx, callInterval); err != nil {
			return err
		}
	}
}

func get(ctx context.Context, url string, token []byte) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+string(token))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body) // so that the connection is used again
	return response.StatusCode, err
}

// another waits until a file holds another token.
func another(ctx context.Context, file string, token []byte) ([]byte, error) {
	for {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the token: %w", err)
		}
		if !bytes.Equal(content, token) {
			return content, nil
		}
		if err := pause(ctx, watchInterval); err != nil {
			return nil, err
		}
	}
}

// clone clones a repository again and again, each time as somebody who has nothing but the file.
func clone(ctx context.Context, file, url string) error {
	for {
		credentials, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read the credentials: %w", err)
		}
		report := Report{Event: "ok", Fingerprint: fingerprint(password(credentials))}
		if err := cloneOnce(ctx, file, url); err != nil {
			report.Event, report.Detail = "failed", err.Error()
		}
		report.At = time.Now()
		if err := tell(ctx, report); err != nil {
			return err
		}
		if err := pause(ctx, cloneInterval); err != nil {
			return err
		}
	}
}

func cloneOnce(ctx context.Context, file, url string) error {
	home, err := os.MkdirTemp("", "home-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	cmd := exec.CommandContext(ctx, "git", "-c", "credential.helper=store --file="+file, "clone", "--quiet", url, home+"/clone")
	cmd.Env = append(os.Environ(), "HOME="+home, "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1")
	if text, err := cmd.CombinedOutput(); err != nil {
		return errors.Join(err, errors.New(string(bytes.TrimSpace(text))))
	}
	_, err = os.Stat(home + "/clone/README.md")
	return err
}

// password is the password in the first line of git's credentials file.
func password(credentials []byte) []byte {
	line, _, _ := bytes.Cut(credentials, []byte("\n"))
	line, _, _ = bytes.Cut(line, []byte("@"))
	return line[bytes.LastIndexByte(line, ':')+1:]
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
