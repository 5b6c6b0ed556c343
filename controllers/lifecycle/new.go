package lifecycle

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/deviceflow"
	"github.com/githubusertoken/github-user-token-operator/controllers/revocation"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/controllers/tokencheck"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// New makes a Controller of its parts.
func New(options Options) *Controller {
	c := &Controller{
		cache: options.Cache, api: options.API, versions: options.Versions, github: options.GitHub, limiter: options.Limiter,
		outbox: options.Outbox, clock: options.Clock, reporter: options.Reporter, memory: options.Memory, runner: options.Runner,
		wake: options.Wake, passPanic: options.PassPanic,
		notes:   notes{memory.NewSlot[note](options.Memory), options.Clock},
		orphans: memory.NewSlot[orphan](options.Memory),
	}
	c.seeds = seeds.NewReader(seeds.ReaderOptions{Source: options.API, Versions: options.Versions})
	c.ownership = seeds.NewOwnership(seeds.OwnershipOptions{
		Chains: options.Cache.ChainsWith, Resources: options.Cache.Resources, HasPair: c.hasPair, Reader: c.seeds, Memory: options.Memory,
		Resource: options.Cache.Resource, Wake: c.wakeAll, Now: options.Clock.Now,
	})
	c.rotator = &rotation.Rotator{
		Store: ownStore{options.API, c.notes}, Exchanger: options.GitHub, Poller: options.GitHub, Outbox: options.Outbox,
		Clock: options.Clock, Me: options.Holder, NewID: options.NewID, OnCommitRetry: c.commitRetried,
	}
	c.checks = tokencheck.New(tokencheck.Options{
		GitHub: options.GitHub, Store: options.API, Rotator: c.rotator, ClientSecret: c.seeds.ClientSecret,
		Runner: options.CheckRunner, Busy: options.Runner.Busy, RememberNewer: c.notes.read, Wake: options.Wake, Wanted: c.isWanted,
		StandAside: options.Runner.StandAside, ReportTrouble: c.reportCommitting, Memory: options.Memory, Clock: options.Clock,
	})
	c.revoker = revocation.New(revocation.Options{
		GitHub: options.GitHub, Store: options.API, ClientSecret: c.seeds.ClientSecret, Runner: options.Runner, Events: options.Reporter,
		Find: c.find, Refs: c.secretsOf, Memory: options.Memory, Clock: options.Clock, Log: options.Log,
	})
	c.rotator.Admit, c.rotator.End = c.checks.VerifyAccount, c.revoker.Unadmitted
	c.rotator.Confirm = c.confirmOwner
	c.device = deviceflow.New(deviceflow.Options{
		Rotator: c.rotator, GitHub: options.GitHub, CheckHost: c.checkHostName, Acquire: options.Limiter.Acquire, Pause: c.pause,
		Runner: options.Runner, Memory: options.Memory, Clock: options.Clock,
		Remember: c.notes.written, RememberNewer: c.notes.read, Doubt: c.notes.doubt, Record: c.record,
		Observe: options.Reporter.Observed, Guard: c.guard,
	})
	return c
}

// hasPair reports whether the cache has the pair Secret of a resource.
func (c *Controller) hasPair(ctx context.Context, token *v1alpha1.GitHubUserToken) (bool, error) {
	pair, err := c.cache.Secret(ctx, scope.PairRefOf(token))
	return pair != nil, err
}

// isWanted reports whether the resource of a received pair still exists and is to stay. In doubt it is.
func (c *Controller) isWanted(ctx context.Context, owner rotation.Owner) bool {
	name := types.NamespacedName{Namespace: owner.Namespace, Name: owner.Name}
	token, known := c.cache.Resource(ctx, name)
	if !known {
		return true // Before there is a cache, for one.
	}
	if token == nil {
		live, err := c.api.Resource(ctx, name)
		return err != nil || live != nil
	}
	return string(token.UID) == owner.UID && token.DeletionTimestamp.IsZero()
}

// find reads a resource live; nil when it does not exist any more.
func (c *Controller) find(ctx context.Context, owner rotation.Owner) (*v1alpha1.GitHubUserToken, error) {
	token, err := c.api.Resource(ctx, types.NamespacedName{Namespace: owner.Namespace, Name: owner.Name})
	if token != nil && string(token.UID) != owner.UID {
		return nil, err
	}
	return token, err
}

func (c *Controller) wakeAll(names ...types.NamespacedName) {
	for _, name := range names {
		c.wake(name)
	}
}
