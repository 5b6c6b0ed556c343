package githubtest

import (
	"io"
	"net/http"
	"time"
)

// GitHub's documented figures, which hold where an App or Options does not say otherwise.
const (
	// DefaultAccessTokenLifetime is how long a user access token lives: 8 hours.
	DefaultAccessTokenLifetime = 28800 * time.Second
	// DefaultRefreshTokenLifetime is how long a refresh token lives: 184 days.
	DefaultRefreshTokenLifetime = 15897600 * time.Second
	// DefaultMaxTokens is how many tokens a user can have of one App and scope. Over it one dies: see App.MaxTokens.
	DefaultMaxTokens = 10
	// DefaultMaxCreations is how many tokens can be created in an hour for a user, App and scope without the person being
	// asked again.
	DefaultMaxCreations = 10
	// DefaultDeviceCodeEntries is how many user codes may be entered in an hour for an App, by all its users together.
	DefaultDeviceCodeEntries = 50
	// DefaultRevokeLimit is how many requests an hour one address may make to POST /credentials/revoke.
	DefaultRevokeLimit = 60
	// DefaultDeviceCodeLifetime is how long a person has to enter a user code: 15 minutes.
	DefaultDeviceCodeLifetime = 900 * time.Second
	// DefaultDeviceInterval is the shortest time between two polls of the device flow.
	DefaultDeviceInterval = 5 * time.Second
	// AuthorizationCodeLifetime is how long the code of the web flow lives.
	AuthorizationCodeLifetime = 10 * time.Minute
)

// Options says how a Server behaves. The zero value is GitHub as it is documented, without Apps or users.
type Options struct {
	// Apps are the registered Apps.
	Apps []App
	// Users are the accounts. Mint adds an account that is missing.
	Users []User

	// Clock tells the time; default time.Now, which is the fake clock inside a synctest bubble.
	Clock func() time.Time
	// Random is the source of all tokens and codes; default crypto/rand. It is read under the Server's lock.
	Random io.Reader

	// ErrorStatus is the HTTP status of OAuth errors at the token endpoint; default 200, as GitHub does.
	ErrorStatus int
	// RelativeErrorURI makes error_uri a path without scheme and host.
	RelativeErrorURI bool
	// UnknownClientError is the OAuth error for an unknown client id, such as "incorrect_client_credentials". Default
	// none: 404 with {"error":"Not Found"}.
	UnknownClientError string

	// FreshTokenRefusedFor is how long a new access token gets 401 from the REST API and git; default 0.
	FreshTokenRefusedFor time.Duration
	// BadCredentialsLimit is how many bad credentials in a row an address may send before every REST request of it
	// gets 403 for BadCredentialsPause; default 0: no limit.
	BadCredentialsLimit int
	// BadCredentialsPause defaults to one minute.
	BadCredentialsPause time.Duration
	// RESTLimit is the number of authenticated REST requests an hour for a user; default 0: counted, not enforced.
	RESTLimit int
	// DeleteSparesRefreshToken makes DELETE /applications/{client_id}/token end the access token alone. GitHub does not
	// document what becomes of the refresh token beside it; by default it ends as well.
	DeleteSparesRefreshToken bool
	// RevokeLimit is the number of requests an hour from one address to POST /credentials/revoke; default
	// DefaultRevokeLimit, negative: no limit.
	RevokeLimit int
	// RevokeNeedsAuthentication makes POST /credentials/revoke that of an Enterprise Server, which answers 401 without
	// authentication; github.com answers 403 with it.
	RevokeNeedsAuthentication bool

	// OnExchange is called after a refresh token was exchanged and before the reply is sent, without any lock held: the
	// place to make something happen between the two.
	OnExchange func(Presentation)
	// OnPresentation is called for each refresh token presented, once its outcome is known, without any lock held.
	OnPresentation func(Presentation)

	// ChooseFault is asked for each refresh token presented that no injected fault hits, without any lock held; nil plays
	// none. What the Fault says of its endpoint, App, token and count is not looked at.
	ChooseFault func(Presentation) *Fault

	// WebhookClient sends the webhooks; default a client with a timeout of 10 seconds that verifies no certificate, for
	// a receiver in a test rarely has one.
	WebhookClient *http.Client
}

// Kind tells GitHub Apps from OAuth Apps.
type Kind string

const (
	// GitHubApp issues ghu_ tokens with an empty scope. It is the default.
	GitHubApp Kind = "GitHubApp"
	// OAuthApp issues gho_ tokens and keeps the scope that was asked for.
	OAuthApp Kind = "OAuthApp"
)

