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
		switch len(args) {
		case 0:
			return fmt.Errorf("the name of the resource is missing, such as: %s. kubectl ghut status lists those of the namespace", example(cmd))
		case 1:
			return nil
		default:
			return tooMany(cmd, "one name", args[1:])
		}
	}
	cmd.ValidArgsFunction = e.completeName
	return cmd
}

// maybeName has a command take the name of a resource, or none.
func maybeName(e *environment, cmd *cobra.Command) *cobra.Command {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return tooMany(cmd, "one name at most", args[1:])
		}
		return nil
	}
	cmd.ValidArgsFunction = e.completeName
	return cmd
}

// noName has a command take nothing but flags.
func noName(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no name and no other argument, and there is: %s. Its flags: %s --help", cmd.Name(), strings.Join(args, " "), cmd.CommandPath())
	}
	return nil
}

func tooMany(cmd *cobra.Command, takes string, more []string) error {
	return fmt.Errorf("%s takes %s, such as: %s. This is too much: %s", cmd.Name(), takes, example(cmd), strings.Join(more, " "))
}

// example is how a command with a name may be typed.
func example(cmd *cobra.Command) string {
	if cmd.Example != "" {
		return strings.TrimSpace(cmd.Example)
	}
	return cmd.CommandPath() + " octocat -n team-a"
}

// noCommand says that there is no such command, and which was meant, perhaps.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	meant := ""
	if cmd.SuggestionsMinimumDistance == 0 {
		cmd.SuggestionsMinimumDistance = 2
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		meant = fmt.Sprintf(" Perhaps: %s %s.", cmd.CommandPath(), near[0])
	}
	return fmt.Errorf("there is no command %q.%s All commands: %s --help", args[0], meant, cmd.CommandPath())
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
