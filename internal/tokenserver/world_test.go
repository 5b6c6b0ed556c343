package tokenserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/fair"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/callers"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/reading"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/release"
)

const (
	uid     = "8b1c7f2e-0000-4000-8000-000000000001"
	address = "/v1/namespaces/team-a/githubusertokens/octocat/token"
	// shownToken is what a pod shows, and canaries are what must appear nowhere but in the answer to whoever may have it.
	shownToken     = "e30.canary-of-the-pod.c2ln"
	canaryAccess   = "ghu_canaryAccess0000000000000000000000000"
	canaryRefresh  = "ghr_canaryRefresh000000000000000000000000"
	canaryAccess2  = "ghu_canaryAccess2222222222222222222222222"
	canaryRefresh2 = "ghr_canaryRefresh222222222222222222222222"
)

// world is a server with what it asks.
type world struct {
	t      *testing.T
	server *Server
	// changes are told of while watched says so.
	changes *reading.Changes
	watcher *watch.FakeWatcher
	logs    safeText
	audit   safeText

	mu sync.Mutex
	// resource and pair are what the API server has; read is how often it was asked for them.
	resource *v1alpha1.GitHubUserToken
	pair     *rotation.Pair
	withheld string
	output   *release.Output
	readErr  error
	readTime time.Duration
	reads    int
	// refusal and err are what it says of callers, and known what is known of them without asking, since when age says; asked is how often it was
	// asked who they are, and authorized what they may.
	refusal             callers.Refusal
	err                 error
	known               bool
	age                 time.Duration
	askTime, accessTime time.Duration
	asked, authorized   int
	// namespaces are those of callers by their tokens.
	namespaces map[string]string
	events     []string
	panics     bool
}

type safeText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *safeText) logger() logr.Logger {
	return funcr.New(func(prefix, args string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		fmt.Fprintln(&s.text, prefix, args)
	}, funcr.Options{Verbosity: 10})
}

func (s *safeText) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, watcher: watch.NewFake(), namespaces: map[string]string{}}
	w.resource = &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat", UID: types.UID(uid), Generation: 1}}
	w.pair = &rotation.Pair{
		Owner: rotation.Owner{Namespace: "team-a", Name: "octocat", UID: uid}, Controlled: true, Labels: map[string]string{v1alpha1.LabelRole: v1alpha1.RolePair},
		State: rotation.State{Owner: uid, App: "github.com/Iv23liEXAMPLE", User: &rotation.User{Login: "octocat", ID: 583231}},
	}
	w.store(canaryAccess, canaryRefresh)
	w.changes = reading.NewChanges(logr.Discard(), func(context.Context) (watch.Interface, error) { return w.watcher, nil })
	w.server = New(Options{
		Callers: w, Reads: reading.NewShared(w.read), Changes: w.changes, Events: w, Log: w.logs.logger(), Audit: w.audit.logger(),
	})
	return w
}

// store stores a pair, as a commit does, and says so.
func (w *world) store(access, refresh string) {
	w.mu.Lock()
	next := w.pair.Clone()
	next.AccessToken, next.RefreshToken, next.TokenType, next.Intent = credential.NewAccessToken(access), credential.NewRefreshToken(refresh), "bearer", nil
	next.State.AccessToken, next.State.RefreshToken = next.AccessToken.Fingerprint(), next.RefreshToken.Fingerprint()
	next.State.IssuedAt, next.State.ExpiresAt = time.Now(), time.Now().Add(8*time.Hour)
	next.State.Revision++
	next.NextRefreshAt = time.Now().Add(6 * time.Hour)
	w.pair = next
	w.mu.Unlock()
}

