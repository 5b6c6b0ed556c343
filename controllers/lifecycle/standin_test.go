package lifecycle

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/leftovers"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// cluster stands in for an API server that has Secrets and one resource at most, and for a cache that shows the
// same. What is not needed here panics.
type cluster struct {
	API
	GitHub
	Reporter

	secrets  map[rotation.Ref]*rotation.Pair
	resource *v1alpha1.GitHubUserToken
	removed  []rotation.Ref
	// codes are the Secrets with device codes.
	codes []leftovers.Code
	// retained are those of which the finalizer was taken off, and unprotected the same as a set.
	retained    []rotation.Ref
	unprotected map[rotation.Ref]bool
	// released says that the resource's finalizer was taken off, and releaseFails why it is not.
	released     bool
	releaseFails error
	// beforeCreate is what happens just before a Secret is created.
	beforeCreate func()
	// alters is what admission does to a write, tryFails the error of a dry run, and diesAfter the write that is made and
	// not answered, once.
	alters    func(pair *rotation.Pair, when writing)
	tryFails  error
	diesAfter writing
	// updateFails is the error of an update, which is not made.
	updateFails error
	reported    []*problem.Problem
	woken       []types.NamespacedName
	// fails is the error of every removal.
	fails error
}

// world is a Controller among stand-ins.
type world struct {
	*Controller
	*cluster
	clock  *handClock
	memory *memory.Store
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		cluster: &cluster{API: stays{}, secrets: map[rotation.Ref]*rotation.Pair{}, unprotected: map[rotation.Ref]bool{}}, clock: &handClock{wall: start, mono: time.Hour}, memory: memory.NewStore(),
	}
	w.Controller = New(Options{
		Cache: cached{w.cluster}, Versions: noVersions{}, API: w.cluster, GitHub: w.cluster, Reporter: w.cluster, Outbox: noOutbox{}, Limiter: noLimit{}, Clock: w.clock,
		NewID: rand.Text, Memory: w.memory, Runner: runner.New(runner.Options{Limit: 1}), CheckRunner: runner.New(runner.Options{Limit: 1}),
		Wake: func(name types.NamespacedName) { w.woken = append(w.woken, name) }, Log: logr.Discard(),
	})
	return w
}

func (c *cluster) Resource(context.Context, types.NamespacedName) (*v1alpha1.GitHubUserToken, error) {
	return c.resource, nil
}

func (c *cluster) Get(_ context.Context, ref rotation.Ref) (*rotation.Pair, error) {
	if pair := c.secrets[ref]; pair != nil {
		return pair.Clone(), nil
	}
	return nil, rotation.ErrNotFound
}

func (c *cluster) Remove(_ context.Context, pair *rotation.Pair) error {
	if c.fails == nil {
		c.removed = append(c.removed, pair.Ref)
		delete(c.secrets, pair.Ref)
	}
	return c.fails
}

func (c *cluster) RemoveCode(_ context.Context, ref rotation.Ref) error {
	if c.fails == nil {
		c.removed = append(c.removed, ref)
		c.codes = slices.DeleteFunc(c.codes, func(code leftovers.Code) bool { return code.Ref == ref })
	}
	return c.fails
}

func (c *cluster) Locate(_ context.Context, owner rotation.Owner) (refs []rotation.Ref, err error) {
	for ref, pair := range c.secrets {
		if pair.Controlled && pair.Owner == owner && ref != owner.BackupRef() {
			refs = append(refs, ref)
		}
	}
	return refs, nil
}

// stored is what admission makes of a write.
func (c *cluster) stored(next *rotation.Pair, when writing) *rotation.Pair {
	stored := next.Clone()
	if c.alters != nil {
		c.alters(stored, when)
	}
	return stored
}

func (c *cluster) Try(_ context.Context, _, next *rotation.Pair) (*rotation.Pair, error) {
	if c.tryFails != nil {
		return nil, c.tryFails
	}
	return c.stored(next, trying), nil
}

func (c *cluster) Create(_ context.Context, pair *rotation.Pair) (*rotation.Pair, error) {
	if c.beforeCreate != nil {
		c.beforeCreate()
	}
	if c.secrets[pair.Ref] != nil {
		return nil, rotation.ErrExists
	}
	created := pair.Clone()
	created.UID, created.Version, created.Controlled = "created", "1", true
	c.secrets[pair.Ref] = created
	return created.Clone(), nil
}

