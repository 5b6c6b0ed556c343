package v1alpha1

// Types of conditions. All follow the API conventions and kstatus, so that Argo CD, Flux and
// "kubectl wait" read them unchanged.
const (
	// ConditionReady is True while the pair Secret holds an access token that has not expired and is not
	// known to be revoked. A failing refresh does not clear it while the current token still works.
	ConditionReady = "Ready"

	// ConditionAuthorized is True while the refresh token is believed to be good. False means that a human
	// must act; the reason says why and the message says what to do.
	ConditionAuthorized = "Authorized"

	// ConditionReconciling is present only while work is under way or being retried; its message says when
	// the next try is.
	ConditionReconciling = "Reconciling"

	// ConditionStalled is present only while nothing more will happen until somebody changes something.
	ConditionStalled = "Stalled"
)

// Conditions of a GitHubApp or ClusterGitHubApp, beside Ready.
const (
	// ConditionCredentialsValid is True while GitHub accepts its client secret.
	ConditionCredentialsValid = "CredentialsValid"
)

// Reasons of the conditions of a GitHubApp or ClusterGitHubApp, beside those that GitHubUserTokens have as well.
const (
	// ReasonUsable: Ready=True, whoever may can use the App.
	ReasonUsable = "Usable"
	// ReasonInUse: the App is being deleted and waits for those who use it.
	ReasonInUse = "InUse"
	// ReasonSelectorInvalid: the selector of allowedNamespaces is malformed.
	ReasonSelectorInvalid = "SelectorInvalid"
	// ReasonCredentialsAccepted: CredentialsValid=True, GitHub accepts the client ID and secret.
	ReasonCredentialsAccepted = "CredentialsAccepted"
	// ReasonNotYetChecked: CredentialsValid=Unknown, GitHub was not asked yet, or did not say.
	ReasonNotYetChecked = "NotYetChecked"
)

// Reasons of Ready=True.
const (
	// ReasonTokenValid: the access token works until accessTokenExpirationTime.
	ReasonTokenValid = "TokenValid"
	// ReasonTokenDoesNotExpire: expiry is switched off in the App, so there is nothing to refresh.
	ReasonTokenDoesNotExpire = "TokenDoesNotExpire"
	// ReasonOverlapTooLong: the token works, but spec.rotation.overlap is more than three eighths of its lifetime, and is not kept.
	ReasonOverlapTooLong = "OverlapTooLong"
	// ReasonOneAuthorizationOnly: the strategy is Alternate, and one of the two authorizations has to be made or renewed. The other one's token is published.
	ReasonOneAuthorizationOnly = "OneAuthorizationOnly"
	// ReasonAlternateNotMade: the GitHubUserToken for the second authorization could not be made, changed or removed.
	ReasonAlternateNotMade = "AlternateNotMade"
	// ReasonRefreshBeforeTooLong: the token works, but spec.refreshBefore is not shorter than its lifetime.
	ReasonRefreshBeforeTooLong = "RefreshBeforeTooLong"
)

// Reasons of Ready=False and of Ready=Unknown that are no fault of the authorization.
const (
	// ReasonPending: no exchange has been made yet.
	ReasonPending = "Pending"
	// ReasonTokenExpired: the access token has expired and no exchange has succeeded since.
	ReasonTokenExpired = "TokenExpired"
	// ReasonSuspended: spec.suspend stops the exchange that would be needed.
	ReasonSuspended = "Suspended"
	// ReasonAuthorizationPending: a person has to enter status.authorization.userCode at GitHub, to open
	// status.authorization.loginURL, or to go on in the browser with a login of status.webLogin.
	ReasonAuthorizationPending = "AuthorizationPending"
)

// Reasons of Authorized=True and Authorized=Unknown.
const (
	// ReasonRefreshTokenValid: the last exchange succeeded and nothing has been heard against it.
	ReasonRefreshTokenValid = "RefreshTokenValid"
	// ReasonNoRefreshToken: the App's tokens do not expire, so there is no refresh token and none is needed.
	ReasonNoRefreshToken = "NoRefreshToken"
	// ReasonNotYetExchanged: the refresh token of the seed has not been tried yet.
	ReasonNotYetExchanged = "NotYetExchanged"
	// ReasonOutcomeUnknown: an exchange was cut short and GitHub's answer is not known; it is being resolved.
	ReasonOutcomeUnknown = "OutcomeUnknown"
)

