package controllers

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// handoffTimeout bounds how long a flight is busy with telling workloads of a new token. What was not done
// by then is done by a later one.
const handoffTimeout = 10 * time.Second

// handoff tells workloads of new tokens, for the resources that ask for it. It exists only when the operator
// was started with --enable-handoff, as it needs a cache of pods and permissions of its own.
type handoff struct {
	clock       rotation.Clock
	pods        *podSync
	restarts    *restarts
	permissions *permissions

	mu    sync.Mutex
	byUID map[types.UID]*handoffMemory
}

// handoffMemory is what is remembered of one resource.
type handoffMemory struct {
	// synced and restarted are what pods and workloads were last told.
	synced, restarted word
	// late are the outputs that could not be written when last looked at, and caughtUp is when one of them was.
	late     []string
	caughtUp time.Time
	// permitted is the generation of the spec for which the permissions were found sufficient.
	permitted int64
	// tried is the generation of the spec that was last carried out.
	tried int64
	// trouble says why that is incomplete.
	trouble *handoffTrouble
}

// handoffTrouble is why some workloads could not be told.
type handoffTrouble struct {
	reason  string
	message string
	// stalled says that somebody must change something.
	stalled bool
	tries   int
	next    time.Duration
}

func newHandoff(mgr manager.Manager, writer client.Client, options Options) (*handoff, error) {
	asked := &permissions{client: writer}
	pods, err := newPodSync(mgr, writer, asked, options)
	if err != nil {
		return nil, err
	}
	return &handoff{
		clock: options.Clock, pods: pods, restarts: newRestarts(writer, asked), permissions: asked,
		byUID: map[types.UID]*handoffMemory{},
	}, nil
}

// handoffName names a token in the annotations of workloads: by the time at which it was asked for. A
// workload that has been told of it already is not changed by being told again, after a crash.
func handoffName(state *rotation.State) string {
	return handoffTime(state).UTC().Format(metav1.RFC3339Micro)
}

func handoffTime(state *rotation.State) *metav1.MicroTime {
	return &metav1.MicroTime{Time: state.IssuedAt.UTC().Truncate(time.Microsecond)}
}

// handoffPlan is what is left to do.
type handoffPlan struct {
	// pods and restart: tell pods, restart workloads.
	pods, restart bool
	// permissions: find out whether the next handoff will be allowed, so that a lack shows before it matters.
	permissions bool
}

func (p handoffPlan) empty() bool { return !p.pods && !p.restart && !p.permissions }

// wantsHandoff says whether a resource asks for a handoff at all.
func wantsHandoff(token *v1alpha1.GitHubUserToken) bool {
	spec := token.Spec.Handoff
	return spec != nil && (spec.Pods == v1alpha1.PodHandoffSync || len(spec.Restart) > 0)
}

// handOver tells the workloads of a pair whose Secrets have just been written. It is part of the flight of
// the rotation, so that one report covers all of it.
func (r *Reconciler) handOver(log logr.Logger, token *v1alpha1.GitHubUserToken, pair *rotation.Pair) {
	if r.handoff == nil || !wantsHandoff(token) || pair == nil || !pair.State.HasToken() {
		return
	}
	r.carryOver(log, token, pair, handoffPlan{
		pods: token.Spec.Handoff.Pods == v1alpha1.PodHandoffSync,
		// Most workloads are applied with their resource and wait for its first token. Those that hold one of a
		// former resource of this name are left to whoever has replaced it: nothing tells them from the others.
		restart: len(token.Spec.Handoff.Restart) > 0 && pair.State.Revision > 1,
	})
}

