package commands

import (
	"github.com/spf13/cobra"
)

// completeScript is what kubectl runs to complete the words behind "kubectl ghut": an executable file kubectl_complete-ghut in
// the PATH. kubectl hands the words on, as cobra wants them.
const completeScript = `#!/usr/bin/env sh
# kubectl runs this to complete "kubectl ghut". Keep it in the PATH as kubectl_complete-ghut.
exec kubectl-ghut __complete "$@"
`

// addCompletion gives the root the command that prints scripts for shells, and the one for kubectl.
func addCompletion(e *environment, root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		cmd.AddCommand(&cobra.Command{
			Use:   "kubectl",
			Short: "Print the script by which kubectl completes kubectl ghut",
			Long: `Print the script by which kubectl completes "kubectl ghut", in every shell that completes kubectl itself:

  kubectl ghut completion kubectl >/usr/local/bin/kubectl_complete-ghut
  chmod +x /usr/local/bin/kubectl_complete-ghut`,
			Args: noName,
			RunE: func(*cobra.Command, []string) error {
				_, err := e.out.Write([]byte(completeScript))
				return err
			},
		})
	}
}
