package handoff

import (
	"context"
	"slices"
	"sync"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// EventTargetMissing is the reason of the event about a workload that does not exist. It is no condition:
// GitOps may well apply the workload after the token that it needs.
const EventTargetMissing = "HandoffTargetMissing"

// carryOut does what a plan says, all of it beside each other, and remembers what came of it.
func (h *Handoff) carryOut(log logr.Logger, token *v1alpha1.GitHubUserToken, pair *rotation.Pair, plan plan) {
	if h.options.OutputsPending(token.UID) {
		plan.restart = false // A workload that is restarted before its output is written would keep the old token.
	}
	ctx, cancel := h.options.Clock.WithTimeout(context.Background(), timeout)
	defer cancel()
	announced := announcement{NameOf(&pair.State), h.options.LateOutputs(token)}
	var podsErr, restartErr, permissionErr error
	var missing []string
	var group sync.WaitGroup
	if plan.pods {
		group.Go(func() {
			podsErr = h.pods.notify(ctx, token.Namespace, written(token, pair, announced.late), announced)
		})
	}
	if plan.restart {
		group.Go(func() { missing, restartErr = h.restarts.all(ctx, token, announced) })
	}
	if plan.permissions {
		group.Go(func() { permissionErr = h.permitted(ctx, token) })
	}
	group.Wait()
	for _, workload := range missing {
		h.options.Recorder.Eventf(token, nil, corev1.EventTypeWarning, EventTargetMissing, "HandOver",
			"spec.handoff.restart names %s, which does not exist, so it was not restarted.", workload)
	}
	err := worst(podsErr, restartErr, permissionErr)
	if err != nil {
		log.Info("Not every workload was notified of the new token; it is tried again", "why", err.Error())
	}
	now, mono := h.options.Clock.Now(), h.options.Clock.Monotonic()
	h.notes.With(token.UID, func(n *note) {
		if plan.pods && podsErr == nil {
			n.notified = announced
		}
		if plan.restart && restartErr == nil {
			n.restarted = announced
		}
		if plan.permissions && permissionErr == nil {
			n.permitted = token.Generation
		}
		n.trouble = n.trouble.then(err, now, mono)
		n.tried = token.Generation
	})
}

// written are the Secrets that hold the token: the pair, and the outputs that are not late.
func written(token *v1alpha1.GitHubUserToken, pair *rotation.Pair, late []string) []string {
	secrets := []string{pair.Ref.Name}
	for _, output := range token.AllOutputs() {
		if !slices.Contains(late, output.Name) {
			secrets = append(secrets, output.Name)
		}
	}
	return secrets
}
