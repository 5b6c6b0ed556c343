package commands

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/cluster"
)

// heedTimeout is how long the operator may take to look at a change of the spec, before nothing is deleted: without it
// a resource would be stuck in its deletion.
const heedTimeout = 20 * time.Second

type revokeOptions struct {
	yes     bool
	timeout time.Duration
}

func addRevokeFlags(cmd *cobra.Command, o *revokeOptions) *cobra.Command {
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 2*time.Minute, "how long to wait for GitHub and the operator")
	return cmd
}

func newRevoke(e *environment) *cobra.Command {
	var o revokeOptions
	return addRevokeFlags(oneName(e, &cobra.Command{
		Use:   "revoke NAME",
		Short: "End the tokens of a resource at GitHub, and delete it",
		Long: `End the tokens of a resource at GitHub, and delete it: it is deleted with deletionPolicy Revoke. Its Secret and its outputs go.

Whether GitHub has ended the tokens is told, as far as the events of the resource say so. The App stays authorized at GitHub. To
end that as well, with all tokens that the App has of the account, the account itself revokes it in its settings at GitHub, under
Applications. To log in anew later, use logout.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.revoke(cmd.Context(), args[0], "End the tokens of %s at GitHub, and delete it", o, nil)
		},
	}), &o)
}

func newLogout(e *environment) *cobra.Command {
	var o revokeOptions
	return addRevokeFlags(oneName(e, &cobra.Command{
		Use:   "logout NAME",
		Short: "End the tokens of a resource at GitHub, and keep it, suspended, for the next login",
		Long: `End the tokens of a resource at GitHub, and keep it, suspended, for the next login.

It is deleted with deletionPolicy Revoke, and made anew with the same labels and spec, and suspend: true, so that no code is offered
meanwhile. Its Secret and its outputs go until somebody logs in. To do so:

  kubectl ghut resume NAME
  kubectl ghut login NAME`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.revoke(cmd.Context(), args[0], "End the tokens of %s at GitHub, and suspend it", o, e.makeAnew)
		},
	}), &o)
}

// revoke ends the tokens of a resource by its deletion, and does then what is to follow.
func (e *environment) revoke(ctx context.Context, name, question string, o revokeOptions, then func(context.Context, *cluster.Cluster, *v1alpha1.GitHubUserToken) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("it is not deleted after --timeout, %s; it will be when the operator is done: kubectl ghut status %s", o.timeout, name))
	defer cancel()
	c, err := e.connect()
	if err != nil {
		return err
	}
	token, err := c.Token(ctx, name)
	if err != nil {
		return err
	}
	if !o.yes {
		if err := e.confirm(fmt.Sprintf(question, name), name); err != nil {
			return err
		}
	}
	before := token.DeepCopy()
	if err := e.wantRevocation(ctx, c, token, before); err != nil {
		return err
	}
	if err := c.Delete(ctx, token, client.Preconditions{UID: &before.UID}); err != nil {
		return err
	}
	if err := e.awaitDeletion(ctx, c, before); err != nil {
		return err
	}
	e.tellRevocation(ctx, c, before)
	if then == nil {
		return nil
	}
	return then(ctx, c, before)
}

// confirm has the person type the name.
func (e *environment) confirm(question, name string) error {
	fmt.Fprintf(e.err, "%s? Type its name to go on: ", question)
	answer, _ := bufio.NewReader(e.in).ReadString('\n')
	if strings.TrimSpace(answer) != name {
		return errors.New("nothing was done: the name was not typed. Without a question: --yes")
	}
	return nil
}

// wantRevocation sets deletionPolicy Revoke, and waits until the operator has seen that. If it does not, or the policy of the App
// forbids it, what was before is put back, and nothing is deleted: the tokens would live on.
func (e *environment) wantRevocation(ctx context.Context, c *cluster.Cluster, token, before *v1alpha1.GitHubUserToken) error {
	if token.Spec.DeletionPolicy == v1alpha1.DeletionPolicyRevoke {
		if why := forbidsRevocation(token); why != "" {
			return errors.New(why)
		}
		return nil
	}
	if err := setDeletionPolicy(ctx, c, token, v1alpha1.DeletionPolicyRevoke); err != nil {
		return err
	}
	refused := func(why string) error {
		if err := setDeletionPolicy(ctx, c, token, before.Spec.DeletionPolicy); err != nil {
			return fmt.Errorf("%s. Nothing was deleted, but deletionPolicy is Revoke now: %w", why, err)
		}
		return fmt.Errorf("%s. Nothing was changed", why)
	}
	for began := e.now(); ; {
		next, err := e.lookAgain(ctx, c, token)
		if err != nil {
			return err
		}
		token = next
		if token.Status.ObservedGeneration == token.Generation {
			if why := forbidsRevocation(token); why != "" {
				return refused(why)
			}
			return nil
		}
		if e.now().Sub(began) > heedTimeout {
			return refused("the operator does not look at the resource, and nobody would end its tokens (kubectl ghut check)")
		}
	}
}

// forbidsRevocation says that the policy of the App keeps the tokens from being ended, so that only the Secret would go; empty
// when it does not.
func forbidsRevocation(token *v1alpha1.GitHubUserToken) string {
	stalled := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionStalled)
	if stalled == nil || stalled.Status != metav1.ConditionTrue || stalled.Reason != v1alpha1.ReasonAppPolicyViolated {
		return ""
	}
	return "the policy of the App is violated, so that nobody would end the tokens: " + stalled.Message
}

func setDeletionPolicy(ctx context.Context, c *cluster.Cluster, token *v1alpha1.GitHubUserToken, policy v1alpha1.DeletionPolicy) error {
	var value any = policy
	if policy == "" {
		value = nil
	}
	return patch(ctx, c, token, map[string]any{"spec": map[string]any{"deletionPolicy": value}})
}

// awaitDeletion waits until the resource is gone, or another has taken its name.
func (e *environment) awaitDeletion(ctx context.Context, c *cluster.Cluster, gone *v1alpha1.GitHubUserToken) error {
	begun, hinted := e.now(), false
	for {
		token, err := c.Token(ctx, gone.Name)
		switch {
		case cluster.IsNotFound(err), err == nil && token.UID != gone.UID:
			return nil
		case err != nil:
			return err
		}
		if !hinted && e.now().Sub(begun) > 5*time.Second {
			e.say("Waiting for the operator to end the tokens …")
			hinted = true
		}
		if err := e.sleep(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// tellRevocation says what became of the tokens, as far as events tell.
func (e *environment) tellRevocation(ctx context.Context, c *cluster.Cluster, gone *v1alpha1.GitHubUserToken) {
	var events corev1.EventList
	err := c.List(ctx, &events, client.InNamespace(gone.Namespace), client.MatchingFields{"involvedObject.uid": string(gone.UID), "reason": "RevocationFailed"})
	switch {
	case err != nil:
		e.print("%s is deleted. Whether GitHub has ended its tokens is not known here: %v.", gone.Name, err)
	case len(events.Items) > 0:
		e.print("%s is deleted, but its tokens could not be ended at GitHub: %s", gone.Name, events.Items[len(events.Items)-1].Message)
	default:
		e.print("%s is deleted, and its tokens have ended at GitHub.", gone.Name)
	}
}

// makeAnew makes a resource of the same spec, suspended.
func (e *environment) makeAnew(ctx context.Context, c *cluster.Cluster, gone *v1alpha1.GitHubUserToken) error {
	next := &v1alpha1.GitHubUserToken{
		TypeMeta: gone.TypeMeta,
		ObjectMeta: metav1.ObjectMeta{
			Namespace: gone.Namespace, Name: gone.Name, Labels: gone.Labels, OwnerReferences: gone.OwnerReferences, Annotations: map[string]string{},
		},
		Spec: gone.Spec,
	}
	for name, value := range gone.Annotations {
		if !strings.HasPrefix(name, v1alpha1.GroupVersion.Group+"/") {
			next.Annotations[name] = value
		}
	}
	next.Spec.Suspend = true
	if err := c.Create(ctx, next); err != nil {
		return fmt.Errorf("it could not be made anew, so apply it once more yourself: %w", err)
	}
	e.print("It waits, suspended. To log in again: kubectl ghut resume %[1]s -n %[2]s, and kubectl ghut login %[1]s -n %[2]s", next.Name, next.Namespace)
	return nil
}
