package login

import (
	"net/url"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

const callback = "http://127.0.0.1:8976/callback"

var gitHub = App{Host: "github.com", ClientID: "Iv23liEXAMPLE"}

// pageOf is a page as the operator shows it.
func pageOf(host, redirect, state string) string {
	return "https://" + host + "/login/oauth/authorize?" + url.Values{"client_id": {gitHub.ClientID}, "redirect_uri": {redirect}, "state": {state}}.Encode()
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
			flow := NewWeb(callback, gitHub)
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

func TestLoginByTheWebFlowOpensThePageOfTheAppAlone(t *testing.T) {
	guessed := App{Host: "github.com", Guessed: true}
	server := App{Host: "github.example.com", ClientID: gitHub.ClientID}
	other := strings.Replace(pageOf("github.com", callback, "s"), gitHub.ClientID, "Iv23liEVIL", 1)
	for name, c := range map[string]struct {
		app  App
		page string
		says string
	}{
		"that of the App":                         {gitHub, pageOf("github.com", callback, "s"), ""},
		"however the host is spelt":               {server, pageOf("GitHub.example.com", callback, "s"), ""},
		"at another host":                         {server, pageOf("github.com", callback, "s"), "the App is at github.example.com"},
		"another page of the host":                {gitHub, strings.Replace(pageOf("github.com", callback, "s"), "/login/oauth/authorize", "/evil/evil.github.io", 1), "is not /login/oauth/authorize"},
		"that of another App":                     {gitHub, other, "that of another App"},
		"that of an App that nobody may read":     {guessed, other, ""},
		"which is at a host that is not GitHub's": {guessed, pageOf("evil.example", callback, "s"), "you may not read the App"},
		"or is another page":                      {guessed, "https://github.com/?redirect_uri=http%3A%2F%2F127.0.0.1%3A8976%2Fcallback&state=s", "is not /login/oauth/authorize"},
	} {
		t.Run(name, func(t *testing.T) {
			flow := NewWeb(callback, c.app)
			token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.AnnotationWebLoginRequested: flow.Request()}}}
			token.Status.WebLogin = attempt("a", c.page)(flow, nil)
			step, text := flow.Next(token)
			if opened := step == Show; opened != (c.says == "") || !strings.Contains(text, c.says) {
				t.Errorf("%s is opened: %t (%s)", flow.Page, opened, text)
			}
		})
	}
}

// Whoever may read the status knows its state, and could have a browser come back with a code of theirs.
func TestLoginByTheWebFlowExpectsMoreThanTheStatusTells(t *testing.T) {
	states := map[string]bool{}
	for range 2 {
		flow := NewWeb(callback, gitHub)
		if err := flow.take(&v1alpha1.WebLogin{AttemptID: "a", AuthorizeURL: pageOf("github.com", callback, "the state")}); err != nil {
			t.Fatal(err)
		}
		page, err := url.Parse(flow.Page)
		if err != nil {
			t.Fatal(err)
		}
		query := page.Query()
		if query.Get("state") != flow.State || len(query["state"]) != 1 || query.Get("redirect_uri") != callback || query.Get("client_id") != gitHub.ClientID {
			t.Errorf("the page that is opened is %s, and %q is expected", flow.Page, flow.State)
		}
		if rest, ok := strings.CutPrefix(flow.State, "the state."); !ok || len(rest) != 32 {
			t.Errorf("expected is %q", flow.State)
		}
		states[flow.State] = true
	}
	if len(states) != 2 {
		t.Error("two logins expect the same")
	}
}

func TestLoginByTheWebFlowSaysWhatTheOperatorWaitsFor(t *testing.T) {
	flow, token := NewWeb(callback, gitHub), &v1alpha1.GitHubUserToken{}
	if got := flow.Hint(token); !strings.Contains(got, "Is the operator at work?") {
		t.Errorf("without an answer it says %q", got)
	}
	token.Status.WebLogin = &v1alpha1.WebLogin{RequestID: flow.RequestID, AttemptID: "a", Message: "The App may not be used."}
	if got := flow.Hint(token); got != "The App may not be used." {
		t.Errorf("it says %q", got)
	}
	if token.Status.WebLogin.RequestID = "of-before"; strings.Contains(flow.Hint(token), "App") {
		t.Error("it says what is said to somebody else")
	}
}

func TestLoginEachRequestIsAnother(t *testing.T) {
	a, b := NewWeb(callback, gitHub), NewWeb(callback, gitHub)
	if a.RequestID == b.RequestID || len(a.RequestID) != 32 || a.Request() != a.RequestID+" "+callback {
		t.Errorf("two requests are %q and %q", a.Request(), b.Request())
	}
}

func TestWebLoginIsStoppedWhereNoneIsBegunAndTheResourceIsStalled(t *testing.T) {
	for name, c := range map[string]struct {
		stalled bool
		status  func(*Web) *v1alpha1.WebLogin
		want    string
	}{
		"the App may not be used": {true, func(w *Web) *v1alpha1.WebLogin {
			return &v1alpha1.WebLogin{RequestID: w.RequestID, Message: "not usable"}
		}, "not usable"},
		"it is about to begin": {false, func(w *Web) *v1alpha1.WebLogin {
			return &v1alpha1.WebLogin{RequestID: w.RequestID, Message: "about to"}
		}, ""},
		"it has begun": {true, func(w *Web) *v1alpha1.WebLogin {
			return &v1alpha1.WebLogin{RequestID: w.RequestID, AttemptID: "a", Message: "open"}
		}, ""},
		"the operator has not seen it": {true, func(*Web) *v1alpha1.WebLogin { return &v1alpha1.WebLogin{RequestID: "of-before", Message: "old"} }, ""},
	} {
		flow, token := NewWeb(callback, gitHub), &v1alpha1.GitHubUserToken{}
		if token.Status.WebLogin = c.status(flow); c.stalled {
			meta.SetStatusCondition(&token.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: "X"})
		}
		if got := flow.Stopped(token); got != c.want {
			t.Errorf("%s: it says %q", name, got)
		}
	}
}
