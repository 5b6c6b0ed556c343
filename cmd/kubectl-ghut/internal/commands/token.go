package commands

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/pair"
)

func newToken(e *environment) *cobra.Command {
	var show bool
	cmd := oneName(e, &cobra.Command{
		Use:   "token NAME",
		Short: "Print the access token, for a program",
		Long: `Print the access token, for a program:

  GH_TOKEN=$(kubectl ghut token octocat) gh api user

It is not printed to a terminal, where it would stay in scrollback and recordings, unless --show asks for that. The refresh
token is never printed. It needs the permission to get the Secret.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if e.isTerminal() && !show {
				return errors.New("standard output is a terminal, where a token would stay to be seen: hand it to a program, or say --show")
			}
			access, err := e.access(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			e.print("%s", access.Token.Reveal())
			return nil
		},
	})
	cmd.Flags().BoolVar(&show, "show", false, "print it to a terminal as well")
	return cmd
}

// access reads the access token of a resource. One that has expired is none.
func (e *environment) access(ctx context.Context, name string) (*pair.Access, error) {
	c, err := e.connect()
	if err != nil {
		return nil, err
	}
	token, err := c.Token(ctx, name)
	if err != nil {
		return nil, err
	}
	access, err := pair.Read(ctx, c, token)
	if err != nil {
		return nil, err
	}
	if !access.Expires.IsZero() && !access.Expires.After(e.now()) {
		return nil, &exitError{failCode(token, e.now()), fmt.Errorf("the token has expired, and there is no other: kubectl ghut status %s -n %s", token.Name, token.Namespace)}
	}
	return access, nil
}
