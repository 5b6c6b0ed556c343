package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-logr/logr"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// launch begins an exchange as a flight of its own, when everything that can be checked without touching
// the token allows it.
func (r *Reconciler) launch(ctx context.Context, v *view, decision rotation.Decision) (*obstacle, error) {
	if stop := r.checkHost(v); stop != nil {
		return stop, nil
	}
	if stop := checkRoom(v); stop != nil {
		return stop, nil
	}
	job := rotation.Job{
		Owner: v.owner, Ref: v.ref, App: appOf(v.token), Policy: v.input.Policy,
		RefreshRequestedAt: v.input.RefreshRequestedAt, User: pinOf(v.token), Pair: v.pair, Decision: decision,
		Labels: v.token.Spec.Secret.Labels, Annotations: extraAnnotations(v.token.Spec.Secret),
	}
	if decision.Action == rotation.ActionImport {
		if stop, err := r.prepareImport(ctx, v, &job); stop != nil || err != nil {
			return stop, err
		}
	}
	secret, stop, err := r.seeds.clientSecret(ctx, v.token)
	if stop != nil || err != nil {
		return stop, err
	}
	job.App.ClientSecret = secret
	return r.takeOff(ctx, v, job)
}

// takeOff begins the flight, when the rate limit and the number of flights allow it.
func (r *Reconciler) takeOff(ctx context.Context, v *view, job rotation.Job) (*obstacle, error) {
	uid := v.token.UID
	// Who has no token yet waits from the beginning: a time that does not change, so that looking again does
	// not cost the place in the queue.
	expiry := v.token.CreationTimestamp.Time
	if v.pair != nil && v.pair.State.Expires() {
		expiry = v.pair.State.ExpiresAt
	}
	if r.Flights.Full() {
		return &obstacle{reason: v1alpha1.ReasonExchanging, message: "Waiting for other exchanges to end.", next: v.now.Add(time.Second)}, nil
	}
	if ok, estimate := r.Limiter.Acquire(job.App.Key(), ratelimit.Request{ID: string(uid), Namespace: v.token.Namespace, Expiry: expiry}); !ok {
		return &obstacle{
			reason:  v1alpha1.ReasonRateLimited,
			message: "The App's limit of token requests is used up; those whose tokens expire first go first.", next: estimate,
		}, nil
	}
	log := logf.FromContext(ctx)
	generation := v.token.Generation
	err := r.Flights.Start(uid, func() { r.fly(log, v.token, generation, job) })
	switch {
	case errors.Is(err, ErrDraining):
		return &obstacle{reason: v1alpha1.ReasonExchanging, message: "The operator is shutting down; the next one goes on."}, nil
	case errors.Is(err, ErrFull):
		return &obstacle{reason: v1alpha1.ReasonExchanging, message: "Waiting for other exchanges to end.", next: v.now.Add(time.Second)}, nil
	default:
		return nil, nil
	}
}

// fly is the flight: it rotates and remembers what came of it. The landing has the resource reconciled again.
func (r *Reconciler) fly(log logr.Logger, token *v1alpha1.GitHubUserToken, generation int64, job rotation.Job) {
	defer r.recoverFlight(log, token, generation, job)
	result := r.Rotator.Rotate(context.Background(), job)
	r.landed(log, token, generation, job, result)
	if result.Outcome == rotation.Committed {
		r.publish(log, token, result.Pair)
		r.handOver(log, token, result.Pair)
	}
}

// recoverFlight turns a panic into a failure of one resource. The intent and the outbox are as after a
// crash, and are resolved as after one. The panic's value is not printed: it might hold anything.
func (r *Reconciler) recoverFlight(log logr.Logger, token *v1alpha1.GitHubUserToken, generation int64, job rotation.Job) {
	if recovered := recover(); recovered == nil {
		return
	}
	flightPanics.Inc()
	log.Error(errors.New("panic during an exchange"), "An exchange ended in a panic and is resolved like a crash; please report it", "spends", job.Decision.Spends.Short())
	if r.replayKept(log, job.Owner) {
		r.remember(token, generation, job, nil, 0)
		return
	}
	r.remember(token, generation, job, &failure{
		reason: v1alpha1.ReasonOutcomeUnknown, message: "The exchange ended in an error of the operator itself.", ambiguous: true,
	}, time.Minute)
}

