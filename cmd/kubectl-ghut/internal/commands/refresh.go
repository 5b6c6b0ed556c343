package commands

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/cluster"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/standing"
)

func newRefresh(e *environment) *cobra.Command {
	var wait bool
	var timeout time.Duration
	cmd := oneName(e, &cobra.Command{
		Use:   "refresh NAME",
		Short: "Exchange the token for a new one now",
		Long: `Exchange the token for a new one now. The token of before ends at once, whatever uses it. Without a usable refresh token
the operator offers another code to log in with.

With --wait the command returns when the new token is stored, and exits as status does when there will be none.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := e.connect()
			if err != nil {
				return err
			}
			token, err := c.Token(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if token.Spec.Suspend {
				return &exitError{2, fmt.Errorf("%s is suspended, and nothing is refreshed: kubectl ghut resume %s -n %s", token.Name, token.Name, token.Namespace)}
			}
			before := token.DeepCopy()
			if err := e.askForRefresh(cmd.Context(), c, token); err != nil {
				return err
			}
			if !wait {
				e.print("Asked for a refresh of %s.", token.Name)
				return nil
			}
			ctx, cancel := context.WithTimeoutCause(cmd.Context(), timeout, fmt.Errorf("no new token within --timeout, %s: kubectl ghut status %s -n %s", timeout, token.Name, token.Namespace))
			defer cancel()
			return e.awaitRefresh(ctx, c, before, token)
		},
	})
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until the new token is stored")
	cmd.Flags().DurationVar(&timeout, "timeout", 2*time.Minute, "with --wait: for how long")
	return cmd
}

// awaitRefresh waits until another pair than before is stored, or somebody is needed.
func (e *environment) awaitRefresh(ctx context.Context, c *cluster.Cluster, before, token *v1alpha1.GitHubUserToken) error {
	begun, hinted := e.now(), false
	for {
		var err error
		if token, err = e.lookAgain(ctx, c, token); err != nil {
			return err
		}
		if isNewer(before, token) {
			if expires := token.Status.AccessTokenExpirationTime; expires != nil {
				e.print("%s has a new token. It works until %s.", token.Name, standing.When(expires.Time, e.now()))
			} else {
				e.print("%s has a new token.", token.Name)
			}
			return nil
		}
		// What the status has said before says nothing about this request, until the operator has had a moment.
		if stopped := whyStopped(token); stopped != "" && e.now().Sub(begun) > 5*time.Second {
			return &exitError{failCode(token, e.now()), errors.New(stopped)}
		}
		if !hinted && e.now().Sub(begun) > silentAfter {
			e.say("There is no new token yet. Is the operator at work? kubectl ghut check")
			hinted = true
		}
	}
}

// isNewer reports whether another pair is stored than before.
func isNewer(before, now *v1alpha1.GitHubUserToken) bool {
	if !meta.IsStatusConditionTrue(now.Status.Conditions, v1alpha1.ConditionReady) || now.Status.LastRefreshTime == nil {
		return false
	}
	return before.Status.LastRefreshTime == nil || before.Status.RefreshCount != now.Status.RefreshCount ||
		now.Status.LastRefreshTime.After(before.Status.LastRefreshTime.Time)
}

// whyStopped says why there will be no token without somebody's doing; empty when there may be.
func whyStopped(token *v1alpha1.GitHubUserToken) string {
	authorized := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionAuthorized)
	if authorized != nil && authorized.Status == metav1.ConditionFalse {
		return authorized.Message
	}
	if stalled := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionStalled); stalled != nil && stalled.Status == metav1.ConditionTrue {
		return stalled.Message
	}
	return ""
}
