package lifecycle

import (
	"context"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/deviceflow"
	"github.com/githubusertoken/github-user-token-operator/controllers/revocation"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/controllers/tokencheck"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Options configure a Controller. All are needed but those that say otherwise.
type Options struct {
	Cache    Cache
	API      API
	Versions seeds.Versions
	GitHub   GitHub
	Limiter  Limiter
	Outbox   Outbox
	Clock    rotation.Clock
	Reporter Reporter
	Memory   *memory.Store
	// RevocationLimiter gives out turns at GitHub's credentials endpoint. May be nil: no limit.
	RevocationLimiter revocation.Limiter
	// Holder is this process, as it stands in intents, and NewID makes an id for an intent.
	Holder rotation.Holder
	NewID  func() string
	// Runner runs exchanges, CheckRunner what is asked of GitHub beside them. Their OnDone must have the resource
	// reconciled.
	Runner, CheckRunner *runner.Runner
	// Wake has a resource reconciled.
	Wake func(types.NamespacedName)
	// Log is for what happens outside of a reconcile.
	Log logr.Logger
	// PassPanic reports whether a panic is to go on although it would end the process. May be nil: none is.
	PassPanic func(cause any) bool
}

// Controller brings resources forward. Make it with New; it is safe for concurrent use as long as each resource
// is reconciled by one caller at a time.
type Controller struct {
	cache     Cache
	api       API
	versions  seeds.Versions
	github    GitHub
	limiter   Limiter
	outbox    Outbox
	clock     rotation.Clock
	reporter  Reporter
	memory    *memory.Store
	runner    *runner.Runner
	wake      func(types.NamespacedName)
	passPanic func(cause any) bool

	rotator   *rotation.Rotator
	seeds     *seeds.Reader
	ownership *seeds.Ownership
	device    *deviceflow.Flow
	checks    *tokencheck.Checks
	revoker   *revocation.Revoker
	notes     notes
	orphans   memory.Slot[orphan]
	leftovers leftovers
}

// Reconcile brings one resource forward: it observes, decides, acts, and reports. It never waits for GitHub. It
// returns when to come back; zero when only a change can make a difference.
func (c *Controller) Reconcile(ctx context.Context, token *v1alpha1.GitHubUserToken) (time.Duration, error) {
	c.learn(token)
	if c.runner.Busy(token.UID) {
		return 0, c.reportRunning(ctx, token)
	}
	if !token.DeletionTimestamp.IsZero() {
		return c.finalize(ctx, token)
	}
	if !slices.Contains(token.Finalizers, v1alpha1.Finalizer) {
		held, err := c.api.AddFinalizer(ctx, token)
		if held == nil || err != nil {
			return 0, err
		}
		token = held
	}
	s, err := c.Observe(ctx, token)
	if err != nil {
		return 0, err
	}
	if err := c.releaseLeftovers(ctx, s); err != nil {
		return 0, err
	}
	decision := rotation.Decide(s.Input)
	result := c.act(ctx, s, decision)
	switch result.State {
	case Started:
		return 0, nil
	case Again:
		return time.Millisecond, nil
	}
	c.acknowledge(s)
	reportAt, err := c.reporter.Report(ctx, s, decision, result)
	if err != nil {
		return 0, err
	}
	checkAt := c.checks.Sync(logr.FromContextOrDiscard(ctx), s)
	return requeueAfter(s, decision.At, result.RequeueAt, reportAt, checkAt), nil
}

// learn remembers the name of a resource, and forgets those that bore it before: that they are gone may never have
// been seen, and what they claimed is free.
func (c *Controller) learn(token *v1alpha1.GitHubUserToken) {
	c.memory.Learn(token.UID, scope.NameOf(token))
	for _, uid := range c.memory.UIDs(scope.NameOf(token)) {
		if uid != token.UID && !c.runner.Busy(uid) {
			c.forget(uid)
		}
	}
}

// acknowledge notes that what was observed has been dealt with: a changed spec was looked at as a whole, and a
// token that is no longer in the seed is not claimed any more.
func (c *Controller) acknowledge(s *scope.Scope) {
	c.notes.With(s.Token.UID, func(m *note) { m.generation = s.Token.Generation })
	c.ownership.Release(s.Token, s.Seed)
}

// reportRunning reports an exchange whose pair cannot be stored. Any other reports when it has ended.
func (c *Controller) reportRunning(ctx context.Context, token *v1alpha1.GitHubUserToken) error {
	var result Result
	c.notes.Peek(token.UID, func(m *note) { result = blocked(m.committing) })
	if result.Problem == nil {
		return nil
	}
	s, err := c.Observe(ctx, token)
	if err != nil {
		return err
	}
	_, err = c.reporter.Report(ctx, s, rotation.Decision{}, result)
	return err
}

// Confirm asks GitHub about the token of a pair after a notice that it was revoked. Every replica may do it, leader
// or not: what it finds out is written under the Secret's resourceVersion.
func (c *Controller) Confirm(ctx context.Context, token *v1alpha1.GitHubUserToken, pair *rotation.Pair) {
	c.checks.Confirm(ctx, token, pair)
}

// MetadataWritten is told of the pair Secret after its metadata was brought into line with the spec.
func (c *Controller) MetadataWritten(uid types.UID, pair *rotation.Pair) {
	c.notes.written(uid, pair)
	c.notes.With(uid, func(m *note) { m.ownVersion = pair.Version })
}