// Reasons of Authorized=False: a human must act.
const (
	// ReasonRefreshTokenMissing: there is no refresh token: the seed Secret or its key is missing or empty.
	ReasonRefreshTokenMissing = "RefreshTokenMissing"
	// ReasonRefreshTokenMalformed: what stands in the seed, or was put into the pair Secret, is no refresh token.
	ReasonRefreshTokenMalformed = "RefreshTokenMalformed"
	// ReasonRefreshTokenNotIssued: GitHub gave out an access token that expires without a refresh token, so it ends for good.
	ReasonRefreshTokenNotIssued = "RefreshTokenNotIssued"
	// ReasonRefreshTokenRejected: GitHub refused the refresh token: spent, revoked, or of another App.
	ReasonRefreshTokenRejected = "RefreshTokenRejected"
	// ReasonRefreshTokenExpired: the refresh token was not used within its lifetime.
	ReasonRefreshTokenExpired = "RefreshTokenExpired"
	// ReasonReplyLost: GitHub exchanged the token, but its reply never arrived.
	ReasonReplyLost = "ReplyLost"
	// ReasonAccessTokenEnded: GitHub does not take the access token any more, ahead of its expiry. Whether the refresh
	// token has ended with it is being found out.
	ReasonAccessTokenEnded = "AccessTokenEnded"
	// ReasonRevoked: the user or the App's owner has revoked the authorization.
	ReasonRevoked = "Revoked"
	// ReasonRevokedOnRequest: the end of this login was asked for in the name of its account, by the annotation revocation-requested, or it is
	// that of a visit that the login page has left.
	ReasonRevokedOnRequest = "RevokedOnRequest"
	// ReasonWrongUser: the token belongs to another account than spec.user.
	ReasonWrongUser = "WrongUser"
	// ReasonUserUnknown: spec.user names an account, and GitHub did not say in time whose the new pair is.
	ReasonUserUnknown = "UserUnknown"
	// ReasonAppChanged: the stored pair belongs to another App or host than spec.app.
	ReasonAppChanged = "AppChanged"
	// ReasonPairUnproven: the Secret was restored from elsewhere, and nothing proves that its pair is current.
	ReasonPairUnproven = "PairUnproven"
	// ReasonAuthorizationDenied: the person denied the device authorization.
	ReasonAuthorizationDenied = "AuthorizationDenied"
	// ReasonLoginCodeRejected: GitHub did not redeem the code of a login by the web flow.
	ReasonLoginCodeRejected = "LoginCodeRejected"
	// ReasonLoginLost: the code of a login by the web flow was sent, and GitHub's answer never arrived.
	ReasonLoginLost = "LoginLost"
	// ReasonAuthorizationExpired: nobody entered a code while codes were offered, or no code of a browser was redeemed in time.
	ReasonAuthorizationExpired = "AuthorizationExpired"
)

