package lifecycle

import (
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/revocation"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Options configure a Controller. All are needed but those that say otherwise.
type Options struct {
	Cache Cache
	// Apps resolves what resources name as their App. May be nil: then it stands in their specs.
	Apps     Apps
	API      API
	Versions seeds.Versions
	GitHub   GitHub
	Limiter  Limiter
	Outbox   Outbox
	Clock    rotation.Clock
	Reporter Reporter
	Memory   *memory.Store
	// RevocationLimiter gives out turns at GitHub's credentials endpoint. May be nil: no limit.
	RevocationLimiter revocation.Limiter
	// Asking keeps to the limit of what is asked with a credential that GitHub is not known to take. Default: there is no limit.
	Asking *restlimit.Client
	// Holder is this process, as it stands in intents, and NewID makes an id for an intent.
	Holder rotation.Holder
	NewID  func() string
	// Runner runs exchanges, CheckRunner what is asked of GitHub beside them. Their OnDone must have the resource reconciled.
	Runner, CheckRunner *runner.Runner
	// Wake has a resource reconciled.
	Wake func(types.NamespacedName)
	// Freed is told that a refresh token may belong to another resource now than before. It must not block, and has those reconciled that
	// want the token, see Wanting, soon. namespace is that of whoever has given the token up. Default: all of them are woken at once.
	Freed func(namespace string, token credential.Fingerprint)
	// Log is for what happens outside of a reconcile.
	Log logr.Logger
	// LoginPage is the base URL of the login page, to which browsers may be sent back with a code; empty when there is none.
	LoginPage string
	// Random makes texts for logins by the web flow; see webflow.Options. May be nil.
	Random func() string
	// PassPanic reports whether a panic is to go on although it would end the process. May be nil: none is.
	PassPanic func(cause any) bool
}
