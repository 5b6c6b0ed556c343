package commands

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/gitcredential"
)

// asHelper is how git is told of it.
const asHelper = "git config --global credential.https://github.com.helper '!kubectl ghut credential-helper octocat -n team-a'"

func newCredentialHelper(e *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "credential-helper NAME (get | store | erase)",
		Short: "Hand the access token to git, as its credential helper",
		Long: `Hand the access token to git, as its credential helper:

  ` + asHelper + `

It answers for the host of the App only, over https, with the time at which the token expires. store and erase do nothing: the
operator alone keeps the token.`,
		Args: func(_ *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return fmt.Errorf("the name of the resource is missing, such as: %s", asHelper)
			case 1:
				return fmt.Errorf("what to do is missing behind %s: get, store or erase. git adds it itself: %s", args[0], asHelper)
			case 2:
				return nil
			default:
				return fmt.Errorf("credential-helper takes a name and one of get, store and erase, and there is more: %s", strings.Join(args[2:], " "))
			}
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return []string{"get", "store", "erase"}, cobra.ShellCompDirectiveNoFileComp
			}
			return e.completeName(cmd, args, begun)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch args[1] {
			case "get":
			case "store", "erase":
				return nil
			default:
				return fmt.Errorf("%s is none of get, store and erase", args[1])
			}
			if e.isTerminal() {
				return fmt.Errorf("this is for git, and standard output is a terminal: kubectl ghut token %s --show", args[0])
			}
			request, err := gitcredential.Read(e.in)
			if err != nil || request.Protocol != "https" {
				return err // Of other protocols it knows nothing, which git takes for an answer.
			}
			return e.steer(func(ctx context.Context, t *task) error {
				access, err := t.access(ctx)
				if err != nil || !request.IsFor(access.Host) {
					return err
				}
				return gitcredential.Write(e.out, access.Token.Reveal(), access.Expires)
			})(cmd, args)
		},
	}
}
