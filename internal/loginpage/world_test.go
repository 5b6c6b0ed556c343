package loginpage

import (
	"context"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

const (
	baseURL  = "https://login.example.com/ghut"
	ticketA  = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	ticketB  = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA"
	aState   = "CANARYSTATE0123456789ABCDE"
	aCode    = "canarycode0123456789"
	aUID     = "8b1c7f2e-0000-4000-8000-000000000001"
	linkPath = "/login/team-a/octocat"
	// anAttempt is what follows the UID in the ID of an attempt.
	anAttempt = "abcdefghijklmnopqrstuvwxyz"
)

var epoch = time.Date(2027, 2, 3, 12, 0, 0, 0, time.UTC)

// world is a page, the resources that it sees, and what it does to them.
type world struct {
	t      *testing.T
	page   *Page
	client client.Client
	now    time.Time
	// onPause happens while the page waits: the operator is at work then.
	onPause func()

	mu sync.Mutex
	// writes are what the page has written, such as "patch octocat".
	writes []string
	// away has the API server refuse: it is asked with the verb and what it is about.
	away func(verb string, object client.Object) error
	// lost has the answer to a write that was made be lost.
	lost func(verb string) error
	// before happens before a write is made.
	before func(verb string)
	logs   strings.Builder
	// options are those of the page, and lists counts what was listed. watched is the client of the page.
	options Options
	lists   int
	watched client.Client
	// managed is what the API server keeps of who has written what. The fake one does not.
	managed []metav1.ManagedFieldsEntry
}

func newWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	if len(objects) == 0 {
		objects = []client.Object{aToken()}
	}
	w := &world{t: t, now: epoch}
	w.client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&v1alpha1.GitHubUserToken{}).Build()
	watched := interceptor.NewClient(w.client.(client.WithWatch), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
			if err := w.refuse("get", into); err != nil {
				return err
			}
			err := c.Get(ctx, key, into, options...)
			if token, ok := into.(*v1alpha1.GitHubUserToken); ok {
				token.ManagedFields = w.managed
			}
			return err
		},
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			return w.write("patch", object, func() error { return c.Patch(ctx, object, patch, options...) })
		},
		Create: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.CreateOption) error {
			return w.write("create", object, func() error {
				object.SetUID(types.UID("8b1c7f2e-0000-4000-8000-" + fmt.Sprintf("%012d", 100+len(w.writes))))
				object.SetCreationTimestamp(metav1.NewTime(w.now))
				return c.Create(ctx, object, options...)
			})
		},
		Delete: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			return w.write("delete", object, func() error { return c.Delete(ctx, object, options...) })
		},
		List: w.list,
	})
	w.page = w.replica(watched, w.options)
	w.watched = watched
	return w
}

// replica is another process of the page, which sees the same.
func (w *world) replica(c client.Client, options Options) *Page {
	w.t.Helper()
	options.BaseURL, options.Cluster = baseURL, NewCluster(c)
	options.Log = funcr.New(func(prefix, args string) { fmt.Fprintln(&w.logs, prefix, args) }, funcr.Options{Verbosity: 10})
	options.Now = func() time.Time { return w.now }
	options.Pause = func(context.Context, time.Duration) {
		if w.onPause != nil {
			w.onPause()
		}
	}
	page, err := New(options)
	if err != nil {
		w.t.Fatal(err)
	}
	return page
}

func (w *world) refuse(verb string, object client.Object) error {
	w.mu.Lock()
	away := w.away
	w.mu.Unlock()
	if away == nil {
		return nil
	}
	return away(verb, object)
}

func (w *world) write(verb string, object client.Object, do func() error) error {
	if err := w.refuse(verb, object); err != nil {
		return err
	}
	if before := w.before; before != nil {
		w.before = nil
		before(verb)
	}
	if err := do(); err != nil {
		return err
	}
	w.mu.Lock()
	w.writes = append(w.writes, verb+" "+object.GetName())
	w.mu.Unlock()
	if w.lost != nil {
		return w.lost(verb)
	}
	return nil
}

// wrote demands that the page has written this and nothing else since it was asked last.
func (w *world) wrote(writes ...string) {
	w.t.Helper()
	if !slices.Equal(w.writes, writes) {
		w.t.Fatalf("the page has written %q, want %q", w.writes, writes)
	}
	w.writes = nil
}

