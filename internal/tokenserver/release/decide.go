package release

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Reasons that are no condition's.
const (
	reasonDeleting = "ResourceDeleted"
	reasonWithheld = "TokenServerForbidden"
	reasonUnclear  = "SecretUnclear"
	reasonVisit    = "LoginPageVisit"
	reasonNotMade  = "ScopedTokenPending"
)

// maxToken is how long an access token may be. GitHub's are far shorter.
const maxToken = 8 << 10

// Decide says what may be given out now.
func Decide(read Read, now time.Time) Finding {
	resource := read.Resource
	switch {
	case resource == nil, read.Named != "" && ScopedOutput(resource, read.Named) == nil:
		return Finding{Kind: Absent}
	case !resource.DeletionTimestamp.IsZero():
		return never(reasonDeleting, "The resource is being deleted, and its token is not given out any more.")
	case read.Withheld != "":
		return never(reasonWithheld, read.Withheld)
	case isVisit(resource):
		return never(reasonVisit, "The resource is a visit of the login page, and its token is for nobody.")
	}
	own := ownPairs(read)
	if slices.ContainsFunc(own, (*rotation.Pair).IsNewer) {
		return later(v1alpha1.ReasonStateFormatTooNew, "A newer version of the operator has written the Secret, and this token server does not know what it means. Upgrade the token server as well.")
	}
	if len(own) == 0 {
		return without(resource, "The resource has no token yet.")
	}
	if slices.ContainsFunc(own, isBeingSpent) {
		return later(v1alpha1.ReasonOutcomeUnknown, "An exchange is under way, or its outcome is not known, so nobody knows which token works.")
	}
	pair := newest(own)
	found := judge(resource, pair, now)
	if read.Named == "" || found.Kind != Give {
		return found
	}
	return judgeOutput(read.Output, pair, found, now)
}

// isVisit reports whether somebody proves to the login page by the resource who they are. Its token is revoked at once.
func isVisit(resource *v1alpha1.GitHubUserToken) bool {
	_, is := resource.Labels[v1alpha1.LabelVisit]
	return is
}

// judge is Decide about one pair.
func judge(resource *v1alpha1.GitHubUserToken, pair *rotation.Pair, now time.Time) Finding {
	state := &pair.State
	switch {
	case pair.StateLost:
		return later(reasonUnclear, "What is known of the pair was lost from its Secret. The operator is finding it out.")
	case isUnproven(resource, state):
		return unproven(resource)
	case !state.HasToken() && pair.AccessToken.IsZero():
		return without(resource, "The resource has no token yet.")
	case pair.AccessToken.Fingerprint() != state.AccessToken, len(pair.AccessToken.Reveal()) > maxToken:
		return later(reasonUnclear, "Somebody else has written the Secret, so its access token is not the one that the operator knows. The operator is dealing with it.")
	}
	if why, dead := deadBy(state); dead {
		return never(why, sentence(why))
	}
	if state.Login.IsOpen(state.AccessToken, state.RefreshToken) {
		return never(v1alpha1.ReasonRevokedOnRequest, sentence(v1alpha1.ReasonRevokedOnRequest)) // GitHub may not have ended it yet.
	}
	if state.AccessTokenEnded {
		return without(resource, "GitHub no longer accepts the access token, and the operator is getting another one.")
	}
	if state.Expires() && !now.Before(state.ExpiresAt) {
		if state.Verdict != nil {
			return never(state.Verdict.Reason, sentence(state.Verdict.Reason))
		}
		return without(resource, "The access token has expired, and there is no other one yet.")
	}
	return Finding{Kind: Give, Token: tokenOf(pair), Verdict: verdictOf(state)}
}

// ownPairs are those Secrets that are pairs of this very resource and bear the operator's marks.
func ownPairs(read Read) []*rotation.Pair {
	return slices.DeleteFunc(slices.Clone(read.Pairs), func(pair *rotation.Pair) bool {
		return pair == nil || !pair.Controlled || pair.Owner.UID != string(read.Resource.UID) || pair.Labels[v1alpha1.LabelRole] != v1alpha1.RolePair
	})
}

