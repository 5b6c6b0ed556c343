package revocation

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// GitHub is what the Revoker calls.
type GitHub interface {
	// RevokeToken revokes the pair of an access token through its App, which takes the client secret. What has no turn is a
	// *restlimit.WaitingError.
	RevokeToken(ctx context.Context, who restlimit.Caller, app github.App, token credential.AccessToken) error
	Credentials
	// Waits reports whether a resource waits for its turn to have its client secret tried.
	Waits(host string, uid types.UID) (until time.Time, waits bool)
	// Cancel gives up a place among those who wait for that.
	Cancel(id string)
}

// Credentials is the endpoint that takes tokens alone.
type Credentials interface {
	// RevokeCredentials revokes tokens by themselves. Zero tokens are left out.
	RevokeCredentials(ctx context.Context, host string, access credential.AccessToken, refresh credential.RefreshToken) error
}

// Client is GitHub, put together: what is sent to the credentials endpoint has a limit of its own.
type Client struct {
	*restlimit.Client
	Credentials
}

// Store reads pairs live.
type Store interface {
	Get(ctx context.Context, ref rotation.Ref) (*rotation.Pair, error)
}

// Events records events, as events.EventRecorder does.
type Events interface {
	Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any)
}

// Options configure a Revoker. All but Limiter, Events and Log are needed.
type Options struct {
	GitHub GitHub
	Store  Store
	// App is the App of a resource, with its client secret, which is read live; without that the tokens themselves are
	// authority enough. It is zero when it is not known.
	App func(context.Context, *v1alpha1.GitHubUserToken) github.App
	// Host is the host of that App; empty when it is not known.
	Host func(context.Context, *v1alpha1.GitHubUserToken) string
	// Runner runs the revocations of resources that are deleted: that of the exchanges, so that a resource has
	// no exchange meanwhile. Its OnDone has the resource reconciled.
	Runner *runner.Runner
	// ReportTrouble has the status say why an exchange goes on whose pair must not be stored.
	ReportTrouble func(rotation.Owner, string)
	// Unwanted is told of the record of a pair that must not be stored before that is revoked, so that no alert speaks of it. May
	// be nil.
	Unwanted func(id string)
	// Limiter gives out turns at the credentials endpoint, of CredentialsPerHour for each host. May be nil: no limit.
	Limiter Limiter
	// Events tells of tokens that could not be revoked. May be nil.
	Events Events
	// Find is the resource of an owner's name as it is now, live; nil when there is none.
	Find func(context.Context, rotation.Owner) (*v1alpha1.GitHubUserToken, error)
	// HeldElsewhere reports whether another resource holds the refresh token of a pair that this one was given by a copy or
	// a backup. May be nil: none does. An error is a reason to try again.
	HeldElsewhere func(context.Context, *v1alpha1.GitHubUserToken, *rotation.Pair) (bool, error)
	// Refs are all Secrets in which a resource may have a pair.
	Refs   func(context.Context, *v1alpha1.GitHubUserToken) ([]rotation.Ref, error)
	Memory *memory.Store
	Clock  rotation.Clock
	// Log is used where the context has no logger.
	Log logr.Logger
}

// Revoker is safe for concurrent use. Make it with New.
type Revoker struct {
	options Options
	notes   memory.Slot[note]
}

// New makes a Revoker.
func New(options Options) *Revoker {
	return &Revoker{options: options, notes: memory.NewSlot[note](options.Memory)}
}
