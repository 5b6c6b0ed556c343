package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/githubusertoken/github-user-token-operator/client"
)

// print writes the token to standard output.
func (t *tool) print(ctx context.Context, args []string) int {
	f, err := t.parse("print", args)
	if err == nil && f.set.NArg() > 0 {
		err = errNoArguments
	}
	if err != nil {
		return t.fail(codeUsage, err)
	}
	if t.isTerminal() && !f.show {
		return t.fail(codeUsage, errors.New("standard output is a terminal, where the token would stay to be read: use it in a pipe, or add --show"))
	}
	token, err := f.get(ctx)
	if err != nil {
		return t.fail(codeFailed, err)
	}
	if _, err := fmt.Fprintln(t.out, token.AccessToken.Reveal()); err != nil {
		return t.fail(codeFailed, fmt.Errorf("the token cannot be written: %w", err))
	}
	return 0
}

// get gets the token that the flags name.
func (f *flags) get(ctx context.Context) (*client.Token, error) {
	from, err := f.newClient()
	if err != nil {
		return nil, err
	}
	token, err := from.Token(ctx, client.Query{})
	if err != nil {
		return nil, err
	}
	return token, f.check(token)
}
