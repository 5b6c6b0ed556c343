package v1alpha1

import "strings"

// Annotations that people set on a GitHubUserToken.
const (
	// AnnotationRefreshRequestedAt asks for an exchange now. Any value will do, a time by custom; each value
	// is honoured once: kubectl annotate ghut NAME githubusertoken.dev/refresh-requested-at="$(date)" --overwrite.
	AnnotationRefreshRequestedAt = "githubusertoken.dev/refresh-requested-at"

	// AnnotationHoldUntil puts a refresh off until the given time (RFC 3339), at most until a safe margin
	// before the access token expires.
	AnnotationHoldUntil = "githubusertoken.dev/hold-until"

	// AnnotationAdopt is a person's word that a pair Secret which was restored from a backup holds the
	// current pair. Its value is the UID of the resource, or "true" for this and every later restore.
	AnnotationAdopt = "githubusertoken.dev/adopt"

	// AnnotationWebLoginRequested asks for a login by the web flow: a request ID of 8 to 64 letters, digits and dashes, which
	// whoever asks makes up, a blank, and the callback URL. That is http://127.0.0.1:PORT/…, or below the base URL of the
	// operator's login page. Each ID is honoured once, and another one ends an attempt that still waits for its
	// code. While there is none, no code is redeemed. status.webLogin has the page to be opened, and then what came of it.
	AnnotationWebLoginRequested = "githubusertoken.dev/web-login-requested"

	// AnnotationRequestedBy says who wants the token. The login page shows it to the person who is asked to log in, as what
	// somebody claims: whoever may edit the resource may write anything. The operator does not look at it.
	AnnotationRequestedBy = "githubusertoken.dev/requested-by"

	// AnnotationPurpose says what the token is for, in a sentence. The login page shows it, as what somebody claims.
	AnnotationPurpose = "githubusertoken.dev/purpose"

	// AnnotationRevocationRequested asks for the revocation of one login at GitHub: the value of status.login.account, a blank, and
	// that of status.login.id. One that names another account, or another login than the one that is stored, does nothing. The
	// login page sets it for people who have proven whose account is theirs.
	AnnotationRevocationRequested = "githubusertoken.dev/revocation-requested"
)

// Annotations that the operator sets on workloads, when spec.handoff asks for it. Their value is the
// time, to the microsecond, at which the token that the workload was told of was received.
const (
	// AnnotationRefreshedAt stands on pods. A change of it makes the kubelet refresh their volumes at once.
	AnnotationRefreshedAt = "githubusertoken.dev/refreshed-at"
	// AnnotationPrefixRestartedFor begins the annotation on pod templates by which workloads are restarted.
	// The name of the GitHubUserToken, as in LabelOwner, ends it: several may restart the same workload.
	AnnotationPrefixRestartedFor = "restarted-for.githubusertoken.dev/"
)

// LabelTokenServer is a label of namespaces, which whoever may label them sets. With any value but TokenServerAllowed the token server gives
// out no token of the GitHubUserTokens in the namespace, whatever RBAC says. Without it RBAC alone says who gets them.
const (
	LabelTokenServer   = "githubusertoken.dev/token-server"
	TokenServerAllowed = "Allowed"
)

