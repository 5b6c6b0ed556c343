package commands

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/check"
)

func newCheck(e *environment) *cobra.Command {
	o := check.Options{Plugin: e.version}
	var output string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check whether the operator is installed and at work, and what you may do",
		Long: `Check whether the operator is installed and at work, and what you may do: the definitions, the Deployment and its version, the
lease, the operator's and your own permissions in the namespace, and whether the operator reaches the hosts of the resources there.

What you may not look at is called unknown. It exits with 1 if something fails, and reads no Secret.`,
		Args: noName,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := e.connect()
			if err != nil {
				return err
			}
			o.Now = e.now()
			all := check.Run(cmd.Context(), c, o)
			if err := cmd.Context().Err(); err != nil {
				return err // What was not looked at fails nothing.
			}
			if output != "" {
				if err := e.encode(output, map[string]any{"findings": all}); err != nil {
					return err
				}
			} else {
				writeFindings(e.out, all)
			}
			if check.Failed(all) {
				return exit(1)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json or yaml")
	cmd.Flags().BoolVarP(&o.Everywhere, "all-namespaces", "A", false, "look at the resources of all namespaces")
	addOperatorNamespace(cmd, &o.OperatorNamespace)
	return cmd
}

func writeFindings(out io.Writer, all []check.Finding) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, finding := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\n", finding.Verdict, finding.What, finding.Says)
	}
	_ = w.Flush()
}
