package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"slices"
	"time"

	"github.com/githubusertoken/github-user-token-operator/client"
	"github.com/githubusertoken/github-user-token-operator/client/internal/supervise"
)

// firstPause is how long is waited after the server has said no, or was away for the whole timeout; longer each time.
var firstPause = 5 * time.Second

const mostPause = 5 * time.Minute

// exec runs a command with the token, and again with each that follows. The exit code is the command's.
func (t *tool) exec(ctx context.Context, args []string) int {
	f, err := t.parse("exec", args)
	if err != nil {
		return t.fail(supervise.CodeFailed, err)
	}
	names, err := f.variables()
	if err == nil && f.grace < 0 {
		err = errors.New("--grace is negative")
	}
	if err != nil {
		return t.fail(supervise.CodeFailed, err)
	}
	from, err := f.newClient()
	if err != nil {
		return t.fail(supervise.CodeFailed, err)
	}
	signals := make(chan os.Signal, 16)
	// What is ignored stays so, for the command too: such as a hangup by nohup.
	signal.Notify(signals, slices.DeleteFunc(slices.Clone(supervise.Forwarded), signal.Ignored)...)
	defer signal.Stop(signals)
	t.release()
	ctx = context.WithoutCancel(ctx) // Signals are the command's from here.

	job := &supervise.Job{
		Command: f.set.Args(), Variables: names, Grace: f.grace, Signals: signals, Say: t.say,
		First: func(ctx context.Context) (supervise.Token, error) {
			token, err := from.Token(ctx, client.Query{})
			if err == nil {
				err = f.check(token)
			}
			if err != nil {
				return supervise.Token{}, err
			}
			return given(token), nil
		},
		Next: func(ctx context.Context, fingerprint string) supervise.Token {
			return t.next(ctx, f, from, fingerprint)
		},
	}
	if err := job.Check(); err != nil {
		return t.fail(supervise.CodeNotFound, err)
	}
	code, err := job.Run(ctx)
	if err != nil {
		return t.fail(code, err)
	}
	return code
}

// next waits for the next token, whatever the server says meanwhile: the command has a token that may well work.
func (t *tool) next(ctx context.Context, f *flags, from *client.Client, fingerprint string) supervise.Token {
	pause, told := firstPause, ""
	for {
		token, err := from.Next(ctx, fingerprint)
		if err == nil {
			err = f.check(token)
		}
		if err == nil || ctx.Err() != nil {
			return given(token)
		}
		if err.Error() != told {
			told = err.Error()
			t.say("the command goes on with the token that it has: %v", err)
		}
		select {
		case <-time.After(max(pause, client.RetryAfter(err))):
		case <-ctx.Done():
			return supervise.Token{}
		}
		pause = min(2*pause, mostPause)
	}
}

func given(token *client.Token) supervise.Token {
	if token == nil {
		return supervise.Token{}
	}
	return supervise.Token{Text: token.AccessToken.Reveal(), Fingerprint: token.Fingerprint}
}
