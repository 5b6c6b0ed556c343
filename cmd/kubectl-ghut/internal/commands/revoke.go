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
	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/cluster"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/standing"
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
		RunE: e.steer(func(ctx context.Context, t *task) error {
			return t.revoke(ctx, "End the tokens of %s at GitHub, and delete it", o, nil)
		}),
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
		RunE: e.steer(func(ctx context.Context, t *task) error {
			return t.revoke(ctx, "End the tokens of %s at GitHub, and suspend it", o, nextOf(t.token))
		}),
	}), &o)
}

// revoke ends the tokens of the resource by its deletion, and makes another one in its place then, if there is to be one.
func (t *task) revoke(ctx context.Context, question string, o revokeOptions, next *v1alpha1.GitHubUserToken) error {
	if !o.yes {
		if err := t.confirm(ctx, fmt.Sprintf(question, t.name)); err != nil {
			return err
		}
	}
	before := t.token.DeepCopy()
	err := t.within(ctx, o.timeout, func(ctx context.Context) error { return t.deleteRevoked(ctx, before, next) })
	if err != nil || next == nil {
		return err
	}
	return t.makeAnew(ctx, next)
}

// confirm has the person type the name.
func (t *task) confirm(ctx context.Context, question string) error {
	fmt.Fprintf(t.err, "%s? Type its name to go on: ", question)
	typed := make(chan string, 1)
	go func() { // Which ends with the process: nothing but an end of the input wakes it.
		answer, _ := bufio.NewReader(t.in).ReadString('\n')
		typed <- strings.TrimSpace(answer)
	}()
	select {
	case <-ctx.Done():
		t.say("")
		return context.Cause(ctx)
	case answer := <-typed:
		if answer != t.name {
			return errors.New("nothing was done: the name was not typed. Without a question: --yes")
		}
		return nil
	}
}

// deleteRevoked deletes the resource so that its tokens end at GitHub, and waits until it is gone. next is what is to be made in its place.
func (t *task) deleteRevoked(ctx context.Context, before, next *v1alpha1.GitHubUserToken) error {
	if err := t.wantRevocation(ctx, before); err != nil {
		return err
	}
	t.stands = "It is to be deleted, and goes when the operator has ended its tokens, without this command. To see: " + t.command("status")
	if next != nil {
		t.stands += "\n" + byHand("It is not made anew by that.", next)
	}
	if err := t.Delete(ctx, t.token, client.Preconditions{UID: &before.UID}); err != nil {
		if cluster.IsUnanswered(err) {
			return fmt.Errorf("%w: %w", errUnanswered, err)
		}
		return err
	}
	if err := t.awaitDeletion(ctx, before); err != nil {
		return err
	}
	t.tellRevocation(ctx, before)
	return nil
}

// wantRevocation sets deletionPolicy Revoke, and waits until the operator has seen that. If it does not, or the policy of the App
// forbids it, or the command is ended meanwhile, what was before is put back, and nothing is deleted: the tokens would live on.
func (t *task) wantRevocation(ctx context.Context, before *v1alpha1.GitHubUserToken) error {
	if before.Spec.DeletionPolicy == v1alpha1.DeletionPolicyRevoke {
		if why := forbidsRevocation(t.token); why != "" {
			return errors.New(why)
		}
		return nil
	}
	stands := t.stands
	err := t.setDeletionPolicy(ctx, v1alpha1.DeletionPolicyRevoke)
	if cluster.IsFinal(err) {
		return err
	}
	if err == nil {
		err = t.awaitHeed(ctx)
	}
	if err == nil {
		return nil
	}
	undone, cancel := detached(ctx)
	defer cancel()
	t.stands = stands
	if failed := t.setDeletionPolicy(undone, before.Spec.DeletionPolicy); failed != nil {
		t.stands = fmt.Sprintf("Nothing was deleted, but its deletionPolicy may be Revoke now, and could not be put back: %v. To see: kubectl -n %s get ghut %s -o jsonpath='{.spec.deletionPolicy}'", failed, t.Namespace, t.name)
	}
	if _, isHeed := errors.AsType[*unheededError](err); isHeed && t.stands == stands {
		return fmt.Errorf("%w. Nothing was changed", err)
	} else if isHeed {
		return fmt.Errorf("%w. %s", err, t.stands)
	}
	return err
}

// unheededError says why nobody would end the tokens of a resource that is deleted.
type unheededError struct{ why string }

