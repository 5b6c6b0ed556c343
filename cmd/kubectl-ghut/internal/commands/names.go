package commands

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// oneName has a command take the name of a resource, which the shell completes.
func oneName(e *environment, cmd *cobra.Command) *cobra.Command {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("name one resource: kubectl ghut %s NAME; kubectl ghut status lists those of the namespace", cmd.Name())
		}
		return nil
	}
	cmd.ValidArgsFunction = e.completeName
	return cmd
}

// completeName lists the resources of the namespace for a shell.
func (e *environment) completeName(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	c, err := e.connect()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var tokens v1alpha1.GitHubUserTokenList
	if err := c.List(cmd.Context(), &tokens, client.InNamespace(c.Namespace)); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for i := range tokens.Items {
		if strings.HasPrefix(tokens.Items[i].Name, begun) {
			names = append(names, tokens.Items[i].Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