// commit is store, of which a watch tells.
func (w *world) commit(access, refresh string) {
	w.store(access, refresh)
	w.watcher.Modify(&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat"}})
}

// change changes what there is.
func (w *world) change(change func(*world)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pair = w.pair.Clone()
	change(w)
}

func (w *world) watchChanges() {
	go func() { _ = w.changes.Start(w.t.Context()) }()
}

func (w *world) read(_ context.Context, of release.Of) (release.Read, error) {
	w.mu.Lock()
	w.reads++
	took, panics := w.readTime, w.panics
	read, err := release.Read{Resource: w.resource, Pairs: []*rotation.Pair{w.pair}, Withheld: w.withheld, Named: of.Output, Output: w.output}, w.readErr
	w.mu.Unlock()
	time.Sleep(took)
	if panics {
		panic(canaryAccess)
	}
	return read, err
}

// Known implements Callers.
func (w *world) Known(token string) (callers.Identity, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.identity(token, time.Now().Add(-w.age)), w.known
}

// Identify implements Callers.
func (w *world) Identify(ctx context.Context, token string) (callers.Identity, error) {
	w.mu.Lock()
	w.asked++
	took, began := w.askTime, time.Now()
	w.mu.Unlock()
	select {
	case <-time.After(took):
	case <-ctx.Done():
		return callers.Identity{}, ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.identity(token, began), w.err
}

// KnownAccess implements Callers.
func (w *world) KnownAccess(callers.Identity, types.NamespacedName) (callers.Access, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.access(time.Now().Add(-w.age)), w.known
}

// Authorize implements Callers.
func (w *world) Authorize(ctx context.Context, _ callers.Identity, _ types.NamespacedName) (callers.Access, error) {
	w.mu.Lock()
	w.authorized++
	took, began := w.accessTime, time.Now()
	w.mu.Unlock()
	select {
	case <-time.After(took):
	case <-ctx.Done():
		return callers.Access{}, ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.access(began), w.err
}

func (w *world) identity(token string, asked time.Time) callers.Identity {
	who := callers.Identity{Caller: w.caller(token), Refusal: w.refusal, Asked: asked}
	if who.Refusal == callers.Forbidden {
		who.Refusal = ""
	}
	return who
}

func (w *world) access(asked time.Time) callers.Access {
	may := callers.Access{Asked: asked}
	if w.refusal == callers.Forbidden {
		may.Refusal = w.refusal
	}
	return may
}

func (w *world) caller(token string) callers.Caller {
	namespace := w.namespaces[token]
	if namespace == "" {
		namespace = "agents"
	}
	return callers.Caller{User: "system:serviceaccount:" + namespace + ":runner", Namespace: namespace, Pod: "runner-1", PodUID: "pod-uid", Node: "node-1"}
}

// Eventf implements Events.
func (w *world) Eventf(_, _ runtime.Object, _, reason, _, note string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, reason+": "+fmt.Sprintf(note, args...))
}

// reply is an answer, and when it came.
type reply struct {
	*httptest.ResponseRecorder

	body  map[string]any
	after time.Duration
}

// get asks for a token.
func (w *world) get(query string) reply {
	w.t.Helper()
	return w.ask(w.request(query))
}

// askAs asks with another token.
func (w *world) askAs(token, query string) reply {
	w.t.Helper()
	r := w.request(query)
	r.Header.Set("Authorization", "Bearer "+token)
	return w.ask(r)
}

func (w *world) request(query string) *http.Request {
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, address+query, http.NoBody)
	r.Header.Set("Authorization", "Bearer "+shownToken)
	return r
}

func (w *world) ask(r *http.Request) reply {
	w.t.Helper()
	got := reply{ResponseRecorder: httptest.NewRecorder()}
	began := time.Now()
	w.server.ServeHTTP(got.ResponseRecorder, r)
	got.after = time.Since(began)
	if err := json.Unmarshal(got.Body.Bytes(), &got.body); err != nil {
		w.t.Errorf("the body is no JSON: %v: %s", err, got.Body)
	}
	return got
}

// later asks for a token, and gives the answer when it comes.
func (w *world) later(query string) <-chan reply {
	w.t.Helper()
	answered := make(chan reply, 1)
	go func() { answered <- w.get(query) }()
	return answered
}

// expect holds an answer against what it should be: its status, its error (or the access token) and when it came.
func (w *world) expect(got reply, status int, what string, after time.Duration) {
	w.t.Helper()
	said := got.body["error"]
	if status == http.StatusOK {
		said = got.body["accessToken"]
	}
	if got.Code != status || said != what || got.after != after {
		w.t.Errorf("got %d, %v after %s (%v), want %d, %v after %s", got.Code, said, got.after, got.body["message"], status, what, after)
	}
	if retry := got.Header().Get("Retry-After"); (retry != "") != (status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests) {
		w.t.Errorf("%d with Retry-After %q", status, retry)
	}
}

func (w *world) counts() (reads, asked int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reads, w.asked
}

var errAway = errors.New("the API server is away and quotes " + canaryAccess)

func fairKey(namespace string) fair.Key { return fair.Key{Namespace: namespace} }
