package login

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/browser"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/standing"
)

// App is the App of a resource, as far as it is known here.
type App struct {
	// Host is where it is. Guessed says that nobody here may read the App, so that the host is GitHub's own, or what --host says.
	Host    string
	Guessed bool
	// ClientID is empty when it is not known.
	ClientID string
}

// Web is a login by the web flow that was asked for.
type Web struct {
	// App is whose page may be opened.
	App App
	// RequestID is what makes the request ours, and Callback where the browser comes back to.
	RequestID, Callback string
	// Attempt is the operator's attempt, and Page where the person authorizes it, once they are known; State is what comes back: the
	// operator's, which whoever may read the status knows, and a text that nobody knows but this process and the browser that it
	// opens. So nobody can have another browser come here with a code of theirs.
	Attempt, Page, State string
}

// NewWeb begins one.
func NewWeb(callback string, app App) *Web {
	return &Web{App: app, RequestID: random(), Callback: callback}
}

// random is a text that nobody can guess.
func random() string {
	text := make([]byte, 16)
	_, _ = rand.Read(text) // It never fails.
	return hex.EncodeToString(text)
}

// Request is the value of the annotation that asks for it.
func (w *Web) Request() string { return w.RequestID + " " + w.Callback }

// Next is what comes next: of Show the page is known, of Done and Fail the text says what to tell the person.
func (w *Web) Next(token *v1alpha1.GitHubUserToken) (Step, string) {
	status := token.Status.WebLogin
	switch {
	case token.DeletionTimestamp != nil:
		return Fail, "the resource is being deleted"
	case token.Spec.Suspend:
		return Fail, fmt.Sprintf("%s is suspended, so that nobody can log in: kubectl ghut resume %s -n %s", token.Name, token.Name, token.Namespace)
	case token.Annotations[v1alpha1.AnnotationWebLoginRequested] != w.Request() && (status == nil || status.RequestID != w.RequestID):
		return Fail, "somebody else has asked for a login of this resource meanwhile"
	case status == nil || status.RequestID != w.RequestID:
		return Wait, ""
	case status.Result == v1alpha1.WebLoginSucceeded:
		return Done, w.success(token)
	case status.Result != "":
		return Fail, w.failure(token, status)
	case w.Attempt == "" && status.AttemptID != "" && status.AuthorizeURL != "":
		if err := w.take(status); err != nil {
			return Fail, err.Error()
		}
		return Show, ""
	case w.Attempt != "" && status.AttemptID != "" && status.AttemptID != w.Attempt:
		return Fail, "the operator has begun another attempt, whose page was not opened here. To begin anew: " + Again(token)
	default:
		return Wait, ""
	}
}

// Hint is what to tell a person who has been waiting: what the operator says of the login, where it has seen that it is asked for.
func (w *Web) Hint(token *v1alpha1.GitHubUserToken) string {
	if status := token.Status.WebLogin; status != nil && status.RequestID == w.RequestID && status.Message != "" {
		return standing.Plain(status.Message)
	}
	return "Nothing has happened yet. Is the operator at work? kubectl ghut check"
}

// Stopped is why no login is begun, where somebody has to change something first: the operator has seen that it is asked for, and the
// resource is stalled. It is empty otherwise.
func (w *Web) Stopped(token *v1alpha1.GitHubUserToken) string {
	status := token.Status.WebLogin
	stalled := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionStalled)
	if stalled == nil || stalled.Status != metav1.ConditionTrue || w.Attempt != "" || status == nil || status.RequestID != w.RequestID || status.AttemptID != "" {
		return ""
	}
	if stalled.Message != "" {
		return standing.Plain(stalled.Message)
	}
	return standing.Plain(status.Message)
}

// IsOver reports whether the operator has said what came of the login: there is nothing to take back.
func (w *Web) IsOver(token *v1alpha1.GitHubUserToken) bool {
	status := token.Status.WebLogin
	return status != nil && status.RequestID == w.RequestID && status.Result != ""
}