// landed remembers, counts and logs the result of a flight.
func (r *Reconciler) landed(log logr.Logger, token *v1alpha1.GitHubUserToken, generation int64, job rotation.Job, result rotation.Result) {
	observe(result)
	r.memories.remember(token.UID, result.Pair)
	r.memories.with(token.UID, func(remembered *memory) { remembered.commitTrouble = "" })
	if pause := pauseOf(result); pause > 0 {
		r.Limiter.Pause(job.App.Key(), r.Clock.Now().Add(pause))
	}
	log = log.WithValues("outcome", result.Outcome, "cause", job.Decision.Cause, "spends", job.Decision.Spends.Short())
	if result.OutboxErr != nil {
		log.Error(result.OutboxErr, "The outbox failed in mid-exchange; the pair was held in memory only")
	}
	switch result.Outcome {
	case rotation.Committed:
		r.remember(token, generation, job, nil, 0)
		log.Info("The token was refreshed", "expires", result.Pair.State.ExpiresAt, "count", result.Pair.State.RefreshCount)
	case rotation.Stale:
		r.memories.doubt(token.UID)
		r.remember(token, generation, job, &failure{
			reason: v1alpha1.ReasonExchanging, message: "The pair Secret was being changed by somebody else; nothing was exchanged.",
		}, 200*time.Millisecond)
		r.seeForItself(log, token, job)
		log.V(1).Info("Nothing was exchanged: the Secret was not as expected", "why", words(result.Err))
	case rotation.Superseded, rotation.Discarded:
		r.memories.doubt(token.UID)
		r.remember(token, generation, job, nil, 0)
		log.Info("A result was not needed any more", "why", words(result.Err))
	case rotation.Rejected, rotation.WrongUser:
		r.remember(token, generation, job, nil, 0)
		log.Info("The refresh token is of no more use", "reason", result.Reason)
	default:
		f := failureOf(result)
		r.remember(token, generation, job, f, backoffOf(result))
		log.Info("The token could not be refreshed", "reason", f.reason, "why", words(result.Err))
	}
}

// remember notes the last failure of a resource and when to try again: later each time.
func (r *Reconciler) remember(token *v1alpha1.GitHubUserToken, generation int64, job rotation.Job, f *failure, wait time.Duration) {
	r.memories.with(token.UID, func(remembered *memory) {
		if f == nil {
			remembered.failure = nil
			return
		}
		f.generation, f.requested = generation, job.RefreshRequestedAt
		if remembered.failure != nil && remembered.failure.reason == f.reason {
			f.tries = remembered.failure.tries
		}
		f.tries++
		pause := min(wait<<min(f.tries-1, 10), max(wait, maxBackoff))
		f.next, f.nextMonotonic = r.Clock.Now().Add(pause), r.Clock.Monotonic()+pause
		remembered.failure = f
	})
}

// maxBackoff is the longest wait between two tries, unless GitHub's rate limit asks for more.
const maxBackoff = 5 * time.Minute

// backoffOf is the first wait after a failure; it doubles with each further one.
func backoffOf(result rotation.Result) time.Duration {
	var failed *github.Error
	if !errors.As(result.Err, &failed) {
		return 2 * time.Second
	}
	switch {
	case failed.RetryAfter > 0 && failed.Reason == github.RateLimited:
		return failed.RetryAfter
	case failed.RetryAfter > 0:
		return min(failed.RetryAfter, maxBackoff) // An outage may end sooner than somebody has guessed.
	case failed.Reason == github.RateLimited:
		return time.Minute // As GitHub's guide for secondary limits asks when no header says more.
	case failed.Class == github.Misconfigured:
		return 10 * time.Second
	default:
		return 2 * time.Second
	}
}

// pauseOf is for how long the whole App is to send nothing.
func pauseOf(result rotation.Result) time.Duration {
	var failed *github.Error
	switch {
	case !errors.As(result.Err, &failed):
		return result.Pause
	case failed.Reason == github.RateLimited:
		return backoffOf(result)
	default:
		return min(result.Pause, maxBackoff)
	}
}

