package webflow

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

const (
	// maxRequest is how long the annotation may be. The cache keeps no more of it.
	maxRequest = 255
	// maxPage is how long the base URL of the login page may be, so that a request with a callback below it finds room there.
	maxPage = 190
)

// loopback is the only host of a callback URL beside the login page. Of GitHub's two spellings it is the one that a browser
// resolves nowhere else.
const loopback = "127.0.0.1"

var (
	requestIDs    = regexp.MustCompile(`^[A-Za-z0-9-]{8,64}$`)
	callbackPaths = regexp.MustCompile(`^(/[A-Za-z0-9._~-]*)+$`)
)

// ValueOf is the annotation as it stands at a resource.
func ValueOf(token *v1alpha1.GitHubUserToken) string {
	return token.Annotations[v1alpha1.AnnotationWebLoginRequested]
}

// RequestOf is what is asked of a resource, and why it is refused; empty when it is not. Nothing is asked when there is no
// annotation. page is the base URL of the login page; empty when there is none.
func RequestOf(token *v1alpha1.GitHubUserToken, app scope.App, page string) scope.WebLogin {
	value := ValueOf(token)
	if value == "" {
		return scope.WebLogin{}
	}
	id, callback, _ := strings.Cut(value, " ")
	asked := scope.WebLogin{Asked: weblogin.Request{ID: id, Callback: callback}}
	switch {
	case len(value) > maxRequest:
		asked.Asked.ID, asked.Refused = malformedID, fmt.Sprintf("The annotation is longer than %d characters.", maxRequest)
	case !requestIDs.MatchString(id):
		asked.Asked.ID, asked.Refused = malformedID, "It must begin with an ID of 8 to 64 letters, digits and dashes, and a blank before the callback URL."
	case !isCallback(callback, page):
		asked.Refused = "The callback URL must be http://127.0.0.1:PORT/PATH"
		if page != "" {
			asked.Refused += ", or one below " + page
		}
		asked.Refused += ", without a query, and exactly as it stands in the App's settings."
	case !token.Spec.HasLoginMethod(v1alpha1.LoginMethodWebFlow):
		asked.Refused = "spec.login.methods does not have WebFlow. Add it, or log in in another way."
	case app.Problem != nil && app.OfVisit: // Nobody waits at a visit until somebody mends it.
		asked.Refused = app.Problem.Message
	case app.Problem == nil && app.IsKnown() && app.Secret == nil:
		asked.Refused = noClientSecret + " Add it, or log in in another way."
	case app.Problem == nil && isOfPage(asked.Asked):
		asked.Refused = app.ForbidsLoginPage(token)
	}
	return asked
}

const noClientSecret = "The App has no client secret, without which GitHub redeems no code."

// isOfPage reports whether a request that is not refused is one of the login page's: nobody else has a callback by https.
func isOfPage(asked weblogin.Request) bool { return strings.HasPrefix(asked.Callback, "https://") }

// malformedID stands in the place of an ID that is none.
const malformedID = "malformed"

// isCallback reports whether a browser may be sent to a URL with a code: to whoever listens at a port of the machine on which
// it runs, or to the login page.
func isCallback(callback, page string) bool {
	u, err := url.Parse(callback)
	if err != nil || u.String() != callback || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(callback, "#") {
		return false
	}
	if !callbackPaths.MatchString(u.Path) || path.Clean(u.Path) != strings.TrimSuffix(u.Path, "/") && u.Path != "/" {
		return false
	}
	if page != "" && strings.HasPrefix(callback, strings.TrimSuffix(page, "/")+"/") {
		return true
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0 && u.Scheme == "http" && u.Hostname() == loopback && u.Port() == strconv.FormatUint(port, 10)
}

// CheckPage is why a URL cannot be the base URL of the login page; nil when it can.
func CheckPage(page string) error {
	u, err := url.Parse(page)
	switch {
	case page == "":
		return nil
	case err != nil || u.Host == "" || u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.String() != page:
		return fmt.Errorf("%q must be https://HOST or https://HOST/PATH, without a query", page)
	case len(page) > maxPage:
		return fmt.Errorf("%q is longer than %d characters", page, maxPage)
	case u.Path != "" && path.Clean(u.Path) != strings.TrimSuffix(u.Path, "/"):
		return fmt.Errorf("%q must have a plain path", page)
	default:
		return nil
	}
}

// IsAnswered reports whether the status of a resource tells what came of the login that was asked for last; nothing waits then.
func IsAnswered(token *v1alpha1.GitHubUserToken) bool {
	id, _, _ := strings.Cut(token.Annotations[v1alpha1.AnnotationWebLoginRequested], " ")
	told := token.Status.WebLogin
	return id == "" || told != nil && told.Result != "" && (told.RequestID == id || told.RequestID == malformedID)
}
