package webflow

import (
	"strings"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

const loginPage = "https://login.example.com/ghut"

func TestWebLoginCallbackThatIsNoneIsRefused(t *testing.T) {
	for callback, want := range map[string]bool{
		"http://127.0.0.1:8976/":                   true,
		"http://127.0.0.1:8976/callback":           true,
		"http://127.0.0.1:8976/a/b_c.d~e-f":        true,
		"https://login.example.com/ghut/callback":  true,
		"http://127.0.0.1:8976":                    false,
		"http://127.0.0.1/callback":                false,
		"http://127.0.0.1:0/callback":              false,
		"http://127.0.0.1:08976/callback":          false,
		"http://127.0.0.1:89760/callback":          false,
		"https://127.0.0.1:8976/callback":          false,
		"http://localhost:8976/callback":           false,
		"http://[::1]:8976/callback":               false,
		"http://127.0.0.1:8976@evil.example/":      false,
		"http://evil.example@127.0.0.1:8976/":      false,
		"http://127.0.0.1.evil.example:8976/":      false,
		"http://127.0.0.1:8976/?next=x":            false,
		"http://127.0.0.1:8976/?":                  false,
		"http://127.0.0.1:8976/#x":                 false,
		"http://127.0.0.1:8976/a//b":               false,
		"http://127.0.0.1:8976/../x":               false,
		"http://127.0.0.1:8976/%2e%2e/x":           false,
		"http://127.0.0.1:8976/a b":                false,
		"HTTP://127.0.0.1:8976/":                   false,
		"http://0x7f000001:8976/":                  false,
		"https://login.example.com/ghutx/callback": false,
		"https://login.example.com/ghut":           false,
		"https://login.example.com/ghut/../x":      false,
		"https://login.example.com/ghut/%2e%2e/x":  false,
		"https://login.example.com:444/ghut/x":     false,
		"https://LOGIN.example.com/ghut/x":         false,
		"http://login.example.com/ghut/x":          false,
		"https://login.example.com@evil/ghut/x":    false,
		"javascript:alert(1)":                      false,
		"":                                         false,
	} {
		if got := isCallback(callback, loginPage); got != want {
			t.Errorf("%q: %t, want %t", callback, got, want)
		}
	}
	if isCallback(loginPage+"/callback", "") {
		t.Error("a page is taken although there is none")
	}
}

func TestWebLoginPageMustBeAPlainAddress(t *testing.T) {
	// The longest ID and the longest URL find room in the annotation.
	if longest := len("p-012345678901-0123456789012345678901234567890123456789 ") + maxPage + len("/callback"); longest > maxRequest {
		t.Errorf("a request may have %d characters", longest)
	}
	for page, want := range map[string]bool{
		"": true, "https://login.example.com": true, loginPage: true, "https://login.example.com/ghut/": true,
		"http://login.example.com": false, "https://": false, "login.example.com": false, "https://a@b": false, "https://a/?b": false, "https://a/../b": false,
		"https://" + strings.Repeat("a", maxPage-8): true, "https://" + strings.Repeat("a", maxPage-7): false,
	} {
		if err := CheckPage(page); (err == nil) != want {
			t.Errorf("%q: %v", page, err)
		}
	}
}

func TestWebLoginRequestIsRefusedWithASentence(t *testing.T) {
	const callback = "http://127.0.0.1:8976/callback"
	app := scope.App{App: github.App{Host: "github.com", ClientID: "Iv23li"}, Secret: &scope.SecretKey{}}
	for name, c := range map[string]struct {
		value   string
		change  func(*v1alpha1.GitHubUserToken, *scope.App)
		asked   weblogin.Request
		refused string
	}{
		"nothing is asked for":    {},
		"a request":               {value: "request-1 " + callback, asked: weblogin.Request{ID: "request-1", Callback: callback}},
		"one without an ID":       {value: callback, asked: weblogin.Request{ID: malformedID}, refused: "must begin with an ID"},
		"one with a short ID":     {value: "x " + callback, asked: weblogin.Request{ID: malformedID, Callback: callback}, refused: "must begin with an ID"},
		"one without a callback":  {value: "request-1", asked: weblogin.Request{ID: "request-1"}, refused: "The callback URL must be"},
		"one to somewhere else":   {value: "request-1 https://evil.example/", asked: weblogin.Request{ID: "request-1", Callback: "https://evil.example/"}, refused: "or one below " + loginPage},
		"one that is too long":    {value: "request-1 " + callback + strings.Repeat("x", 255), asked: weblogin.Request{ID: malformedID, Callback: callback + strings.Repeat("x", 255)}, refused: "longer than 255"},
		"without the method":      {"request-1 " + callback, func(token *v1alpha1.GitHubUserToken, _ *scope.App) { token.Spec.Login = nil }, weblogin.Request{ID: "request-1", Callback: callback}, "does not have WebFlow"},
		"without a client secret": {"request-1 " + callback, func(_ *v1alpha1.GitHubUserToken, app *scope.App) { app.Secret = nil }, weblogin.Request{ID: "request-1", Callback: callback}, "no client secret"},
		"of an App that is not usable, of which nothing is told": {"request-1 " + callback, func(_ *v1alpha1.GitHubUserToken, app *scope.App) {
			app.Secret, app.Problem = nil, &problem.Problem{Message: "no"}
		}, weblogin.Request{ID: "request-1", Callback: callback}, ""},
		"of a visit whose App is not usable": {"request-1 " + callback, func(_ *v1alpha1.GitHubUserToken, app *scope.App) {
			app.OfVisit, app.Problem = true, &problem.Problem{Message: "There is no such App."}
		}, weblogin.Request{ID: "request-1", Callback: callback}, "There is no such App."},
	} {
		t.Run(name, func(t *testing.T) {
			token, app := &v1alpha1.GitHubUserToken{}, app
			token.Spec.Login = &v1alpha1.Login{Methods: []v1alpha1.LoginMethod{v1alpha1.LoginMethodWebFlow}}
			token.Annotations = map[string]string{v1alpha1.AnnotationWebLoginRequested: c.value}
			if c.change != nil {
				c.change(token, &app)
			}
			got := RequestOf(token, app, loginPage)
			if got.Asked != c.asked || c.refused == "" && got.Refused != "" || !strings.Contains(got.Refused, c.refused) {
				t.Errorf("got %+v", got)
			}
		})
	}
}
