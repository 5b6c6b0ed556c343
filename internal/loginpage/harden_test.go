package loginpage

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func newRequest(t *testing.T, method, path string) *http.Request {
	t.Helper()
	return httptest.NewRequestWithContext(t.Context(), method, "https://login.example.com/ghut"+path, nil)
}

// Each answer, also to what is wrong, and each redirect, has the headers.
func TestLoginPageHeaders(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	check := func() {
		t.Helper()
		h := v.last.Header
		for name, want := range map[string]string{
			"Content-Security-Policy":      "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"X-Frame-Options":              "DENY",
			"Referrer-Policy":              "no-referrer",
			"X-Content-Type-Options":       "nosniff",
			"Cache-Control":                "no-store",
			"Strict-Transport-Security":    "max-age=31536000",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"X-Robots-Tag":                 "noindex, nofollow",
		} {
			if h.Get(name) != want {
				t.Errorf("%d: %s is %q", v.last.StatusCode, name, h.Get(name))
			}
		}
		for _, name := range []string{"Access-Control-Allow-Origin", "Server", "X-Powered-By"} {
			if h.Get(name) != "" {
				t.Errorf("there is %s", name)
			}
		}
		if strings.Contains(v.body, "<script") || strings.Contains(v.body, "style=") || strings.Contains(v.body, "onclick") {
			t.Error("something in it runs, or has a style of its own")
		}
	}
	v.open()
	check()
	v.press(linkPath)
	check()
	v.get(pathWait)
	check()
	w.operatorAnswers()
	v.get(pathGo)
	check()
	v.comeBack()
	check()
	v.get(pathConfirm)
	check()
	v.press(pathConfirm)
	check()
	for _, path := range []string{pathResult, "/", "", "/nothing", pathStopped + "used", pathStopped + "<x>", pathCancel, "/login/", "/.well-known/security.txt", "/favicon.ico"} {
		v.get(strings.ReplaceAll(path, "<x>", "%3Cx%3E"))
		check()
	}
	v.get(pathStyle)
	if v.last.Header.Get("Content-Type") != "text/css; charset=utf-8" || v.last.Header.Get("Cache-Control") != "public, max-age=300" || !strings.Contains(v.body, "prefers-color-scheme: dark") {
		t.Errorf("the style sheet is %v", v.last.Header)
	}
}

func TestLoginPageMethods(t *testing.T) {
	w := visitWorld(t, aToken())
	v := w.visitor()
	v.answer()
	w.writes = nil
	for _, method := range []string{http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodTrace, "PROPFIND", "get"} {
		for path := range routes {
			w.now = w.now.Add(time.Second)
			v.send(method, path, nil)
			v.sees(http.StatusMethodNotAllowed, "")
		}
	}
	for _, path := range []string{pathWait, pathGo, pathCallback, pathResult, pathStopped + "used"} {
		v.send(http.MethodPost, path, map[string][]string{"code": {"x"}})
		v.sees(http.StatusMethodNotAllowed, "")
	}
	v.get(pathCancel)
	v.sees(http.StatusMethodNotAllowed, "")
	for _, path := range []string{callbackWith(aCode, aState), pathVisitProven} {
		v.send(http.MethodHead, path, nil)
		v.sees(http.StatusMethodNotAllowed, "")
	}
	w.wrote()
}

func TestLoginPageHugeInputs(t *testing.T) {
	huge := strings.Repeat("x", 1<<20)
	w := newWorld(t)
	v := w.visitor()
	v.get(linkPath + "?ticket=" + huge)
	v.stoppedWith(whyNotFound)
	v.get("/" + huge)
	v.stoppedWith(whyNotFound)
	v.get("/login/team-a/" + huge + "?ticket=" + ticketA)
	v.stoppedWith(whyLink)
	v.get(linkPath + "?" + strings.Repeat("ticket=x&", 400))
	v.stoppedWith(whyLink)
	v.get(pathStopped + huge)
	v.stoppedWith(whyNotFound)
	if strings.Contains(v.body, "xxx") {
		t.Error("it says what was asked for")
	}
	v.open()
	form := v.form(linkPath)
	form.Set("seen", huge)
	v.send(http.MethodPost, linkPath, form)
	v.stoppedWith(whyForm)
	v.begin()
	w.writes = nil
	for _, query := range []string{"code=" + huge + "&state=" + aState, "code=x&state=" + huge, strings.Repeat("code=x&", 500)} {
		v.get(pathCallback + "?" + query)
		if v.last.StatusCode == http.StatusSeeOther && v.last.Header.Get("Location") == "/ghut"+pathConfirm {
			t.Error("it is taken")
		}
	}
	v.cookies[cookieLogin] = huge
	v.get(pathConfirm)
	v.stoppedWith(whyNoLogin)
	w.wrote()
}

