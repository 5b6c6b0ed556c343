package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/metapatch"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// exchange starts an exchange when everything that can be checked without touching the token allows it.
func (c *Controller) exchange(ctx context.Context, s *scope.Scope, decision rotation.Decision) Result {
	if p := c.checkHost(s.Token); p != nil {
		return blocked(p)
	}
	if p := checkRoom(s); p != nil {
		return blocked(p)
	}
	if p, err := c.beforehand(ctx, s, decision); p != nil || err != nil {
		return c.blockedOrFailed(s, p, err, "Nothing was exchanged, because it could not be found out who owns the refresh token")
	}
	job := rotation.Job{
		Owner: s.Owner, Ref: s.Ref, App: scope.AppOf(s.Token), Policy: s.Input.Policy,
		RefreshRequestedAt: s.Input.RefreshRequestedAt, User: scope.PinOf(s.Token), Pair: s.Pair, Decision: decision,
		Labels: s.Token.Spec.Secret.Labels, Annotations: metapatch.Annotations(s.Token.Spec.Secret.Labels, s.Token.Spec.Secret.Annotations),
	}
	if decision.Action == rotation.ActionImport {
		p, err := c.prepareImport(ctx, s, &job)
		if err != nil {
			return c.failed(s, err, "Nothing was exchanged, because the seed could not be read")
		}
		if p != nil {
			return blocked(p)
		}
	}
	secret, p, err := c.seeds.ClientSecret(ctx, s.Token)
	if err != nil {
		return c.failed(s, err, "Nothing was exchanged, because the client secret could not be read")
	}
	if p != nil {
		return blocked(p)
	}
	job.App.ClientSecret = secret
	return blockedOrStarted(c.acquire(ctx, s, job))
}

func blockedOrStarted(p *problem.Problem) Result {
	if p != nil {
		return blocked(p)
	}
	return Result{State: Started}
}

// acquire starts the exchange when the rate limit and the number of exchanges allow it; otherwise it says what
// is waited for.
func (c *Controller) acquire(ctx context.Context, s *scope.Scope, job rotation.Job) *problem.Problem {
	// Who has no token yet waits from the beginning: a time that does not change, so that looking again does
	// not cost the place in the queue.
	expiry := s.Token.CreationTimestamp.Time
	if s.Pair != nil && s.Pair.State.Expires() {
		expiry = s.Pair.State.ExpiresAt
	}
	full := &problem.Problem{Reason: v1alpha1.ReasonExchanging, Message: "Waiting for other exchanges to end.", RetryAt: s.Now.Add(time.Second)}
	if c.runner.Full() {
		return full
	}
	request := ratelimit.Request{ID: string(s.Token.UID), Namespace: s.Token.Namespace, Expiry: expiry}
	if ok, estimate := c.limiter.Acquire(job.App.Key(), request); !ok {
		return &problem.Problem{
			Reason:  v1alpha1.ReasonRateLimited,
			Message: "The App's limit of token requests is used up. Resources whose tokens expire first go first.", RetryAt: estimate,
		}
	}
	log, token := logr.FromContextOrDiscard(ctx), s.Token
	err := c.runner.Start(token.UID, func() {
		defer c.guard(log, token, job)()
		c.record(log, token, job, c.rotator.Rotate(context.Background(), job))
	})
	switch {
	case errors.Is(err, runner.ErrDraining):
		return &problem.Problem{Reason: v1alpha1.ReasonExchanging, Message: "The operator is shutting down; the next one goes on."}
	case errors.Is(err, runner.ErrFull):
		return full
	default:
		return nil // Work that is already under way will have the resource reconciled.
	}
}

// checkHost says whether the operator's administrator allows the host.
func (c *Controller) checkHost(token *v1alpha1.GitHubUserToken) *problem.Problem {
	return c.checkHostName(token.Spec.App.Host)
}

func (c *Controller) checkHostName(host string) *problem.Problem {
	err := c.github.CheckHost(host)
	if err == nil {
		return nil
	}
	return &problem.Problem{
		Reason: v1alpha1.ReasonHostNotAllowed, Stalled: true,
		Message: words.Sentence(err.Error()) + " The operator's administrator sets them with --allowed-hosts.",
	}
}

// maxAnnotations is how large the annotations of the pair Secret may be before an exchange, in bytes. Kubernetes
// takes 256 KiB, and what is written with a new pair must find room: it can be had only once.
const maxAnnotations = 224 << 10

// checkRoom says whether there is room for the state in the annotations of the pair Secret.
func checkRoom(s *scope.Scope) *problem.Problem {
	annotations := metapatch.Annotations(s.Token.Spec.Secret.Labels, s.Token.Spec.Secret.Annotations)
	if s.Pair != nil {
		annotations = s.Pair.Annotations // Those of the spec are on it, or cannot be.
	}
	size := metapatch.SizeOf(annotations)
	if size <= maxAnnotations {
		return nil
	}
	return &problem.Problem{
		Reason: v1alpha1.ReasonMetadataRefused, Stalled: true,
		Message: fmt.Sprintf("The annotations of Secret %q come to %d KiB, which leaves no room for those that are written with a new pair. Nothing is exchanged until some are removed.", s.Ref.Name, size>>10),
	}
}

// prepareImport puts the seed's token into the job, when no other resource owns it.
func (c *Controller) prepareImport(ctx context.Context, s *scope.Scope, job *rotation.Job) (*problem.Problem, error) {
	if s.Pair != nil && s.Pair.State.PendingSeed == job.Decision.Spends && s.Seed.Fingerprint == "" {
		return nil, nil // The pair Secret holds it since an earlier try.
	}
	found, token, err := c.seeds.Read(ctx, s.Token)
	if err != nil {
		return nil, err
	}
	if found.Problem != nil {
		return found.Problem, nil
	}
	if found.Fingerprint != job.Decision.Spends {
		return &problem.Problem{Reason: v1alpha1.ReasonExchanging, Message: "The seed has just changed.", RetryAt: s.Now.Add(100 * time.Millisecond)}, nil
	}
	p, err := c.ownership.Claim(ctx, s.Token, found.Fingerprint)
	if p != nil || err != nil {
		return p, err
	}
	job.Seed, job.SeedVersion = token, found.Version
	return nil, nil
}
