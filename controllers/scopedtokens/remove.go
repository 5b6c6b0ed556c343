package scopedtokens

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs"
)

// deletionTime is for how long a resource that is being deleted is kept for the sake of its scoped tokens: as long as for its pair.
const deletionTime = 2 * time.Minute

// lackingTime is for how long it is kept where the App's client secret is gone, as with the namespace: nobody puts that back.
const lackingTime = 15 * time.Second

// isDeleting reports whether the resource is being deleted.
func (w *work) isDeleting() bool { return !w.token.DeletionTimestamp.IsZero() }

// Remove removes all outputs of a resource that is being deleted, whatever its deletion policy, and before that ends the scoped tokens in
// them: nobody keeps those any more, and another one can be made. It returns when to come back; zero when all are removed. What could not be ended in
// time is told by an event. An error means that outputs could not be looked up, or must be removed before the resource goes and could not.
func (k *Keeper) Remove(ctx context.Context, token *v1alpha1.GitHubUserToken) (again time.Duration, err error) {
	if k.runner.Busy(token.UID) {
		return time.Second, nil // It may be about to write one.
	}
	found, err := k.options.Outputs.Find(ctx, token)
	if err != nil {
		return 0, err
	}
	asked := token.DeepCopy()
	asked.Spec.SetOutputs(nil) // None is asked for any more.
	left := slices.DeleteFunc(k.scoped(asked, found), func(o output) bool { return k.isGone(token, found[o.name]) })
	if len(left) == 0 {
		k.tellGone(token)
		return 0, k.options.Outputs.Remove(ctx, token)
	}
	now := k.options.Clock.Now()
	tried, over := false, token.DeletionTimestamp.Add(deletionTime) // The API server's clock may be another: there is a try, however late it seems to be.
	k.notes.Peek(token.UID, func(n *notes) {
		if tried = n.tried; n.lacking {
			over = token.DeletionTimestamp.Add(lackingTime)
		}
	})
	if tried && !now.Before(over) {
		for _, o := range left {
			if err := k.options.Outputs.Let(ctx, token, found[o.name]); err != nil {
				return letPause, nil //nolint:nilerr // it is tried again, for as long as the resource is there
			}
		}
		k.giveUp(asked, left)
		return 0, k.options.Outputs.Remove(ctx, token)
	}
	app, err := k.options.App(ctx, token)
	if err != nil {
		return 0, err
	}
	pause := time.Second
	if at := k.endAgain(token, left, now); at.After(now) {
		return max(min(at.Sub(now), over.Sub(now)), 0) + time.Millisecond, nil
	}
	if err := k.start(&work{token: asked, app: app, outputs: left}, found); err == nil {
		pause = time.Minute // Its end has the resource reconciled before.
		k.notes.With(token.UID, func(n *notes) { n.tried = true })
	}
	return pause, nil
}

// letPause is between two tries to have outputs go whose tokens could not be ended.
const letPause = 5 * time.Second

// Gone lets outputs go whose resource does not exist any more: its finalizer should have kept it until their tokens had ended, and somebody
// took that off by force. Nobody can tell any more of which App they are. before is what has failed before, with which an error is joined.
func (k *Keeper) Gone(ctx context.Context, name types.NamespacedName, before error) error {
	held, err := k.options.Outputs.HeldOf(ctx, name)
	if err != nil || len(held) == 0 {
		return errors.Join(before, err)
	}
	var token v1alpha1.GitHubUserToken
	if err := k.options.Live.Get(ctx, name, &token); !apierrors.IsNotFound(err) {
		return errors.Join(before, err) // What becomes of them is for the resource of that name now.
	}
	token.Namespace, token.Name = name.Namespace, name.Name
	for _, meta := range held {
		if !outputs.IsOutputOf(&token, meta) {
			continue
		}
		if err := k.options.Outputs.Let(ctx, &token, meta); err != nil && !outputs.IsOutdated(err) {
			before = errors.Join(before, fmt.Errorf("let output %s go: %w", meta.Name, err))
			continue
		}
		revocations.WithLabelValues(resultGivenUp).Inc()
	}
	return before
}

// isGone reports whether this process has removed an output that is in the cache still.
func (k *Keeper) isGone(token *v1alpha1.GitHubUserToken, meta *metav1.ObjectMeta) bool {
	gone := false
	k.notes.Peek(token.UID, func(n *notes) { gone = slices.Contains(n.removed, meta.UID) })
	return gone
}

// endAgain is when the next try to end a token is; not after now when one may be made.
func (k *Keeper) endAgain(token *v1alpha1.GitHubUserToken, left []output, now time.Time) (at time.Time) {
	mono := k.options.Clock.Monotonic()
	k.notes.Peek(token.UID, func(n *notes) {
		for _, o := range left {
			known := n.byName[o.name]
			if known == nil || known.endAgain.HasCome(mono) {
				at = now
				return
			}
			if next := known.endAgain.At(now, mono); at.IsZero() || next.Before(at) {
				at = next
			}
		}
	})
	return at
}

// giveUp tells of tokens that live on after their resource.
func (k *Keeper) giveUp(token *v1alpha1.GitHubUserToken, left []output) {
	why := "GitHub could not be asked in time."
	k.notes.Peek(token.UID, func(n *notes) {
		for _, o := range left {
			if known := n.byName[o.name]; known != nil && known.ending != nil {
				why = known.ending.Message
			}
		}
	})
	k.tellGivenUp(token, len(left), why)
}

// tellGone tells of tokens whose Secrets went before the operator could end them: Kubernetes removes them itself when the resource is deleted
// in the foreground, or with its namespace.
func (k *Keeper) tellGone(token *v1alpha1.GitHubUserToken) {
	count := 0
	k.notes.Peek(token.UID, func(n *notes) {
		if !n.tried {
			count = len(n.tokens)
		}
		n.tokens = nil
	})
	if count > 0 {
		k.tellGivenUp(token, count, "their Secrets were removed before the operator could read the tokens, as by a deletion in the foreground or of the namespace.")
	}
}

func (k *Keeper) tellGivenUp(token *v1alpha1.GitHubUserToken, count int, why string) {
	for range count {
		revocations.WithLabelValues(resultGivenUp).Inc()
	}
	if k.options.Events != nil {
		k.options.Events.Eventf(token, nil, eventWarning, EventScopedTokenNotRevoked, "Scope",
			"The scoped tokens of %d outputs were not revoked at GitHub: %s They work until they expire. To end them now, the account's owner can revoke the App in the settings of the account, under Applications.", count, why)
	}
}
