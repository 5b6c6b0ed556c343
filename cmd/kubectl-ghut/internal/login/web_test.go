package login

import (
	"net/url"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

const callback = "http://127.0.0.1:8976/callback"

// pageOf is a page as the operator shows it.
func pageOf(host, redirect, state string) string {
	return "https://" + host + "/login/oauth/authorize?" + url.Values{"redirect_uri": {redirect}, "state": {state}}.Encode()
}

func TestLoginByTheWebFlow(t *testing.T) {
	good := pageOf("github.com", callback, "s")
	for _, c := range []struct {
		name   string
		states []func(*Web, *v1alpha1.WebLogin) *v1alpha1.WebLogin
		spec   func(*v1alpha1.GitHubUserToken)
		steps  []Step
		says   string
	}{
		{"the page is shown once, and then there is a token", []func(*Web, *v1alpha1.WebLogin) *v1alpha1.WebLogin{none, attempt("a", good), attempt("a", good), result(v1alpha1.WebLoginSucceeded)}, nil,
			[]Step{Wait, Show, Wait, Done}, "Logged in as octocat (id 7). The token is in the Secret octocat"},
		{"what a former login came to says nothing", []func(*Web, *v1alpha1.WebLogin) *v1alpha1.WebLogin{former}, nil, []Step{Wait}, ""},
		{"GitHub is signed in to as somebody else", []func(*Web, *v1alpha1.WebLogin) *v1alpha1.WebLogin{attempt("a", good), result(v1alpha1.WebLoginWrongUser)}, nil, []Step{Show, Fail}, "somebody else than octocat"},
		{"the operator refuses", []func(*Web, *v1alpha1.WebLogin) *v1alpha1.WebLogin{result(v1alpha1.WebLoginRefused)}, nil, []Step{Fail}, "message of Refused"},
		{"the answer is lost", []func(*Web, *v1alpha1.WebLogin) *v1alpha1.WebLogin{attempt("a", good), result(v1alpha1.WebLoginLost)}, nil, []Step{Show, Fail}, "message of Lost"},
		{"the page is at another host", []func(*Web, *v1alpha1.WebLogin) *v1alpha1.WebLogin{attempt("a", pageOf("github.example.com", callback, "s"))}, nil, []Step{Fail}, "is at github.example.com, and the App is at github.com"},
		{"the page comes back elsewhere", []func(*Web, *v1alpha1.WebLogin) *v1alpha1.WebLogin{attempt("a", pageOf("github.com", "https://evil.example/callback", "s"))}, nil, []Step{Fail}, "does not come back here"},
		{"the page has no state", []func(*Web, *v1alpha1.WebLogin) *v1alpha1.WebLogin{attempt("a", pageOf("github.com", callback, ""))}, nil, []Step{Fail}, "does not come back here"},
		{"the page is none", []func(*Web, *v1alpha1.WebLogin) *v1alpha1.WebLogin{attempt("a", "file:///etc/passwd")}, nil, []Step{Fail}, "no https:// address"},
		{"another attempt takes its place", []func(*Web, *v1alpha1.WebLogin) *v1alpha1.WebLogin{attempt("a", good), attempt("b", good)}, nil, []Step{Show, Fail}, "has begun another attempt"},
		{"somebody else asks meanwhile", []func(*Web, *v1alpha1.WebLogin) *v1alpha1.WebLogin{none}, func(token *v1alpha1.GitHubUserToken) {
			token.Annotations[v1alpha1.AnnotationWebLoginRequested] = "12345678 " + callback
		}, []Step{Fail}, "somebody else has asked"},
		{"the resource is suspended", []func(*Web, *v1alpha1.WebLogin) *v1alpha1.WebLogin{none}, func(token *v1alpha1.GitHubUserToken) { token.Spec.Suspend = true }, []Step{Fail}, "kubectl ghut resume octocat"},
	} {
		t.Run(c.name, func(t *testing.T) {
			flow := NewWeb(callback)
			var last *v1alpha1.WebLogin
			var text string
			for i, change := range c.states {
				last = change(flow, last)
				token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat", Annotations: map[string]string{v1alpha1.AnnotationWebLoginRequested: flow.Request()}}}
				token.Spec.User = &v1alpha1.UserSelector{Login: "octocat"}
				token.Status.User = &v1alpha1.User{Login: "octocat", ID: 7}
				token.Status.WebLogin = last
				if c.spec != nil {
					c.spec(token)
				}
				var step Step
				if step, text = flow.Next(token); step != c.steps[i] {
					t.Fatalf("step %d is %d (%s), want %d", i, step, text, c.steps[i])
				}
			}
			if !strings.Contains(text, c.says) {
				t.Errorf("it says %q, want %q", text, c.says)
			}
		})
	}
}

func none(*Web, *v1alpha1.WebLogin) *v1alpha1.WebLogin { return nil }

func former(*Web, *v1alpha1.WebLogin) *v1alpha1.WebLogin {
	return &v1alpha1.WebLogin{RequestID: "of-before", Result: v1alpha1.WebLoginRejected}
}

func attempt(id, page string) func(*Web, *v1alpha1.WebLogin) *v1alpha1.WebLogin {
	return func(w *Web, _ *v1alpha1.WebLogin) *v1alpha1.WebLogin {
		return &v1alpha1.WebLogin{RequestID: w.RequestID, AttemptID: id, AuthorizeURL: page}
	}
}

func result(of v1alpha1.WebLoginResult) func(*Web, *v1alpha1.WebLogin) *v1alpha1.WebLogin {
	return func(w *Web, _ *v1alpha1.WebLogin) *v1alpha1.WebLogin {
		return &v1alpha1.WebLogin{RequestID: w.RequestID, Result: of, Message: "message of " + string(of)}
	}
}

func TestLoginEachRequestIsAnother(t *testing.T) {
	a, b := NewWeb(callback), NewWeb(callback)
	if a.RequestID == b.RequestID || len(a.RequestID) != 32 || a.Request() != a.RequestID+" "+callback {
		t.Errorf("two requests are %q and %q", a.Request(), b.Request())
	}
}
