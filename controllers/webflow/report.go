package webflow

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/rules"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

const (
	maxID      = 128
	maxURL     = 4096
	maxMessage = 2048
)

// Report is status.webLogin: what somebody has asked for, what is to be done, and what came of it; nil when nobody asks. It is a pure
// function of what is known now.
func Report(s *scope.Scope) *v1alpha1.WebLogin {
	if s.Web.Asked.ID == "" {
		return nil
	}
	report := &v1alpha1.WebLogin{RequestID: s.Web.Asked.ID}
	attempt, stopped := attemptOf(s), stoppedBy(s)
	switch {
	case s.Web.Refused != "":
		report.Result, report.Message = v1alpha1.WebLoginRefused, "No login was begun for the annotation "+v1alpha1.AnnotationWebLoginRequested+": "+s.Web.Refused
	case attempt == nil && wasHonoured(s):
		report.Result, report.Message = v1alpha1.WebLoginSuperseded, "A login was begun for this request before, and none is begun for it again. "+anew
	case attempt == nil && stopped != "":
		report.Message = stopped
	case attempt == nil:
		report.Message = notBegun(s)
	case resultOf(s, attempt) != "":
		report.Result = resultOf(s, attempt)
		report.Message = saidOf(s, attempt, report.Result)
	case isBeingRedeemed(s, attempt):
		report.AttemptID, report.Message = attempt.ID, "The code is being redeemed."
	case stopped != "":
		report.AttemptID, report.ExpirationTime, report.Message = attempt.ID, endOf(attempt), stopped
	default:
		page := pageOf(s, attempt)
		report.AttemptID, report.ExpirationTime, report.Message = attempt.ID, endOf(attempt), waiting(s)
		if page != "" && len(page) <= maxURL {
			report.AuthorizeURL = page
		}
	}
	if len(report.Message) > maxMessage {
		report.Message = strings.ToValidUTF8(report.Message[:maxMessage], "")
	}
	return report
}

func endOf(attempt *weblogin.Attempt) *metav1.Time {
	return new(metav1.NewTime(attempt.ExpiresAt.Truncate(time.Second)))
}

// attemptOf is the attempt that answers what is asked for; nil when there is none.
func attemptOf(s *scope.Scope) *weblogin.Attempt {
	state := s.Stored()
	if state == nil || s.Web.Refused != "" || s.Web.Asked.ID == "" || !state.Web.Answers(s.Web.Asked) {
		return nil
	}
	if id := state.Web.ID; !strings.HasPrefix(id, s.Owner.UID+"-") || len(id) > maxID || !utf8.ValidString(id) {
		return nil // It is another resource's, or somebody has edited it.
	}
	return state.Web
}

// wasHonoured reports whether what is asked for was honoured by another attempt than one of this resource that is known: none is begun
// for it. A pair that was retained or came back from elsewhere tells of one, or it was long ago.
func wasHonoured(s *scope.Scope) bool {
	state := s.Stored()
	return state != nil && state.Web.HasHonoured(s.Web.Asked)
}

func isBeingRedeemed(s *scope.Scope, attempt *weblogin.Attempt) bool {
	return s.Pair.Intent != nil && s.Pair.Intent.Attempt == attempt.ID
}

func resultOf(s *scope.Scope, attempt *weblogin.Attempt) v1alpha1.WebLoginResult {
	result := attempt.Result(s.Now, isBeingRedeemed(s, attempt))
	if result == v1alpha1.WebLoginLost && attempt.Ended == "" && s.Pair.State.HasImported(attempt.Sent) {
		return v1alpha1.WebLoginSucceeded // An older version has stored the pair. It knows of no attempts.
	}
	if result == "" && attempt.App != s.Input.App && !isBeingRedeemed(s, attempt) {
		return v1alpha1.WebLoginSuperseded // spec.app has changed: the code of one App is none of another.
	}
	return result
}

func pageOf(s *scope.Scope, attempt *weblogin.Attempt) string {
	request := github.PageRequest{RedirectURI: attempt.Callback, State: attempt.State, Challenge: attempt.Challenge}
	if user := s.Token.Spec.User; user != nil {
		request.Login = user.Login
	}
	return github.AuthorizePage(s.App.App, request)
}

// stoppedBy is why no login is begun, and no code redeemed, before somebody changes something; empty when there is no such reason.
// Nobody is to be sent to GitHub meanwhile.
func stoppedBy(s *scope.Scope) string {
	reason := ""
	if found := rules.Decide(s.Input).Problem; found != nil {
		reason = found.Reason
	}
	switch {
	case s.Token.Spec.Suspend:
		return "spec.suspend stops logins as well."
	case s.App.Problem != nil:
		return "No login goes on, because the App may not be used: " + s.App.Problem.Message
	case !s.App.IsKnown():
		return "No login goes on, because it is not known which App it is for."
	case reason == v1alpha1.ReasonSecretNotOwned:
		return fmt.Sprintf("No login goes on, because Secret %q, in which its pair would be stored, belongs to somebody else.", s.Ref.Name)
	case reason == v1alpha1.ReasonStateFormatTooNew:
		return fmt.Sprintf("No login goes on, because a newer version of the operator has written Secret %q.", s.Ref.Name)
	default:
		return ""
	}
}

func notBegun(s *scope.Scope) string {
	if s.Failure != nil {
		return "The login is not begun yet. " + s.App.Veil(s.Failure).Message
	}
	return "The login is about to begin, unless a condition says what stands in its way."
}

