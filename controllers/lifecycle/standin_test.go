package lifecycle

import (
	"context"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
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
	retained []rotation.Ref
	// released says that the resource's finalizer was taken off.
	released bool
	woken    []types.NamespacedName
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
		cluster: &cluster{secrets: map[rotation.Ref]*rotation.Pair{}}, clock: &handClock{wall: start, mono: time.Hour}, memory: memory.NewStore(),
	}
	w.Controller = New(Options{
		Cache: cached{w.cluster}, API: w.cluster, GitHub: w.cluster, Reporter: w.cluster, Limiter: noLimit{}, Clock: w.clock,
		Memory: w.memory, Runner: runner.New(runner.Options{Limit: 1}), CheckRunner: runner.New(runner.Options{Limit: 1}),
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

func (c *cluster) Locate(_ context.Context, owner rotation.Owner) (refs []rotation.Ref, err error) {
	for ref, pair := range c.secrets {
		if pair.Controlled && pair.Owner == owner && ref != owner.BackupRef() {
			refs = append(refs, ref)
		}
	}
	return refs, nil
}

func (c *cluster) Retain(_ context.Context, pair *rotation.Pair) error {
	c.retained = append(c.retained, pair.Ref)
	return nil
}

func (c *cluster) RemoveFinalizer(context.Context, *v1alpha1.GitHubUserToken) error {
	c.released = true
	return nil
}

func (c *cluster) RemoveOutputs(context.Context, *v1alpha1.GitHubUserToken) error { return nil }

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
func (noLimit) Pause(string, time.Time)                             {}
func (noLimit) Cancel(string)                                       {}
