package commands

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/standing"
)

func newSuspend(e *environment) *cobra.Command {
	return oneName(e, &cobra.Command{
		Use:   "suspend NAME",
		Short: "Stop all refreshes of a resource until it is resumed",
		Long: `Stop all refreshes of a resource until it is resumed (spec.suspend). The Secret stays as it is, even after the token has expired.
Where Git or another tool has the resource, change it there, or this is undone.`,
		RunE: e.steer(func(ctx context.Context, t *task) error {
			was, err := t.setSuspend(ctx, true)
			if err != nil {
				return err
			}
			what := "is suspended"
			if was {
				what = "was suspended already"
			}
			means := "Its token is not replaced any more, until"
			if !standing.HasToken(t.token) {
				means = "It has no token yet, and nobody can log in for one. To go on"
			}
			e.print("%s %s. %s: %s", t.name, what, means, t.command("resume"))
			return nil
		}),
	})
}

func newResume(e *environment) *cobra.Command {
	return oneName(e, &cobra.Command{
		Use:   "resume NAME",
		Short: "Let a suspended resource be refreshed again",
		Long: `Let a suspended resource be refreshed again (spec.suspend). What is due is refreshed at once. What was put off by hold stays so: that
is ended by hold --release.`,
		RunE: e.steer(func(ctx context.Context, t *task) error {
			was, err := t.setSuspend(ctx, false)
			if err != nil {
				return err
			}
			what := "was not suspended"
			if was {
				what = "is not suspended any more"
			}
			e.print("%s %s. %s", t.name, what, standing.Outlook(t.token, e.now()))
			return nil
		}),
	})
}

// setSuspend suspends the resource or resumes it, and reports whether it was suspended before.
func (t *task) setSuspend(ctx context.Context, suspend bool) (was bool, err error) {
	was = t.token.Spec.Suspend
	if was == suspend {
		return was, nil
	}
	return was, t.patch(ctx, map[string]any{"spec": map[string]any{"suspend": suspend}})
}
