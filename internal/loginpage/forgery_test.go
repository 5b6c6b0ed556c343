package loginpage

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// A form counts if this page has shown it to this browser.
func TestLoginPageFormsOfOthersDoNotCount(t *testing.T) {
	other := func(name, value string) func(*visitor, url.Values) {
		return func(v *visitor, _ url.Values) { v.header.Set(name, value) }
	}
	field := func(name string, values ...string) func(*visitor, url.Values) {
		return func(_ *visitor, form url.Values) { form[name] = values }
	}
	for name, change := range map[string]func(*visitor, url.Values){
		"no cookies":           func(v *visitor, _ url.Values) { clear(v.cookies) },
		"another browser":      func(v *visitor, _ url.Values) { v.cookies = v.w.otherBrowser() },
		"no code":              field("code"),
		"an empty code":        field("code", ""),
		"another code":         field("code", strings.Repeat("A", secretLength)),
		"a code twice":         func(_ *visitor, form url.Values) { form.Add("code", form.Get("code")) },
		"another site":         other("Sec-Fetch-Site", "cross-site"),
		"a host beside":        other("Sec-Fetch-Site", "same-site"),
		"another origin":       other("Origin", "https://evil.example"),
		"the origin over http": other("Origin", "http://login.example.com"),
		"the origin at a port": other("Origin", "https://login.example.com:8443"),
		"as JSON":              other("Content-Type", "application/json"),
		"as plain text":        other("Content-Type", "text/plain"),
		"as parts":             other("Content-Type", "multipart/form-data; boundary=x"),
		"too large":            field("more", strings.Repeat("x", maxBody)),
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{linkPath, pathConfirm, pathCancel} {
				w := newWorld(t)
				v := w.visitor()
				v.open()
				if path != linkPath {
					v.press(linkPath)
					w.operatorAnswers()
					v.comeBack()
					v.get(pathConfirm)
				}
				w.writes = nil
				form := v.form(path)
				before := maps.Clone(v.cookies)
				change(v, form)
				v.send(http.MethodPost, path, form)
				if v.last.StatusCode < 400 {
					t.Errorf("%s: it is taken: %d to %q", path, v.last.StatusCode, v.last.Header.Get("Location"))
				}
				w.wrote()
				v.header, v.cookies = http.Header{}, before
				if path == linkPath { // And the right one does.
					v.open()
					v.press(path)
					v.led(pathWait)
				}
			}
		})
	}
}

// Nobody says how long this one is before it has come.
func TestLoginPageFormWithoutAnEndIsNotRead(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	v.open()
	form := v.form(linkPath)
	read := 0
	body := io.MultiReader(strings.NewReader(form.Encode()+"&more="), countingReader{strings.NewReader(strings.Repeat("x", 1<<20)), &read})
	r := newRequest(t, http.MethodPost, linkPath)
	r.Body, r.ContentLength = io.NopCloser(body), -1
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.AddCookie(&http.Cookie{Name: cookieVisit, Value: v.cookies[cookieVisit]})
	recorder := httptest.NewRecorder()
	w.page.ServeHTTP(recorder, r)
	if recorder.Code != http.StatusForbidden || read > 64<<10 {
		t.Errorf("the answer is %d after %d bytes", recorder.Code, read)
	}
	w.wrote()
}

type countingReader struct {
	from io.Reader
	read *int
}

func (c countingReader) Read(into []byte) (int, error) {
	n, err := c.from.Read(into)
	*c.read += n
	return n, err
}

// otherBrowser are the cookies of somebody who is just as far with another link of the same page.
func (w *world) otherBrowser() map[string]string {
	s := newSession(resourceName{"team-a", "octocat"}, aUID, newSecret(), newSecret())
	return map[string]string{cookieVisit: newSecret().reveal(), cookieLogin: s.cookie().Value, cookieCode: codeCookie(s, answered{state: hide(aState)}).Value}
}

// A form is for one resource, one link and one attempt.
func TestLoginPageFormIsForWhatItWasShownFor(t *testing.T) {
	hubot := aToken()
	hubot.Name, hubot.UID = "hubot", "8b1c7f2e-0000-4000-8000-000000000002"
	hubot.Status.Authorization.LoginURL = baseURL + "/login/team-a/hubot?ticket=" + ticketB
	w := newWorld(t, aToken(), hubot)
	v := w.visitor()
	v.open()
	form := v.form(linkPath)
	form.Set("ticket", ticketB)
	v.send(http.MethodPost, "/login/team-a/hubot", form)
	v.stoppedWith(whyForm)
	w.wrote()

	v.begin()
	v.comeBack()
	v.get(pathConfirm)
	form = v.form(pathConfirm)
	w.attempt("2", aState) // The operator has begun another attempt, as after its Secret was lost.
	w.writes = nil
	v.send(http.MethodPost, pathConfirm, form)
	v.stoppedWith(whyForm)
	w.attempt("3", "ANOTHERSTATE")
	v.get(pathConfirm)
	v.stoppedWith(whyForeign)
	w.wrote()
}

