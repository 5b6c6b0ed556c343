package loginpage

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// What a tenant writes is shown as text, as a claim, and within bounds.
func TestLoginPageClaimsAreText(t *testing.T) {
	token := aToken()
	token.Annotations[v1alpha1.AnnotationRequestedBy] = `"><script>alert(1)</script><a href="https://evil.example">IT department</a>` + "\u202e"
	token.Annotations[v1alpha1.AnnotationPurpose] = "line one\nline two\u202e\u2066 backwards \u200b\x00\x1b[2J " + strings.Repeat("long ", 1000)
	token.Spec.Secret.Name = "<img src=x>"
	token.Spec.Outputs[0].Name = "{{.Ticket}}"
	token.Spec.User.Login = "<b>octocat</b>"
	token.Spec.App.ClientID = "<i>Iv23li"
	w := newWorld(t, token)
	v := w.visitor()
	v.open()
	v.sees(http.StatusOK, "&lt;script&gt;alert(1)&lt;/script&gt;")
	v.sees(http.StatusOK, "<p>Nobody has checked this.</p>")
	v.sees(http.StatusOK, "line one line two backwards [2J long long")
	v.sees(http.StatusOK, "{{.Ticket}}")
	for _, bad := range []string{"<script", "<img", "<b>", "<i>", "<a href=\"https://evil", "\u202e", "\u2066", "\u200b", "\x00", "\x1b", strings.Repeat("long ", 60)} {
		if strings.Contains(v.body, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
}

func TestLoginPagePlainText(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "  a \t\n b ": "a b", "a\u202eb": "ab", "\u2800\u3164\u115f": "", "é ü 漢字 🙂": "é ü 漢字 🙂", "a\xffb": "ab", "a\u0000b": "ab", "a\ufe0fb": "ab",
		strings.Repeat("x", 200): strings.Repeat("x", 200), strings.Repeat("x", 201): strings.Repeat("x", 200) + " …",
	} {
		if got := plain(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// The browser is led to the page of the App's host that comes back here, whatever a status says.
func TestLoginPageLeadsToGitHubAlone(t *testing.T) {
	good := authorizeURL("github.com", aState, baseURL+"/callback")
	query := good[strings.Index(good, "?"):]
	with := func(key, value string) string {
		values, _ := url.ParseQuery(query[1:])
		if value == "" {
			values.Del(key)
		} else {
			values.Set(key, value)
		}
		return "https://github.com/login/oauth/authorize?" + values.Encode()
	}
	for name, address := range map[string]string{
		"another host":              "https://evil.example/login/oauth/authorize" + query,
		"another host, as a user":   "https://github.com@evil.example/login/oauth/authorize" + query,
		"with a user":               "https://user@github.com/login/oauth/authorize" + query,
		"a host below":              "https://github.com.evil.example/login/oauth/authorize" + query,
		"another port":              "https://github.com:8443/login/oauth/authorize" + query,
		"without a scheme":          "//evil.example/login/oauth/authorize" + query,
		"over http":                 "http://github.com/login/oauth/authorize" + query,
		"a script":                  "javascript:alert(1)//github.com/login/oauth/authorize" + query,
		"data":                      "data:text/html,x" + query,
		"another path":              "https://github.com/logout" + query,
		"a path that is another":    "https://github.com/login/oauth/../../logout" + query,
		"a path in disguise":        "https://github.com/login%2foauth/authorize" + query,
		"with a fragment":           good + "#x",
		"a line break":              "https://github.com\r\nX: y/login/oauth/authorize" + query,
		"back to somewhere else":    with("redirect_uri", "https://evil.example/callback"),
		"back to another path here": with("redirect_uri", baseURL+"/elsewhere"),
		"back to two":               good + "&redirect_uri=https://evil.example/",
		"of another App":            with("client_id", "Iv23liAnother"),
		"without a challenge":       with("code_challenge", ""),
		"with an empty challenge":   strings.Replace(good, "code_challenge=", "code_challenge=&x=", 1),
		"with a plain challenge":    with("code_challenge_method", "plain"),
		"without a state":           with("state", ""),
		"with two states":           good + "&state=x",
		"without a question":        with("prompt", ""),
		"none":                      "x",
	} {
		w := newWorld(t)
		v := w.visitor()
		v.open()
		v.press(linkPath)
		w.operatorAnswers()
		w.edit(func(token *v1alpha1.GitHubUserToken) { token.Status.WebLogin.AuthorizeURL = address })
		w.writes = nil
		v.get(pathGo)
		v.stoppedWith(whyAddress)
		v.comeBack()
		v.stoppedWith(whyAddress)
		v.get(pathConfirm)
		v.stoppedWith(whyAddress)
		w.wrote()
		if strings.Contains(w.logs.String(), aState) {
			t.Error("the log has the address")
		}
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// What a request says of its host, and where it would like to go, leads nowhere.
func TestLoginPageOpenRedirect(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	v.host = "evil.example"
	v.header = http.Header{
		"X-Forwarded-Host": {"evil.example"}, "Forwarded": {"host=evil.example;proto=http"}, "X-Forwarded-Proto": {"http"}, "X-Original-Url": {"https://evil.example/"},
		"X-Rewrite-Url": {"/evil"}, "X-Forwarded-Prefix": {"//evil.example"}, "Referer": {"https://evil.example/"},
	}
	more := "&return_to=https://evil.example&next=//evil.example&redirect_uri=https://evil.example"
	v.get(linkPath + "?ticket=" + ticketA + more)
	v.sees(http.StatusOK, "Read what is asked of you")
	check := func() {
		t.Helper()
		if strings.Contains(v.body, "evil") || strings.Contains(v.last.Header.Get("Location")+v.last.Header.Get("Refresh"), "evil") {
			t.Errorf("it leads to %q, %q: %s", v.last.Header.Get("Location"), v.last.Header.Get("Refresh"), v.body)
		}
	}
	check()
	v.press(linkPath)
	v.led(pathWait)
	if asked := w.token().Annotations[v1alpha1.AnnotationWebLoginRequested]; !strings.HasSuffix(asked, " "+baseURL+"/callback") {
		t.Errorf("it asks for %q", asked)
	}
	v.get(pathWait + "?" + more)
	check()
	w.operatorAnswers()
	v.get(pathGo + "?" + more)
	if to := v.last.Header.Get("Location"); !strings.HasPrefix(to, "https://github.com/login/oauth/authorize?") {
		t.Errorf("it leads to %q", to)
	}
	check()
	v.get(callbackWith(aCode, aState) + more)
	v.led(pathConfirm)
	v.get(pathConfirm + "?" + more)
	check()
	v.press(pathConfirm)
	v.led(pathResult)
	w.result(v1alpha1.WebLoginSucceeded)
	v.get(pathResult + "?" + more)
	check()
	v.get(pathStopped + "denied?" + more)
	check()
}

// An answer of one host does not count for the login at another: by its state, and by who says to have issued it.
func TestLoginPageMixUpOfTwoHosts(t *testing.T) {
	for issuer, want := range map[string]bool{
		"https://github.com": true, "https://github.com/login/oauth": true, "https://GitHub.com:443/": true, "": true,
		"https://ghe.example.com": false, "https://github.com.evil.example": false, "http://github.com": false, "https://github.com@evil.example": false, "github.com": false,
		"https://github.com:8443": false, "%zz": false,
	} {
		w := newWorld(t)
		v := w.visitor()
		v.begin()
		w.writes = nil
		query := url.Values{"code": {aCode}, "state": {aState}}
		if issuer != "" {
			query.Set("iss", issuer)
		}
		v.get(pathCallback + "?" + query.Encode())
		if want {
			v.led(pathConfirm)
			continue
		}
		v.led(pathStopped + string(whyIssuer))
		v.get(pathConfirm)
		v.stoppedWith(whyNoCode)
		w.wrote()
	}
	w := newWorld(t)
	v := w.visitor()
	v.begin()
	v.get(callbackWith(aCode, aState) + "&iss=https://github.com&iss=https://github.com")
	v.stoppedWith(whyMalformed)

	// The App of the resource moves to another host, and the answer of the first one comes.
	v.begin2(t)
	w.edit(func(token *v1alpha1.GitHubUserToken) { token.Spec.App.Host = "ghe.example.com" })
	w.writes = nil
	v.comeBack()
	v.stoppedWith(whyAddress)
	w.wrote()
}

// begin2 goes on with the login that was begun.
func (v *visitor) begin2(t *testing.T) {
	t.Helper()
	v.get(pathGo)
	if v.last.StatusCode != http.StatusSeeOther {
		t.Fatal(v.body)
	}
}

// A person agrees to what they have read.
func TestLoginPageWhatIsAskedForChangesMeanwhile(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.GitHubUserToken){
		"another account":      func(token *v1alpha1.GitHubUserToken) { token.Spec.User.Login = "hubot" },
		"an account by its id": func(token *v1alpha1.GitHubUserToken) { token.Spec.User = &v1alpha1.UserSelector{ID: 7} },
		"another purpose": func(token *v1alpha1.GitHubUserToken) {
			token.Annotations[v1alpha1.AnnotationPurpose] = "Something else"
		},
		"another requester": func(token *v1alpha1.GitHubUserToken) { token.Annotations[v1alpha1.AnnotationRequestedBy] = "Mallory" },
		"another Secret":    func(token *v1alpha1.GitHubUserToken) { token.Spec.Secret.Name = "public" },
		"another output": func(token *v1alpha1.GitHubUserToken) {
			token.Spec.Outputs = append(token.Spec.Outputs, v1alpha1.Output{Name: "more"})
		},
		"without its claims":     func(token *v1alpha1.GitHubUserToken) { delete(token.Annotations, v1alpha1.AnnotationPurpose) },
		"another App, at begin":  func(token *v1alpha1.GitHubUserToken) { token.Spec.App.ClientID = "Iv23liAnother" },
		"another host, at begin": func(token *v1alpha1.GitHubUserToken) { token.Spec.App.Host = "ghe.example.com" },
	} {
		w := newWorld(t)
		v := w.visitor()
		v.open()
		form := v.form(linkPath)
		w.edit(change)
		v.send(http.MethodPost, linkPath, form)
		v.stoppedWith(whyChanged)
		v.sees(http.StatusConflict, `href="/ghut/login/team-a/octocat?ticket=`+ticketA)
		w.wrote()
		if strings.HasSuffix(name, "at begin") {
			continue
		}

		w = newWorld(t)
		v = w.visitor()
		v.answer()
		form = v.form(pathConfirm)
		w.edit(change)
		w.writes = nil
		v.send(http.MethodPost, pathConfirm, form)
		v.stoppedWith(whyChanged)
		v.sees(http.StatusConflict, `href="/ghut/confirm"`)
		w.wrote()
		v.get(pathConfirm) // Who reads again may agree to that.
		v.press(pathConfirm)
		v.led(pathResult)
	}
	w := newWorld(t)
	v := w.visitor()
	v.answer()
	form := v.form(pathConfirm)
	w.edit(func(token *v1alpha1.GitHubUserToken) { token.Spec.User = nil })
	v.send(http.MethodPost, pathConfirm, form)
	v.stoppedWith(whyNoAccount)
	if len(w.codes()) != 0 {
		t.Error("a code was brought for anybody")
	}
}

// A resource that goes, or another one of its name, does not go on with the login.
func TestLoginPageResourceIsDeletedOrMadeAnew(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"deleted": func(w *world) {
			if err := w.client.Delete(w.t.Context(), w.token()); err != nil {
				w.t.Fatal(err)
			}
		},
		"being deleted": func(w *world) {
			w.edit(func(token *v1alpha1.GitHubUserToken) { token.Finalizers = []string{v1alpha1.Finalizer} })
			if err := w.client.Delete(w.t.Context(), w.token()); err != nil {
				w.t.Fatal(err)
			}
		},
		"made anew, with the same annotation and status": func(w *world) {
			old := w.token()
			if err := w.client.Delete(w.t.Context(), old); err != nil {
				w.t.Fatal(err)
			}
			anew := old.DeepCopy()
			anew.UID, anew.ResourceVersion = "8b1c7f2e-0000-4000-8000-00000000000f", ""
			status := *anew.Status.DeepCopy()
			if err := w.client.Create(w.t.Context(), anew); err != nil {
				w.t.Fatal(err)
			}
			anew.Status = status
			if err := w.client.Status().Update(w.t.Context(), anew); err != nil {
				w.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			v := w.visitor()
			v.open()
			form := v.form(linkPath)
			change(w)
			if name != "made anew, with the same annotation and status" {
				v.send(http.MethodPost, linkPath, form)
				v.stoppedWith(whyLink)
				w.wrote()
			}

			w = newWorld(t)
			v = w.visitor()
			v.answer()
			form = v.form(pathConfirm)
			cancel := v.form(pathCancel)
			change(w)
			w.writes = nil
			v.send(http.MethodPost, pathConfirm, form)
			v.stoppedWith(whyTaken)
			for _, path := range []string{pathConfirm, pathGo, pathResult, callbackWith(aCode, aState)} {
				v.get(path)
				v.stoppedWith(whyTaken)
			}
			v.send(http.MethodPost, pathCancel, cancel)
			v.stoppedWith(whyCancelled)
			w.wrote()
			if len(w.codes()) != 0 {
				t.Error("a code was brought")
			}
		})
	}
}

// An attempt ends after ten minutes, also when the operator has not said so yet; what a status says of its ID is held to what it can be.
func TestLoginPageAttemptThatIsOverOrIsNone(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*v1alpha1.GitHubUserToken)
		reason why
	}{
		"over":           {func(token *v1alpha1.GitHubUserToken) { token.Status.WebLogin.ExpirationTime.Time = epoch }, whyLate},
		"without an end": {func(token *v1alpha1.GitHubUserToken) { token.Status.WebLogin.ExpirationTime = nil }, whyLate},
		"of another resource": {func(token *v1alpha1.GitHubUserToken) {
			token.Status.WebLogin.AttemptID = "8b1c7f2e-0000-4000-8000-000000000009-1"
		}, whyTaken},
		"with a name that isn": {func(token *v1alpha1.GitHubUserToken) { token.Status.WebLogin.AttemptID += "/../x" }, whyTaken},
		"of another request":   {func(token *v1alpha1.GitHubUserToken) { token.Status.WebLogin.RequestID = "p-another" }, whyForeign},
		"held up":              {func(token *v1alpha1.GitHubUserToken) { token.Status.WebLogin.AuthorizeURL = "" }, whyHeld},
		"suspended":            {func(token *v1alpha1.GitHubUserToken) { token.Spec.Suspend = true }, whySuspended},
		"superseded by kubectl": {func(token *v1alpha1.GitHubUserToken) {
			token.Annotations[v1alpha1.AnnotationWebLoginRequested] = "request-of-kubectl http://127.0.0.1:8976/"
		}, whyTaken},
	} {
		w := newWorld(t)
		v := w.visitor()
		v.answer()
		form := v.form(pathConfirm)
		w.edit(c.change)
		w.writes = nil
		v.send(http.MethodPost, pathConfirm, form)
		v.stoppedWith(c.reason)
		v.get(pathConfirm)
		v.stoppedWith(c.reason)
		v.comeBack()
		v.stoppedWith(c.reason)
		w.wrote()
		if len(w.codes()) != 0 {
			t.Errorf("%s: a code was brought", name)
		}
	}
}
