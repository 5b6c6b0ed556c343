package tokencheck

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// MaxChecks is how many resources GitHub is asked about at once: the limit of Options.Runner.
const MaxChecks = 32

// callTimeout bounds one call of GitHub that is no exchange.
const callTimeout = 10 * time.Second

// GitHub is what the checks call; see restlimit.Client. What has no turn is a *restlimit.WaitingError.
type GitHub interface {
	// CheckToken reports whether a token is alive. An error says nothing about it.
	CheckToken(ctx context.Context, who restlimit.Caller, app github.App, token credential.AccessToken) (github.Check, error)
	// User is the account of a token.
	User(ctx context.Context, who restlimit.Caller, host string, token credential.AccessToken) (github.User, error)
	// Received is told of a token that GitHub has issued for an App.
	Received(uid types.UID, app github.App, token credential.Fingerprint)
	// Waits reports whether a resource waits for its turn, and until when about.
	Waits(host string, uid types.UID) (until time.Time, waits bool)
	// Cancel gives up a place among those who wait.
	Cancel(id string)
	// CheckHost says why a host must not be called; nil when it may be.
	CheckHost(host string) error
}

// Store reads pairs live.
type Store interface {
	Get(ctx context.Context, ref rotation.Ref) (*rotation.Pair, error)
}

// Amender writes down what was found, as amend.Amender does.
type Amender interface {
	MarkRevoked(ctx context.Context, owner rotation.Owner, ref rotation.Ref, token credential.Fingerprint) (*rotation.Pair, bool, error)
	ClearRevoked(ctx context.Context, owner rotation.Owner, ref rotation.Ref, policy rotation.Policy, token credential.Fingerprint) (*rotation.Pair, bool, error)
	LearnUser(ctx context.Context, owner rotation.Owner, read *rotation.Pair, user rotation.User) (*rotation.Pair, bool, error)
}

// Options configure Checks. All of them are needed.
type Options struct {
	GitHub  GitHub
	Store   Store
	Amender Amender
	// App is the App of a resource, with its client secret, which is read live; without that the token itself is tried. It
	// is zero when it is not known.
	App func(context.Context, *v1alpha1.GitHubUserToken) github.App
	// Runner runs the checks. It is none of the exchanges', has the limit MaxChecks, and its OnDone has the
	// resource reconciled.
	Runner *runner.Runner
	// Busy reports whether an exchange of the resource is under way.
	Busy func(types.UID) bool
	// RememberNewer keeps the metadata of a pair Secret that was just read or written, unless something newer
	// is kept: checks go on beside exchanges. The pair may be nil.
	RememberNewer func(types.UID, *rotation.Pair)
	// Wake has a resource reconciled.
	Wake func(types.NamespacedName)
	// Wanted reports whether the resource of a received pair still exists and is to stay. In doubt it does.
	Wanted func(context.Context, rotation.Owner) bool
	// StandAside gives up the place of an exchange that waits for an account.
	StandAside func(types.UID)
	// ReportTrouble has the status say why a received pair is not stored yet.
	ReportTrouble func(rotation.Owner, string)
	Memory        *memory.Store
	Clock         rotation.Clock
}

// Checks is safe for concurrent use. Make it with New.
type Checks struct {
	options Options
	notes   memory.Slot[note]
}

// New makes Checks.
func New(options Options) *Checks {
	return &Checks{options: options, notes: memory.NewSlot[note](options.Memory)}
}

// Reconsider asks again soon what GitHub refused because of a wrong client secret: somebody may have corrected
// it. It is called when a Secret that the resource names has changed.
func (c *Checks) Reconsider(uid types.UID) {
	now := c.options.Clock.Monotonic()
	c.notes.Peek(uid, func(n *note) { *n = reconsidered(*n, now) })
}
