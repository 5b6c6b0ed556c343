package handoff

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/fair"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// timeout bounds how long one handoff may take. What was not done by then is done by a later one.
const timeout = 10 * time.Second

// errTimedOut: the handoff ended before it came to this.
var errTimedOut = fmt.Errorf("not done within %s", timeout)

// Client writes to pods and workloads, and asks for permissions. It must send no name that leads to another
// namespace.
type Client interface {
	Create(ctx context.Context, object client.Object, options ...client.CreateOption) error
	Patch(ctx context.Context, object client.Object, patch client.Patch, options ...client.PatchOption) error
}

// Recorder records events; see events.EventRecorder of client-go.
type Recorder interface {
	Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any)
}

// Options are what a Handoff needs. All but Namespaces are required.
type Options struct {
	Client Client
	Clock  rotation.Clock
	// Memory gets one slot for what is remembered of handoffs.
	Memory *memory.Store
	// Start starts what Sync has found left to do for a resource, beside the caller and at most one piece at a time. The
	// end of the work must have the resource reconciled again.
	Start    func(token *v1alpha1.GitHubUserToken, work func()) error
	Recorder Recorder
	// LateOutputs are the names of the outputs that could not be written and still hold the token before, sorted.
	LateOutputs func(token *v1alpha1.GitHubUserToken) []string
	// OutputsPending reports whether an output is late for a reason that may pass in a moment.
	OutputsPending func(uid types.UID) bool
	// Namespaces are those that are watched; empty means all.
	Namespaces []string
}

// Handoff is safe for concurrent use. Make it with New. A nil Handoff is that of an operator without
// --enable-handoff.
type Handoff struct {
	options     Options
	notes       memory.Slot[note]
	pods        *podNotifier
	restarts    *restarter
	permissions *permissions
}

// New makes a Handoff, and has the manager run its cache of pods on the leader. It is called while the operator
// is set up, once for each memory.Store.
func New(mgr Manager, options Options) (*Handoff, error) {
	caches, err := newPodCaches(mgr, options.Clock, options.Namespaces)
	if err != nil {
		return nil, err
	}
	return assemble(options, caches), nil
}

func assemble(options Options, caches map[string]*podCache) *Handoff {
	asked, patches := &permissions{client: options.Client}, fair.NewSemaphore(maxPatches)
	return &Handoff{
		options: options, notes: memory.NewSlot[note](options.Memory), permissions: asked,
		pods:     newPodNotifier(options.Client, options.Clock, asked, caches, patches),
		restarts: newRestarter(options.Client, options.Clock, asked, patches),
	}
}

// HandOver notifies the workloads of a pair whose Secrets have just been written. It is part of the work of the
// rotation, so that one report covers all of it, and returns after ten seconds at most. What could not be done
// is remembered, and Sync reports and completes it.
func (h *Handoff) HandOver(log logr.Logger, token *v1alpha1.GitHubUserToken, pair *rotation.Pair) {
	if h == nil || !isWanted(token) || pair == nil || !pair.State.HasToken() {
		return
	}
	h.carryOut(log, token, pair, plan{
		pods: token.Spec.Handoff.Pods == v1alpha1.PodHandoffSync,
		// Most workloads are applied with their resource and wait for its first token. Those that hold one of a
		// former resource of this name are left to whoever has replaced it: nothing tells them from the others.
		restart: len(token.Spec.Handoff.Restart) > 0 && pair.State.Revision > 1,
	})
}

// isWanted reports whether a resource asks for a handoff at all.
func isWanted(token *v1alpha1.GitHubUserToken) bool {
	spec := token.Spec.Handoff
	return spec != nil && (spec.Pods == v1alpha1.PodHandoffSync || len(spec.Restart) > 0)
}

// permitted returns what the operator may not do that a handoff of this resource needs; nil when it may do all.
func (h *Handoff) permitted(ctx context.Context, token *v1alpha1.GitHubUserToken) error {
	var errs []error
	if token.Spec.Handoff.Pods == v1alpha1.PodHandoffSync {
		errs = append(errs, h.pods.listable(ctx, token.Namespace), h.permissions.mayPatch(ctx, podsResource, token.Namespace))
	}
	asked := map[string]bool{}
	for _, reference := range token.Spec.Handoff.Restart {
		resource, err := checkReference(reference)
		errs = append(errs, err)
		if (err == nil || errors.Is(err, errInvalidName)) && !asked[reference.Kind] {
			asked[reference.Kind] = true
			errs = append(errs, h.permissions.mayPatch(ctx, resource.GroupResource(), token.Namespace))
		}
	}
	return worst(errs...)
}