// App is a registered GitHub App or OAuth App.
type App struct {
	// ClientID names the App at the OAuth endpoints.
	ClientID string
	// ID is the number of the App in webhooks; default 1.
	ID int64
	// Name is what the pages call the App; default the client id.
	Name string
	// Secrets are the client secrets, all of them valid at once.
	Secrets []string
	// Kind is GitHubApp or OAuthApp; default GitHubApp.
	Kind Kind
	// DeviceFlow reports whether the device flow is enabled.
	DeviceFlow bool
	// Suspended makes the token endpoint answer application_suspended.
	Suspended bool

	// NoExpiry switches token expiry off: no refresh token and no lifetimes in the reply.
	NoExpiry bool
	// OfflineAccess gives refresh tokens by the device flow only to those that ask for the scope offline_access, as is
	// reported of OAuth Apps; it is not documented.
	OfflineAccess bool
	// InvalidScopes are refused when a device code is asked for with one of them, with RFC 6749's invalid_scope. What
	// GitHub does with a scope that it does not know is not documented; by default it gives what was asked for.
	InvalidScopes []string
	// NoRefreshToken leaves the refresh token out of replies, whose access tokens expire all the same.
	NoRefreshToken bool
	// AccessTokenLifetime defaults to DefaultAccessTokenLifetime. It is told in whole seconds, rounded down.
	AccessTokenLifetime time.Duration
	// RefreshTokenLifetime defaults to DefaultRefreshTokenLifetime. It is told in whole seconds, rounded down.
	RefreshTokenLifetime time.Duration
	// NumbersAsStrings sends "28800" in JSON in place of 28800, as older versions did.
	NumbersAsStrings bool
	// Scope is the scope of an OAuth App's tokens unless the login asks for another.
	Scope string

	// AccessTokenPrefix defaults to ghu_, or gho_ for an OAuth App.
	AccessTokenPrefix string
	// AccessTokenLength is the number of characters after the prefix; default 36.
	AccessTokenLength int
	// RefreshTokenPrefix defaults to ghr_.
	RefreshTokenPrefix string
	// RefreshTokenLength is the number of characters after the prefix; default 76.
	RefreshTokenLength int

	// LongTokens makes the tokens those of GitHub's longer form: some 520 characters behind the prefix, the number of the
	// App and a JWT, with dots and dashes. The two lengths then say nothing.
	LongTokens bool

	// MaxTokens is how many tokens a user can have for this App and one scope; default DefaultMaxTokens, negative: no limit.
	// Over it the oldest of those dies that were never used and are older than a minute; where there is none, the one that
	// was used least recently; and where none was ever used, the oldest. GET /user and Authenticate are uses, the App's own
	// check is none.
	MaxTokens int
	// MaxCreations is how many tokens can be created in an hour for a user, this App and one scope; default
	// DefaultMaxCreations, negative: no limit. Over it no token dies: the web flow asks the person again, who has authorized
	// the App already.
	MaxCreations int
	// CreationError is the OAuth error that the token endpoint answers over MaxCreations, its token or code untouched. What
	// it does is not documented; by default it goes on.
	CreationError string
	// RefreshesCreate counts each exchange of a refresh token as a creation, which is not documented.
	RefreshesCreate bool
	// RateLimit limits the requests to the token endpoint; the zero value is no limit.
	RateLimit RateLimit

	// DeviceCodeLifetime defaults to DefaultDeviceCodeLifetime.
	DeviceCodeLifetime time.Duration
	// DeviceInterval defaults to DefaultDeviceInterval.
	DeviceInterval time.Duration
	// DeviceCodeEntries is how many user codes may be entered in an hour; default DefaultDeviceCodeEntries, negative: no
	// limit.
	DeviceCodeEntries int

	// CallbackURLs are the redirect URIs of the web flow, ten at most. A request of a GitHub App has to name one of them
	// exactly; one of an OAuth App may name a path below one, and any port of a loopback address. The wildcards that GitHub
	// Apps may choose are not played.
	CallbackURLs []string
	// AnyLoopbackPort lets a GitHub App, too, name any port of a loopback address; reports contradict each other.
	AnyLoopbackPort bool
	// InsecureCallbacksPick shows the account picker for each redirect URI that is not https, as GitHub may.
	InsecureCallbacksPick bool
	// ReplayEndsTokens ends what came of a code, be it exchanged since, when the code is presented a second time, as RFC 6749
	// recommends. Whether GitHub does is not documented.
	ReplayEndsTokens bool
	// AutoApprove lets the web flow go through without the consent page, as if a person had seen and confirmed it.
	AutoApprove bool

	// Installations are the accounts where the App is installed, and what it may do there. A GitHub App's tokens can be
	// scoped to one of them.
	Installations []Installation
	// ScopedTokensOutliveParent lets scoped tokens live when the token ends that they were made with, as others report. By
	// default they end with it. GitHub documents neither.
	ScopedTokensOutliveParent bool
	// ScopedTokenLifetime is how long a scoped token lives; by default as long as the token that it was made with. It is not
	// documented.
	ScopedTokenLifetime time.Duration
	// ScopedTokensCount counts scoped tokens to MaxTokens and MaxCreations, which is not documented.
	ScopedTokensCount bool

	// WebhookURL receives github_app_authorization when a grant is revoked; default none.
	WebhookURL string
	// WebhookSecret signs the webhook.
	WebhookSecret string
}

