package commands

import (
	"bytes"
	"cmp"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/report"
)

func newReport(e *environment) *cobra.Command {
	o := report.Options{}
	o.Plugin = e.version
	var path string
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Gather what somebody who helps wants to see, in an archive without any secret",
		Long: `Gather what somebody who helps wants to see, in an archive without any secret: resources, Apps, events, who uses the tokens, the
operator's Deployment and log.

No data of a Secret is read, and whatever could be a token, or a part of one, is taken out of the rest. Names are in it: look
through it before you publish it. What you may not look at is left out, and named in it.`,
		Args: noName,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := e.connect()
			if err != nil {
				return err
			}
			o.Now = e.now()
			var archive bytes.Buffer
			missing, err := report.Collect(cmd.Context(), c, o, &archive)
			if err = cmp.Or(cmd.Context().Err(), err); err != nil { // Half of an archive helps nobody.
				return err
			}
			if path == "" {
				path = "ghut-report-" + o.Now.UTC().Format("20060102T150405Z") + ".tar.gz"
			}
			if err := writeNew(path, archive.Bytes()); err != nil {
				return err
			}
			for _, what := range missing {
				e.say("left out: %s", what)
			}
			e.print("%s", path)
			return nil
		},
	}
	cmd.Flags().StringVarP(&path, "output", "o", "", "the file (default ghut-report-TIME.tar.gz)")
	cmd.Flags().BoolVarP(&o.Everywhere, "all-namespaces", "A", false, "of all namespaces")
	cmd.Flags().Int64Var(&o.Lines, "log-lines", 2000, "lines of each pod of the operator; 0 for none")
	addOperatorNamespace(cmd, &o.OperatorNamespace)
	return cmd
}

// writeNew writes a file that there is not, for its owner.
func writeNew(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	_, err = file.Write(content)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
