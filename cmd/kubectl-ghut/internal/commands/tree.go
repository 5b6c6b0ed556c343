package commands

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/standing"
)

func newTree(e *environment) *cobra.Command {
	var all bool
	cmd := maybeName(e, &cobra.Command{
		Use:   "tree [NAME]",
		Short: "Show what hangs together: Apps, resources, Secrets, and the pods that use them",
		Long: `Show what hangs together: Apps, the resources that use them, the Secrets that these fill, and the pods that use these Secrets. It
reads no Secret.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			name := ""
			if len(args) == 1 {
				name = args[0]
			}
			c, err := e.connect()
			if err != nil {
				return err
			}
			standings, err := e.standings(cmd.Context(), c, name, all && name == "")
			if err != nil {
				return err
			}
			if len(standings) == 0 {
				e.none(c.Namespace, all && name == "")
			}
			e.tree(standings)
			return nil
		},
	})
	cmd.Flags().BoolVarP(&all, "all-namespaces", "A", false, "of all namespaces")
	return cmd
}

// branch is a line of the tree, and what hangs below it.
type branch struct {
	text  string
	below []*branch
}

func (b *branch) add(format string, args ...any) *branch {
	next := &branch{text: fmt.Sprintf(format, args...)}
	b.below = append(b.below, next)
	return next
}

func (e *environment) tree(all []*standing.Standing) {
	root := &branch{}
	apps := map[string]*branch{}
	for _, s := range all {
		app := "App " + s.App
		if s.Host != "" {
			app += " at " + s.Host
		}
		if apps[app] == nil {
			apps[app] = root.add("%s", app)
		}
		who := ""
		if s.Account != nil {
			who = ", account " + s.Account.Login
		}
		resource := apps[app].add("GitHubUserToken %s/%s: %s%s", s.Namespace, s.Name, s.State, who)
		secrets := []*branch{resource.add("Secret %s (the pair)", s.Secret)}
		names := []string{s.Secret}
		for _, output := range s.Outputs {
			secrets = append(secrets, resource.add("Secret %s (%s)", output.Name, output))
			names = append(names, output.Name)
		}
		if s.ConsumersUnknown != "" {
			resource.add("pods are not known: %s", s.ConsumersUnknown)
		}
		for i, secret := range secrets {
			addConsumers(secret, names[i], s.Consumers)
		}
	}
	for _, app := range root.below {
		e.print("%s", app.text)
		e.branches(app.below, "")
	}
}

// addConsumers hangs the pods that use a Secret below it.
func addConsumers(secret *branch, name string, consumers []standing.Consumer) {
	for _, consumer := range consumers {
		for _, used := range consumer.Secrets {
			if used != name {
				continue
			}
			of := ""
			if consumer.Workload != "" {
				of = " of " + consumer.Workload
			}
			secret.add("Pod %s%s, newest token: %s", consumer.Pod, of, consumer.Newest)
		}
	}
}

func (e *environment) branches(all []*branch, indent string) {
	for i, b := range all {
		stem, next := "├── ", "│   "
		if i == len(all)-1 {
			stem, next = "└── ", "    "
		}
		e.print("%s%s%s", indent, stem, b.text)
		e.branches(b.below, indent+next)
	}
}