// waiting is what is to be done, and why a code that was brought back could not be redeemed yet.
func waiting(s *scope.Scope) string {
	if s.Input.Web.HasCode && s.Failure != nil {
		return "The code is there and could not be redeemed yet, which is tried again until the attempt ends. " + s.App.Veil(s.Failure).Message
	}
	if s.Input.Web.HasCode {
		return "The code is about to be redeemed."
	}
	if isOfPage(s.Web.Asked) {
		return "Somebody has opened the link of the login page, and is logging in at GitHub."
	}
	as := ""
	if pin := s.Token.Spec.User; pin != nil {
		as = " as " + scope.Account(pin)
	}
	return "Open the page of authorizeURL in a browser, sign in" + as + ", and authorize the App."
}

// LookAt is when there is something to do, or to tell, about a login by the web flow; zero when only a change can make a
// difference.
func LookAt(s *scope.Scope) time.Time {
	at := rules.OfferAt(s.Input)
	if !at.After(s.Now) {
		at = time.Time{} // It was dealt with, or waits for something else.
	}
	if state := s.Stored(); state != nil && state.Web.IsWaiting(s.Now) {
		at = backoff.Earliest(at, state.Web.ExpiresAt)
		if s.Failure != nil && s.Input.Web.HasCode && s.Failure.RetryAt.After(s.Now) {
			at = backoff.Earliest(at, s.Failure.RetryAt)
		}
	}
	if ends := s.VisitEndsAt(); ends.After(s.Now) {
		at = backoff.Earliest(at, ends)
	}
	return backoff.Earliest(at, s.Link.ExpiresAt)
}

// Explain adds to the problem of a resource that waits for a person what became of the login by the web flow, and the link of
// the login page: while a login waits, that is what is to be done.
func Explain(s *scope.Scope, p *problem.Problem) *problem.Problem {
	if p == nil || !p.Unauthorized {
		return p
	}
	told := *p
	if attempt := attemptOf(s); attempt != nil {
		explainAttempt(s, attempt, &told)
	}
	explainLink(s, &told)
	return &told
}

// explainLink tells of the link that is offered, or why none is. Before there was ever a token it is what is waited for; later the
// reason for which a person is needed says more.
func explainLink(s *scope.Scope, told *problem.Problem) {
	switch state := s.Stored(); {
	case s.Link.Without != "":
		told.Message += " There is no link of the login page. " + s.Link.Without
	case s.Link.URL != "":
		told.Message = words.WithLink(told.Message, scope.Account(s.Token.Spec.User))
		if told.Reason == v1alpha1.ReasonRefreshTokenMissing && (state == nil || !state.HasToken()) {
			told.Reason, told.Stalled = v1alpha1.ReasonAuthorizationPending, false
		}
	}
}

func explainAttempt(s *scope.Scope, attempt *weblogin.Attempt, told *problem.Problem) {
	p, also := *told, " "+told.Message
	if spec := &s.Token.Spec; p.Reason == v1alpha1.ReasonRefreshTokenMissing && spec.RefreshTokenRef == nil && !spec.HasLoginMethod(v1alpha1.LoginMethodDeviceFlow) {
		also = "" // There is no other way to log in.
	}
	switch result := resultOf(s, attempt); result {
	case "":
		if stoppedBy(s) != "" {
			return // There is no page.
		}
		told.Reason, told.Stalled = v1alpha1.ReasonAuthorizationPending, false
		told.Message = fmt.Sprintf("Open the page of status.webLogin.authorizeURL in a browser and authorize the App before %s.", words.Time(attempt.ExpiresAt)) + also
		if isOfPage(s.Web.Asked) {
			told.Message = fmt.Sprintf("Somebody has opened the link of the login page, and has until %s to log in at GitHub.", words.Time(attempt.ExpiresAt)) + also
		}
	case v1alpha1.WebLoginLost, v1alpha1.WebLoginRejected, v1alpha1.WebLoginExpired, v1alpha1.WebLoginWrongUser:
		if attempt.Followed {
			return // It is not that login for which a person is needed now.
		}
		told.Message = saidOf(s, attempt, result) + also
		if reason := reasons[result]; p.Reason == v1alpha1.ReasonRefreshTokenMissing {
			told.Reason = reason
		}
	case v1alpha1.WebLoginSucceeded, v1alpha1.WebLoginRefused, v1alpha1.WebLoginSuperseded:
	}
}

// reasons are those of Authorized=False where there is nothing else to tell.
var reasons = map[v1alpha1.WebLoginResult]string{
	v1alpha1.WebLoginLost:      v1alpha1.ReasonLoginLost,
	v1alpha1.WebLoginRejected:  v1alpha1.ReasonLoginCodeRejected,
	v1alpha1.WebLoginExpired:   v1alpha1.ReasonAuthorizationExpired,
	v1alpha1.WebLoginWrongUser: v1alpha1.ReasonWrongUser,
}

// Beside is what Authorized says of a login that has come to nothing beside a chain that goes on; empty when there is none. It begins
// with a blank.
func Beside(s *scope.Scope) string {
	attempt := attemptOf(s)
	if attempt == nil || attempt.Followed { // The chain may be that of a later one.
		return ""
	}
	switch result := resultOf(s, attempt); result {
	case v1alpha1.WebLoginLost, v1alpha1.WebLoginRejected, v1alpha1.WebLoginWrongUser:
		return " A newer login came to nothing, and the chain before it goes on. " + saidOf(s, attempt, result)
	default:
		return ""
	}
}