func (e *unheededError) Error() string { return e.why }

// awaitHeed waits until the operator has looked at the spec, and would end the tokens.
func (t *task) awaitHeed(ctx context.Context) error {
	for began := t.now(); ; {
		if err := t.lookAgain(ctx); err != nil {
			return err
		}
		if t.token.Status.ObservedGeneration == t.token.Generation {
			if why := forbidsRevocation(t.token); why != "" {
				return &unheededError{why}
			}
			return nil
		}
		if t.now().Sub(began) > heedTimeout {
			return &unheededError{"the operator does not look at the resource, and nobody would end its tokens (kubectl ghut check)"}
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

func (t *task) setDeletionPolicy(ctx context.Context, policy v1alpha1.DeletionPolicy) error {
	var value any = policy
	if policy == "" {
		value = nil
	}
	return t.patch(ctx, map[string]any{"spec": map[string]any{"deletionPolicy": value}})
}

// awaitDeletion waits until the resource is gone, or another has taken its name.
func (t *task) awaitDeletion(ctx context.Context, gone *v1alpha1.GitHubUserToken) error {
	begun, hinted := t.now(), false
	for {
		token, err := t.Token(ctx, gone.Name)
		switch {
		case cluster.IsNotFound(err), err == nil && token.UID != gone.UID:
			return nil
		case err != nil && (cluster.IsFinal(err) || ctx.Err() != nil):
			return err
		}
		if !hinted && t.now().Sub(begun) > 5*time.Second {
			t.say("Waiting for the operator to end the tokens …")
			hinted = true
		}
		if err := t.sleep(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// tellRevocation says what became of the tokens, as far as events tell.
func (t *task) tellRevocation(ctx context.Context, gone *v1alpha1.GitHubUserToken) {
	var events corev1.EventList
	err := t.List(ctx, &events, client.InNamespace(gone.Namespace), client.MatchingFields{"involvedObject.uid": string(gone.UID), "reason": "RevocationFailed"})
	switch {
	case err != nil:
		t.print("%s is deleted. Whether GitHub has ended its tokens is not known here: %v.", gone.Name, err)
	case len(events.Items) > 0:
		t.print("%s is deleted, but its tokens could not be ended at GitHub: %s", gone.Name, events.Items[len(events.Items)-1].Message)
	case !standing.HasToken(gone):
		t.print("%s is deleted. It had no token.", gone.Name)
	default:
		t.print("%s is deleted, and its tokens have ended at GitHub.", gone.Name)
	}
}

// nextOf is a resource of the same spec, suspended.
func nextOf(gone *v1alpha1.GitHubUserToken) *v1alpha1.GitHubUserToken {
	next := &v1alpha1.GitHubUserToken{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "GitHubUserToken"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: gone.Namespace, Name: gone.Name, Labels: gone.Labels, OwnerReferences: gone.OwnerReferences, Annotations: map[string]string{},
		},
		Spec: *gone.Spec.DeepCopy(),
	}
	for name, value := range gone.Annotations {
		if !strings.HasPrefix(name, v1alpha1.GroupVersion.Group+"/") {
			next.Annotations[name] = value
		}
	}
	next.Spec.Suspend = true
	return next
}

// makeAnew makes it. This is one write, and made also when the command was ended meanwhile: the resource is gone.
func (t *task) makeAnew(ctx context.Context, next *v1alpha1.GitHubUserToken) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	if err := t.Create(ctx, next.DeepCopy()); err != nil {
		return fmt.Errorf("%w. %s", err, byHand("It could not be made anew.", next))
	}
	login := t.command("login")
	if ref := next.Spec.RefreshTokenRef; ref != nil && !standing.CanLogIn(next) {
		login = "put the refresh token of a new login into the Secret " + ref.Name
	}
	t.print("%s was made anew, and is suspended. To log in again: %s, and %s", next.Name, t.command("resume"), login)
	return nil
}

// byHand says how to make a resource anew that is gone: its spec stands nowhere else, unless Git or another tool has it.
func byHand(why string, next *v1alpha1.GitHubUserToken) string {
	text, err := yaml.Marshal(next)
	if err != nil {
		return why + " Apply it once more yourself."
	}
	return fmt.Sprintf("%s To have it again, suspended, once it is gone:\n\nkubectl create -f - <<'END'\n%sEND", why, text)
}
