package tokencheck

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/rules"
)

// epoch is the wall-clock time at which every test begins.
var epoch = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

var (
	errOutage  = &github.Error{Reason: github.ServerError}
	errInvalid = &github.Error{Reason: github.TokenInvalid}
	errSecret  = &github.Error{Reason: github.IncorrectClientCredentials}
)

// reply is an answer of GitHub's: whether the token is alive, whose it is, or why GitHub does not say.
type reply struct {
	alive bool
	// hidesFrom is what hides from the token.
	hidesFrom string
	user      github.User
	err       error
}

// world is a resource with a pair, GitHub with its replies, and Checks between them.
type world struct {
	t      *testing.T
	clock  *runnertest.Clock
	token  *v1alpha1.GitHubUserToken
	live   *rotation.Pair
	checks *Checks
	memory *memory.Store
	runner *runner.Runner
	// queued is what was started and has not run yet.
	queued runnertest.Queue

	// replies are given in turn; the last one stays.
	replies     []reply
	asked       int
	reads       int
	secretsSent []credential.ClientSecret
	hostErr     error
	storeErr    error
	secretErr   error
	// turnIn is in how long there is a turn to ask; zero when there is one. waits says that one is waited for.
	turnIn time.Duration
	waits  bool
	// queueIDs are the names under which was asked, and canceled those given up.
	queueIDs, canceled []string
	received           []credential.Fingerprint
	busy               bool
	unwanted           bool

	marked, cleared, learnt int
	learntUser              rotation.User
	writeErr                error
	remembered, woken       int
	aside                   int
	troubles                []string
}

func newWorld(t *testing.T, replies ...reply) *world {
	w := &world{t: t, clock: &runnertest.Clock{Start: epoch, Mono: time.Hour}, replies: replies, memory: memory.NewStore()}
	w.token = &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat", UID: "u1"},
		Spec:       v1alpha1.GitHubUserTokenSpec{App: v1alpha1.App{Host: "github.com", ClientID: "Iv23li"}},
	}
	access := credential.NewAccessToken("ghu_1")
	w.live = &rotation.Pair{
		Ref: scope.PairRefOf(w.token), Owner: scope.OwnerOf(w.token), Controlled: true, AccessToken: access,
		State: rotation.State{
			Owner: "u1", App: scope.InlineApp(w.token).Key(), AccessToken: access.Fingerprint(), RefreshToken: "refresh",
			IssuedAt: w.clock.Now().Add(-time.Hour), ExpiresAt: w.clock.Now().Add(24 * time.Hour),
			User: &rotation.User{Login: "octocat", ID: 1},
		},
	}
	w.runner = runner.New(runner.Options{Limit: MaxChecks, Go: w.queued.Go})
	w.checks = New(Options{
		GitHub: w, Store: w, Amender: w, Runner: w.runner, Memory: w.memory, Clock: w.clock,
		App: func(_ context.Context, token *v1alpha1.GitHubUserToken) github.App {
			app := scope.InlineApp(token).App
			if w.secretErr != nil {
				return app
			}
			app.ClientSecret = credential.NewClientSecret("app-secret")
			return app
		},
		Busy:          func(types.UID) bool { return w.busy },
		RememberNewer: func(types.UID, *rotation.Pair) { w.remembered++ },
		Wake:          func(types.NamespacedName) { w.woken++ },
		Wanted:        func(context.Context, rotation.Owner) bool { return !w.unwanted },
		StandAside:    func(types.UID) { w.aside++ },
		ReportTrouble: func(_ rotation.Owner, trouble string) { w.troubles = append(w.troubles, trouble) },
	})
	return w
}

// checked asks for checks every ten seconds.
func (w *world) checked() *world {
	w.token.Spec.CheckInterval = &metav1.Duration{Duration: 10 * time.Second}
	return w
}

