package commands

import (
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
		RunE: func(cmd *cobra.Command, args []string) error {
			said := 0
			for _, is := range []bool{until != "", length != 0, release} {
				if is {
					said++
				}
			}
			if said != 1 {
				return errors.New("say one of --for, --until and --release")
			}
			c, err := e.connect()
			if err != nil {
				return err
			}
			token, err := c.Token(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if release {
				if err := annotate(cmd.Context(), c, token, v1alpha1.AnnotationHoldUntil, nil); err != nil {
					return err
				}
				e.print("%s is refreshed when it is due.", token.Name)
				return nil
			}
			end := e.now().Add(length)
			if until != "" {
				if end, err = time.Parse(time.RFC3339, until); err != nil {
					return fmt.Errorf("--until %s is no time such as 2027-02-03T16:00:00Z", until)
				}
			}
			if !end.After(e.now()) {
				return errors.New("that time is over already")
			}
			if err := annotate(cmd.Context(), c, token, v1alpha1.AnnotationHoldUntil, end.UTC().Format(time.RFC3339)); err != nil {
				return err
			}
			e.print("No refresh of %s before %s.", token.Name, standing.When(end, e.now()))
			if expires := token.Status.AccessTokenExpirationTime; expires != nil && end.After(expires.Time) {
				e.say("The token expires at %s, so it is refreshed shortly before that all the same.", standing.When(expires.Time, e.now()))
			}
			return nil
		},
	})
	cmd.Flags().DurationVar(&length, "for", 0, "for how long, such as 2h")
	cmd.Flags().StringVar(&until, "until", "", "until when (RFC 3339)")
	cmd.Flags().BoolVar(&release, "release", false, "end the hold")
	return cmd
}