// stays is an API by which no resource is gone.
type stays struct{ API }

func (stays) Gone(context.Context, rotation.Owner) (bool, error) { return false, nil }

func (c *cluster) Update(_ context.Context, current, next *rotation.Pair) (*rotation.Pair, error) {
	was := c.secrets[current.Ref]
	if was == nil {
		return nil, rotation.ErrNotFound
	}
	if was.Version != current.Version {
		return nil, rotation.ErrConflict
	}
	if c.updateFails != nil {
		return nil, c.updateFails
	}
	c.secrets[current.Ref] = c.stored(next, updating)
	c.secrets[current.Ref].Version += "+"
	return c.secrets[current.Ref].Clone(), c.dies(updating)
}

func (c *cluster) Release(_ context.Context, pair *rotation.Pair) (*rotation.Pair, error) {
	was := c.secrets[pair.Ref]
	switch {
	case was == nil:
		return nil, nil //nolint:nilnil // as the real one
	case was.Version != pair.Version:
		return nil, rotation.ErrConflict
	case c.unprotected[pair.Ref]:
		return pair, nil
	}
	c.retained = append(c.retained, pair.Ref)
	c.unprotected[pair.Ref] = true
	c.secrets[pair.Ref] = c.stored(was, releasing)
	c.secrets[pair.Ref].Version += "+"
	return c.secrets[pair.Ref].Clone(), c.dies(releasing)
}

// dies is the error of a write that was made and not answered.
func (c *cluster) dies(when writing) error {
	if c.diesAfter != when {
		return nil
	}
	c.diesAfter = 0
	return errNoAnswer
}

var errNoAnswer = errors.New("the API server did not answer")

// writing is a step by which a pair is let go of.
type writing int

const (
	trying writing = iota + 1
	updating
	releasing
)

func (c *cluster) RemoveFinalizer(context.Context, *v1alpha1.GitHubUserToken) error {
	if c.releaseFails == nil {
		c.released = true
	}
	return c.releaseFails
}

func (c *cluster) Report(_ context.Context, _ *scope.Scope, _ rotation.Decision, result Result) (time.Time, error) {
	c.reported = append(c.reported, result.Problem)
	return time.Time{}, nil
}

func (c *cluster) Metadata(_ context.Context, ref rotation.Ref) (*rotation.Pair, error) {
	if pair := c.secrets[ref]; pair != nil {
		return pair.WithoutTokens(), nil
	}
	return nil, rotation.ErrNotFound
}

func (c *cluster) RemoveOutputs(context.Context, *v1alpha1.GitHubUserToken) (time.Duration, error) {
	return 0, nil
}

func (c *cluster) Observed(rotation.Result) {}

// cached is the cluster as its cache shows it.
type cached struct{ *cluster }

func (c cached) Secret(_ context.Context, ref rotation.Ref) (*rotation.Pair, error) {
	return c.secrets[ref], nil
}

func (c cached) PairsOf(context.Context, rotation.Owner) ([]*rotation.Pair, error) { return nil, nil }

func (c cached) SecretsFor(context.Context, types.NamespacedName) (all []*rotation.Pair, err error) {
	for _, pair := range c.secrets {
		all = append(all, pair)
	}
	return all, nil
}

func (c cached) CodesFor(context.Context, types.NamespacedName) ([]leftovers.Code, error) {
	return slices.Clone(c.codes), nil
}

func (c cached) LoginCodesFor(context.Context, rotation.Owner) ([]rotation.Ref, error) {
	return nil, nil
}

func (c cached) ChainsWith(context.Context, credential.Fingerprint) ([]seeds.Chain, error) {
	return nil, nil
}

func (c cached) Resource(context.Context, types.NamespacedName) (*v1alpha1.GitHubUserToken, bool) {
	return c.resource, true
}

func (c cached) Resources(context.Context, string) ([]*v1alpha1.GitHubUserToken, error) {
	return nil, nil
}

// noLimit lets everybody go ahead.
type noLimit struct{}

func (noLimit) Acquire(string, ratelimit.Request) (bool, time.Time) { return true, time.Time{} }
func (noLimit) Waits(string, string) (time.Time, bool)              { return time.Time{}, false }
func (noLimit) Pause(string, time.Time)                             {}
func (noLimit) Cancel(string)                                       {}
