package commands

import (
	"github.com/spf13/cobra"
)

func newSuspend(e *environment) *cobra.Command {
	return oneName(e, &cobra.Command{
		Use:   "suspend NAME",
		Short: "Stop all refreshes of a resource until it is resumed",
		Long: `Stop all refreshes of a resource until it is resumed (spec.suspend). The Secret stays as it is, even after the token has expired.
Where Git or another tool has the resource, change it there, or this is undone.`,
		RunE: e.setSuspend(true, "%s is suspended. Its token is not replaced any more."),
	})
}

func newResume(e *environment) *cobra.Command {
	return oneName(e, &cobra.Command{
		Use:   "resume NAME",
		Short: "Let a suspended resource be refreshed again",
		Long:  "Let a suspended resource be refreshed again (spec.suspend). What is due is refreshed at once.",
		RunE:  e.setSuspend(false, "%s is refreshed again."),
	})
}

func (e *environment) setSuspend(suspend bool, text string) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := e.connect()
		if err != nil {
			return err
		}
		token, err := c.Token(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if token.Spec.Suspend != suspend {
			if err := patch(cmd.Context(), c, token, map[string]any{"spec": map[string]any{"suspend": suspend}}); err != nil {
				return err
			}
		}
		e.print(text, token.Name)
		return nil
	}
}
