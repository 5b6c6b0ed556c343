package lifecycle

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/leftovers"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/offer"
)

// Cache is what the watches have told this process. It may lag behind, and holds no tokens. What it returns is read only.
type Cache interface {
	// Secret is the metadata of a Secret of the operator's; nil when the cache has none of that name.
	Secret(ctx context.Context, ref rotation.Ref) (*rotation.Pair, error)
	// PairsOf are the pair Secrets, backups apart, that a resource controls, under whatever name.
	PairsOf(ctx context.Context, owner rotation.Owner) ([]*rotation.Pair, error)
	// SecretsFor are the pair Secrets and backups that were made for a resource of a name, whether it exists or not.
	SecretsFor(ctx context.Context, name types.NamespacedName) ([]*rotation.Pair, error)
	// CodesFor are the Secrets that hold device codes for a resource of a name, whether it exists or not.
	CodesFor(ctx context.Context, name types.NamespacedName) ([]leftovers.Code, error)
	// LoginCodesFor are the Secrets that bring codes of logins by the web flow for a resource, by their names.
	LoginCodesFor(ctx context.Context, owner rotation.Owner) ([]rotation.Ref, error)
	// ChainsWith are the pair Secrets whose chain goes back to a refresh token, stands at it, or is importing it.
	ChainsWith(ctx context.Context, token credential.Fingerprint) ([]seeds.Chain, error)
	// Resource is a resource by name; nil when the cache has none. started is false before there is a cache.
	Resource(ctx context.Context, name types.NamespacedName) (token *v1alpha1.GitHubUserToken, started bool)
	// Resources are the resources of a namespace.
	Resources(ctx context.Context, namespace string) ([]*v1alpha1.GitHubUserToken, error)
}

// Apps resolves the Apps of resources.
type Apps interface {
	// App is the App of a resource. An error is a reason to try again: it is not known which it is.
	App(ctx context.Context, token *v1alpha1.GitHubUserToken) (scope.App, error)
}

// API is the API server itself, past every cache.
type API interface {
	rotation.Store
	offer.Secrets
	seeds.Source

	// RemoveCode removes the Secret of a device code, of a verifier, or of a code that was brought back. One that is gone already
	// is no error.
	RemoveCode(ctx context.Context, ref rotation.Ref) error
	// Metadata reads the metadata of any Secret. Errors: rotation.ErrNotFound, or unknown.
	Metadata(ctx context.Context, ref rotation.Ref) (*rotation.Pair, error)
	// Try is Update as a dry run: it returns what would be stored, after admission, and nothing is written.
	Try(ctx context.Context, current, next *rotation.Pair) (*rotation.Pair, error)
	// Release takes the finalizer off a Secret that stays, under its version, and returns it as it is stored then; nil
	// when it is gone. Where there is nothing to take off nothing is written. Errors: rotation.ErrConflict,
	// rotation.ErrDenied, rotation.ErrAltered when the finalizer is still there, or unknown.
	Release(ctx context.Context, pair *rotation.Pair) (*rotation.Pair, error)
	// Resource reads a resource; nil when there is none.
	Resource(ctx context.Context, name types.NamespacedName) (*v1alpha1.GitHubUserToken, error)
	// AddFinalizer and RemoveFinalizer write the resource's finalizers under its resourceVersion. They return the
	// resource as it is then. One that is gone is no error; ErrFinalizerAltered says that something else is stored.
	AddFinalizer(ctx context.Context, token *v1alpha1.GitHubUserToken) (*v1alpha1.GitHubUserToken, error)
	RemoveFinalizer(ctx context.Context, token *v1alpha1.GitHubUserToken) error
}

// ErrFinalizerAltered: the finalizer of a resource was written, but admission has put it back, or taken it off again.
var ErrFinalizerAltered = fmt.Errorf("%w: the finalizer of the resource is not as it was written", rotation.ErrAltered)

// GitHub is all that is asked of GitHub. Errors are *github.Error.
type GitHub interface {
	rotation.Exchanger
	rotation.Poller
	rotation.Redeemer

	// CheckHost says why a host may not be connected to; nil when it may.
	CheckHost(host string) error
	RequestDeviceCode(ctx context.Context, app github.App) (github.DeviceAuthorization, error)
	CheckToken(ctx context.Context, app github.App, token credential.AccessToken) (github.Check, error)
	User(ctx context.Context, host string, token credential.AccessToken) (github.User, error)
	RevokeToken(ctx context.Context, app github.App, token credential.AccessToken) error
	RevokeCredentials(ctx context.Context, host string, access credential.AccessToken, refresh credential.RefreshToken) error
}

// Limiter shares GitHub's limit of token requests; see ratelimit.Limiter.
type Limiter interface {
	Acquire(app string, request ratelimit.Request) (ok bool, estimate time.Time)
	Waits(app, id string) (estimate time.Time, waits bool)
	Pause(app string, until time.Time)
	Cancel(id string)
}

// Outbox keeps replies, and lists what earlier lives have kept.
type Outbox interface {
	rotation.Outbox

	List() ([]rotation.Record, error)
	// Take takes the place that Reserve would, and tries nothing. Release gives it back. Errors: those of Reserve that are about places.
	Take(owner rotation.Owner) error
	// Unwanted is told of a record whose pair is not to be stored, and is kept until it is revoked only.
	Unwanted(id string)
}

// Reporter is what follows an action: it keeps metadata, outputs and workloads in line with the pair, and writes the status.
type Reporter interface {
	// Report is called at the end of a reconcile that has started nothing. It returns when it has something to do
	// again: at once when that has passed; zero when only a change can make a difference.
	Report(ctx context.Context, s *scope.Scope, decision rotation.Decision, result Result) (requeueAt time.Time, err error)
	// ReportUnknown is called in its place when it could not be found out how a resource stands.
	ReportUnknown(ctx context.Context, token *v1alpha1.GitHubUserToken, p *problem.Problem) error
	// ReportReleased is called of a resource that is being deleted, without our finalizer. It returns in how long to come back.
	ReportReleased(ctx context.Context, token *v1alpha1.GitHubUserToken) (again time.Duration, err error)
	// Starting is told of an exchange, or of a step of the device flow, that begins.
	Starting(log logr.Logger, token *v1alpha1.GitHubUserToken, job rotation.Job)
	// Stored is called right after a pair was stored, in the work that has stored it. replayed says that it came from
	// the outbox: there may be neither a leader nor a cache yet.
	Stored(log logr.Logger, token *v1alpha1.GitHubUserToken, pair *rotation.Pair, replayed bool)
	// Observed counts the result of an exchange, a poll or a replay.
	Observed(result rotation.Result)
	// CommitRetried counts a try to store a received pair that failed and is made again.
	CommitRetried()
	// RemoveOutputs removes what was derived from the pair of a resource that is being deleted, or says when to call it again.
	RemoveOutputs(ctx context.Context, token *v1alpha1.GitHubUserToken) (again time.Duration, err error)
	// IsOutput reports whether a Secret is an output of the resource, asked for or not.
	IsOutput(ctx context.Context, token *v1alpha1.GitHubUserToken, ref rotation.Ref) bool
	// Eventf records an event about a resource.
	Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any)
	// Panicked is told of work for one resource that has ended in a panic.
	Panicked(uid types.UID)
}

// resourceReader reads resources live.
type resourceReader interface {
	// Resource is that of API.
	Resource(ctx context.Context, name types.NamespacedName) (*v1alpha1.GitHubUserToken, error)
}