// Installation is an account where a GitHub App is installed.
type Installation struct {
	// ID of the installation; default 1.
	ID int64 `json:"id,omitempty"`
	// Account is the login of the user or organization.
	Account string `json:"account"`
	// AccountID is the number of the account.
	AccountID int64 `json:"accountID,omitempty"`
	// Repositories that the installation reaches.
	Repositories []Repository `json:"repositories,omitempty"`
	// Permissions of the installation, by name: read, write or admin.
	Permissions map[string]string `json:"permissions,omitempty"`
}

// Repository is a repository that an installation reaches.
type Repository struct {
	ID int64 `json:"id,omitempty"`
	// Name without its owner.
	Name string `json:"name"`
}

// GitHubRateLimit is GitHub's documented limit of token requests: 2,000 an hour for an App.
var GitHubRateLimit = RateLimit{Limit: 2000}

// RateLimit limits requests in a fixed window that begins with its first request.
type RateLimit struct {
	// Limit is the number of requests in a window; 0 is no limit.
	Limit int
	// Window defaults to one hour.
	Window time.Duration
	// Status of a refusal, 403 or 429; default 403.
	Status int
	// NoRetryAfter leaves Retry-After out.
	NoRetryAfter bool
	// NoReset leaves all the x-ratelimit headers out.
	NoReset bool
}

// User is an account.
type User struct {
	// Login is the account's name; it is compared without regard to case.
	Login string
	// ID is the account's number; default the next free one.
	ID int64
	// EmailUnverified makes the token endpoint answer unverified_user_email.
	EmailUnverified bool
	// Suspended makes the REST API answer 403 to the account's tokens. What the token endpoint does is not documented:
	// it goes on.
	Suspended bool
	// SingleSignOn is the value of X-GitHub-SSO that the REST API sends to the account's tokens; default none.
	SingleSignOn string
}

func (a App) withDefaults() App {
	def(&a.ID, 1)
	def(&a.Name, a.ClientID)
	def(&a.Kind, GitHubApp)
	def(&a.AccessTokenLifetime, DefaultAccessTokenLifetime)
	def(&a.RefreshTokenLifetime, DefaultRefreshTokenLifetime)
	if a.Kind == OAuthApp {
		def(&a.AccessTokenPrefix, "gho_")
	}
	def(&a.AccessTokenPrefix, "ghu_")
	def(&a.AccessTokenLength, 36)
	def(&a.RefreshTokenPrefix, "ghr_")
	def(&a.RefreshTokenLength, 76)
	def(&a.MaxTokens, DefaultMaxTokens)
	def(&a.MaxCreations, DefaultMaxCreations)
	def(&a.RateLimit.Window, time.Hour)
	def(&a.RateLimit.Status, http.StatusForbidden)
	def(&a.DeviceCodeLifetime, DefaultDeviceCodeLifetime)
	def(&a.DeviceInterval, DefaultDeviceInterval)
	def(&a.DeviceCodeEntries, DefaultDeviceCodeEntries)
	a.Secrets = append([]string(nil), a.Secrets...)
	a.CallbackURLs = append([]string(nil), a.CallbackURLs...)
	a.InvalidScopes = append([]string(nil), a.InvalidScopes...)
	a.Installations = append([]Installation(nil), a.Installations...)
	for i := range a.Installations {
		def(&a.Installations[i].ID, 1)
	}
	return a
}

// def sets a field that was left at its zero value.
func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