func (w *world) scope() *scope.Scope {
	pair := w.live.Clone()
	pair.AccessToken = credential.AccessToken{}
	return &scope.Scope{
		Token: w.token, App: scope.InlineApp(w.token), Owner: scope.OwnerOf(w.token), Ref: w.live.Ref, Pair: pair, Now: w.clock.Now(),
		Input: rules.Input{App: scope.InlineApp(w.token).Key()},
	}
}

// sync is one reconcile, with the end of what it starts.
func (w *world) sync() (requeueAt time.Time) {
	requeueAt = w.checks.Sync(logr.Discard(), w.scope())
	w.queued.Run()
	return requeueAt
}

// pass lets time go by as the operator does: from one requeue to the next.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	end := w.clock.Mono + d
	for reconciles := 0; ; reconciles++ {
		if reconciles > 10000 {
			w.t.Fatal("the operator reconciles without end")
		}
		at := w.sync()
		if w.runner.Busy("u1") {
			w.t.Fatal("a check does not end")
		}
		// What has run has the resource reconciled at once.
		if again := w.sync(); !again.IsZero() && (at.IsZero() || again.Before(at)) {
			at = again
		}
		next := w.clock.Mono + at.Sub(w.clock.Now())
		if at.IsZero() || next >= end {
			w.clock.Mono = end
			return
		}
		w.clock.Mono = next
	}
}

func (w *world) reply() reply {
	r := w.replies[min(w.asked, len(w.replies)-1)]
	w.asked++
	return r
}

func (w *world) CheckToken(_ context.Context, who restlimit.Caller, app github.App, _ credential.AccessToken) (github.Check, error) {
	w.queueIDs = append(w.queueIDs, who.QueueID)
	if err := w.turn(); err != nil {
		return github.Check{}, err
	}
	w.secretsSent = append(w.secretsSent, app.ClientSecret)
	r := w.reply()
	return github.Check{Alive: r.alive, HidesFrom: r.hidesFrom}, r.err
}

func (w *world) User(_ context.Context, _ restlimit.Caller, _ string, _ credential.AccessToken) (github.User, error) {
	if err := w.turn(); err != nil {
		return github.User{}, err
	}
	r := w.reply()
	return r.user, r.err
}

// turn is an error when there is no turn.
func (w *world) turn() error {
	if w.waits = w.turnIn > 0; w.waits {
		return &restlimit.WaitingError{Host: "github.com", Until: time.Now().Add(w.turnIn)}
	}
	return nil
}

func (w *world) Waits(string, types.UID) (time.Time, bool) {
	return time.Now().Add(w.turnIn), w.waits && w.turnIn > 0
}

func (w *world) Received(_ types.UID, _ github.App, token credential.Fingerprint) {
	w.received = append(w.received, token)
}

func (w *world) Cancel(id string) { w.waits, w.canceled = false, append(w.canceled, id) }

func (w *world) CheckHost(string) error { return w.hostErr }

func (w *world) Get(context.Context, rotation.Ref) (*rotation.Pair, error) {
	w.reads++
	return w.live.Clone(), w.storeErr
}

func (w *world) MarkRevoked(context.Context, rotation.Owner, rotation.Ref, credential.Fingerprint) (*rotation.Pair, bool, error) {
	if w.writeErr != nil {
		return nil, false, w.writeErr
	}
	w.marked++
	w.live.State.AccessTokenEnded = true
	return w.live, true, nil
}

func (w *world) ClearRevoked(context.Context, rotation.Owner, rotation.Ref, rotation.Policy, credential.Fingerprint) (*rotation.Pair, bool, error) {
	if w.writeErr != nil {
		return nil, false, w.writeErr
	}
	w.cleared++
	w.live.State.AccessTokenEnded = false
	return w.live, true, nil
}

func (w *world) LearnUser(_ context.Context, _ rotation.Owner, _ *rotation.Pair, user rotation.User) (*rotation.Pair, bool, error) {
	if w.writeErr != nil {
		return nil, false, w.writeErr
	}
	w.learnt++
	w.learntUser = user
	w.live.State.User = &user
	return w.live, true, nil
}

var errStore = errors.New("the API server does not answer")
