package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/lifecycle"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// reporter is the Reconciler as lifecycle.Reporter.
type reporter struct{ *Reconciler }

var _ lifecycle.Reporter = reporter{}

// reported is what is remembered of a status that was written and is not in the cache yet.
type reported struct {
	version string
	// hash is of the status that was sent, and stored of what the API server has made of it.
	hash, stored uint64
	standing     standing
	// refused is the hash of a status that the API server has refused as invalid, and instead of the one that it has taken
	// in its place; zero when none was.
	refused, instead uint64
	// told is why no status at all was taken, as the last event says; empty once one is taken.
	told string
}

// Report implements lifecycle.Reporter: it brings metadata, outputs and workloads into line with the pair, and
// writes the status.
func (r reporter) Report(ctx context.Context, s *scope.Scope, decision rotation.Decision, result lifecycle.Result) (time.Time, error) {
	if result.Problem != nil && result.Problem.AppRefused {
		r.appSource.Doubt(s.Token)
	}
	if s.Pair != nil {
		s.Advice = r.tokens.Advice(types.UID(s.Pair.UID))
	}
	// Of a resource that is being deleted nothing is brought into line any more.
	if result.Problem != nil && (result.Problem.Reason == v1alpha1.ReasonCommitting || !s.Token.DeletionTimestamp.IsZero()) {
		wait, err := r.writeStatus(ctx, s.Token, statusOf(s, decision, result, nil, nil))
		return after(s.Now, wait), err
	}
	defer r.forgetContests(s.Token.UID)
	var failed error // It is told, and the caller tries again.
	var metadata *problem.Problem
	var metadataAt time.Time
	if decision.Problem == nil || decision.Problem.Reason != v1alpha1.ReasonStateFormatTooNew {
		if metadata, metadataAt, failed = r.syncMetadata(ctx, s); failed != nil {
			metadata = unsynced("The labels and annotations of the pair Secret could not be brought into line", failed)
		}
	}
	var output *problem.Problem
	var outputAt time.Time
	readers := *s.ForReaders()
	permitted, err := r.apps.Permitted(ctx, s.Token, s.App, chainOf(&readers))
	if err == nil {
		readers.Token = permitted // What its App forbids is removed.
		output, outputAt, err = r.scoped.Sync(ctx, &readers)
	}
	if err != nil {
		output, failed = unsynced("The outputs could not be brought into line", err), errors.Join(failed, err)
	}
	handedOver := r.handoff.Sync(logr.FromContextOrDiscard(ctx), &readers)
	alternate := r.alternates.Sync(ctx, s)
	finalizer, finalizerAt := r.finalizerProblem(s)
	aside := problem.First(asideOf(s.App.Problem), metadata, s.RestoreBlocked, s.MoveBlocked, finalizer, output, alternate, handedOver.Problem, s.Unheld, s.Unswept)
	wait := s.AwaitsUser
	if wait == 0 || result.Problem != nil || aside != nil {
		wait, err = r.writeStatus(ctx, s.Token, statusOf(s, decision, result, aside, &handedOver))
	}
	return backoff.Earliest(metadataAt, finalizerAt, outputAt, retryAt(alternate), handedOver.RequeueAt, after(s.Now, wait)), errors.Join(failed, err)
}

// unsynced is the problem of what could not be brought into line, and holds up no exchange.
func unsynced(what string, err error) *problem.Problem {
	return &problem.Problem{Reason: v1alpha1.ReasonAPIServerUnavailable, Message: what + ": " + words.Of(err) + ". It is tried again.", Aside: true}
}

// ReportUnknown implements lifecycle.Reporter. What the status tells stays, but for a token that has expired meanwhile.
func (r reporter) ReportUnknown(ctx context.Context, token *v1alpha1.GitHubUserToken, p *problem.Problem) error {
	_, err := r.writeStatus(ctx, token, statusUnknown(token, p, r.Clock.Now()))
	return err
}

// ReportReleased implements lifecycle.Reporter. Its pair is not the resource's own any more, and no code of it is asked about.
func (r reporter) ReportReleased(ctx context.Context, token *v1alpha1.GitHubUserToken) (time.Duration, error) {
	s := &scope.Scope{Token: token, Owner: scope.OwnerOf(token), Now: r.Clock.Now()}
	defer r.forgetContests(token.UID)
	return r.writeStatus(ctx, token, statusOf(s, rotation.Decision{}, lifecycle.Result{}, nil, nil))
}

// chainOf is the App that the stored chain is of; empty when there is none.
func chainOf(s *scope.Scope) string {
	if state := s.Stored(); state != nil {
		return state.App
	}
	return ""
}

// asideOf is a problem that holds up no exchange yet, as no exchange is due.
func asideOf(p *problem.Problem) *problem.Problem {
	if p == nil {
		return nil
	}
	aside := *p
	aside.Aside = true
	return &aside
}

func retryAt(p *problem.Problem) time.Time {
	if p == nil {
		return time.Time{}
	}
	return p.RetryAt
}

