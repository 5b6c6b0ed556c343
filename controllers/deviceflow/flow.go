package deviceflow

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Offers stores codes. offer.Offers is one.
type Offers interface {
	Offer(ctx context.Context, job rotation.Job, offer rotation.DeviceAuthorization, code credential.DeviceCode) (*rotation.Pair, error)
}

// Rotator stores the pairs that they bring. *rotation.Rotator is one.
type Rotator interface {
	Poll(ctx context.Context, job rotation.Job) rotation.Result
}

// GitHub gives out codes. *github.Client is one. Its errors are *github.Error.
type GitHub interface {
	RequestDeviceCode(ctx context.Context, app github.App) (github.DeviceAuthorization, error)
}

// Outbox has places for what a poll may bring. Its errors are those of rotation.Outbox.
type Outbox interface {
	// Take takes a resource's place, unless it has it already.
	Take(owner rotation.Owner) error
	// Release gives it back.
	Release(owner rotation.Owner)
}

// Options configure a Flow. All that may not be nil must be set.
type Options struct {
	Offers  Offers
	Rotator Rotator
	GitHub  GitHub
	// CheckApp is why nothing may be asked of GitHub for an App; nil when it may. May be nil itself.
	CheckApp func(app scope.App) *problem.Problem
	// Acquire asks the limiter for one token request of an App. If not ok, the resource is woken when its turn has
	// come, and estimate is about when.
	Acquire func(app string, request ratelimit.Request) (ok bool, estimate time.Time)
	// Pause stops the requests of an App, where a result says that GitHub asks for it.
	Pause  func(app github.App, result rotation.Result)
	Outbox Outbox
	Runner *runner.Runner
	Memory *memory.Store
	Clock  rotation.Clock
	// Remember is told of a pair Secret as this process has just written it.
	Remember func(uid types.UID, pair *rotation.Pair)
	// RememberNewer is told of a pair Secret that was read or written beside exchanges; nil when it was not seen.
	RememberNewer func(uid types.UID, pair *rotation.Pair)
	// Doubt is told that what was remembered of the pair Secret may not be so.
	Doubt func(uid types.UID)
	// Record is told of a result that ends a flow: committed, superseded or discarded. It remembers, counts, logs,
	// publishes and hands over as after an exchange, pauses of the App excepted.
	Record func(log logr.Logger, token *v1alpha1.GitHubUserToken, job rotation.Job, result rotation.Result)
	// Observe counts the result of a login with a wrong account in the metrics of exchanges.
	Observe func(result rotation.Result)
	// Guard returns what is deferred around a piece of work to recover from its panic. May be nil.
	Guard func(log logr.Logger, token *v1alpha1.GitHubUserToken, job rotation.Job) func()
}

// Flow takes the device flows of all resources forward. Make it with New; it is safe for concurrent use, but for
// each resource Advance is called by one reconcile at a time, and not while the Runner is busy with it.
type Flow struct {
	options Options
	notes   memory.Slot[note]
}

// New makes a Flow. It is called while the operator is set up.
func New(options Options) *Flow {
	return &Flow{options: options, notes: memory.NewSlot[note](options.Memory)}
}

// Step is what Advance found and did.
type Step struct {
	// Problem is what status shows in place of the problem that Advance was given; nil when there is none.
	Problem *problem.Problem
	// Offered is the code that a person can enter now; nil when there is none.
	Offered *rotation.DeviceAuthorization
	// Needed reports that a person has to log in now, by whichever method.
	Needed bool
	// Started reports that work was started. Its end has the resource reconciled, so there is nothing to show yet.
	Started bool
	// RequeueAt is when to call Advance again; zero when only a change, or the limiter, can make a difference.
	RequeueAt time.Time
}
