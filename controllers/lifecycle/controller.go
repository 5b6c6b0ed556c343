package lifecycle

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/deviceflow"
	"github.com/githubusertoken/github-user-token-operator/controllers/leftovers"
	"github.com/githubusertoken/github-user-token-operator/controllers/registry"
	"github.com/githubusertoken/github-user-token-operator/controllers/replay"
	"github.com/githubusertoken/github-user-token-operator/controllers/revokerequest"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/controllers/tokencheck"
	"github.com/githubusertoken/github-user-token-operator/controllers/webflow"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/rules"
)

// Controller brings resources forward: it has its parts do what is to be done, in the right order. Make it with New; it
// is safe for concurrent use as long as each resource is reconciled by one caller at a time.
type Controller struct {
	api interface {
		// AddFinalizer is that of API.
		AddFinalizer(ctx context.Context, token *v1alpha1.GitHubUserToken) (*v1alpha1.GitHubUserToken, error)
	}
	reporter Reporter
	runner   *runner.Runner
	wake     func(types.NamespacedName)
	notes    notes

	seeds     *seeds.Reader
	registry  *registry.Registry
	observer  *observer
	pairs     *pairActions
	prover    *prover
	exchanges *exchanges
	device    *deviceflow.Flow
	logins    *webflow.Logins
	replays   *replay.Replayer
	checks    *tokencheck.Checks
	ownership *seeds.Ownership
	finalizer *finalizer
	requests  *revokerequest.Requests
	releaser  *leftovers.Releaser
	codes     leftovers.Codes
}

// Reconcile brings one resource forward: it observes, decides, acts, and reports. It never waits for GitHub. It
// returns when to come back; zero when only a change can make a difference.
func (c *Controller) Reconcile(ctx context.Context, token *v1alpha1.GitHubUserToken) (time.Duration, error) {
	c.registry.Learn(token)
	if c.runner.Busy(token.UID) {
		return 0, c.reportRunning(ctx, token)
	}
	if !token.DeletionTimestamp.IsZero() {
		return c.finalizer.finalize(ctx, token)
	}
	token, unheld, err := c.hold(ctx, token)
	if token == nil || err != nil {
		return 0, err
	}
	s, err := c.observer.observe(ctx, token)
	if err != nil {
		return 0, errors.Join(err, c.reporter.ReportUnknown(ctx, token, words.Unknown(err)))
	}
	tryAt := time.Time{}
	if unheld != nil {
		s.Unheld, tryAt = unheld, s.Now.Add(unheldPause)
	}
	decision := rules.Decide(s.Input)
	result := c.act(ctx, s, decision)
	switch result.State {
	case Started:
		return 0, nil
	case Again:
		return time.Millisecond, nil
	}
	if s.Seed.Unread != nil {
		result.RequeueAt = backoff.Earliest(result.RequeueAt, s.Now.Add(c.notes.unreadFor(token.UID, s.Seed.Unread)))
	}
	result.Problem = s.App.Veil(result.Problem)
	c.acknowledge(s)
	c.logins.CountExpired(s)
	if err := c.codes.Sweep(ctx, s); err != nil { // It can wait, and holds nothing up.
		s.Unswept, tryAt = words.CodeNotRemoved(err), backoff.Earliest(tryAt, s.Now.Add(sweepPause))
	}
	s.Standing = c.checks.Standing(s)
	checkAt := c.checks.Sync(logr.FromContextOrDiscard(ctx), s)
	s.AwaitsUser = c.checks.Awaits(token.UID)
	reportAt, err := c.reporter.Report(ctx, s, decision, result)
	if err != nil {
		return 0, err
	}
	if err := errors.Join(c.observer.turns.Mark(ctx, s), c.releaser.Release(ctx, s)); err != nil {
		return 0, err
	}
	if s.Seed.Unread != nil && !isPaced(s.Seed.Unread) {
		return 0, s.Seed.Unread // The caller tries again, within half a minute.
	}
	return c.notes.requeueAfter(s, decision.At, result.RequeueAt, reportAt, checkAt, tryAt, s.GoneAt, webflow.LookAt(s)), nil
}

// sweepPause is until a device code that could not be removed is removed.
const sweepPause = time.Minute

// acknowledge notes that what was observed has been dealt with: a changed spec was looked at as a whole, and a
// token that is no longer in the seed is not claimed any more.
func (c *Controller) acknowledge(s *scope.Scope) {
	if s.Seed.Unread == nil {
		c.notes.With(s.Token.UID, func(m *note) { m.generation, m.paced = s.Token.Generation, 0 })
	}
	c.ownership.Release(s.Token, s.Seed, s.Pair)
	c.requests.Acknowledge(s)
}

// reportRunning reports an exchange whose pair cannot be stored. Any other reports when it has ended.
func (c *Controller) reportRunning(ctx context.Context, token *v1alpha1.GitHubUserToken) error {
	var result Result
	c.notes.Peek(token.UID, func(m *note) { result = blocked(m.committing) })
	if result.Problem == nil {
		return nil
	}
	s, err := c.observer.observe(ctx, token)
	if err != nil {
		return err
	}
	s.Standing = c.checks.Standing(s)
	_, err = c.reporter.Report(ctx, s, rotation.Decision{}, result)
	return err
}

// ClientSecret reads the client secret of an App; see seeds.Reader.
func (c *Controller) ClientSecret(ctx context.Context, app scope.App) (credential.ClientSecret, *problem.Problem, error) {
	return c.seeds.ClientSecret(ctx, app)
}

// ReadersOf is that of alternation.Turns.
func (c *Controller) ReadersOf(ctx context.Context, token *v1alpha1.GitHubUserToken, pair *rotation.Pair) (*v1alpha1.GitHubUserToken, *rotation.Pair) {
	return c.observer.turns.ReadersOf(ctx, token, pair)
}

// Observe is what a reconcile of a resource would look at. It writes to no object.
func (c *Controller) Observe(ctx context.Context, token *v1alpha1.GitHubUserToken) (*scope.Scope, error) {
	return c.observer.observe(ctx, token)
}

// Gone deals with a resource that does not exist any more. It returns when to look again; zero when only a change can make a difference.
func (c *Controller) Gone(ctx context.Context, name types.NamespacedName) (again time.Duration, err error) {
	return c.releaser.Gone(ctx, name)
}

// Leave forgets a resource that another process serves. Work under way for it ends first, and has it left once more.
func (c *Controller) Leave(uid types.UID) {
	if !c.runner.Busy(uid) {
		c.registry.Forget(uid)
	}
}

// Replay starts storing each pair that an earlier life of this pod received and did not store. It is called before
// anything is reconciled, and needs no leader lease.
func (c *Controller) Replay(log logr.Logger, records []rotation.Record) {
	c.replays.Start(log, records)
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