// failureOf puts a result that brought no pair into the words of a condition.
func failureOf(result rotation.Result) *failure {
	var failed *github.Error
	switch {
	case result.Outcome == rotation.NoOutbox:
		return &failure{reason: v1alpha1.ReasonOutboxUnavailable, message: "No exchange begins because a new pair could not be kept safe: " + words(result.Err) + "."}
	case result.Outcome == rotation.NotFenced && errors.Is(result.Err, rotation.ErrTerminating):
		return &failure{reason: v1alpha1.ReasonNamespaceTerminating, message: "The namespace is being deleted; nothing is exchanged."}
	case result.Outcome == rotation.NotFenced && isMetadataRefused(result.Err):
		return &failure{reason: v1alpha1.ReasonMetadataRefused, message: "Nothing was exchanged, because the API server does not take the metadata that spec.secret asks for: " + words(result.Err) + ". Correct spec.secret."}
	case result.Outcome == rotation.NotFenced:
		return &failure{reason: v1alpha1.ReasonAPIServerUnavailable, message: "Nothing was exchanged, because the intent could not be written first: " + words(result.Err) + "."}
	case errors.As(result.Err, &failed):
		return &failure{reason: reasonOf(failed), message: sentence(failed.Error()), ambiguous: result.Outcome == rotation.Unknown}
	default:
		return &failure{reason: v1alpha1.ReasonGitHubUnavailable, message: sentence(words(result.Err)), ambiguous: true}
	}
}

// isMetadataRefused says whether the pair Secret could not be made because of what spec.secret wants in it.
func isMetadataRefused(err error) bool {
	return errors.Is(err, rotation.ErrDenied) &&
		(strings.Contains(words(err), "is invalid: metadata.") || strings.Contains(words(err), "is invalid: [metadata."))
}

// checkHost says whether the operator's administrator allows the host.
func (r *Reconciler) checkHost(v *view) *obstacle {
	err := r.GitHub.CheckHost(v.token.Spec.App.Host)
	if err == nil {
		return nil
	}
	return &obstacle{
		reason: v1alpha1.ReasonHostNotAllowed, stalled: true,
		message: sentence(err.Error()) + " The operator's administrator sets them with --allowed-hosts.",
	}
}

// maxAnnotations is how large the annotations of the pair Secret may be before an exchange. Kubernetes takes 256 KiB, and
// what is written with a new pair must find room: it can be had only once.
const maxAnnotations = 224 << 10

// checkRoom says whether there is room for the state in the annotations of the pair Secret.
func checkRoom(v *view) *obstacle {
	annotations := extraAnnotations(v.token.Spec.Secret)
	if v.pair != nil {
		annotations = v.pair.Annotations // Those of the spec are on it, or cannot be.
	}
	size := 0
	for key, value := range annotations {
		size += len(key) + len(value)
	}
	if size <= maxAnnotations {
		return nil
	}
	return &obstacle{
		reason: v1alpha1.ReasonMetadataRefused, stalled: true,
		message: fmt.Sprintf("The annotations of Secret %q come to %d KiB, which leaves no room for those that are written with a new pair. Nothing is exchanged before some are removed.", v.ref.Name, size>>10),
	}
}

// prepareImport puts the seed's token into the job, when no other resource owns it.
func (r *Reconciler) prepareImport(ctx context.Context, v *view, job *rotation.Job) (*obstacle, error) {
	if v.pair != nil && v.pair.State.PendingSeed == job.Decision.Spends && v.seed.fingerprint == "" {
		return nil, nil // The pair Secret holds it since an earlier try.
	}
	found, token, err := r.seeds.read(ctx, keyOf(v.token))
	if err != nil {
		return nil, err
	}
	if found.problem != nil {
		return found.problem, nil
	}
	if found.fingerprint != job.Decision.Spends {
		return &obstacle{reason: v1alpha1.ReasonExchanging, message: "The seed has just changed.", next: v.now.Add(100 * time.Millisecond)}, nil
	}
	stop, err := r.claim(ctx, v.token, token.Fingerprint())
	if stop != nil || err != nil {
		return stop, err
	}
	job.Seed, job.SeedVersion = token, found.version
	return nil, nil
}

func sentence(text string) string {
	if text == "" {
		return ""
	}
	if first, _, _ := strings.Cut(text, " "); strings.Contains(first, ".") {
		return text + "." // It begins with the name of a host.
	}
	return string(upper(text[0])) + text[1:] + "."
}

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

// words are an error's, or none.
func words(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