// Reasons of Stalled and Reconciling, and of Ready when there is no token yet: configuration that
// somebody must change, or a state of GitHub or the cluster that passes. None of them condemns the
// refresh token.
const (
	// ReasonClientSecretMissing: the client secret's Secret or its key is missing or empty.
	ReasonClientSecretMissing = "ClientSecretMissing"
	// ReasonIncorrectClientCredentials: GitHub knows no such client ID and secret.
	ReasonIncorrectClientCredentials = "IncorrectClientCredentials"
	// ReasonHostNotAllowed: the host is not one of the operator's --allowed-hosts.
	ReasonHostNotAllowed = "HostNotAllowed"
	// ReasonAppNotUsable: the App that spec.app refers to does not exist, or may not be used here.
	ReasonAppNotUsable = "AppNotUsable"
	// ReasonAppPolicyViolated: the resource asks for what the policy of its App forbids.
	ReasonAppPolicyViolated = "AppPolicyViolated"
	// ReasonUserRequired: the operator runs with --require-user, and spec.user is not set.
	ReasonUserRequired = "UserRequired"
	// ReasonHostUnreachable: no connection to the host could be made.
	ReasonHostUnreachable = "HostUnreachable"
	// ReasonCertificateNotTrusted: the host's certificate is not signed by a CA that the operator trusts.
	ReasonCertificateNotTrusted = "CertificateNotTrusted"
	// ReasonRedirected: the host answered with a redirect, which is never followed.
	ReasonRedirected = "Redirected"
	// ReasonAppMisconfigured: the App or the account does not allow this: suspended, unverified address,
	// grant not supported.
	ReasonAppMisconfigured = "AppMisconfigured"
	// ReasonAccountSuspended: GitHub has suspended the account, so the access token is good for nothing.
	ReasonAccountSuspended = "AccountSuspended"
	// ReasonDeviceFlowDisabled: the device flow is not enabled in the App's settings.
	ReasonDeviceFlowDisabled = "DeviceFlowDisabled"
	// ReasonSecretNotOwned: a Secret of the wanted name belongs to somebody else.
	ReasonSecretNotOwned = "SecretNotOwned"
	// ReasonMetadataRefused: the API server does not take the labels and annotations of spec.secret.
	ReasonMetadataRefused = "MetadataRefused"
	// ReasonStateFormatTooNew: a newer version of the operator has written the pair Secret, so this one exchanges
	// nothing.
	ReasonStateFormatTooNew = "StateFormatTooNew"
	// ReasonRefreshTokenInUse: another resource owns the same refresh token.
	ReasonRefreshTokenInUse = "RefreshTokenInUse"
	// ReasonNamespaceTerminating: the namespace is being deleted.
	ReasonNamespaceTerminating = "NamespaceTerminating"
	// ReasonRateLimited: GitHub's rate limit for the App has been reached.
	ReasonRateLimited = "RateLimited"
	// ReasonGitHubUnavailable: GitHub answered with an error of its own, or not in time.
	ReasonGitHubUnavailable = "GitHubUnavailable"
	// ReasonUnreadableReply: GitHub's answer could not be understood.
	ReasonUnreadableReply = "UnreadableReply"
	// ReasonOutboxUnavailable: the operator cannot keep a pair safe, so it begins no exchange.
	ReasonOutboxUnavailable = "OutboxUnavailable"
	// ReasonOutboxShareUsed: pairs of the namespace that are not stored take up its share of the outbox, so it begins no exchange.
	ReasonOutboxShareUsed = "OutboxShareUsed"
	// ReasonCommitting: a new pair has been received and is being stored.
	ReasonCommitting = "Committing"
	// ReasonExchanging: an exchange is under way.
	ReasonExchanging = "Exchanging"
	// ReasonRevoking: the end of this login was asked for in the name of its account, and GitHub is being asked to revoke it.
	ReasonRevoking = "Revoking"
	// ReasonAPIServerUnavailable: the API server refused or did not answer a write that must come before an
	// exchange.
	ReasonAPIServerUnavailable = "APIServerUnavailable"
	// ReasonSecretReadsLimited: so much was read of the Secrets that are named in a namespace that the next read waits.
	ReasonSecretReadsLimited = "SecretReadsLimited"
	// ReasonAlteredByAdmission: an admission webhook or policy alters what the operator writes to the pair Secret, so that
	// nothing is exchanged, and a resource that is being deleted is not released; or to the finalizers of the resource.
	ReasonAlteredByAdmission = "AlteredByAdmission"
	// ReasonContested: somebody else changes what the operator has written each time it is put right.
	ReasonContested = "Contested"
	// ReasonStatusRefused: the API server refuses the status that the operator has computed, so it says less.
	ReasonStatusRefused = "StatusRefused"
	// ReasonHandoffForbidden: the operator lacks the permission to notify pods or restart workloads.
	ReasonHandoffForbidden = "HandoffForbidden"
	// ReasonHandoffDisabled: spec.handoff asks for what the operator was not started for.
	ReasonHandoffDisabled = "HandoffDisabled"
	// ReasonHandoffIncomplete: some pods or workloads could not be told of the new token yet.
	ReasonHandoffIncomplete = "HandoffIncomplete"
	// ReasonOutputNotOwned: a Secret of an output's name belongs to somebody else.
	ReasonOutputNotOwned = "OutputNotOwned"
	// ReasonOutputInvalid: an output cannot be rendered as its spec asks.
	ReasonOutputInvalid = "OutputInvalid"
	// ReasonOutputNotWritten: the API server refused an output, or did not answer; it is tried again.
	ReasonOutputNotWritten = "OutputNotWritten"
	// ReasonScopeNotGranted: GitHub does not grant the scope of an output; it is tried again.
	ReasonScopeNotGranted = "ScopeNotGranted"
	// ReasonScopedTokenNotMade: GitHub makes no token for an output with a scope, or cannot be asked for one; it is tried again.
	ReasonScopedTokenNotMade = "ScopedTokenNotMade"
	// ReasonScopedTokenLost: GitHub may have made scoped tokens that never arrived, and is asked for no more for a while.
	ReasonScopedTokenLost = "ScopedTokenLost"
	// ReasonScopedTokenNotRevoked: a scoped token that has been replaced could not be revoked yet; it is tried again.
	ReasonScopedTokenNotRevoked = "ScopedTokenNotRevoked"
	// ReasonOutputNotRemoved: an output that the spec does not ask for any more could not be removed; it is tried again.
	ReasonOutputNotRemoved = "OutputNotRemoved"
)
