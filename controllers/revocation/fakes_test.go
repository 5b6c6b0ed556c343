package revocation

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner/runnertest"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// epoch is the wall-clock time at which every test begins.
var epoch = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

func failure(reason github.Reason) *github.Error {
	return &github.Error{Reason: reason, Host: "github.com"}
}

// world is a resource that is being deleted, with Secrets, GitHub with its replies, and a Revoker between them.
type world struct {
	t       *testing.T
	clock   *runnertest.Clock
	token   *v1alpha1.GitHubUserToken
	secrets map[rotation.Ref]*rotation.Pair
	refs    []rotation.Ref
	memory  *memory.Store
	runner  *runner.Runner
	queued  runnertest.Queue
	revoker *Revoker

	// byApp and byToken are the replies of the App's endpoint and of the tokens' own, in turn; the last one stays.
	byApp, byToken []error
	// calls are those of GitHub.
	calls []string
	// turnIn is in how long there is a turn to try the client secret; zero when there is one.
	turnIn    time.Duration
	noSecret  bool
	gone      bool
	findErr   error
	refsErr   error
	storeErr  error
	settles   int
	settling  time.Duration
	settleErr error
	events    []string
	// told is what the status says while an exchange goes on.
	told []string
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, clock: &runnertest.Clock{Start: epoch, Mono: time.Hour}, memory: memory.NewStore(), secrets: map[rotation.Ref]*rotation.Pair{}}
	w.token = &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "team-a", Name: "octocat", UID: "u1", DeletionTimestamp: &metav1.Time{Time: w.clock.Now()},
		},
		Spec: v1alpha1.GitHubUserTokenSpec{
			App: v1alpha1.App{Host: "github.com", ClientID: "Iv23li"}, DeletionPolicy: v1alpha1.DeletionPolicyRevoke,
		},
	}
	w.store(scope.PairRefOf(w.token), "1")
	w.runner = runner.New(runner.Options{Limit: 1, Go: w.queued.Go})
	w.revoker = New(Options{
		GitHub: w, Store: w, Events: w, Runner: w.runner, Memory: w.memory, Clock: w.clock, Log: logr.Discard(),
		Host: func(_ context.Context, token *v1alpha1.GitHubUserToken) string { return scope.InlineApp(token).Host },
		App: func(_ context.Context, token *v1alpha1.GitHubUserToken) github.App {
			app := scope.InlineApp(token).App
			if w.noSecret {
				return app
			}
			app.ClientSecret = credential.NewClientSecret("app-secret")
			return app
		},
		Find: func(context.Context, rotation.Owner) (*v1alpha1.GitHubUserToken, error) {
			if w.gone || w.findErr != nil {
				return nil, w.findErr
			}
			return w.token, nil
		},
		ReportTrouble: func(owner rotation.Owner, message string) {
			if owner != scope.OwnerOf(w.token) {
				t.Errorf("the status of %v says %q", owner, message)
			}
			w.told = append(w.told, message)
		},
		Refs: func(context.Context, *v1alpha1.GitHubUserToken) ([]rotation.Ref, error) { return w.refs, w.refsErr },
	})
	return w
}

// store puts a pair of the resource into a Secret. It is an hour old and has seven more to live.
func (w *world) store(ref rotation.Ref, name string) *rotation.Pair {
	p := &rotation.Pair{
		Ref: ref, Owner: scope.OwnerOf(w.token), Controlled: true,
		AccessToken: credential.NewAccessToken("ghu_" + name), RefreshToken: credential.NewRefreshToken("ghr_" + name),
		State: rotation.State{App: scope.InlineApp(w.token).Key(), IssuedAt: w.clock.Now().Add(-time.Hour), ExpiresAt: w.clock.Now().Add(7 * time.Hour)},
	}
	w.secrets[ref] = p
	w.refs = append(w.refs, ref)
	return p
}

func (w *world) pair() *rotation.Pair { return w.secrets[scope.PairRefOf(w.token)] }

// advance is one reconcile, with the end of what it starts.
func (w *world) advance() Step {
	w.t.Helper()
	step, err := w.revoker.Advance(w.t.Context(), w.token, w.settle)
	if err != nil {
		w.t.Fatal(err)
	}
	w.queued.Run()
	return step
}

// finish lets time go by until the resource may go, and returns how long that took.
func (w *world) finish() time.Duration {
	w.t.Helper()
	began := w.clock.Mono
	for range 1000 {
		step := w.advance()
		if step.Done {
			return w.clock.Mono - began
		}
		// What has run has the resource reconciled at once.
		if step = w.advance(); step.Done {
			return w.clock.Mono - began
		}
		w.clock.Mono += max(step.RequeueAt.Sub(w.clock.Now()), time.Millisecond)
	}
	w.t.Fatal("the resource never goes")
	return 0
}

func (w *world) settle(context.Context) (time.Duration, error) {
	w.settles++
	return w.settling, w.settleErr
}

func next(replies *[]error) error {
	if len(*replies) == 0 {
		return nil
	}
	err := (*replies)[0]
	if len(*replies) > 1 {
		*replies = (*replies)[1:]
	}
	return err
}

func (w *world) Waits(string, types.UID) (time.Time, bool) {
	return time.Now().Add(w.turnIn), w.turnIn > 0
}

func (w *world) Cancel(string) {}

func (w *world) RevokeToken(_ context.Context, _ restlimit.Caller, app github.App, token credential.AccessToken) error {
	if app.ClientSecret.IsZero() || token.IsZero() {
		w.t.Error("the App's endpoint was called without a client secret, or a token")
	}
	if w.turnIn > 0 {
		return &restlimit.WaitingError{Host: app.Host, Until: time.Now().Add(w.turnIn)}
	}
	w.calls = append(w.calls, "app "+app.Key())
	return next(&w.byApp)
}

func (w *world) RevokeCredentials(_ context.Context, host string, access credential.AccessToken, refresh credential.RefreshToken) error {
	w.calls = append(w.calls, fmt.Sprintf("tokens %s %d", host, len(access.Reveal())+len(refresh.Reveal())))
	return next(&w.byToken)
}

func (w *world) Get(_ context.Context, ref rotation.Ref) (*rotation.Pair, error) {
	switch found := w.secrets[ref]; {
	case w.storeErr != nil:
		return nil, w.storeErr
	case found == nil:
		return nil, rotation.ErrNotFound
	default:
		return found.Clone(), nil
	}
}

func (w *world) Eventf(regarding, _ runtime.Object, eventtype, reason, action, note string, args ...any) {
	kind := map[string]string{EventRevocationFailed: "Warning", EventRevocationWaiting: "Normal"}[reason]
	if regarding != runtime.Object(w.token) || eventtype != kind || action != "Revoke" {
		w.t.Errorf("an event %s %s %s of %v", eventtype, reason, action, regarding)
	}
	w.events = append(w.events, fmt.Sprintf(note, args...))
}

// counts are what the metric shows. All tests of the package count on it, one after another.
func counts(t *testing.T) (revoked, givenUp float64) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(Metrics()...)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			switch metric.GetLabel()[0].GetValue() {
			case "ended":
				revoked = metric.GetCounter().GetValue()
			case "given_up":
				givenUp = metric.GetCounter().GetValue()
			}
		}
	}
	return revoked, givenUp
}

var errAPIServer = errors.New("the API server does not answer")