// Nobody logs a person in by making their browser come back from GitHub.
func TestLoginPageLoginCSRF(t *testing.T) {
	w := newWorld(t)
	attacker, victim := w.visitor(), w.visitor()
	attacker.begin()
	victim.comeBack() // With the attacker's code and state, and no login of their own.
	victim.led(pathStopped + string(whyElsewhere))
	victim.stoppedWith(whyElsewhere)
	victim.get(pathConfirm)
	victim.stoppedWith(whyNoLogin)
	if len(victim.cookies) != 0 {
		t.Errorf("the browser has %v", victim.cookies)
	}

	victim.cookies = w.otherBrowser() // Who has begun another login.
	w.writes = nil
	victim.comeBack()
	victim.stoppedWith(whyTaken)
	w.wrote()
}

// A code comes with the state of the attempt, in the browser that has begun it.
func TestLoginPageCodeInjection(t *testing.T) {
	for name, query := range map[string]string{
		"another state":            "code=x&state=" + strings.Repeat("Z", len(aState)),
		"the state of before":      "code=x&state=" + aState[1:],
		"the state, lower case":    "code=x&state=" + strings.ToLower(aState),
		"no state":                 "code=x",
		"an empty state":           "code=x&state=",
		"two states":               "code=x&state=" + aState + "&state=" + aState,
		"two codes":                "code=x&code=y&state=" + aState,
		"a code and an error":      "code=x&error=access_denied&state=" + aState,
		"an empty code":            "code=&state=" + aState,
		"a code with a blank":      "code=x+y&state=" + aState,
		"a code with a line break": "code=x%0d%0aSet-Cookie:a=b&state=" + aState,
		"a code that is too long":  "code=" + strings.Repeat("x", maxCode+1) + "&state=" + aState,
		"a code of bytes":          "code=%ff%fe&state=" + aState,
		"nothing":                  "",
		"a query that is none":     "code=%zz&state=" + aState,
	} {
		w := newWorld(t)
		v := w.visitor()
		v.begin()
		w.writes = nil
		v.get(pathCallback + "?" + query)
		if to := v.last.Header.Get("Location"); to != "/ghut"+pathStopped+string(whyForeign) && to != "/ghut"+pathStopped+string(whyMalformed) {
			t.Errorf("%s: it leads to %q: %s", name, to, v.body)
		}
		if v.cookies[cookieCode] != "" {
			t.Errorf("%s: the code is kept", name)
		}
		v.get(pathConfirm)
		v.stoppedWith(whyNoCode)
		w.wrote()
		v.comeBack() // What another has tried has cost nothing.
		v.led(pathConfirm)
	}
}

// What does not fit does not take the place of a code that does.
func TestLoginPageCodeThatWasBroughtIsNotReplacedByAnother(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	v.answer()
	kept := v.cookies[cookieCode]
	v.get(pathCallback + "?code=evil&state=" + ticketA)
	v.stoppedWith(whyForeign)
	if v.cookies[cookieCode] != kept {
		t.Error("it is replaced")
	}
	v.get(pathConfirm)
	v.press(pathConfirm)
	v.led(pathResult)
	for _, code := range w.codes() {
		if code != aCode {
			t.Errorf("it has brought %q", code)
		}
	}
}