// authorizePath is the path of GitHub's page.
const authorizePath = "/login/oauth/authorize"

// take notes the attempt. Its page must be GitHub's for this App, and come back here: whoever may write the status could name another.
func (w *Web) take(status *v1alpha1.WebLogin) error {
	page, err := url.Parse(status.AuthorizeURL)
	if err != nil || browser.Check(status.AuthorizeURL) != nil {
		return errors.New("the page that the status names is no https:// address, so it was not opened")
	}
	query := page.Query()
	switch {
	case !strings.EqualFold(page.Host, w.App.Host) && w.App.Guessed:
		return fmt.Errorf("the page that the status names is at %s, and you may not read the App, which says where it is, so it was not opened. If you know that it is there: --host %s", page.Host, page.Host)
	case !strings.EqualFold(page.Host, w.App.Host):
		return fmt.Errorf("the page that the status names is at %s, and the App is at %s, so it was not opened", page.Host, w.App.Host)
	case page.Path != authorizePath || page.User != nil:
		return fmt.Errorf("the page that the status names is not %s of GitHub, so it was not opened", authorizePath)
	case w.App.ClientID != "" && query.Get("client_id") != w.App.ClientID:
		return errors.New("the page that the status names is that of another App, so it was not opened")
	case query.Get("redirect_uri") != w.Callback || query.Get("state") == "":
		return errors.New("the page that the status names does not come back here, so it was not opened")
	}
	w.Attempt, w.State = status.AttemptID, query.Get("state")+"."+random()
	query.Set("state", w.State)
	page.RawQuery = query.Encode()
	w.Page = page.String()
	return nil
}

// InlineApp is the App that stands in the spec of a resource itself.
func InlineApp(token *v1alpha1.GitHubUserToken) App {
	return App{Host: hostOf(token.Spec.App.Host), ClientID: token.Spec.App.ClientID}
}

// NamedApp is an App that has an object of its own.
func NamedApp(spec *v1alpha1.GitHubAppSpec) App {
	return App{Host: hostOf(spec.Host), ClientID: spec.ClientID}
}

func hostOf(host string) string {
	if host == "" {
		return v1alpha1.DefaultHost
	}
	return strings.TrimSuffix(host, "/api/v3")
}

// Again is the command that begins a login by the web flow anew. Who is logged in all the same has to say that this is meant.
func Again(token *v1alpha1.GitHubUserToken) string {
	command := fmt.Sprintf("kubectl ghut login %s -n %s --web", token.Name, token.Namespace)
	if IsLoggedIn(token) {
		command += " --again"
	}
	return command
}

// IsLoggedIn reports whether somebody is logged in, and no login is needed.
func IsLoggedIn(token *v1alpha1.GitHubUserToken) bool {
	return meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionReady) && meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionAuthorized)
}

func (w *Web) success(token *v1alpha1.GitHubUserToken) string {
	who := ""
	if user := token.Status.User; user != nil {
		who = fmt.Sprintf(" as %s (id %d)", user.Login, user.ID)
	}
	return fmt.Sprintf("Logged in%s. The token is in the Secret %s of namespace %s.", who, standing.SecretOf(token), token.Namespace)
}

func (w *Web) failure(token *v1alpha1.GitHubUserToken, status *v1alpha1.WebLogin) string {
	if status.Result == v1alpha1.WebLoginWrongUser && Wanted(token) != "" {
		return fmt.Sprintf("the browser was signed in to GitHub as somebody else than %s: that login was refused, and its token is being revoked. "+
			"Sign out at GitHub, or use a private window, and log in again: %s", Wanted(token), Again(token))
	}
	why := standing.Plain(status.Message)
	if why == "" {
		why = fmt.Sprintf("the login came to nothing (%s).", status.Result)
	}
	return why + " To begin anew: " + Again(token)
}