// Labels, annotations and finalizers that the operator sets.
const (
	// LabelRole says what a Secret is to the operator; its cache selects Secrets by it.
	LabelRole = "githubusertoken.dev/role"
	// LabelVisit marks a GitHubUserToken of the login page: somebody proves by it whose account is theirs. It stands in the namespace of
	// the page alone, and is gone when that is known. Its value names the browser, and LabelVisitor the address, by hashes.
	LabelVisit = "githubusertoken.dev/visit"
	// LabelVisitor names the address from which a visit was begun; see LabelVisit.
	LabelVisitor = "githubusertoken.dev/visitor"
	// AnnotationVisitSentAt says when the browser of a visit was sent to GitHub (RFC 3339). The login page sets it; see LabelVisit.
	AnnotationVisitSentAt = "githubusertoken.dev/visit-sent-at"
	// AnnotationAlternateOf stands on the GitHubUserToken that the operator makes for the second authorization of another one, with the
	// strategy Alternate, and has that one's UID. Its name is that one's with -alternate behind it.
	AnnotationAlternateOf = "githubusertoken.dev/alternate-of"
	// LabelOwner is the name of the GitHubUserToken, cut to 63 characters, for people to select by.
	LabelOwner = "githubusertoken.dev/owner"

	// RolePair marks the Secret that holds the current pair.
	RolePair = "pair"
	// RoleBackup marks a Secret that keeps a pair safe while the pair Secret is being replaced.
	RoleBackup = "backup"
	// RoleLogin marks a Secret that holds a device code, or the verifier of a login by the web flow, while a person is being
	// waited for.
	RoleLogin = "login"
	// RoleLoginCode marks a Secret by which somebody brings the code of a login by the web flow back to the operator; see LoginCodeSecretName.
	// It is the user's.
	RoleLoginCode = "login-code"
	// RoleOutput marks a Secret that is derived from a pair.
	RoleOutput = "output"

	// AnnotationState holds what the operator knows about the pair, without any secret, as JSON.
	AnnotationState = "githubusertoken.dev/state"
	// AnnotationIntent names the exchange under way: who began it, and the fingerprint of the token it spends.
	AnnotationIntent = "githubusertoken.dev/intent"
	// AnnotationExpiresAt says when the access token expires (RFC 3339).
	AnnotationExpiresAt = "githubusertoken.dev/expires-at"
	// AnnotationNextRefreshAt says when it will be replaced (RFC 3339).
	AnnotationNextRefreshAt = "githubusertoken.dev/next-refresh-at"
	// AnnotationPublication stands on the Secret of the published token and numbers the pair that it is of, with the strategy Alternate.
	AnnotationPublication = "githubusertoken.dev/publication"
	// AnnotationSource stands on outputs and names what they were derived from, without any secret.
	AnnotationSource = "githubusertoken.dev/source"
	// AnnotationScopedTokens stands on outputs with a scope and says which scoped tokens they hold, without any secret, as JSON.
	AnnotationScopedTokens = "githubusertoken.dev/scoped-tokens"
	// AnnotationAppliedMetadata lists the labels and annotations that the spec asked for last, so that those
	// that it no longer asks for are taken off, and those that others put there are left alone.
	AnnotationAppliedMetadata = "githubusertoken.dev/applied-metadata"

	// Finalizer stands on each GitHubUserToken, so that deletionPolicy is carried out, and on the pair
	// Secret, so that deleting it loses nothing.
	Finalizer = "githubusertoken.dev/pair-protection"
	// FinalizerScopedTokens stands on outputs that hold scoped tokens, so that these are revoked before the Secret goes, whoever deletes it.
	FinalizerScopedTokens = "githubusertoken.dev/scoped-tokens"
)

// Keys of the pair Secret. They change with the pair, and for nothing else.
const (
	// KeyAccessToken is the access token.
	KeyAccessToken = "access_token"
	// KeyRefreshToken is the refresh token. Leave it to the operator: whoever exchanges it ends the chain.
	KeyRefreshToken = "refresh_token"
	// KeyTokenType is "bearer".
	KeyTokenType = "token_type"
	// KeyExpiresAt is when the access token expires (RFC 3339); absent when it never does.
	KeyExpiresAt = "expires_at"
	// KeyRefreshTokenExpiresAt is when the refresh token expires (RFC 3339).
	KeyRefreshTokenExpiresAt = "refresh_token_expires_at"
	// KeySeedRefreshToken is the refresh token of a login that somebody has put into the Secret by hand. Earlier versions put
	// that of every login there while it was being exchanged.
	KeySeedRefreshToken = "seed_refresh_token"
	// KeyScopedTokens is the key of an output with a scope under which the scoped tokens stand that were made for it and not revoked
	// yet, one a line. It is the operator's own.
	KeyScopedTokens = "scoped_tokens"
	// KeyDeviceCode is the secret half of a device authorization. It stands in a Secret of its own, with RoleLogin; earlier
	// versions had it in the pair Secret.
	KeyDeviceCode = "device_code"
	// KeyCodeVerifier is what proves that a code of the web flow was asked for by the operator. It stands in a Secret of its own, with
	// RoleLogin.
	KeyCodeVerifier = "code_verifier"
)

// VisitPrefix begins the names of the GitHubUserTokens that are visits; see LabelVisit.
const VisitPrefix = "login-page-visit-"

const (
	// LoginCodeSecretPrefix begins the name of a Secret with RoleLoginCode. The ID of the attempt ends it.
	LoginCodeSecretPrefix = "github-user-token-code-"
	// KeyCode is the key of the code in it.
	KeyCode = "code"
)

// OwnerLabel is the value of LabelOwner for a resource: its name, cut to what a label's value can hold.
func OwnerLabel(name string) string {
	if len(name) > 63 {
		name = name[:63]
	}
	return strings.TrimRight(name, "-.")
}
