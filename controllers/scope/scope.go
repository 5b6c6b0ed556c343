package scope

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/rules"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

// Scope is all that one reconcile knows of a resource. Observe fills it; nothing changes it afterwards but an
// action that has written the pair Secret, which sets Pair, and one that refuses a login that is asked for, which sets Web.
type Scope struct {
	// Token is the resource as the cache has it. It is read only.
	Token *v1alpha1.GitHubUserToken
	// Owner is the resource, as pairs name it.
	Owner rotation.Owner
	// App is the App of the resource.
	App App
	// Ref is where the pair is: under the name that the spec asks for, or still under a former one.
	Ref rotation.Ref
	// Pair is the pair Secret's metadata; nil when there is none.
	Pair *rotation.Pair
	// Chain is the UID of the resource whose pair it is, in the scope of those who read what is published; see ForReaders. Empty otherwise.
	Chain string
	// BackupUID is the UID of the backup that the cache has; empty when it has none.
	BackupUID string
	// Seed is what was found in the seed Secret, when there was a reason to look.
	Seed Seed
	// Web is what somebody asks for of logins by the web flow.
	Web WebLogin
	// Link is the link of the login page that a person is offered.
	Link Link
	// Failure is why the last exchange brought nothing; nil when it did, or when somebody has changed something
	// since that may have mended it.
	Failure *problem.Problem
	// MoveBlocked is why the pair cannot move to the name that the spec asks for; nil when nothing is known.
	MoveBlocked *problem.Problem
	// RestoreBlocked is why a pair Secret that was deleted is not put back, while its pair is used where it is; nil when nothing
	// is known.
	RestoreBlocked *problem.Problem
	// Unheld is why the resource bears no finalizer; nil when it does.
	Unheld *problem.Problem
	// Unswept is why the Secret of a device code that nobody can enter any more is still there; nil when there is none.
	Unswept *problem.Problem
	// GoneAt is when a pair that was written and is missing from the cache counts as gone; zero when it is not missing.
	GoneAt time.Time
	// IntentUntouched reports that nothing came of the intent in the pair Secret: its token is as good as before.
	IntentUntouched bool
	// Alternation is what is known of the other chain with which this one takes turns; nil where there is none.
	Alternation *Alternation
	// Input is what Decide looks at.
	Input rules.Input
	// Standing is what GitHub has said of the access token beside whether it is alive.
	Standing Standing
	// AwaitsUser is in how long it will be known whose a token is that was just stored, at the latest; zero when nobody waits.
	AwaitsUser time.Duration
	// Advice is what Authorized says beside the chain of how many tokens the account has; see tokencount.Counter.Advice.
	Advice string
	// Now is the wall clock of this reconcile.
	Now time.Time
}

// Standing is what GitHub says of an access token beside whether it is alive; zero when it says nothing.
type Standing struct {
	// Reason is why GitHub lets the account do nothing: a condition's reason. Empty when the account may do something.
	Reason string
	// Message says it to a person, or what else the token is kept from.
	Message string
}

// IsBarred reports whether the account may do nothing, so that the token is good for nothing.
func (s Standing) IsBarred() bool { return s.Reason != "" }

// Seed is what was found in a seed Secret.
type Seed struct {
	// Version says which key of which Secret in which version was looked at; empty when there is none.
	Version string
	// Fingerprint names the refresh token; empty when there is a problem, or nothing was looked at.
	Fingerprint credential.Fingerprint
	// Problem is why there is no refresh token.
	Problem *problem.Problem
	// IsSpent reports that this process remembers of the resource's own chain that it has had to do with the token, where another's pair stands in
	// its Secret, which has not heard of it.
	IsSpent bool
	// Unread is why the seed could not be read, so that it is not known what it holds; Problem says it to a person.
	Unread error
}

// WebLogin is what somebody asks for by the annotation web-login-requested.
type WebLogin struct {
	// Asked is the request as it stands in the annotation; zero when there is none.
	Asked weblogin.Request
	// Refused is why no attempt is begun for it, in sentences; empty when one may be.
	Refused string
}

// Link is a link of the login page; zero when none is offered, and none would be expected.
type Link struct {
	// URL is the link; empty when there is none.
	URL string
	// ExpiresAt is when another one takes its place.
	ExpiresAt time.Time
	// Without is why there is none, in sentences.
	Without string
}

// Stored is the state of the pair, when there is one and it is the resource's own; nil otherwise.
func (s *Scope) Stored() *rotation.State {
	if s.Pair == nil || !s.Pair.Controlled {
		return nil
	}
	return &s.Pair.State
}

// ExpiresAt is when the access token expires: as it was computed when the pair was stored or, when it is earlier, by the
// time for which this process has been seeing the pair. Zero when it never does.
func (s *Scope) ExpiresAt() time.Time {
	state := s.Stored()
	if state == nil || !state.Expires() {
		return time.Time{}
	}
	if left := s.Input.ExpiresIn; left != nil && s.Now.Add(*left).Before(state.ExpiresAt) {
		return s.Now.Add(*left)
	}
	return state.ExpiresAt
}

// NextRefreshAt is when the pair is due, as the annotation tells consumers; zero when nothing will be
// refreshed before somebody acts.
func (s *Scope) NextRefreshAt() time.Time {
	if s.Pair == nil || !s.Pair.State.Expires() || s.Pair.State.RefreshToken == "" || s.Pair.State.Verdict != nil || s.Pair.State.AccessTokenEnded {
		return time.Time{}
	}
	if s.Chain != "" && s.Input.Turn.Alternates {
		return ReplacedAt(&s.Pair.State)
	}
	return s.Input.Policy.DueAt(&s.Pair.State)
}

// AgainAt is when a refresh token that GitHub has refused is presented once more; zero when it is not.
func (s *Scope) AgainAt(verdict *rotation.Verdict) time.Time { return rules.AgainAt(s.Input, verdict) }
