package lifecycle

import (
	"github.com/githubusertoken/github-user-token-operator/controllers/deviceflow"
	"github.com/githubusertoken/github-user-token-operator/controllers/revocation"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/controllers/tokencheck"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/amend"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/compared"
)

// New makes a Controller of its parts. Each is given what it needs and no more; none knows the Controller.
func New(options Options) *Controller {
	if options.Apps == nil {
		options.Apps = inlineApps{}
	}
	notes := notes{memory.NewSlot[note](options.Memory), options.Clock}
	reader := seeds.NewReader(seeds.ReaderOptions{Source: options.API, Versions: options.Versions})
	apps := apps{options.Apps, reader}
	observer := &observer{
		apps: options.Apps, cache: options.Cache, metadata: options.API, versions: options.Versions, seeds: reader, notes: notes, clock: options.Clock,
		me: options.Holder,
	}
	var ownership *seeds.Ownership
	if options.Freed == nil {
		options.Freed = func(_ string, token credential.Fingerprint) {
			for _, name := range ownership.Wanting(token) {
				options.Wake(name)
			}
		}
	}
	ownership = seeds.NewOwnership(seeds.OwnershipOptions{
		Chains: options.Cache.ChainsWith, Resources: options.Cache.Resources, HasPair: observer.hasPair, Reader: reader, Memory: options.Memory,
		Resource: options.Cache.Resource, Pair: options.API.Get, Now: options.Clock.Now,
		Freed: options.Freed,
	})
	commits := commits{notes: notes, reporter: options.Reporter, standAside: options.Runner.StandAside, wake: options.Wake}
	rotator := &rotation.Rotator{
		Store: ownStore{compared.Store{Store: options.API}, notes}, Exchanger: options.GitHub, Poller: options.GitHub, Codes: options.API, Outbox: options.Outbox,
		Clock: options.Clock, Me: options.Holder, NewID: options.NewID, OnRetry: commits.retried,
		Confirm: confirmer{options.Cache, options.Clock}.owner,
	}
	observer.atWork, observer.untouched = rotator.AtWork, rotator.IsUntouched
	finder := finder{cache: options.Cache, resources: options.API}
	checks := tokencheck.New(tokencheck.Options{
		GitHub: options.GitHub, Store: options.API, Amender: amend.Amender{Store: rotator.Store, Clock: options.Clock}, App: apps.withSecret,
		Runner: options.CheckRunner, Busy: options.Runner.Busy, RememberNewer: notes.read, Wake: options.Wake, Wanted: finder.isWanted,
		StandAside: options.Runner.StandAside, ReportTrouble: commits.report, Memory: options.Memory, Clock: options.Clock,
	})
	revoker := revocation.New(revocation.Options{
		GitHub: options.GitHub, Store: options.API, App: apps.withSecret, Host: apps.host, Runner: options.Runner, Events: options.Reporter,
		Find: finder.find, Refs: observer.secretsOf, Memory: options.Memory, Clock: options.Clock, Log: options.Log,
		Limiter: options.RevocationLimiter, HeldElsewhere: ownership.HeldElsewhere,
	})
	rotator.Admit, rotator.End = checks.VerifyAccount, revoker.Unadmitted
	registry := &registry{
		memory: options.Memory, runner: options.Runner, ownership: ownership, rotator: rotator, cancel: options.Limiter.Cancel,
	}
	replays := &replays{
		rotator: rotator, outbox: options.Outbox, resources: options.API, reporter: options.Reporter, notes: notes, memory: options.Memory,
		runner: options.Runner, clock: options.Clock, passPanic: options.PassPanic,
	}
	outcomes := &outcomes{
		notes: notes, reporter: options.Reporter, limiter: options.Limiter, pairs: options.API, replays: replays, clock: options.Clock,
		passPanic: options.PassPanic,
	}
	exchanges := &exchanges{
		hosts: options.GitHub, seeds: reader, ownership: ownership, limiter: options.Limiter, outbox: options.Outbox, runner: options.Runner,
		rotator: rotator, outcomes: outcomes, notes: notes,
	}
	codes := codes{cache: options.Cache, api: options.API}
	return &Controller{
		codes: codes,
		api:   options.API, reporter: options.Reporter, runner: options.Runner, wake: options.Wake, notes: notes,
		seeds: reader, registry: registry, observer: observer, exchanges: exchanges, replays: replays, checks: checks, ownership: ownership,
		pairs: &pairActions{
			rotator: rotator, resources: options.API, seeds: reader, notes: notes, isOutput: options.Reporter.IsOutput,
		},
		prover: &prover{
			github: options.GitHub, seeds: reader, pairs: options.API, runner: options.Runner, notes: notes, clock: options.Clock,
		},
		device: deviceflow.New(deviceflow.Options{
			Rotator: rotator, GitHub: options.GitHub, Acquire: options.Limiter.Acquire, Pause: outcomes.pause,
			CheckApp: func(app scope.App) *problem.Problem { return checkApp(options.GitHub, app) },
			Outbox:   options.Outbox, Runner: options.Runner, Memory: options.Memory, Clock: options.Clock,
			Remember: notes.written, RememberNewer: notes.read, Doubt: notes.doubt, Record: outcomes.record,
			Observe: options.Reporter.Observed, Guard: outcomes.guard,
		}),
		finalizer: &finalizer{
			api: options.API, observer: observer, exchanges: exchanges, rotator: rotator, revoker: revoker, registry: registry,
			reporter: options.Reporter, clock: options.Clock, notes: notes, codes: codes,
		},
		releaser: &releaser{
			cache: options.Cache, api: options.API, registry: registry, orphans: memory.NewSlot[orphan](options.Memory), clock: options.Clock,
			codes: codes,
		},
	}
}