// after is a time from now on; zero for none.
func after(now time.Time, wait time.Duration) time.Time {
	if wait <= 0 {
		return time.Time{}
	}
	return now.Add(wait)
}

// writeStatus writes the status in one patch, if it differs from what stands there, and makes events of the
// transitions. A status that was written and is not in the cache yet is not written again, and what it told is
// not told again by the next one. One that somebody else has written in its place again and again is left for a while:
// wait is until when.
func (r *Reconciler) writeStatus(ctx context.Context, token *v1alpha1.GitHubUserToken, status *v1alpha1.GitHubUserTokenStatus) (wait time.Duration, err error) {
	if equality.Semantic.DeepEqual(&token.Status, status) {
		return 0, nil
	}
	hash, timeless := hashOf(status), timelessHashOf(status)
	stood, written, edited := standingOf(&token.Status), false, false
	r.reports.Peek(token.UID, func(last *reported) {
		order, err := resourceversion.CompareResourceVersion(token.ResourceVersion, last.version)
		if err == nil && order < 0 {
			stood, written = last.standing, last.hash == hash
		}
		edited = err == nil && order > 0 && last.stored != hashOf(&token.Status)
		written = written || last.refused == timeless && last.instead == timelessHashOf(&token.Status)
	})
	if written {
		return 0, nil
	}
	if edited {
		if wait = r.statusWait(ctx, token, timeless); wait > 0 {
			return wait, nil
		}
	}
	after, refused, err := r.patchStatus(ctx, token, status)
	known := false
	r.reports.With(token.UID, func(last *reported) {
		known = last.refused == timeless
		if err == nil {
			*last = reported{version: after.ResourceVersion, hash: hash, stored: hashOf(&after.Status), standing: standingOf(status)}
		}
		if refused != nil {
			last.refused, last.instead = timeless, timelessHashOf(&after.Status)
		}
	})
	if refused != nil && !known {
		logRefused(ctx, refused)
	}
	if err != nil {
		r.tellRefused(token, err)
		return 0, client.IgnoreNotFound(fmt.Errorf("write the status: %w", err))
	}
	r.announce(token, stood, status)
	return 0, nil
}

func hashOf(status *v1alpha1.GitHubUserTokenStatus) uint64 {
	text, err := json.Marshal(status)
	if err != nil {
		return 0
	}
	hash := fnv.New64a()
	_, _ = hash.Write(text)
	return hash.Sum64()
}

// Starting implements lifecycle.Reporter.
func (r reporter) Starting(log logr.Logger, _ *v1alpha1.GitHubUserToken, job rotation.Job) {
	log.V(1).Info("Asking GitHub for tokens", "cause", job.Decision.Cause, "spends", job.Decision.Spends.Short())
}

// Stored implements lifecycle.Reporter: the outputs are written from the pair in hand, and then the workloads are
// notified. That GitHub has given a pair out proves the App.
func (r reporter) Stored(log logr.Logger, token *v1alpha1.GitHubUserToken, pair *rotation.Pair, replayed bool) {
	r.Limiter.Succeeded(pair.State.App)
	ctx := logr.NewContext(context.Background(), log)
	token, pair = r.lifecycle.ReadersOf(ctx, token, pair)
	app, err := r.apps.App(ctx, token)
	if err == nil {
		token, err = r.apps.Permitted(ctx, token, app, pair.State.App)
	}
	if err != nil {
		log.Error(err, "The outputs are written later: it is not known which the App allows")
		return
	}
	r.scoped.Publish(ctx, token, app, pair)
	if !replayed {
		r.handoff.HandOver(log, token, pair)
	}
}

// Observed implements lifecycle.Reporter.
func (reporter) Observed(result rotation.Result) { observe(result) }

// CommitRetried implements lifecycle.Reporter.
func (reporter) CommitRetried() { commitRetries.Inc() }

// RemoveOutputs implements lifecycle.Reporter.
func (r reporter) RemoveOutputs(ctx context.Context, token *v1alpha1.GitHubUserToken) (again time.Duration, err error) {
	return r.scoped.Remove(ctx, token)
}

// IsOutput implements lifecycle.Reporter.
func (r reporter) IsOutput(ctx context.Context, token *v1alpha1.GitHubUserToken, ref rotation.Ref) bool {
	meta, err := cachedSecret(ctx, r.Client, types.NamespacedName(ref))
	if meta == nil || err != nil {
		return false
	}
	controller := metav1.GetControllerOfNoCopy(meta)
	return controller != nil && controller.UID == token.UID && outputs.IsOutputOf(token, &meta.ObjectMeta)
}

// Eventf implements lifecycle.Reporter.
func (r reporter) Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any) {
	r.Recorder.Eventf(regarding, related, eventtype, reason, action, note, args...)
}

// Panicked implements lifecycle.Reporter.
func (reporter) Panicked(types.UID) { exchangePanics.Inc() }
