package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// contests are about what the operator writes to objects of a resource beside tokens, and somebody else changes back: a
// policy that strips labels, a tool that replaces the whole object by what it has read. Each is bounded and told of.
// Those over outputs are in the package outputs.
type contests struct {
	// metadata is about that of the pair Secret, status about the resource's status, finalizer about the resource's.
	metadata, status, finalizer backoff.Contest
	// finalizerDue is when the finalizer is put back, by the monotonic clock; in the past when nothing waits.
	finalizerDue time.Duration
	// finalizerPutOff reports that the finalizer was not put back by the reconcile that has looked last, until that reports.
	finalizerPutOff bool
	// statusTold reports that the contest over the status was told of; the status cannot tell of it.
	statusTold bool
}

const (
	// finalizerPause is the longest pause before a finalizer is put back: without it a deletion loses a pair.
	finalizerPause = 10 * time.Second
	// eventStatusContested is the reason of the event about a status that somebody else writes.
	eventStatusContested = "StatusContested"
	// theFinalizer is what that of a resource is put right to: always the same.
	theFinalizer = 1
)

// finalizerIsContested remembers that somebody has taken the finalizer off a resource.
func (r *Reconciler) finalizerIsContested(uid types.UID) { r.contests.With(uid, func(*contests) {}) }

// mayHold reports whether the finalizer may be put on a resource now. Only one that was taken off ever has to wait.
func (r *Reconciler) mayHold(uid types.UID) bool {
	mono, wait := r.Clock.Monotonic(), time.Duration(0)
	r.contests.Peek(uid, func(c *contests) {
		wait = c.finalizer.Wait(theFinalizer, mono, finalizerPause)
		c.finalizerDue, c.finalizerPutOff = mono+wait, wait > 0
	})
	return wait == 0
}

// held counts that the finalizer was put on a resource. One that was not, because the resource had changed meanwhile, is no
// round of a contest.
func (r *Reconciler) held(uid types.UID) {
	mono := r.Clock.Monotonic()
	r.contests.Peek(uid, func(c *contests) { c.finalizer.Round(theFinalizer, mono) })
}

// finalizerProblem is what is told of the contest over the finalizer of a resource, nil when nothing is, and when to look
// again: at once where it was put off and its wait has passed since, for no event tells of that.
func (r *Reconciler) finalizerProblem(s *scope.Scope) (found *problem.Problem, lookAt time.Time) {
	mono := r.Clock.Monotonic()
	r.contests.Peek(s.Token.UID, func(c *contests) {
		wait, tell, putOff := max(0, c.finalizerDue-mono), c.finalizer.TellFor(mono), c.finalizerPutOff
		c.finalizerPutOff = false
		if wait == 0 && tell == 0 && !putOff {
			return
		}
		found = &problem.Problem{
			Reason: v1alpha1.ReasonContested, Aside: true,
			Message: fmt.Sprintf("Somebody else takes the operator's finalizer off this resource each time it is put back: %d times within minutes. Have that stopped: without the finalizer spec.deletionPolicy is not carried out. The operator puts it back later each time.", c.finalizer.Rounds),
		}
		if lookAt = s.Now.Add(max(wait, tell)); wait > 0 || putOff {
			lookAt = s.Now.Add(wait)
			found.RetryAt = lookAt
		}
	})
	return found, lookAt
}

// metadataWait is how long the metadata of a pair Secret is left as it was found; zero when it is to be put right now.
func (r *Reconciler) metadataWait(s *scope.Scope, wanted uint64, change map[string]any) (wait time.Duration) {
	mono, longest := r.Clock.Monotonic(), backoff.ContestPause
	if change["finalizers"] != nil {
		longest = finalizerPause
	}
	r.contests.Peek(s.Token.UID, func(c *contests) { wait = c.metadata.Wait(wanted, mono, longest) })
	return wait
}

// metadataRight counts that the metadata of a pair Secret was put right.
func (r *Reconciler) metadataRight(s *scope.Scope, wanted uint64) {
	mono := r.Clock.Monotonic()
	r.contests.With(s.Token.UID, func(c *contests) { c.metadata.Round(wanted, mono) })
}

// metadataProblem is what is told of the contest over the metadata of a pair Secret, nil when nothing is, and when to look
// at it again. wait is how long it is left as it is; zero when it is as it should be.
func (r *Reconciler) metadataProblem(s *scope.Scope, wait time.Duration) (found *problem.Problem, lookAt time.Time) {
	mono := r.Clock.Monotonic()
	r.contests.Peek(s.Token.UID, func(c *contests) {
		tell := c.metadata.TellFor(mono)
		if wait == 0 && tell == 0 {
			return
		}
		found = &problem.Problem{
			Reason: v1alpha1.ReasonContested, Aside: true,
			Message: fmt.Sprintf("Somebody else changes the labels, annotations or finalizers of Secret %q each time the operator has put them right: %d times within minutes. Have that leave the Secret alone. The operator puts them right later each time; the token itself is refreshed.",
				s.Ref.Name, c.metadata.Rounds),
		}
		if lookAt = s.Now.Add(max(wait, tell)); wait > 0 {
			lookAt = s.Now.Add(wait)
			found.RetryAt = lookAt
		}
	})
	return found, lookAt
}

// statusWait is called when somebody else has written the status, and returns for how long it is left as it is. What is
// news is written at once.
func (r *Reconciler) statusWait(ctx context.Context, token *v1alpha1.GitHubUserToken, wanted uint64) (wait time.Duration) {
	mono, tell := r.Clock.Monotonic(), false
	r.contests.With(token.UID, func(c *contests) {
		if wait = c.status.Wait(wanted, mono, backoff.ContestPause); wait == 0 {
			c.status.Round(wanted, mono)
			c.statusTold = c.statusTold && c.status.Rounds > 1
			return
		}
		tell, c.statusTold = !c.statusTold, true
	})
	if tell {
		logf.FromContext(ctx).Info("Somebody else writes the status of a resource each time it is put right; it is put right later each time")
		r.Recorder.Eventf(token, nil, corev1.EventTypeWarning, eventStatusContested, "Report",
			"Somebody else writes the status of this resource each time the operator has put it right. Have that stopped; until then the status may be wrong for minutes.")
	}
	return wait
}

// forgetContests forgets what is over.
func (r *Reconciler) forgetContests(uid types.UID) {
	mono := r.Clock.Monotonic()
	r.contests.DropIf(uid, func(c *contests) bool {
		return c.metadata.IsOver(mono) && c.status.IsOver(mono) && c.finalizer.IsOver(mono)
	})
}

// hashOfMetadata names labels and annotations.
func hashOfMetadata(labels, annotations map[string]string) uint64 {
	text, err := json.Marshal([]map[string]string{labels, annotations})
	if err != nil {
		return 0 // Maps of texts can always be marshalled.
	}
	hash := fnv.New64a()
	_, _ = hash.Write(text)
	return hash.Sum64()
}
