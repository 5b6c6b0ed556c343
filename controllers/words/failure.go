package words

import (
	"errors"
	"fmt"
	"strings"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Failure is the problem of an exchange that brought no pair and no verdict.
func Failure(result rotation.Result) *problem.Problem {
	var failed *github.Error
	switch {
	case result.Outcome == rotation.NoOutbox:
		return noOutbox(result.Err)
	case result.Outcome == rotation.NotFenced && errors.Is(result.Err, rotation.ErrTerminating):
		return Terminating()
	case result.Outcome == rotation.NotFenced && errors.Is(result.Err, rotation.ErrAltered):
		return AlteredByAdmission("Nothing was exchanged", result.Err)
	case result.Outcome == rotation.NotFenced && isMetadataRefused(result.Err):
		return &problem.Problem{Reason: v1alpha1.ReasonMetadataRefused, Message: "Nothing was exchanged, because the API server does not accept the metadata that spec.secret asks for: " + Of(result.Err) + ". Correct spec.secret."}
	case result.Outcome == rotation.NotFenced:
		return &problem.Problem{Reason: v1alpha1.ReasonAPIServerUnavailable, Message: "Nothing was exchanged, because the intent could not be written first: " + Of(result.Err) + "."}
	case errors.As(result.Err, &failed):
		return &problem.Problem{Reason: ReasonOf(failed), Message: Sentence(failed.Error()), OfApp: IsOfApp(failed), AppRefused: IsAppRefused(failed), Ambiguous: result.Outcome == rotation.Unknown}
	default:
		return &problem.Problem{Reason: v1alpha1.ReasonGitHubUnavailable, Message: Sentence(Of(result.Err)), Ambiguous: true}
	}
}

// WhichClientSecret says which client secret GitHub has refused, or has not got, of an App that is named inline; empty for others.
func WhichClientSecret(token *v1alpha1.GitHubUserToken) string {
	if token.Spec.App.Ref != nil {
		return ""
	}
	which := " No client secret was sent, as spec.app names none."
	if ref := token.Spec.App.ClientSecretRef; ref != nil {
		which = fmt.Sprintf(" The client secret is key %q of Secret %q.", ref.Key, ref.Name)
	}
	return which + " That of a GitHubApp or ClusterGitHubApp of the same client ID is used only where spec.app.ref names it."
}

// noOutbox is the problem of an exchange that was not begun, because its reply could not have been kept.
func noOutbox(err error) *problem.Problem {
	switch {
	case errors.Is(err, rotation.ErrPlacesInUse):
		return &problem.Problem{Reason: v1alpha1.ReasonExchanging, Message: "Waiting for other exchanges of this namespace to end."}
	case errors.Is(err, rotation.ErrShareUsed):
		return &problem.Problem{
			Reason: v1alpha1.ReasonOutboxShareUsed,
			Message: "No exchange is made, because " + Of(err) + ". See what keeps the API server from storing them at the resources of this namespace with the reason " +
				v1alpha1.ReasonCommitting + ".",
		}
	default:
		return &problem.Problem{
			Reason: v1alpha1.ReasonOutboxUnavailable,
			Message: "No exchange is made, because a new pair could not be kept safe: " + Of(err) + ". The operator's administrator must see to its outbox: " +
				"the volume needs room and must be writable, and pairs that the API server does not store take it up.",
		}
	}
}

// Spent is what was sent to GitHub, as sentences name it.
type Spent string

// What is spent.
const (
	RefreshToken Spent = "the refresh token"
	Code         Spent = "the code of the login by the web flow"
)

// Unrecorded is the problem of what GitHub refused where that could not be written down. needed reports
// that a login is needed.
func Unrecorded(what Spent, err error, needed bool) *problem.Problem {
	reason := v1alpha1.ReasonRefreshTokenRejected
	if what == Code {
		reason = v1alpha1.ReasonLoginCodeRejected
	}
	return &problem.Problem{
		Reason: reason, Unauthorized: needed,
		Message: "GitHub refused " + string(what) + ", and the API server does not take the write to the pair Secret that says so: " + Of(err) +
			". No pair is waiting to be stored. Mend what refuses the write first; then a new login can be taken up.",
	}
}

// Terminating is the problem of a namespace that is being deleted.
func Terminating() *problem.Problem {
	return &problem.Problem{Reason: v1alpha1.ReasonNamespaceTerminating, Message: "The namespace is being deleted; nothing is exchanged."}
}

// AlteredByAdmission is the problem of a pair Secret of which something else is stored than was written; what is what came
// of it.
func AlteredByAdmission(what string, err error) *problem.Problem {
	return &problem.Problem{Reason: v1alpha1.ReasonAlteredByAdmission, Message: what + ": " + Altered(err)}
}

// FinalizerAltered is the problem of a resource whose own finalizer is not stored as it was written.
func FinalizerAltered(what string, err error) *problem.Problem {
	return &problem.Problem{
		Reason:  v1alpha1.ReasonAlteredByAdmission,
		Message: what + ": " + Of(err) + ". Change that webhook or policy so that it leaves alone the finalizers of GitHubUserTokens.",
	}
}

// FinalizerRefused is the problem of a resource whose own finalizer the API server does not write.
func FinalizerRefused(what string, err error) *problem.Problem {
	return &problem.Problem{
		Reason: v1alpha1.ReasonAPIServerUnavailable,
		Message: what + ", because the operator's finalizer could not be written: " + Of(err) +
			". Its token is refreshed all the same, and the finalizer is tried again. Have what refuses that let the operator patch GitHubUserTokens.",
	}
}

// Unreleased is the problem of a resource that is being deleted and could not be released, for another reason than that
// admission has altered something.
func Unreleased(err error) *problem.Problem {
	return &problem.Problem{
		Reason:  v1alpha1.ReasonAPIServerUnavailable,
		Message: "The resource is being deleted and cannot be released yet: " + Of(err) + ". Remove what refuses it; the operator tries again within half a minute.",
	}
}

// Unknown is the problem of a resource of which it could not be found out how it stands.
func Unknown(err error) *problem.Problem {
	return &problem.Problem{
		Reason:  v1alpha1.ReasonAPIServerUnavailable,
		Message: "It could not be found out how this resource stands, so that nothing is exchanged: " + Of(err) + ". It is tried again.",
	}
}

// Unread is the problem of a seed that could not be read. What the resource has goes on.
func Unread(err error) *problem.Problem {
	return &problem.Problem{
		Reason:  v1alpha1.ReasonAPIServerUnavailable,
		Message: "The seed could not be read: " + Of(err) + ". The operator tries again within half a minute; what is stored already goes on being refreshed.",
	}
}

// KeepPod says what to do, and what not, while a pair is not stored.
const KeepPod = "Remove what refuses the write, and do not delete the operator's pod before the pair is stored: it may have the only copy."

// Altered says who has altered a pair Secret, and what to do.
func Altered(err error) string {
	return Of(err) + ". Change that webhook or policy so that it leaves alone the Secrets that have the label " + v1alpha1.LabelRole + "."
}

// isMetadataRefused reports whether the pair Secret could not be made because of what spec.secret wants in it.
func isMetadataRefused(err error) bool {
	return errors.Is(err, rotation.ErrDenied) &&
		(strings.Contains(Of(err), "is invalid: metadata.") || strings.Contains(Of(err), "is invalid: [metadata."))
}