func aToken() *v1alpha1.GitHubUserToken {
	token := &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat", UID: aUID, Annotations: map[string]string{
			v1alpha1.AnnotationRequestedBy: "Alice of team A", v1alpha1.AnnotationPurpose: "Nightly merges",
		}},
		Spec: v1alpha1.GitHubUserTokenSpec{
			App:   v1alpha1.App{ClientID: "Iv23liExample"},
			Login: &v1alpha1.Login{Methods: []v1alpha1.LoginMethod{v1alpha1.LoginMethodWebFlow}},
			User:  &v1alpha1.UserSelector{Login: "octocat"},
		},
	}
	token.Spec.Outputs = []v1alpha1.Output{{Name: "git-credentials"}}
	ends := metav1.NewTime(epoch.Add(24 * time.Hour))
	token.Status.Authorization = &v1alpha1.Authorization{LoginURL: baseURL + linkPath + "?ticket=" + ticketA, LoginURLExpirationTime: &ends}
	return token
}

func (w *world) token() *v1alpha1.GitHubUserToken {
	w.t.Helper()
	var token v1alpha1.GitHubUserToken
	if err := w.client.Get(w.t.Context(), types.NamespacedName{Namespace: "team-a", Name: "octocat"}, &token); err != nil {
		w.t.Fatal(err)
	}
	return &token
}

// edit is what somebody else changes.
func (w *world) edit(change func(*v1alpha1.GitHubUserToken)) {
	w.t.Helper()
	token := w.token()
	change(token)
	status := *token.Status.DeepCopy()
	if err := w.client.Update(w.t.Context(), token); err != nil {
		w.t.Fatal(err)
	}
	token.Status = status
	if err := w.client.Status().Update(w.t.Context(), token); err != nil {
		w.t.Fatal(err)
	}
}

// operatorAnswers is the operator when it sees the request: it begins an attempt, and makes another link.
func (w *world) operatorAnswers() { w.attempt(anAttempt, aState) }

func (w *world) attempt(id, state string) {
	w.t.Helper()
	w.edit(func(token *v1alpha1.GitHubUserToken) {
		request, callback, _ := strings.Cut(token.Annotations[v1alpha1.AnnotationWebLoginRequested], " ")
		if request == "" {
			return
		}
		ends := metav1.NewTime(w.now.Add(10 * time.Minute))
		token.Status.WebLogin = &v1alpha1.WebLogin{
			RequestID: request, AttemptID: string(token.UID) + "-" + id, ExpirationTime: &ends, AuthorizeURL: authorizeURL("github.com", state, callback),
		}
		token.Status.Authorization.LoginURL = baseURL + linkPath + "?ticket=" + ticketB
	})
}

func authorizeURL(host, state, callback string) string {
	return github.AuthorizePage(github.App{Host: host, ClientID: "Iv23liExample"},
		github.PageRequest{RedirectURI: callback, State: state, Challenge: strings.Repeat("c", 43), Login: "octocat"})
}

// result is the operator when a login is over.
func (w *world) result(result v1alpha1.WebLoginResult) {
	w.t.Helper()
	w.edit(func(token *v1alpha1.GitHubUserToken) {
		token.Status.WebLogin = &v1alpha1.WebLogin{RequestID: token.Status.WebLogin.RequestID, Result: result, Message: "what GitHub has said"}
	})
}

// codes are the codes that were brought, by the names of their Secrets.
func (w *world) codes() map[string]string {
	w.t.Helper()
	var secrets corev1.SecretList
	if err := w.client.List(w.t.Context(), &secrets); err != nil {
		w.t.Fatal(err)
	}
	codes := map[string]string{}
	for _, secret := range secrets.Items {
		codes[secret.Name] = string(secret.Data[v1alpha1.KeyCode])
	}
	return codes
}

// visitor is somebody with a browser of their own.
type visitor struct {
	w       *world
	page    *Page
	cookies map[string]string
	header  http.Header
	from    string
	host    string
	// last is what the last answer was.
	last *http.Response
	body string
}

func (w *world) visitor() *visitor {
	return &visitor{w: w, page: w.page, cookies: map[string]string{}, header: http.Header{}, from: "192.0.2.1:1234", host: "login.example.com"}
}

func (v *visitor) send(method, path string, form url.Values) {
	v.w.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequestWithContext(v.w.t.Context(), method, "https://login.example.com/ghut"+path, body)
	r.Host, r.RemoteAddr = v.host, v.from
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "null") // As a browser says that was told to send no referrer.
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	maps.Copy(r.Header, v.header)
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	recorder := httptest.NewRecorder()
	v.page.ServeHTTP(recorder, r)
	v.last, v.body = recorder.Result(), recorder.Body.String()
	for _, cookie := range v.last.Cookies() {
		v.take(cookie)
	}
}