// A path has one spelling, and none is led to another.
func TestLoginPagePathsAreTakenAsTheyAre(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{
		"//evil.example/", "/wait/", "//wait", "/./wait", "/x/../wait", "/%77ait", "/wait%2f", "/..%2f..%2fetc/passwd", "/stopped//evil.example", "/login//team-a/octocat?ticket=" + ticketA, "/login/team-a//octocat?ticket=" + ticketA,
		"/go?next=https://evil.example", `/\evil.example`,
	} {
		v := w.visitor()
		r := newRequest(t, http.MethodGet, "/")
		var err error
		if r.URL, err = r.URL.Parse("https://login.example.com"); err != nil {
			t.Fatal(err)
		}
		raw, query, _ := strings.Cut(path, "?")
		r.URL.Path, r.URL.RawQuery = "/ghut"+raw, query
		recorder := httptest.NewRecorder()
		v.page.ServeHTTP(recorder, r)
		if recorder.Code < 400 || recorder.Header().Get("Location") != "" {
			t.Errorf("%s is answered with %d to %q", path, recorder.Code, recorder.Header().Get("Location"))
		}
	}
	for _, path := range []string{"/wait", "/login/team-a/octocat", "/ghutx/wait", "/ghu", "/"} { // Not below the base URL.
		recorder := httptest.NewRecorder()
		w.page.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://login.example.com"+path, nil))
		if recorder.Code != http.StatusNotFound {
			t.Errorf("%s is answered with %d", path, recorder.Code)
		}
	}
}

func TestLoginPageBaseURL(t *testing.T) {
	for base, want := range map[string]bool{
		"https://login.example.com": true, "https://login.example.com/": true, "https://login.example.com/ghut": true, "https://login.example.com:8443/a/b/": true,
		"": false, "http://login.example.com": false, "login.example.com": false, "https://": false, "https://u@h": false, "https://h/?q": false, "https://h/?": false,
		"https://h/#f": false, "https://h/a/../b": false, "https://h//a": false, "https://h/a b": false,
	} {
		if _, err := New(Options{BaseURL: base}); (err == nil) != want {
			t.Errorf("%q: %v", base, err)
		}
	}
	for base, want := range map[string]string{"https://h": "https://h/callback", "https://h/": "https://h/callback", "https://h/a/": "https://h/a/callback"} {
		a, err := newAddress(base)
		if err != nil || a.callback() != want || a.origin != "https://h" || a.to(pathWait) != strings.TrimPrefix(strings.TrimSuffix(want, "callback"), "https://h")+"wait" {
			t.Errorf("%q: %+v, %v", base, a, err)
		}
	}
}

// What is secret cannot be compared with ==, nor printed: the type does not let it. What is compared otherwise goes through same.
func TestLoginPageComparesInConstantTime(t *testing.T) {
	if reflect.TypeFor[hidden]().Comparable() || reflect.TypeFor[session]().Comparable() || reflect.TypeFor[answered]().Comparable() {
		t.Error("what is secret can be compared with ==")
	}
	set := token.NewFileSet()
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	revealed := 0
	for _, source := range sources {
		if strings.HasSuffix(source, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, source, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if call, ok := node.(*ast.CallExpr); ok && calls(call, "reveal", "sealed", "requestID", "beginCode", "confirmCode", "cancelCode", "digest", "link") {
				revealed++
			}
			binary, ok := node.(*ast.BinaryExpr)
			if !ok || binary.Op != token.EQL && binary.Op != token.NEQ {
				return true
			}
			if literal, ok := binary.Y.(*ast.BasicLit); ok && literal.Value == `""` {
				return true // That there is none is no secret.
			}
			for _, side := range []ast.Expr{binary.X, binary.Y} {
				ast.Inspect(side, func(node ast.Node) bool {
					if call, ok := node.(*ast.CallExpr); ok && calls(call, "reveal", "Reveal", "sealed", "requestID", "beginCode", "confirmCode", "cancelCode", "digest", "link", "field") {
						t.Errorf("%s: what is secret is compared with %s", set.Position(node.Pos()), binary.Op)
					}
					return true
				})
			}
			return true
		})
	}
	if revealed < 10 {
		t.Errorf("only %d uses were found: has something been renamed?", revealed)
	}
	if same("a", "b") || same("a", "aa") || !same("a", "a") || hide("").is("") || !hide("a").is("a") || (hidden{}).is("") {
		t.Error("it compares wrongly")
	}
}

func calls(call *ast.CallExpr, names ...string) bool {
	name := ""
	switch f := call.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
	}
	return slices.Contains(names, name)
}

func TestLoginPageNamesAreThoseOfKubernetes(t *testing.T) {
	long := strings.Repeat("a", 253)
	for text, want := range map[string]bool{
		"team-a/octocat": true, "a/b": true, "team-a/o.c-t.4": true, "team-a/" + long: true, strings.Repeat("a", 63) + "/x": true,
		"": false, "team-a": false, "/": false, "team-a/": false, "/octocat": false, "team-a/octocat/": false, "team-a/-x": false, "team-a/x.": false, "team-a/X": false,
		"team.a/x": false, "team-a/..": false, "team-a/" + long + "a": false, strings.Repeat("a", 64) + "/x": false, "team-a/x\n": false, "team-a/x y": false,
	} {
		if _, ok := nameOf(text); ok != want {
			t.Errorf("%q: %t", text, ok)
		}
	}
}
