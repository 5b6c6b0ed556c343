package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/githubusertoken/github-user-token-operator/client"
	"github.com/githubusertoken/github-user-token-operator/client/internal/gitcredential"
)

// refusedWait is for how long git waits for the token that follows a refused one.
var refusedWait = 8 * time.Second

// credential is a credential helper of git.
func (t *tool) credential(ctx context.Context, args []string) int {
	f, err := t.parse("credential", args)
	switch {
	case err != nil:
		return t.fail(codeUsage, err)
	case f.set.NArg() != 1:
		return t.fail(codeUsage, errors.New("git says get, store or erase here: ghut-token credential get"))
	}
	switch f.set.Arg(0) {
	case "get":
	default: // store and erase, and what a later git may say: nothing is kept here, so there is nothing to do.
		_, _ = io.Copy(io.Discard, t.in)
		return 0
	}
	if t.isTerminal() && !f.show {
		return t.fail(codeUsage, errors.New("this is for git, and standard output is a terminal: use ghut-token print --show"))
	}
	request, err := gitcredential.Read(t.in)
	if err != nil {
		return t.fail(codeFailed, err)
	}
	if request.Protocol != "https" || f.host != "" && !request.IsFor(f.host, request.Username) {
		return 0 // No answer is git's word for knowing nothing.
	}
	if err := t.answer(ctx, f, request); err != nil {
		if err := gitcredential.WriteNone(t.out); err != nil {
			t.say("%v", err)
		}
		return t.fail(codeFailed, err)
	}
	return 0
}

func (t *tool) answer(ctx context.Context, f *flags, request gitcredential.Request) error {
	from, err := f.newClient()
	if err != nil {
		return err
	}
	token, err := getFor(ctx, from, request.Refused)
	if err == nil {
		err = f.check(token)
	}
	switch {
	case err != nil:
		return err
	case !request.IsFor(token.Host, token.Account.Login):
		return nil
	}
	return request.Write(t.out, gitcredential.Answer{
		Token: token.AccessToken.Reveal(), Fingerprint: token.Fingerprint, Expires: token.ExpiresAt, MayAskAgain: request.Refused == "",
	})
}

// getFor gets a token, and another one than the refused one if there is. Where there is none, the same is handed out for one more try: GitHub
// may refuse a token for some seconds that it has just given, and knows it by then.
func getFor(ctx context.Context, from *client.Client, refused string) (*client.Token, error) {
	if refused == "" {
		return from.Token(ctx, client.Query{})
	}
	limited, cancel := context.WithTimeout(ctx, refusedWait)
	defer cancel()
	token, err := from.Token(limited, client.Query{Stale: refused, Wait: refusedWait})
	if ctx.Err() == nil && (client.IsTemporary(err) || errors.Is(err, context.DeadlineExceeded)) {
		return from.Token(ctx, client.Query{})
	}
	return token, err
}