// carryOver carries out a plan and remembers what came of it.
func (r *Reconciler) carryOver(log logr.Logger, token *v1alpha1.GitHubUserToken, pair *rotation.Pair, plan handoffPlan) {
	if r.outputs.transient(token.UID) {
		plan.restart = false // A workload that is restarted before its output is written would keep the old token.
	}
	ctx, cancel := context.WithTimeout(context.Background(), handoffTimeout)
	defer cancel()
	say := word{handoffName(&pair.State), r.outputs.late(token)}
	var podsErr, restartErr, permissionErr error
	var missing []string
	var group sync.WaitGroup
	if plan.pods {
		secrets := []string{pair.Ref.Name}
		for _, output := range token.Spec.Outputs {
			if !slices.Contains(say.without, output.Name) {
				secrets = append(secrets, output.Name)
			}
		}
		group.Go(func() { podsErr = r.handoff.pods.sync(ctx, token.Namespace, secrets, say) })
	}
	if plan.restart {
		group.Go(func() { missing, restartErr = r.handoff.restarts.all(ctx, token, say.String()) })
	}
	if plan.permissions {
		group.Go(func() { permissionErr = r.handoff.permitted(ctx, token) })
	}
	group.Wait()
	for _, workload := range missing {
		r.Recorder.Eventf(token, nil, corev1.EventTypeWarning, eventHandoffTargetMissing, "HandOver",
			"There is no %s to restart; spec.handoff.restart names it.", workload)
	}
	err := firstOf([]error{podsErr, restartErr, permissionErr})
	if err != nil {
		log.Info("Not every workload could be told of the new token; it is tried again", "why", err.Error())
	}
	r.handoff.remember(token.UID, func(remembered *handoffMemory) {
		if plan.pods && podsErr == nil {
			remembered.synced = say
		}
		if plan.restart && restartErr == nil {
			remembered.restarted = say
		}
		if plan.permissions && permissionErr == nil {
			remembered.permitted = token.Generation
		}
		remembered.blame(r.Clock, err)
		remembered.tried = token.Generation
	})
}

// eventHandoffTargetMissing is the reason of the event about a workload that does not exist. It is no
// condition: GitOps may well apply the workload after the token that it needs.
const eventHandoffTargetMissing = "HandoffTargetMissing"

// blame remembers why a handoff is incomplete, and when to try again: later each time. nil ends it.
func (m *handoffMemory) blame(clock rotation.Clock, err error) {
	if err == nil {
		m.trouble = nil
		return
	}
	trouble := &handoffTrouble{
		reason: v1alpha1.ReasonHandoffIncomplete, message: "Not every workload could be told of the new token: " + err.Error() + ".",
	}
	var forbidden *handoffForbiddenError
	if errors.As(err, &forbidden) {
		trouble.reason, trouble.stalled = v1alpha1.ReasonHandoffForbidden, true
		trouble.message = sentence(forbidden.Error()) + " Install config/components/handoff, which binds the ClusterRole github-user-token-operator-handoff, or in a namespaced install its Role in this namespace. The token itself is refreshed."
	}
	var name *workloadNameError
	if errors.As(err, &name) {
		trouble.stalled, trouble.message = true, sentence(name.Error())+" Correct it. The token itself is refreshed."
	}
	if m.trouble != nil && m.trouble.reason == trouble.reason {
		trouble.tries = m.trouble.tries
	}
	trouble.next = clock.Monotonic() + min(2*time.Second<<min(trouble.tries, 10), maxBackoff)
	trouble.tries++
	m.trouble = trouble
}

