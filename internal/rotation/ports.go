package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/systemclock"
)

// Errors of a Store. Any other error means that the outcome of a write is not known: it may have been
// applied, so it is read back and not repeated blindly.
var (
	// ErrNotFound: there is no such Secret.
	ErrNotFound = errors.New("the Secret does not exist")
	// ErrConflict: the Secret has changed since it was read; nothing was written.
	ErrConflict = errors.New("the Secret has changed since it was read")
	// ErrExists: a Secret of that name exists; nothing was written.
	ErrExists = errors.New("a Secret of that name exists already")
	// ErrImmutable: the Secret is immutable; nothing was written.
	ErrImmutable = errors.New("the Secret is immutable")
	// ErrNotOwned: the Secret belongs to somebody else; nothing was written.
	ErrNotOwned = errors.New("the Secret belongs to somebody else")
	// ErrBackupNotOwned is ErrNotOwned of what stands in the backup's place.
	ErrBackupNotOwned = fmt.Errorf("%w, and stands in the place of the backup", ErrNotOwned)
	// ErrTerminating: the API server says that the namespace is being deleted, so that nothing can be created in it any
	// more. An admission webhook may say so as well: whoever gives something up for it asks Store.Gone first.
	ErrTerminating = errors.New("the namespace is being deleted")
	// ErrOwnerGone: the resource does not exist any more.
	ErrOwnerGone = errors.New("the resource does not exist any more")
	// ErrDenied: RBAC, admission or a quota refused the write; nothing was written.
	ErrDenied = errors.New("the API server refused the write")
)

// Store keeps pairs: Secrets on an API server, or a simulation of them.
type Store interface {
	// Get reads a Secret live, past every cache. Errors: ErrNotFound, or unknown.
	Get(ctx context.Context, ref Ref) (*Pair, error)
	// Locate finds the pair Secrets, backups apart, that a resource controls, live and under whatever name, the
	// one that changed its name of late included. Without a UID those of every resource of the name, and those that have
	// none, and their backups. It is called where a Secret is not where it was expected. Errors are unknown.
	Locate(ctx context.Context, owner Owner) ([]Ref, error)
	// Create makes the Secret, with an owner reference to pair.Owner, after making sure that this resource
	// still exists, unless it is a fence that holds nothing yet, and removes it again if the resource has gone by then. It reports whether its spec was changed. Errors: ErrExists, ErrOwnerGone, ErrTerminating, ErrDenied, or unknown.
	Create(ctx context.Context, pair *Pair) (*Pair, error)
	// Update writes what differs between current and next in one request, under current.Version, and
	// returns the whole Secret. When it gives the Secret an owner it makes sure before that this resource exists
	// and is not being deleted; when it takes the owner away, the finalizer stays. Errors: ErrNotFound, ErrConflict,
	// ErrImmutable, ErrOwnerGone, ErrDenied, or unknown.
	Update(ctx context.Context, current, next *Pair) (*Pair, error)
	// Gone reports whether nobody is left to store anything for: the resource, read live, does not exist any more or is
	// another one of its name, or its namespace, read live, is gone or being deleted. Errors are unknown.
	Gone(ctx context.Context, owner Owner) (bool, error)
	// Remove drops the finalizer and deletes the Secret, if it is still the one with pair.UID and pair.Version:
	// what somebody else has written since is never removed. A Secret that is gone already is no error. Errors:
	// ErrConflict, ErrDenied, ErrAltered when the finalizer is still there, or unknown.
	Remove(ctx context.Context, pair *Pair) error
}

// Exchanger sends a refresh token to GitHub, exactly once. An error is always a *github.Error.
type Exchanger interface {
	Exchange(ctx context.Context, app github.App, token credential.RefreshToken) (*github.Reply, error)
}

// Redeemer sends a code of the web flow to GitHub, exactly once. An error is always a *github.Error.
type Redeemer interface {
	RedeemCode(ctx context.Context, app github.App, redemption github.Redemption) (*github.Reply, error)
}

// Outbox keeps replies until they are committed, across the death of the process.
type Outbox interface {
	// Reserve makes room for the reply to one exchange of a resource, before it begins; otherwise it says why no record
	// could be kept now. Errors: ErrPlacesInUse, ErrShareUsed, or what the outbox itself lacks.
	Reserve(owner Owner) error
	// Release gives back what was reserved for a resource, unless a record has taken it.
	Release(owner Owner)
	// Keep stores a record durably before it returns.
	Keep(record Record) error
	// Remove forgets a record. One that is gone already is no error.
	Remove(id string) error
}

// ErrPlacesInUse: exchanges of the namespace that are about to end have what it may have of the outbox beside others.
var ErrPlacesInUse = errors.New("other exchanges of the namespace are under way")

// ErrShareUsed: replies to the namespace that have waited to be stored for long have what it may have beside others.
var ErrShareUsed = errors.New("pairs of the namespace that wait to be stored take up its share of the outbox")

// Record is a reply in the outbox, with all that is needed to commit it in another life.
type Record struct {
	// ID is the id of the intent under which the exchange was made.
	ID    string `json:"id"`
	Ref   Ref    `json:"ref"`
	Owner Owner  `json:"owner"`
	// App is the App's key (host/clientID).
	App string `json:"app"`
	// Spent names the token that was exchanged, or the device code that was redeemed.
	Spent credential.Fingerprint `json:"spent"`
	// Code says that it was a device code. What stands in the Secret does not tell: anybody may have put the same value
	// under two keys.
	Code bool `json:"code,omitempty"`
	// Login says that this is the first pair of a new login, which replaces whatever chain there was.
	Login bool `json:"login,omitempty"`
	// Attempt is the attempt to log in by the web flow whose code was redeemed.
	Attempt string `json:"attempt,omitempty"`
	// SecretUID is the UID of the Secret at the fence.
	SecretUID string `json:"secretUID,omitempty"`
	// Base is the state of the Secret at the fence. It tells a Secret that has not moved on since, and it
	// is what the chain goes on from when the Secret is gone.
	Base State `json:"base"`
	// SeedVersion is the version of the seed Secret that the login came from.
	SeedVersion string `json:"seedVersion,omitempty"`
	// RefreshRequestedAt is the value of the annotation that this exchange honours.
	RefreshRequestedAt string `json:"refreshRequestedAt,omitempty"`
	// Publication is that of the pair; see State.
	Publication int64 `json:"publication,omitempty"`
	// User is the account that the pair must belong to; nil when any will do.
	User *UserPin `json:"user,omitempty"`
	// Identity is the account that the pair belongs to, once Admit has found it out.
	Identity *User `json:"-"`
	// altered says that admission was seen to put something else in the place of the pair.
	altered bool
	// Reply is what GitHub sent. The outbox stores its body; nothing else may.
	Reply *github.Reply `json:"-"`
}

// UserPin is the account that a pair must belong to, by login, by id, or both.
type UserPin struct {
	Login string `json:"login,omitempty"`
	ID    int64  `json:"id,omitempty"`
}

// SystemClock is the real time.
func SystemClock() Clock { return systemclock.New() }

// Clock is the time, and a way to let it pass.
type Clock interface {
	// Now is the wall clock, which may jump.
	Now() time.Time
	// Monotonic is the time since some fixed moment in this process; it never jumps.
	Monotonic() time.Duration
	// WithTimeout is context.WithTimeout by this clock.
	WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc)
	// Sleep returns after the given time, or earlier with the context's error.
	Sleep(ctx context.Context, d time.Duration) error
}