// newest is the one of two copies that has had more commits. While a pair moves there are two.
func newest(pairs []*rotation.Pair) *rotation.Pair {
	return slices.MaxFunc(pairs, func(a, b *rotation.Pair) int {
		if a.State.HasToken() != b.State.HasToken() {
			if a.State.HasToken() {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.State.Revision, b.State.Revision)
	})
}

// isBeingSpent reports whether GitHub may have ended the access token by now: an exchange has begun that spends what it came with. That of
// another login leaves it alone. An intent that cannot be read may be any.
func isBeingSpent(pair *rotation.Pair) bool {
	intent := pair.Intent
	return intent != nil && (intent.Spends == "" || intent.Spends == pair.State.RefreshToken || intent.Spends == pair.RefreshToken.Fingerprint())
}

// isUnproven reports whether the Secret may have been put back to an older state: it is bound to another resource, or the status,
// which follows the Secret, tells of a later pair.
func isUnproven(resource *v1alpha1.GitHubUserToken, state *rotation.State) bool {
	if state.Owner != "" && state.Owner != string(resource.UID) {
		return true
	}
	status := &resource.Status
	if status.LastRefreshTime == nil {
		return false
	}
	order := status.LastRefreshTime.Compare(state.IssuedAt.Truncate(time.Second))
	return order > 0 || order == 0 && status.RefreshCount > state.RefreshCount
}

func unproven(resource *v1alpha1.GitHubUserToken) Finding {
	if reason := stalledBy(resource); reason != "" {
		return never(reason, sentence(reason))
	}
	return later(v1alpha1.ReasonPairUnproven, "The Secret was restored from elsewhere, and it is not known yet whether its token works.")
}

// deadBy is the verdict by which the access token is known to be dead or nobody knows; one about the refresh token alone is none of these:
// the access token works until it expires.
func deadBy(state *rotation.State) (reason string, dead bool) {
	if state.Verdict == nil {
		return "", false
	}
	switch reason := state.Verdict.Reason; reason {
	case rotation.ReasonRefreshTokenMissing, rotation.ReasonRefreshTokenMalformed, rotation.ReasonRefreshTokenExpired, rotation.ReasonRefreshTokenRejected:
		return reason, state.AccessTokenEnded
	case rotation.ReasonReplyLost:
		return reason, state.AccessTokenEnded || state.RefreshToken != "" // Without one it is the access token of the half that arrived.
	default:
		return reason, true
	}
}

func verdictOf(state *rotation.State) string {
	if state.Verdict == nil {
		return ""
	}
	return state.Verdict.Reason
}

func tokenOf(pair *rotation.Pair) Token {
	state := &pair.State
	token := Token{
		Access: pair.AccessToken, Fingerprint: state.AccessToken, Type: typeOf(pair.TokenType),
		ExpiresAt: state.ExpiresAt, Host: v1alpha1.DefaultHost,
	}
	if state.Verdict == nil && state.Expires() && state.RefreshToken != "" {
		token.NextRefreshAt = pair.NextRefreshAt
	}
	if host, _, _ := strings.Cut(state.App, "/"); host != "" {
		token.Host = host
	}
	if user := state.User; user != nil && user.Login != "" && user.ID > 0 {
		token.User = user
	}
	return token
}

// typeOf is the type of a token. Whoever may write the Secret may write anything there.
func typeOf(text string) string {
	if !isWord(text) {
		return "bearer"
	}
	return strings.ToLower(text)
}

// without is what is said of a resource that has no token: the conditions tell whether somebody must act.
func without(resource *v1alpha1.GitHubUserToken, message string) Finding {
	if reason := stalledBy(resource); reason != "" {
		return never(reason, sentence(reason))
	}
	return later(v1alpha1.ReasonPending, message)
}

// stalledBy is the reason for which nothing goes on before somebody acts, by conditions that speak of the spec as it is; empty when
// there is none. Their messages are not passed on: whoever may write a status may write anything there. What is wrong with outputs and
// with the handoff keeps nobody from getting a token.
func stalledBy(resource *v1alpha1.GitHubUserToken) string {
	for _, wanted := range []metav1.Condition{
		{Type: v1alpha1.ConditionAuthorized, Status: metav1.ConditionFalse}, {Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue},
	} {
		found := meta.FindStatusCondition(resource.Status.Conditions, wanted.Type)
		if found == nil || found.Status != wanted.Status || found.ObservedGeneration != resource.Generation || !isWord(found.Reason) {
			continue
		}
		if !strings.HasPrefix(found.Reason, "Output") && !strings.HasPrefix(found.Reason, "Handoff") {
			return found.Reason
		}
	}
	return ""
}

// isWord reports whether a text is one word.
func isWord(text string) bool {
	return text != "" && len(text) <= 64 && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == ""
}

func sentence(reason string) string {
	return fmt.Sprintf("The resource has no token that works, and somebody must act: %s. Its conditions say what to do.", reason)
}

func later(reason, message string) Finding {
	return Finding{Kind: Later, Reason: reason, Message: message}
}

func never(reason, message string) Finding {
	return Finding{Kind: Never, Reason: reason, Message: message}
}
