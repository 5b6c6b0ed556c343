package commands

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/pair"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/standing"
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
		RunE: e.steer(func(ctx context.Context, t *task) error {
			if e.isTerminal() && !show {
				return errors.New("standard output is a terminal, where a token would stay to be seen: hand it to a program, or say --show")
			}
			access, err := t.access(ctx)
			if err != nil {
				return err
			}
			e.print("%s", access.Token.Reveal())
			return nil
		}),
	})
	cmd.Flags().BoolVar(&show, "show", false, "print it to a terminal as well")
	return cmd
}

// access reads the access token of the resource. One that has expired is none, and neither is one that was revoked.
func (t *task) access(ctx context.Context) (*pair.Access, error) {
	access, err := pair.Read(ctx, t.Cluster, t.token)
	if err != nil {
		return nil, err
	}
	if !access.Expires.IsZero() && !access.Expires.After(t.now()) {
		return nil, t.failed("the token has expired, and there is no other: " + t.command("status"))
	}
	if why := meta.FindStatusCondition(t.token.Status.Conditions, v1alpha1.ConditionAuthorized); why != nil && why.Status == metav1.ConditionFalse &&
		(why.Reason == v1alpha1.ReasonRevoked || why.Reason == v1alpha1.ReasonRevokedOnRequest) {
		return nil, t.failed(fmt.Sprintf("the token is not handed out (%s): %s", why.Reason, standing.Plain(why.Message)))
	}
	return access, nil
}
