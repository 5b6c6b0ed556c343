package commands

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
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
		RunE: e.steer(func(ctx context.Context, t *task) error {
			if t.token.Spec.Suspend {
				return &exitError{2, fmt.Errorf("%s is suspended, and nothing is refreshed: %s", t.name, t.command("resume"))}
			}
			before := t.token.DeepCopy()
			if err := t.askForRefresh(ctx); err != nil {
				return err
			}
			if !wait {
				e.print("Asked for a refresh of %s. To see what comes of it: %s", t.name, t.command("status"))
				return nil
			}
			t.stands = "The refresh is asked for, and the operator makes it without this command. To see what comes of it: " + t.command("status")
			return t.within(ctx, timeout, func(ctx context.Context) error { return t.awaitRefresh(ctx, before) })
		}),
	})
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until the new token is stored")
	cmd.Flags().DurationVar(&timeout, "timeout", 2*time.Minute, "with --wait: for how long")
	return cmd
}

// awaitRefresh waits until another pair than before is stored, or somebody is needed.
func (t *task) awaitRefresh(ctx context.Context, before *v1alpha1.GitHubUserToken) error {
	begun, hinted := t.now(), false
	for {
		if err := t.lookAgain(ctx); err != nil {
			return err
		}
		if isNewer(before, t.token) {
			if expires := t.token.Status.AccessTokenExpirationTime; expires != nil {
				t.print("%s has a new token. It works until %s.", t.name, standing.When(expires.Time, t.now()))
			} else {
				t.print("%s has a new token.", t.name)
			}
			return nil
		}
		// What the status has said before says nothing about this request, until the operator has had a moment.
		if stopped := whyStopped(t.token); stopped != "" && t.now().Sub(begun) > 5*time.Second {
			return t.failed(standing.Plain(stopped) + " What to do: " + t.command("status"))
		}
		if !hinted && t.now().Sub(begun) > silentAfter {
			t.say("There is no new token yet. Is the operator at work? kubectl ghut check")
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