// tendHandoff completes what a crash, a lack of permission or a passing failure has left undone, in a flight
// of its own. What is amiss becomes part of the view.
func (r *Reconciler) tendHandoff(log logr.Logger, v *view) {
	state := v.stored()
	if !wantsHandoff(v.token) {
		v.handoff = &handoffReport{}
		r.handoff.forget(v.token.UID)
		return
	}
	if r.handoff == nil {
		v.setAside(&obstacle{
			reason: v1alpha1.ReasonHandoffDisabled, stalled: true,
			message: "spec.handoff has no effect: the operator runs without --enable-handoff. Its administrator turns that on with config/components/handoff. The token itself is refreshed.",
		}, time.Time{})
		return
	}
	if state == nil || !state.HasToken() || state.Owner != string(v.token.UID) {
		return
	}
	plan, trouble := r.handoff.plan(v.token, state, r.outputs.late(v.token), v.now)
	if trouble != nil {
		found := &obstacle{reason: trouble.reason, message: trouble.message, stalled: trouble.stalled}
		next := v.now.Add(max(0, trouble.next-r.Clock.Monotonic()))
		if !found.stalled {
			found.next = next
		}
		v.setAside(found, next)
		if next.After(v.now) {
			plan = handoffPlan{}
		}
	}
	if plan.restart && r.outputs.transient(v.token.UID) {
		plan.restart = false // It follows when the outputs are written, which is being retried.
	}
	if !plan.empty() {
		token, pair := v.token.DeepCopy(), v.pair.Clone()
		if err := r.Flights.Start(token.UID, func() { r.carryOver(log, token, pair, plan) }); err != nil {
			v.asideNext = v.now.Add(time.Second)
		}
	}
	v.handoff = &handoffReport{lastHandoff: v.token.Status.LastHandoffTime}
	switch {
	case len(v.token.Spec.Handoff.Restart) == 0:
		v.handoff.lastHandoff = nil
	case r.handoff.hasRestarted(v.token.UID, state):
		v.handoff.lastHandoff = handoffTime(state)
	}
}

// handoffReport is what the status says of the handoff.
type handoffReport struct{ lastHandoff *metav1.MicroTime }

// setAside adds trouble that stands in the way of no exchange. What was found first is told.
func (v *view) setAside(found *obstacle, next time.Time) {
	if v.aside == nil || (found.stalled && !v.aside.stalled) {
		v.aside = found
	}
	if v.asideNext.IsZero() || (!next.IsZero() && next.Before(v.asideNext)) {
		v.asideNext = next
	}
}

// plan is what is left to do for a resource, of whose outputs some are late.
func (h *handoff) plan(token *v1alpha1.GitHubUserToken, state *rotation.State, late []string, now time.Time) (plan handoffPlan, trouble *handoffTrouble) {
	next := word{handoffName(state), late}
	h.remember(token.UID, func(remembered *handoffMemory) {
		remembered.synced.keep(token.Spec.Outputs)
		remembered.restarted.keep(token.Spec.Outputs)
		if haveCaughtUp(remembered.late, late) {
			remembered.caughtUp = now
		}
		remembered.late = late
		plan.permissions = remembered.permitted != token.Generation
		// The kubelet refreshes volumes by itself in time, so pods are told while that can still take a while.
		recent := now.Sub(state.IssuedAt) < kubeletPeriod || now.Sub(remembered.caughtUp) < kubeletPeriod
		plan.pods = token.Spec.Handoff.Pods == v1alpha1.PodHandoffSync && recent && !remembered.synced.covers(next)
		if len(token.Spec.Handoff.Restart) > 0 && !remembered.restarted.covers(next) {
			last := token.Status.LastHandoffTime
			// A handoff that was asked for just now is about the tokens to come.
			if remembered.restarted.token != next.token && (state.Revision <= 1 || last == nil || last.Equal(handoffTime(state))) {
				remembered.restarted = word{token: next.token}
			} else {
				plan.restart = true
			}
		}
		if plan.empty() || remembered.tried != token.Generation {
			remembered.trouble = nil
		}
		if remembered.trouble != nil {
			trouble = new(*remembered.trouble)
		}
	})
	return plan, trouble
}

// hasRestarted says whether the workloads know the token, whichever output they read.
func (h *handoff) hasRestarted(uid types.UID, state *rotation.State) (restarted bool) {
	h.remember(uid, func(remembered *handoffMemory) { restarted = remembered.restarted.whole(handoffName(state)) })
	return restarted
}

// remember runs a function on the memory of a resource, under the lock.
func (h *handoff) remember(uid types.UID, use func(*handoffMemory)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.byUID[uid] == nil {
		h.byUID[uid] = &handoffMemory{}
	}
	use(h.byUID[uid])
}

// forget drops what is remembered of a resource. Without a handoff there is nothing.
func (h *handoff) forget(uid types.UID) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.byUID, uid)
}
