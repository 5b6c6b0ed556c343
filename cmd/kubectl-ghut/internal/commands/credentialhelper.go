package commands

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/gitcredential"
)

func newCredentialHelper(e *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "credential-helper NAME (get | store | erase)",
		Short: "Hand the access token to git, as its credential helper",
		Long: `Hand the access token to git, as its credential helper:

  git config --global credential.https://github.com.helper '!kubectl ghut credential-helper octocat -n team-a'

It answers for the host of the App only, over https, with the time at which the token expires. store and erase do nothing: the
operator alone keeps the token.`,
		Args: cobra.ExactArgs(2),
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
			access, err := e.access(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if !request.IsFor(access.Host) {
				return nil
			}
			return gitcredential.Write(e.out, access.Token.Reveal(), access.Expires)
		},
	}
}
