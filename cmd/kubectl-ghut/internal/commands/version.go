package commands

import (
	"runtime"

	"github.com/spf13/cobra"

	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/installation"
)

// versions are what the command tells.
type versions struct {
	Plugin     string                `json:"plugin"`
	Go         string                `json:"go"`
	Kubernetes string                `json:"kubernetes,omitempty"`
	Operator   []installation.Deploy `json:"operator,omitempty"`
	// Unknown says what could not be found out, and why.
	Unknown []string `json:"unknown,omitempty"`
}

func newVersion(e *environment) *cobra.Command {
	var clientOnly bool
	var output string
	var where string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the versions of the plugin, of the operator and of Kubernetes",
		Args:  noName,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := versions{Plugin: e.version, Go: runtime.Version()}
			if !clientOnly {
				c, err := e.connect()
				if err != nil {
					return err
				}
				if v.Kubernetes, err = c.Version(cmd.Context()); err != nil {
					v.Unknown = append(v.Unknown, err.Error())
				}
				if v.Operator, err = installation.Find(cmd.Context(), c, where); err != nil {
					v.Unknown = append(v.Unknown, "the operator: "+err.Error())
				}
			}
			if output != "" {
				return e.encode(output, v)
			}
			e.print("kubectl ghut  %s", v.Plugin)
			for _, d := range v.Operator {
				e.print("operator      %s (%s, deployment %s in %s)", d.Version, d.Image, d.Name, d.Namespace)
			}
			if v.Kubernetes != "" {
				e.print("Kubernetes    %s", v.Kubernetes)
			}
			for _, unknown := range v.Unknown {
				e.say("not known: %s", unknown)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&clientOnly, "client", false, "ask no cluster")
	cmd.Flags().StringVarP(&output, "output", "o", "", "json or yaml")
	addOperatorNamespace(cmd, &where)
	return cmd
}

// addOperatorNamespace adds the flag that says where the operator is.
func addOperatorNamespace(cmd *cobra.Command, where *string) {
	cmd.Flags().StringVar(where, "operator-namespace", "", "namespace of the operator; by default it is looked for in all of them, or else in "+installation.DefaultNamespace)
}