func TestLoginPageCookieWithTheCodeIsSealed(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	v.answer()
	form := v.form(pathConfirm)
	s := newSession(resourceName{"team-a", "octocat"}, aUID, hide(ticketA), newSecret())
	good := v.cookies[cookieCode]
	for name, value := range map[string]string{
		"of another login": codeCookie(s, answered{state: hide(aState)}).Value,
		"another code":     "eA" + good[strings.Index(good, "."):],
		"without a seal":   good[:strings.LastIndex(good, ".")],
		"an empty seal":    good[:strings.LastIndex(good, ".")+1],
		"another seal":     good[:len(good)-2] + "AA",
		"empty":            "",
		"something":        "x",
		"too long":         strings.Repeat("x", maxCookie+1),
	} {
		v.cookies[cookieCode] = value
		w.writes = nil
		v.get(pathConfirm)
		v.stoppedWith(whyNoCode)
		v.send(http.MethodPost, pathConfirm, form)
		v.stoppedWith(whyNoCode)
		w.wrote()
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

func TestLoginPageCookieOfTheLoginIsLookedAt(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	v.answer()
	form := v.form(pathConfirm)
	good := v.cookies[cookieLogin]
	parts := strings.Split(good, "/")
	with := func(i int, value string) string {
		changed := append([]string{}, parts...)
		changed[i] = value
		return strings.Join(changed, "/")
	}
	for name, c := range map[string]struct {
		value  string
		reason why
	}{
		"empty":                  {"", whyNoLogin},
		"something":              {"x", whyNoLogin},
		"cut":                    {good[:len(good)-1], whyNoLogin},
		"with more":              {good + "/x", whyNoLogin},
		"a namespace that is no": {with(0, ".."), whyNoLogin},
		"another namespace":      {with(0, "team-b"), whyTaken},
		"another resource":       {with(1, "hubot"), whyTaken},
		"another UID":            {with(2, "8b1c7f2e-0000-4000-8000-000000000009"), whyTaken},
		"a UID that is none":     {with(2, "UID"), whyNoLogin},
		"another ticket":         {with(3, ticketB), whyTaken},
		"another browser":        {with(4, newSecret().reveal()), whyTaken},
		"too long":               {strings.Repeat("a", maxCookie+1), whyNoLogin},
	} {
		v.cookies[cookieLogin] = c.value
		w.writes = nil
		for _, path := range []string{pathConfirm, pathGo, pathResult} {
			v.get(path)
			v.stoppedWith(c.reason)
		}
		v.send(http.MethodPost, pathConfirm, form)
		v.stoppedWith(c.reason)
		w.wrote()
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// Cookies cannot be planted by another host, and two of a name are none.
func TestLoginPageSessionFixation(t *testing.T) {
	w := newWorld(t)
	attacker := w.visitor()
	attacker.begin()
	attacker.comeBack()

	r := newRequest(t, http.MethodGet, pathConfirm)
	for range 2 {
		for _, name := range []string{cookieLogin, cookieCode} {
			r.AddCookie(&http.Cookie{Name: name, Value: attacker.cookies[name]})
		}
	}
	if _, ok := sessionOf(r); ok {
		t.Error("one of two cookies is taken")
	}
	// A login that is begun in this browser takes the place of one that stood in it, and of its code.
	v := w.visitor()
	v.cookies = map[string]string{cookieLogin: w.otherBrowser()[cookieLogin], cookieCode: w.otherBrowser()[cookieCode]}
	w.edit(func(token *v1alpha1.GitHubUserToken) { token.Status.Authorization = aToken().Status.Authorization })
	w.edit(func(token *v1alpha1.GitHubUserToken) {
		delete(token.Annotations, v1alpha1.AnnotationWebLoginRequested)
		token.Status.WebLogin = nil
	})
	planted := v.cookies[cookieLogin]
	v.open()
	v.press(linkPath)
	v.led(pathWait)
	if v.cookies[cookieLogin] == planted || v.cookies[cookieCode] != "" {
		t.Errorf("what was planted is left: %v", v.cookies)
	}
}

// What the victim's browser does by itself, and what others make it do, does not lend their account: that takes a press of a button on
// the page that says for what.
func TestLoginPageConsentBySurprise(t *testing.T) {
	w := newWorld(t)
	attacker, victim := w.visitor(), w.visitor()
	// The attacker begins, and has the victim's browser, which has authorized the App before, walk through GitHub's page.
	attacker.begin()
	victim.comeBack()
	victim.stoppedWith(whyElsewhere)
	// The victim opens a link of the attacker's: nothing by looking, nothing by coming back, nothing by waiting.
	w.edit(func(token *v1alpha1.GitHubUserToken) {
		delete(token.Annotations, v1alpha1.AnnotationWebLoginRequested)
		token.Status.WebLogin, token.Status.Authorization = nil, aToken().Status.Authorization
	})
	victim.begin()
	w.writes = nil
	for range 3 {
		victim.comeBack()
		victim.led(pathConfirm)
		victim.get(pathConfirm)
		victim.sees(http.StatusOK, "Nothing has been handed over yet.")
		victim.get(pathResult)
		victim.sees(http.StatusOK, "One moment")
	}
	for _, form := range []url.Values{{}, {"code": {""}}, {"code": {ticketA}, "seen": {ticketA}}} {
		victim.send(http.MethodPost, pathConfirm, form)
		victim.stoppedWith(whyForm)
	}
	w.wrote()
	if len(w.codes()) != 0 {
		t.Error("a code was brought")
	}
}

// Nothing is good twice.
func TestLoginPageReplay(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	v.open()
	begin := v.form(linkPath)
	v.press(linkPath)
	w.operatorAnswers()
	v.comeBack()
	v.get(pathConfirm)
	form, cookies := v.form(pathConfirm), maps.Clone(v.cookies)
	v.send(http.MethodPost, pathConfirm, form)
	v.led(pathResult)

	replayed := w.visitor()
	replay := func(to string) {
		t.Helper()
		w.writes = nil
		replayed.cookies = maps.Clone(cookies)
		replayed.send(http.MethodPost, pathConfirm, form)
		replayed.led(to)
		w.wrote()
	}
	replay(pathResult) // The Secret is there.
	w.edit(func(token *v1alpha1.GitHubUserToken) {
		token.Status.WebLogin.AuthorizeURL, token.Status.WebLogin.ExpirationTime = "", nil
	})
	replay(pathResult) // The operator has taken it.
	w.result(v1alpha1.WebLoginSucceeded)
	replay(pathResult)
	replayed.comeBack()
	replayed.led(pathResult)
	replayed.send(http.MethodPost, linkPath, begin)
	replayed.led(pathWait) // To what came of it, and no further.
	thief := w.visitor()
	thief.open()
	thief.stoppedWith(whyLink)
	w.wrote()
	if len(w.codes()) != 1 {
		t.Errorf("it has brought %d codes", len(w.codes()))
	}
}
