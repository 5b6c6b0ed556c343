package loginpage

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// stage is how far a login has come, by what its resource says.
type stage int

const (
	// isTaken: another login has taken its place, or it was called off, or the resource is another one now.
	isTaken stage = iota
	// isSuspended: spec.suspend stops logins.
	isSuspended
	// isAsked: the operator has not begun yet.
	isAsked
	// isBarred: the operator does not begin as long as nobody mends something, such as a client secret that is missing.
	isBarred
	// isHeld: it was begun, and nothing could come of it as long as nobody mends something.
	isHeld
	// isOpen: GitHub's page can be opened, and its code brought.
	isOpen
	// isLate: its time is over, and the operator has not said so yet.
	isLate
	// isRedeeming: a code was brought, and is being redeemed.
	isRedeeming
	// isOver: there is a result.
	isOver
)

// standing is that of the login of a session.
func standing(token *v1alpha1.GitHubUserToken, s session, now time.Time) stage {
	status := token.Status.WebLogin
	asked, _, _ := strings.Cut(token.Annotations[v1alpha1.AnnotationWebLoginRequested], " ")
	id := s.requestID()
	answered := status != nil && same(status.RequestID, id)
	switch {
	case token.UID != s.uid || token.DeletionTimestamp != nil:
		return isTaken
	case answered && status.Result != "":
		return isOver
	case !same(asked, id):
		return isTaken // Its attempt ends as soon as the operator has seen this.
	case token.Spec.Suspend:
		return isSuspended
	case answered && status.AttemptID == "" && meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionStalled):
		return isBarred
	case !answered || status.AttemptID == "":
		return isAsked
	case !strings.HasPrefix(status.AttemptID, string(token.UID)+"-") || !names.MatchString(v1alpha1.LoginCodeSecretName(status.AttemptID)):
		return isTaken // It is no attempt of this resource.
	case status.AuthorizeURL == "" && status.ExpirationTime == nil:
		return isRedeeming
	case status.ExpirationTime == nil || !now.Before(status.ExpirationTime.Time):
		return isLate
	case status.AuthorizeURL == "":
		return isHeld
	default:
		return isOpen
	}
}

// inUse is for how long a request that the operator has not answered is left alone. It answers within seconds; when it has not by
// then, it is not there, and whoever has asked is not helped by keeping others out.
const inUse = time.Minute

// use is what has become of a link.
type use int

const (
	// isFree: the link can be used.
	isFree use = iota
	// isMine: this browser has used it.
	isMine
	// isUsed: somebody else has.
	isUsed
	// isBusy: a login of the resource was asked for a moment ago.
	isBusy
)

// useOf tells whether the login of a session may be asked for. A link is good for one login: that one was begun with it stands in the
// resource, also before the operator has made another link.
func useOf(token *v1alpha1.GitHubUserToken, s session, now time.Time) use {
	status, id := token.Status.WebLogin, s.requestID()
	asked, _, _ := strings.Cut(token.Annotations[v1alpha1.AnnotationWebLoginRequested], " ")
	if same(asked, id) {
		return isMine
	}
	answered := ""
	if status != nil {
		answered = status.RequestID
		// One that was refused has begun nothing.
		if isOfTicket(answered, s.ticket) && status.Result != v1alpha1.WebLoginRefused && (status.Result != "" || status.AttemptID != "") {
			return isUsed
		}
	}
	if asked != "" && asked != answered && now.Sub(askedAt(token)) < inUse {
		if isOfTicket(asked, s.ticket) {
			return isUsed
		}
		return isBusy
	}
	return isFree
}
