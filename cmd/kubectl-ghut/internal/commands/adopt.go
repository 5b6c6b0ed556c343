package commands

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

func newAdopt(e *environment) *cobra.Command {
	var always bool
	cmd := oneName(e, &cobra.Command{
		Use:   "adopt NAME",
		Short: "Vouch that a pair which was restored from a backup is the current one",
		Long: `Vouch that a pair which was restored from a backup is the current one, where the operator cannot prove it (PairUnproven).

Only if you know that nobody has refreshed the token since the backup: the other cluster is gone, and so is the operator in it.
If you are wrong, GitHub refuses the refresh token, and somebody has to log in again. A pair that is used elsewhere may end there.`,
		RunE: e.steer(func(ctx context.Context, t *task) error {
			authorized := meta.FindStatusCondition(t.token.Status.Conditions, v1alpha1.ConditionAuthorized)
			if !always && (authorized == nil || authorized.Reason != v1alpha1.ReasonPairUnproven) {
				return fmt.Errorf("%s has no pair that is to be vouched for", t.name)
			}
			word := string(t.token.UID)
			if always {
				word = "true"
			}
			if err := t.annotate(ctx, v1alpha1.AnnotationAdopt, word); err != nil {
				return err
			}
			e.print("You have vouched for the pair of %s. The operator takes it up: %s", t.name, t.command("status"))
			return nil
		}),
	})
	cmd.Flags().BoolVar(&always, "always", false, "for this and every later restore")
	return cmd
}
