package login

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/browser"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/standing"
)

// Web is a login by the web flow that was asked for.
type Web struct {
	// RequestID is what makes the request ours, and Callback where the browser comes back to.
	RequestID, Callback string
	// Attempt is the operator's attempt, and Page where the person authorizes it, once they are known; State is what comes back.
	Attempt, Page, State string
}

// NewWeb begins one.
func NewWeb(callback string) *Web {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // It never fails.
	return &Web{RequestID: hex.EncodeToString(id), Callback: callback}
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
		if err := w.take(status, token); err != nil {
			return Fail, err.Error()
		}
		return Show, ""
	case w.Attempt != "" && status.AttemptID != "" && status.AttemptID != w.Attempt:
		return Fail, "the operator has begun another attempt, whose page was not opened here. To begin anew: " + again(token)
	default:
		return Wait, ""
	}
}

// take notes the attempt. Its page must be one of GitHub's that comes back here: whoever may write the status could name another.
func (w *Web) take(status *v1alpha1.WebLogin, token *v1alpha1.GitHubUserToken) error {
	page, err := url.Parse(status.AuthorizeURL)
	if err != nil || browser.Check(status.AuthorizeURL) != nil {
		return errors.New("the page that the status names is no https:// address, so it was not opened")
	}
	if token.Spec.App.Ref == nil && !strings.EqualFold(page.Host, hostOf(token)) {
		return fmt.Errorf("the page that the status names is at %s, and the App is at %s, so it was not opened", page.Host, hostOf(token))
	}
	query := page.Query()
	if query.Get("redirect_uri") != w.Callback || query.Get("state") == "" {
		return errors.New("the page that the status names does not come back here, so it was not opened")
	}
	w.Attempt, w.Page, w.State = status.AttemptID, status.AuthorizeURL, query.Get("state")
	return nil
}

func hostOf(token *v1alpha1.GitHubUserToken) string {
	if token.Spec.App.Host == "" {
		return v1alpha1.DefaultHost
	}
	return strings.TrimSuffix(token.Spec.App.Host, "/api/v3")
}

func again(token *v1alpha1.GitHubUserToken) string {
	return fmt.Sprintf("kubectl ghut login %s -n %s --web", token.Name, token.Namespace)
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
		return fmt.Sprintf("the browser was signed in to GitHub as somebody else than %s: that login was refused. "+
			"Sign out at GitHub, or use a private window, and log in again: %s", Wanted(token), again(token))
	}
	if status.Message != "" {
		return status.Message
	}
	return fmt.Sprintf("the login came to nothing (%s). To begin anew: %s", status.Result, again(token))
}
