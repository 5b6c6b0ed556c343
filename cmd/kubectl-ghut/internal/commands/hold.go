package commands

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/standing"
)

func newHold(e *environment) *cobra.Command {
	var until string
	var length time.Duration
	var release bool
	cmd := oneName(e, &cobra.Command{
		Use:   "hold NAME (--for DURATION | --until TIME | --release)",
		Short: "Put the next refresh off, so that the token of now is not replaced while something long uses it",
		Long: `Put the next refresh off, so that the token of now is not replaced while something long uses it.

It is put off at most until a sixteenth of the token's lifetime before it expires: a token is never lost for it. What is not
due yet is not refreshed earlier or later than without.`,
		Example: "  kubectl ghut hold octocat -n team-a --for 2h",
		PreRunE: func(*cobra.Command, []string) error {
			said := 0
			for _, is := range []bool{until != "", length != 0, release} {
				if is {
					said++
				}
			}
			if said != 1 {
				return errors.New("say one of --for, --until and --release, such as: kubectl ghut hold octocat -n team-a --for 2h")
			}
			return nil
		},
		RunE: e.steer(func(ctx context.Context, t *task) error {
			if release {
				return t.release(ctx)
			}
			end := e.now().Add(length)
			if until != "" {
				var err error
				if end, err = time.Parse(time.RFC3339, until); err != nil {
					return fmt.Errorf("--until %s is no time such as 2027-02-03T16:00:00Z", until)
				}
			}
			if !end.After(e.now()) {
				return errors.New("that time is over already")
			}
			return t.hold(ctx, end)
		}),
	})
	cmd.Flags().DurationVar(&length, "for", 0, "for how long, such as 2h")
	cmd.Flags().StringVar(&until, "until", "", "until when (RFC 3339)")
	cmd.Flags().BoolVar(&release, "release", false, "end the hold")
	return cmd
}

// hold puts the next refresh off.
func (t *task) hold(ctx context.Context, end time.Time) error {
	if err := t.annotate(ctx, v1alpha1.AnnotationHoldUntil, end.UTC().Format(time.RFC3339)); err != nil {
		return err
	}
	t.print("No refresh of %s before %s.", t.name, standing.When(end, t.now()))
	switch expires := t.token.Status.AccessTokenExpirationTime; {
	case t.token.Spec.Suspend:
		t.say("It is suspended, so that nothing is refreshed after that either: %s", t.command("resume"))
	case !standing.HasToken(t.token):
		t.say("It has no token yet. The first one comes with a login, whatever is put off.")
	case expires == nil:
		t.say("Its token does not expire, so nothing was to be refreshed.")
	case end.After(expires.Time):
		t.say("The token expires at %s, so it is refreshed shortly before that all the same.", standing.When(expires.Time, t.now()))
	}
	return nil
}

// release ends a hold.
func (t *task) release(ctx context.Context) error {
	what := "is not held any more"
	if standing.Held(t.token, t.now()).IsZero() {
		what = "was not held"
	}
	if err := t.annotate(ctx, v1alpha1.AnnotationHoldUntil, nil); err != nil {
		return err
	}
	next := standing.Outlook(t.token, t.now())
	if t.token.Spec.Suspend {
		next = "It is suspended, so that nothing is refreshed: " + t.command("resume")
	}
	t.print("%s %s. %s", t.name, what, next)
	return nil
}