// take keeps a cookie as a browser does, which holds it to what its name promises.
func (v *visitor) take(cookie *http.Cookie) {
	v.w.t.Helper()
	if !strings.HasPrefix(cookie.Name, "__Host-") || !cookie.Secure || !cookie.HttpOnly || cookie.Path != "/" || cookie.Domain != "" ||
		cookie.SameSite != http.SameSiteLaxMode || cookie.MaxAge == 0 || cookie.MaxAge > 3600 {
		v.w.t.Errorf("the cookie %s is %+v", cookie.Name, cookie)
	}
	if cookie.MaxAge < 0 {
		delete(v.cookies, cookie.Name)
		return
	}
	v.cookies[cookie.Name] = cookie.Value
}

func (v *visitor) get(path string) { v.w.t.Helper(); v.send(http.MethodGet, path, nil) }

// open opens the link.
func (v *visitor) open() { v.w.t.Helper(); v.get(linkPath + "?ticket=" + ticketA) }

var (
	forms  = regexp.MustCompile(`(?s)<form method="post" action="/ghut([^"]*)".*?</form>`)
	fields = regexp.MustCompile(`<input type="hidden" name="([a-z]+)" value="([^"]*)">`)
)

// form is the form of the page that goes somewhere.
func (v *visitor) form(to string) url.Values {
	v.w.t.Helper()
	for _, form := range forms.FindAllStringSubmatch(v.body, -1) {
		if form[1] != to {
			continue
		}
		values := url.Values{}
		for _, field := range fields.FindAllStringSubmatch(form[0], -1) {
			values.Set(field[1], html.UnescapeString(field[2]))
		}
		return values
	}
	v.w.t.Fatalf("there is no form to %s: %d %s", to, v.last.StatusCode, v.body)
	return nil
}

// press sends the form of the page that goes somewhere.
func (v *visitor) press(to string) { v.w.t.Helper(); v.send(http.MethodPost, to, v.form(to)) }

// sees demands a status, and a part of the page.
func (v *visitor) sees(status int, part string) {
	v.w.t.Helper()
	if v.last.StatusCode != status || !strings.Contains(v.body, part) {
		v.w.t.Fatalf("the answer is %d, want %d with %q; it leads to %q: %s", v.last.StatusCode, status, part, v.last.Header.Get("Location"), v.body)
	}
}

// led demands that the browser is sent to a path of the page.
func (v *visitor) led(path string) {
	v.w.t.Helper()
	if got := v.last.Header.Get("Location"); v.last.StatusCode != http.StatusSeeOther || got != "/ghut"+path || v.body != "" {
		v.w.t.Fatalf("the answer is %d to %q, want to %s: %s", v.last.StatusCode, got, path, v.body)
	}
}

// stoppedWith demands the page of a reason, at once or after a redirect.
func (v *visitor) stoppedWith(reason why) {
	v.w.t.Helper()
	if to := v.last.Header.Get("Location"); strings.HasPrefix(to, "/ghut/stopped/") {
		v.get(strings.TrimPrefix(to, "/ghut"))
	}
	v.sees(stops[reason].status, "<h1>"+html.EscapeString(stops[reason].Title)+"</h1>")
}

// begin goes as far as GitHub's page.
func (v *visitor) begin() {
	v.w.t.Helper()
	v.open()
	v.press(linkPath)
	v.led(pathWait)
	v.w.operatorAnswers()
	v.get(pathGo)
	if v.last.StatusCode != http.StatusSeeOther || !strings.HasPrefix(v.last.Header.Get("Location"), "https://github.com/login/oauth/authorize?") {
		v.w.t.Fatalf("it leads to %q: %s", v.last.Header.Get("Location"), v.body)
	}
}

// comeBack is the way back from GitHub.
func (v *visitor) comeBack() {
	v.w.t.Helper()
	v.get(callbackWith(aCode, aState))
}

func callbackWith(code, state string) string {
	return pathCallback + "?" + url.Values{"code": {code}, "state": {state}}.Encode()
}

// answer goes as far as the last question.
func (v *visitor) answer() {
	v.w.t.Helper()
	v.begin()
	v.comeBack()
	v.led(pathConfirm)
	v.get(pathConfirm)
	v.sees(http.StatusOK, "Do you confirm?")
}
