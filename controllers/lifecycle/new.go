package lifecycle

import (
	"cmp"

	"github.com/githubusertoken/github-user-token-operator/controllers/alternation"
	"github.com/githubusertoken/github-user-token-operator/controllers/apps"
	"github.com/githubusertoken/github-user-token-operator/controllers/deviceflow"
	"github.com/githubusertoken/github-user-token-operator/controllers/leftovers"
	"github.com/githubusertoken/github-user-token-operator/controllers/registry"
	"github.com/githubusertoken/github-user-token-operator/controllers/replay"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/revocation"
	"github.com/githubusertoken/github-user-token-operator/controllers/revokerequest"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/controllers/tokencheck"
	"github.com/githubusertoken/github-user-token-operator/controllers/webflow"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/amend"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/compared"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/offer"
)

// New makes a Controller of its parts. Each is given what it needs and no more; none knows the Controller.
func New(options Options) *Controller {
	if options.Apps == nil {
		options.Apps = apps.Inline{}
	}
	notes := notes{memory.NewSlot[note](options.Memory), options.Clock}
	reader := seeds.NewReader(seeds.ReaderOptions{Source: options.API, Versions: options.Versions, Monotonic: options.Clock.Monotonic})
	secrets := apps.Secrets{Resolver: options.Apps, ClientSecret: reader.ClientSecret}
	observer := &observer{
		apps: options.Apps, cache: options.Cache, page: options.LoginPage, metadata: options.API, versions: options.Versions, seeds: reader, notes: notes, clock: options.Clock,
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
		Store: ownStore{compared.Store{Store: options.API}, notes, options.Versions}, Exchanger: options.GitHub, Redeemer: options.GitHub, Poller: options.GitHub, Codes: options.API, Outbox: options.Outbox,
		Clock: options.Clock, Me: options.Holder, NewID: options.NewID, OnRetry: commits.retried,
		Confirm: seeds.Confirmer{Cache: options.Cache, Clock: options.Clock}.Confirm,
	}
	observer.atWork, observer.untouched = rotator.AtWork, rotator.IsUntouched
	finder := leftovers.Finder{Cache: options.Cache, API: options.API}
	asking := cmp.Or(options.Asking, restlimit.New(restlimit.Options{GitHub: options.GitHub, Memory: options.Memory}))
	amender := amend.Amender{Store: rotator.Store, Clock: options.Clock}
	observer.turns = alternation.New(options.Cache, amender, notes.written, options.Clock, options.Memory)
	checks := tokencheck.New(tokencheck.Options{
		GitHub: asking, Store: options.API, Amender: amender, App: secrets.App,
		Runner: options.CheckRunner, Busy: options.Runner.Busy, RememberNewer: notes.read, Wake: options.Wake, Wanted: finder.IsWanted,
		StandAside: options.Runner.StandAside, ReportTrouble: commits.report, Memory: options.Memory, Clock: options.Clock,
	})
	revoker := revocation.New(revocation.Options{
		GitHub: revocation.Client{Client: asking, Credentials: options.GitHub}, Store: options.API, App: secrets.App, Host: secrets.Host, Runner: options.Runner, Events: options.Reporter,
		Find: finder.Find, Refs: observer.secretsOf, Memory: options.Memory, Clock: options.Clock, Log: options.Log,
		Limiter: options.RevocationLimiter, HeldElsewhere: ownership.HeldElsewhere, ReportTrouble: commits.report, Unwanted: func(id string) { options.Outbox.Unwanted(id) },
	})
	rotator.Admit, rotator.End = checks.VerifyAccount, revoker.Unadmitted
	known := registry.New(registry.Options{
		Memory: options.Memory, Runner: options.Runner, Ownership: ownership, Rotator: rotator, Cancel: registry.CancelAll(options.Limiter, asking),
	})
	replays := replay.New(replay.Options{
		Rotator: rotator, Outbox: options.Outbox, Resources: options.API, Reporter: options.Reporter, Remember: notes.written, Memory: options.Memory,
		Runner: options.Runner, Clock: options.Clock, PassPanic: options.PassPanic,
	})
	outcomes := &outcomes{
		notes: notes, reporter: options.Reporter, limiter: options.Limiter, received: asking.Received, issued: checks.Issued, pairs: options.API, replays: replays, clock: options.Clock,
		passPanic: options.PassPanic,
	}
	offers := offer.Offers{Store: rotator.Store, Secrets: options.API, Clock: options.Clock}
	logins := webflow.New(webflow.Options{
		Offers: offers, Verifiers: options.API, Pairs: rotator.Store,
		ReadCode: reader.ReadOnce, ClientSecret: reader.ClientSecret, CheckApp: func(app scope.App) *problem.Problem { return apps.Check(options.GitHub, app) },
		Clock: options.Clock, Random: options.Random, Page: options.LoginPage, Memory: options.Memory,
	})
	exchanges := &exchanges{
		logins: logins,
		hosts:  options.GitHub, seeds: reader, ownership: ownership, limiter: options.Limiter, outbox: options.Outbox, runner: options.Runner,
		rotator: rotator, outcomes: outcomes, notes: notes,
	}
	codes := leftovers.Codes{Cache: options.Cache, API: options.API}
	return &Controller{
		codes: codes, logins: logins,
		requests: revokerequest.New(revokerequest.Options{
			Amender: amender, Pairs: options.API, TakeUp: rotator.TakeUp, EndPair: revoker.EndPair, Leave: revoker.Leave, Runner: options.Runner,
			Remember: notes.read, Events: options.Reporter, Memory: options.Memory, Clock: options.Clock,
		}),
		api: options.API, reporter: options.Reporter, runner: options.Runner, wake: options.Wake, notes: notes,
		seeds: reader, registry: known, observer: observer, exchanges: exchanges, replays: replays, checks: checks, ownership: ownership,
		pairs: &pairActions{
			rotator: rotator, resources: options.API, seeds: reader, notes: notes, logins: logins, isOutput: options.Reporter.IsOutput,
		},
		prover: &prover{
			github: asking, seeds: reader, pairs: options.API, runner: options.Runner, notes: notes, clock: options.Clock,
		},
		device: deviceflow.New(deviceflow.Options{
			Offers: offers, Rotator: rotator, GitHub: options.GitHub, Acquire: options.Limiter.Acquire, Pause: outcomes.pause,
			CheckApp: func(app scope.App) *problem.Problem { return apps.Check(options.GitHub, app) },
			Outbox:   options.Outbox, Runner: options.Runner, Memory: options.Memory, Clock: options.Clock,
			Remember: notes.written, RememberNewer: notes.read, Doubt: notes.doubt, Record: outcomes.record,
			Observe: options.Reporter.Observed, Guard: outcomes.guard,
		}),
		finalizer: &finalizer{
			api: options.API, observer: observer, exchanges: exchanges, rotator: rotator, revoker: revoker, registry: known,
			reporter: options.Reporter, clock: options.Clock, notes: notes, codes: codes,
			deletions: apps.Deletions{Resolver: options.Apps, Events: options.Reporter},
		},
		releaser: leftovers.NewReleaser(leftovers.Options{
			Cache: options.Cache, API: options.API, Registry: known, Memory: options.Memory, Clock: options.Clock, Codes: codes,
		}),
	}
}
