package deviceflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner/runnertest"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/rules"
)

// world is a resource, and a Flow whose work runs when a reconcile is over. What it calls answers as the fields
// say, and is listed in calls.
type world struct {
	*runnertest.Clock
	t     *testing.T
	flow  *Flow
	scope *scope.Scope
	calls []string
	logs  strings.Builder
	// started is the work that was begun.
	started runnertest.Queue
	// secret is the device code that GitHub gave out last, and codes how many it gave out.
	secret string
	codes  int

	requestErr, offerErr error
	result               rotation.Result
	refused              *problem.Problem
	turn                 time.Time // when the limiter lets a request go; zero for now
	panics               bool
	noPlace              error // in the outbox
	hasPlace             bool
	job                  rotation.Job
	offer                rotation.DeviceAuthorization
	request              ratelimit.Request
}

func newWorld(t *testing.T, change func(*scope.Scope)) *world {
	w := &world{t: t, Clock: &runnertest.Clock{Start: epoch}, scope: healthy(), secret: "a device code"}
	if change != nil {
		change(w.scope)
	}
	w.flow = w.newFlow(10)
	return w
}

func (w *world) newFlow(places int) *Flow {
	return New(Options{
		Offers: w, Rotator: w, GitHub: w, Outbox: w, Memory: memory.NewStore(), Clock: w.Clock,
		Runner:   runner.New(runner.Options{Limit: places, Go: w.started.Go, Sleep: w.Sleep}),
		CheckApp: func(scope.App) *problem.Problem { return w.refused },
		Acquire: func(app string, request ratelimit.Request) (bool, time.Time) {
			w.request = request
			w.called("acquire " + app)
			return w.turn.IsZero(), w.turn
		},
		Pause:    func(app github.App, _ rotation.Result) { w.called("pause " + app.Key()) },
		Remember: func(types.UID, *rotation.Pair) { w.called("remember") },
		RememberNewer: func(_ types.UID, pair *rotation.Pair) {
			if pair != nil {
				w.scope.Pair, w.scope.Input.Pair = pair, pair
			}
			w.called("remember newer")
		},
		Doubt: func(types.UID) { w.called("doubt") },
		Record: func(_ logr.Logger, _ *v1alpha1.GitHubUserToken, _ rotation.Job, result rotation.Result) {
			w.called("record " + string(result.Outcome))
		},
		Observe: func(result rotation.Result) { w.called("observe " + string(result.Outcome)) },
	})
}

func (w *world) called(name string) { w.calls = append(w.calls, name) }

// RequestDeviceCode implements GitHub.
func (w *world) RequestDeviceCode(_ context.Context, app github.App) (github.DeviceAuthorization, error) {
	w.called("request a code")
	if w.codes++; w.codes > 1 {
		w.secret = fmt.Sprintf("device code %d", w.codes) // GitHub gives out none twice.
	}
	if app.ClientSecret != (credential.ClientSecret{}) {
		w.t.Error("a client secret plays no part")
	}
	if w.panics {
		panic("nobody knows why")
	}
	return github.DeviceAuthorization{
		DeviceCode: credential.NewDeviceCode(w.secret), UserCode: "WDJB-MJHT", VerificationURI: "https://github.com/login/device",
		ExpiresAt: w.Now().Add(15 * time.Minute), Interval: 5 * time.Second,
	}, w.requestErr
}

// Offer implements Rotator.
func (w *world) Offer(_ context.Context, job rotation.Job, offer rotation.DeviceAuthorization, code credential.DeviceCode) (*rotation.Pair, error) {
	w.called("offer")
	w.job, w.offer = job, offer
	if code.Reveal() != w.secret || offer.DeviceCode != code.Fingerprint() {
		w.t.Error("the code that is stored is not the one that GitHub gave out")
	}
	if w.offerErr != nil {
		return nil, w.offerErr
	}
	w.store(&offer)
	return w.scope.Pair, nil
}

// Take implements Outbox.
func (w *world) Take(owner rotation.Owner) error {
	w.hasPlace = w.noPlace == nil && owner == w.scope.Owner
	return w.noPlace
}

// Release implements Outbox.
func (w *world) Release(owner rotation.Owner) { w.hasPlace = w.hasPlace && owner != w.scope.Owner }

// Poll implements Rotator.
func (w *world) Poll(_ context.Context, job rotation.Job) rotation.Result {
	w.called("poll")
	w.job = job
	if w.panics {
		panic("nobody knows why")
	}
	return w.result
}

// store puts a code into the pair Secret.
func (w *world) store(device *rotation.DeviceAuthorization) {
	pair := &rotation.Pair{
		Ref: w.scope.Ref, Owner: w.scope.Owner, UID: "secret", Version: "8", Controlled: true,
		State: rotation.State{Owner: testUID, OwnerName: w.scope.Owner.Name, App: testApp},
	}
	if w.scope.Pair != nil {
		pair = w.scope.Pair.Clone()
	}
	pair.State.Device = device
	w.scope.Pair, w.scope.Input.Pair = pair, pair
}

// reconcile is one call of Advance, at the world's time, and the work that it starts.
func (w *world) reconcile() Step {
	w.t.Helper()
	w.calls = nil
	w.scope.Now, w.scope.Input.Now = w.Now(), w.Now()
	w.scope.App = scope.InlineApp(w.scope.Token)
	w.scope.Input.RefreshRequestedAt = scope.RequestOf(w.scope.Token)
	decision := rules.Decide(w.scope.Input)
	var blocked *problem.Problem
	if decision.Action == rotation.ActionBlocked {
		blocked = words.NeedsHuman(w.scope.Token, v1alpha1.ReasonRefreshTokenMissing)
	}
	log := funcr.New(func(prefix, args string) { fmt.Fprintln(&w.logs, prefix, args) }, funcr.Options{Verbosity: 10})
	step := w.flow.Advance(log, w.scope, decision, blocked)
	if w.hasPlace != (step.Started && step.Offered != nil && w.noPlace == nil) {
		w.t.Errorf("a place in the outbox is taken: %t, started is %t", w.hasPlace, step.Started)
	}
	w.started.Run()
	if w.hasPlace {
		w.t.Error("a place in the outbox was not given back")
	}
	return step
}

func (w *world) expect(calls ...string) {
	w.t.Helper()
	if !slices.Equal(w.calls, calls) {
		w.t.Errorf("calls: %v, want %v", w.calls, calls)
	}
}

// isOffered has a code offered and its first poll due.
func (w *world) isOffered() Step {
	w.t.Helper()
	if step := w.reconcile(); !step.Started {
		w.t.Fatalf("no code was requested: %+v", step)
	}
	step := w.reconcile()
	if step.Offered == nil || step.RequeueAt.IsZero() {
		w.t.Fatalf("no code is offered: %+v", step)
	}
	w.Mono += step.RequeueAt.Sub(w.Now())
	return step
}

func (w *world) notes() int { return w.flow.options.Memory.Len() }

func TestDeviceFlowACodeIsStoredBeforeItIsShown(t *testing.T) {
	w := newWorld(t, nobodyLoggedIn)
	w.scope.Token.Spec.Secret.Labels = map[string]string{"team": "a"}
	pinned("octocat", 0)(w.scope)
	step := w.reconcile()
	if !step.Started || step.Problem != nil || step.Offered != nil {
		t.Errorf("before it is stored there is %+v", step)
	}
	w.expect("acquire "+testApp, "request a code", "offer", "remember")
	if w.request != (ratelimit.Request{ID: testUID, Namespace: "team-a", Yields: true}) {
		t.Errorf("the limiter was asked for %+v", w.request)
	}
	if w.job.Owner != w.scope.Owner || w.job.Ref != w.scope.Ref || w.job.User == nil || w.job.Labels["team"] != "a" ||
		w.job.Annotations[v1alpha1.AnnotationAppliedMetadata] == "" || w.job.Decision.Cause != rotation.CauseDeviceFlow {
		t.Errorf("the job is %+v", w.job)
	}
	if w.offer.Codes != 1 || !w.offer.OfferedAt.Equal(epoch) || w.offer.App != testApp || w.offer.For == "" {
		t.Errorf("stored is %+v", w.offer)
	}
	step = w.reconcile()
	if step.Offered == nil || step.Offered.UserCode != "WDJB-MJHT" || step.Problem == nil || step.Problem.Reason != v1alpha1.ReasonAuthorizationPending {
		t.Errorf("after it is stored there is %+v", step)
	}
	if step.Problem.Aside {
		t.Error("without a token it is all that holds up the resource")
	}
	if at := epoch.Add(5 * time.Second); !step.RequeueAt.Equal(at) {
		t.Errorf("it is polled at %s, want %s", step.RequeueAt, at)
	}
	w.expect()
	if strings.Contains(w.logs.String(), w.secret) {
		t.Error("the device code is logged")
	}
}

func TestDeviceFlowPoll(t *testing.T) {
	pending := &github.Error{Class: github.Transient, Reason: github.AuthorizationPending}
	slowDown := &github.Error{Class: github.Transient, Reason: github.SlowDown, RetryAfter: 10 * time.Second}
	slowly := offered(func(d *rotation.DeviceAuthorization) { d.Interval = 12 * time.Second })
	for name, c := range map[string]struct {
		result rotation.Result
		calls  []string // beside those of every poll
		// forgotten reports that nothing is remembered of the flow.
		forgotten bool
		wait      time.Duration
		over      bool
		says      string // a reason; empty when there is nothing to tell
	}{
		"a pair is recorded, and the flow forgotten":                               {result: rotation.Result{Outcome: rotation.Committed}, calls: []string{"record Committed"}, forgotten: true},
		"so is one that somebody else's replaced":                                  {result: rotation.Result{Outcome: rotation.Superseded}, calls: []string{"record Superseded"}, forgotten: true},
		"so is one that nobody wants any more":                                     {result: rotation.Result{Outcome: rotation.Discarded}, calls: []string{"record Discarded"}, forgotten: true},
		"another account is counted, and its pair is not":                          {result: rotation.Result{Outcome: rotation.WrongUser, Err: rotation.ErrWrongUser}, calls: []string{"observe WrongUser", "remember newer"}},
		"a person is waited for":                                                   {result: rotation.Result{Outcome: rotation.Untouched, Err: pending}, calls: []string{"remember newer"}, wait: 5 * time.Second},
		"GitHub is polled as slowly as it asks":                                    {result: rotation.Result{Outcome: rotation.Untouched, Err: slowDown}, calls: []string{"remember newer"}, wait: 10 * time.Second},
		"or as slowly as the Secret says by now":                                   {result: rotation.Result{Outcome: rotation.Untouched, Err: slowDown, Pair: &rotation.Pair{Controlled: true, State: rotation.State{Device: slowly}}}, calls: []string{"remember newer"}, wait: 12 * time.Second},
		"a code that expired is followed by another":                               {result: rotation.Result{Outcome: rotation.Rejected, Err: &github.Error{Class: github.Rejected, Reason: github.ExpiredCode}}, calls: []string{"remember newer"}, wait: time.Second, over: true},
		"a refusal that was not written down is heard again":                       {result: rotation.Result{Outcome: rotation.Rejected, Reason: rotation.ReasonAuthorizationDenied, Err: &github.Error{Reason: github.AccessDenied}}, calls: []string{"remember newer"}, wait: 5 * time.Second},
		"a Secret that holds another code is looked at anew":                       {result: rotation.Result{Outcome: rotation.Stale, Err: errors.New("another code")}, calls: []string{"doubt", "remember newer"}, wait: 5 * time.Second},
		"an outage is told of":                                                     {result: rotation.Result{Outcome: rotation.Unknown, Err: &github.Error{Class: github.Ambiguous, Reason: github.ServerError}}, calls: []string{"remember newer"}, wait: 5 * time.Second, says: v1alpha1.ReasonGitHubUnavailable},
		"a rate limit is waited out":                                               {result: rotation.Result{Outcome: rotation.Untouched, Err: &github.Error{Class: github.Transient, Reason: github.RateLimited, RetryAfter: 10 * time.Minute}}, calls: []string{"remember newer"}, wait: 10 * time.Minute, says: v1alpha1.ReasonRateLimited},
		"nothing is polled while a pair could not be kept":                         {result: rotation.Result{Outcome: rotation.NoOutbox, Err: errors.New("the disk is full")}, wait: 5 * time.Second, says: v1alpha1.ReasonOutboxUnavailable},
		"nor while the Secret cannot be read":                                      {result: rotation.Result{Outcome: rotation.NotFenced, Err: errors.New("no answer")}, wait: 5 * time.Second, says: v1alpha1.ReasonAPIServerUnavailable},
		"an answer that is lost is asked for again: GitHub says what became of it": {result: rotation.Result{Outcome: rotation.Unknown, Err: &github.Error{Class: github.Ambiguous, Reason: github.NoReply}}, calls: []string{"remember newer"}, wait: 5 * time.Second, says: v1alpha1.ReasonGitHubUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nobodyLoggedIn)
			w.isOffered()
			w.result = c.result
			if step := w.reconcile(); !step.Started || step.Offered == nil {
				t.Fatalf("nothing was polled: %+v", step)
			}
			w.expect(append([]string{"acquire " + testApp, "poll", "pause " + testApp}, c.calls...)...)
			if w.job.Decision.Spends != theCode {
				t.Errorf("code %q was polled", w.job.Decision.Spends)
			}
			if forgotten := w.notes() == 0; forgotten != c.forgotten {
				t.Fatalf("forgotten %t, want %t", forgotten, c.forgotten)
			}
			w.flow.notes.Peek(testUID, func(n *note) {
				if wait := n.next - w.Mono; c.wait > 0 && wait != c.wait || n.over != c.over {
					t.Errorf("the next step is in %s, over %t; want %s, %t", wait, n.over, c.wait, c.over)
				}
				if n.problem == nil && c.says != "" || n.problem != nil && n.problem.Reason != c.says {
					t.Errorf("it tells of %+v, want %q", n.problem, c.says)
				}
			})
		})
	}
}

func TestDeviceFlowRequest(t *testing.T) {
	for name, c := range map[string]struct {
		requestErr, offerErr error
		calls                []string
		reason               string
		wait                 time.Duration
		stalled              bool
	}{
		"an outage": {
			requestErr: &github.Error{Class: github.Ambiguous, Reason: github.ServerError},
			calls:      []string{"pause " + testApp}, reason: v1alpha1.ReasonGitHubUnavailable, wait: 2 * time.Second,
		},
		"a rate limit": {
			requestErr: &github.Error{Class: github.Transient, Reason: github.RateLimited, RetryAfter: time.Hour},
			calls:      []string{"pause " + testApp}, reason: v1alpha1.ReasonRateLimited, wait: time.Hour,
		},
		"an App without the device flow": {
			requestErr: &github.Error{Class: github.Misconfigured, Reason: github.DeviceFlowDisabled},
			calls:      []string{"pause " + testApp}, reason: v1alpha1.ReasonDeviceFlowDisabled, wait: 10 * time.Second, stalled: true,
		},
		"a Secret that somebody else has changed": {
			offerErr: fmt.Errorf("store the device code: %w", rotation.ErrConflict),
			calls:    []string{"offer", "doubt"}, reason: v1alpha1.ReasonAuthorizationPending, wait: time.Second,
		},
		"a Secret that somebody else has made": {
			offerErr: rotation.ErrExists, calls: []string{"offer", "doubt"}, reason: v1alpha1.ReasonAuthorizationPending, wait: time.Second,
		},
		"a Secret that is gone": {
			offerErr: rotation.ErrNotFound, calls: []string{"offer", "doubt"}, reason: v1alpha1.ReasonAuthorizationPending, wait: time.Second,
		},
		"a write that was refused": {
			offerErr: rotation.ErrDenied, calls: []string{"offer"}, reason: v1alpha1.ReasonAPIServerUnavailable, wait: 2 * time.Second,
		},
		"a namespace that is being deleted": {
			offerErr: rotation.ErrTerminating, calls: []string{"offer"}, reason: v1alpha1.ReasonNamespaceTerminating, wait: 2 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nobodyLoggedIn)
			w.requestErr, w.offerErr = c.requestErr, c.offerErr
			if step := w.reconcile(); !step.Started {
				t.Fatalf("no code was requested: %+v", step)
			}
			w.expect(append([]string{"acquire " + testApp, "request a code"}, c.calls...)...)
			step := w.reconcile()
			w.expect()
			at := epoch.Add(c.wait)
			if step.Problem == nil || step.Problem.Reason != c.reason || step.Problem.Stalled != c.stalled || !step.RequeueAt.Equal(at) || step.Offered != nil {
				t.Errorf("then there is %+v (%+v), want %s and a try at %s", step, step.Problem, c.reason, at)
			}
			if told := step.Problem.RetryAt; c.reason != v1alpha1.ReasonAuthorizationPending && !c.stalled && !told.Equal(at) {
				t.Errorf("the next try is told to be at %s", told)
			}
			w.requestErr, w.offerErr = nil, nil
			w.Mono = c.wait
			w.reconcile()
			if step := w.reconcile(); step.Offered == nil {
				t.Errorf("it does not heal: %+v", step)
			}
		})
	}
}

func TestDeviceFlowIsLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*world)
		want   string // a reason; empty when there is nothing to tell
		aside  bool
		in     time.Duration // until the next look; zero for none
		calls  []string
		places int
	}{
		"where no login is needed": {change: func(w *world) { w.scope = healthy() }, places: 1},
		"without spec.login": {
			change: func(w *world) { w.scope.Token.Spec.Login = nil }, want: v1alpha1.ReasonRefreshTokenMissing, places: 1,
		},
		"beside a living chain, without spec.login": {
			change: func(w *world) {
				w.scope = healthy()
				pinned("hubot", 0)(w.scope)
				w.scope.Token.Spec.Login = nil
			},
			want: v1alpha1.ReasonWrongUser, aside: true, places: 1,
		},
		"where the host is not allowed": {
			change: func(w *world) { w.refused = &problem.Problem{Reason: v1alpha1.ReasonHostNotAllowed, Stalled: true} },
			want:   v1alpha1.ReasonHostNotAllowed, places: 1,
		},
		"until there is room, before a turn is used up": {
			change: func(*world) {}, want: v1alpha1.ReasonAuthorizationPending, in: time.Second, places: 0,
		},
		"until its turn has come": {
			change: func(w *world) { w.turn = epoch.Add(time.Minute) }, want: v1alpha1.ReasonAuthorizationPending, in: time.Minute,
			calls: []string{"acquire " + testApp}, places: 1,
		},
		"while the process ends": {
			change: func(w *world) {
				if err := w.flow.options.Runner.Drain(context.Background()); err != nil {
					w.t.Error(err)
				}
			},
			want: v1alpha1.ReasonAuthorizationPending, in: time.Second, calls: []string{"acquire " + testApp}, places: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nobodyLoggedIn)
			w.flow = w.newFlow(c.places)
			c.change(w)
			step := w.reconcile()
			w.expect(c.calls...)
			if step.Started || step.Offered != nil {
				t.Errorf("got %+v", step)
			}
			if step.Problem == nil && c.want != "" || step.Problem != nil && (step.Problem.Reason != c.want || step.Problem.Aside != c.aside) {
				t.Errorf("it tells of %+v, want %q", step.Problem, c.want)
			}
			if c.in == 0 && !step.RequeueAt.IsZero() || c.in > 0 && !step.RequeueAt.Equal(epoch.Add(c.in)) {
				t.Errorf("the next look is at %s", step.RequeueAt)
			}
		})
	}
}

// A poll may bring a pair, for which there must be a place in the outbox. One that others are about to give back is waited
// for, and no turn at the limiter is used up meanwhile. A code is requested whether there is a place or not.
func TestDeviceFlowWaitsForAPlaceInTheOutbox(t *testing.T) {
	w := newWorld(t, nobodyLoggedIn)
	w.noPlace = rotation.ErrPlacesInUse
	w.isOffered()
	for range 3 {
		step := w.reconcile()
		w.expect()
		if p := step.Problem; step.Started || step.Offered == nil || p == nil || p.Reason != v1alpha1.ReasonAuthorizationPending || strings.Contains(p.Message, "At present") {
			t.Errorf("while it waits there is %+v (%+v)", step, p)
		}
		if at := w.Now().Add(time.Second); !step.RequeueAt.Equal(at) {
			t.Errorf("it is looked at again at %s, want %s", step.RequeueAt, at)
		}
		w.Mono += time.Second
	}
	w.noPlace = errors.New("the outbox is full")
	w.result = rotation.Result{Outcome: rotation.NoOutbox, Err: w.noPlace}
	if step := w.reconcile(); !step.Started {
		t.Errorf("what it does not merely wait for is not found out: %+v", step)
	}
	step := w.reconcile()
	if step.Started || step.Problem == nil || !strings.Contains(step.Problem.Message, "the outbox is full") {
		t.Errorf("it is told of %+v", step.Problem)
	}
	w.noPlace, w.result = nil, rotation.Result{Outcome: rotation.Committed}
	w.Mono += step.RequeueAt.Sub(w.Now())
	w.turn = w.Now().Add(time.Minute) // The place is given back meanwhile, as reconcile finds.
	if step := w.reconcile(); step.Started {
		t.Errorf("it is polled before its turn: %+v", step)
	}
	w.turn = time.Time{}
	if step := w.reconcile(); !step.Started {
		t.Errorf("when there is a place nothing is polled: %+v", step)
	}
	w.expect("acquire "+testApp, "poll", "pause "+testApp, "record Committed")
}

func TestDeviceFlowBesideALivingChainHoldsUpNothing(t *testing.T) {
	w := newWorld(t, pinned("hubot", 0))
	if step := w.isOffered(); step.Problem == nil || !step.Problem.Aside {
		t.Errorf("the code is said to hold up the exchange: %+v", step.Problem)
	}
	w.scope.Pair.State.Device.Ended = v1alpha1.ReasonAuthorizationDenied
	if step := w.reconcile(); step.Problem == nil || step.Problem.Reason != v1alpha1.ReasonAuthorizationDenied || !step.Problem.Aside {
		t.Errorf("the refusal is said to hold up the exchange: %+v", step.Problem)
	}
}

// A token that nothing can refresh ends, which is told at once. A code is offered when it would be refreshed otherwise, or
// when somebody asks for one.
func TestDeviceFlowOffersACodeBeforeATokenEndsForGood(t *testing.T) {
	endsForGood := func(s *scope.Scope) { s.Pair.State.RefreshToken = "" }
	for name, c := range map[string]struct {
		change func(w *world)
		at     time.Duration
		// requeue is when it is looked at next, where no code is offered.
		requeue time.Duration
		offered bool
	}{
		"long before":                    {requeue: 5 * time.Hour},
		"when it would be refreshed":     {at: 5 * time.Hour, offered: true},
		"when somebody asks for a code":  {change: func(w *world) { ask(w, "1") }, offered: true},
		"when a request was honoured":    {change: func(w *world) { ask(w, "1"); w.scope.Pair.State.RefreshRequestedAt = "1" }, requeue: 5 * time.Hour},
		"without the device flow":        {change: func(w *world) { w.scope.Token.Spec.Login = nil }, requeue: 7 * time.Hour},
		"with a series that has ended":   {change: endSeries, at: 5 * time.Hour, requeue: 7 * time.Hour},
		"when it has ended":              {at: 7 * time.Hour, offered: true},
		"when it ended without the flow": {change: func(w *world) { w.scope.Token.Spec.Login = nil }, at: 7 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, endsForGood)
			if c.change != nil {
				c.change(w)
			}
			w.Mono += c.at
			step := w.reconcile()
			if step.Started != c.offered || !c.offered && (step.Problem == nil || !step.Problem.Unauthorized || !step.Problem.Stalled) {
				t.Errorf("a code is requested: %t, and %+v is in the way", step.Started, step.Problem)
			}
			if want := epoch.Add(c.requeue); c.requeue == 0 && !step.RequeueAt.IsZero() || c.requeue != 0 && !step.RequeueAt.Equal(want) {
				t.Errorf("it is looked at again at %s, want %s", step.RequeueAt, want)
			}
		})
	}
}

// Whichever method there is, it is said when a person has to log in: other methods have nothing else to go by.
func TestDeviceFlowSaysWhenALoginIsNeededByWhicheverMethod(t *testing.T) {
	methods := func(methods ...v1alpha1.LoginMethod) *v1alpha1.Login { return &v1alpha1.Login{Methods: methods} }
	endsForGood := func(s *scope.Scope) { s.Pair.State.RefreshToken = "" }
	for name, c := range map[string]struct {
		login  *v1alpha1.Login
		state  func(*scope.Scope)
		change func(*world)
		at     time.Duration
		needed bool
		// requeue is when it is looked at next.
		requeue time.Duration
	}{
		"nobody has logged in":             {login: methods(v1alpha1.LoginMethodWebFlow), state: nobodyLoggedIn, needed: true},
		"beside a code that may be asked":  {login: methods(v1alpha1.LoginMethodWebFlow, v1alpha1.LoginMethodDeviceFlow), state: nobodyLoggedIn, needed: true},
		"the App may not be used":          {login: methods(v1alpha1.LoginMethodDeviceFlow), state: nobodyLoggedIn, change: func(w *world) { w.refused = &problem.Problem{} }, needed: true},
		"all is well":                      {login: methods(v1alpha1.LoginMethodWebFlow), state: func(*scope.Scope) {}},
		"long before a token ends":         {login: methods(v1alpha1.LoginMethodWebFlow), state: endsForGood, requeue: 5 * time.Hour},
		"when that would be refreshed":     {login: methods(v1alpha1.LoginMethodWebFlow), state: endsForGood, at: 5 * time.Hour, needed: true, requeue: 7 * time.Hour},
		"when it has ended":                {login: methods(v1alpha1.LoginMethodWebFlow), state: endsForGood, at: 7 * time.Hour, needed: true},
		"nobody can log in, before it has": {state: endsForGood, at: 5 * time.Hour, requeue: 7 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.state)
			w.scope.Token.Spec.Login = c.login
			if c.change != nil {
				c.change(w)
			}
			w.Mono += c.at
			step := w.reconcile()
			if step.Needed != c.needed && !step.Started {
				t.Errorf("it is needed: %t", step.Needed)
			}
			if want := epoch.Add(c.requeue); c.requeue == 0 && !step.RequeueAt.IsZero() || c.requeue != 0 && !step.RequeueAt.Equal(want) {
				t.Errorf("it is looked at again at %s, want %s", step.RequeueAt, want)
			}
		})
	}
}

func ask(w *world, value string) {
	w.scope.Token.Annotations = map[string]string{v1alpha1.AnnotationRefreshRequestedAt: value}
}

// endSeries is a person who has refused the code for this very token.
func endSeries(w *world) {
	why := loginNeeded(w.scope, rules.Decide(w.scope.Input), nil)
	w.store(&rotation.DeviceAuthorization{App: testApp, For: seenOf(w.scope, why).purpose, Ended: v1alpha1.ReasonAuthorizationDenied})
}

// What is shown is a copy: the one in the note is told of again later, perhaps of another chain.
func TestDeviceFlowTheProblemInANoteIsNotChanged(t *testing.T) {
	w := newWorld(t, pinned("hubot", 0))
	w.requestErr = &github.Error{Class: github.Misconfigured, Reason: github.DeviceFlowDisabled}
	w.reconcile()
	if step := w.reconcile(); step.Problem == nil || !step.Problem.Aside {
		t.Fatalf("got %+v", step.Problem)
	}
	w.flow.notes.Peek(testUID, func(n *note) {
		if n.problem == nil || n.problem.Aside {
			t.Errorf("remembered is %+v", n.problem)
		}
	})
}

func TestDeviceFlowRemembersNothingLongerThanNeeded(t *testing.T) {
	for name, end := range map[string]func(*world){
		"a seed came first":               func(w *world) { w.scope = healthy() },
		"spec.login was taken out":        func(w *world) { w.scope.Token.Spec.Login = nil },
		"the person refused":              func(w *world) { w.scope.Pair.State.Device.Ended = v1alpha1.ReasonAuthorizationDenied },
		"the chain ended, and began anew": func(w *world) { w.scope = healthy(); w.scope.Pair.State.RefreshCount++ },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nobodyLoggedIn)
			w.isOffered()
			if w.notes() != 1 {
				t.Fatal("nothing is remembered of a code that is offered")
			}
			end(w)
			w.reconcile()
			if w.notes() != 0 {
				t.Error("something is still remembered")
			}
		})
	}
}

// Work may end after its resource: what it finds is not remembered of a resource that is forgotten.
func TestDeviceFlowWorkRemembersNothingOfAResourceThatIsGone(t *testing.T) {
	for name, result := range map[string]rotation.Result{
		"the person is waited for": {Outcome: rotation.Untouched, Err: &github.Error{Reason: github.AuthorizationPending}},
		"an outage":                {Outcome: rotation.Unknown, Err: &github.Error{Reason: github.ServerError}},
		"the code has expired":     {Outcome: rotation.Rejected, Err: &github.Error{Reason: github.ExpiredCode}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nobodyLoggedIn)
			w.isOffered()
			job := rotation.Job{Pair: w.scope.Pair, App: scope.InlineApp(w.scope.Token).App}
			w.flow.options.Memory.Forget(testUID)
			w.result = result
			w.flow.poll(logr.Discard(), w.scope.Token, job, plan{})
			if w.notes() != 0 {
				t.Error("a resource that is gone is remembered")
			}
		})
	}
}

// A panic is one resource's: it rests before its next step, also where somebody else recovers from it.
func TestDeviceFlowRestsAfterAPanic(t *testing.T) {
	for name, guarded := range map[string]bool{"recovered by a guard": true, "recovered by the runner": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nobodyLoggedIn)
			recovered := false
			if guarded {
				w.flow.options.Guard = func(logr.Logger, *v1alpha1.GitHubUserToken, rotation.Job) func() {
					return func() { recovered = recover() != nil }
				}
			}
			w.panics = true
			began := w.Now()
			if step := w.reconcile(); !step.Started {
				t.Fatalf("got %+v", step)
			}
			if recovered != guarded {
				t.Errorf("the guard recovered: %t", recovered)
			}
			w.panics = false
			w.Mono = 0
			step := w.reconcile()
			w.expect()
			if rest := step.RequeueAt.Sub(began); rest != panicPause {
				t.Errorf("it rests for %s, want %s", rest, panicPause)
			}
		})
	}
}

// A whole flow: two codes expire, the third is entered.
func TestDeviceFlowFromTheFirstCodeToThePair(t *testing.T) {
	w := newWorld(t, nobodyLoggedIn)
	polls, codes := 0, 0
	for codes < 3 {
		w.result = rotation.Result{Outcome: rotation.Untouched, Err: &github.Error{Reason: github.AuthorizationPending}}
		step := w.reconcile()
		switch {
		case slices.Contains(w.calls, "poll"):
			polls++
		case slices.Contains(w.calls, "request a code"):
			codes++
		case step.RequeueAt.After(w.Now()):
			w.Mono += step.RequeueAt.Sub(w.Now())
		default:
			t.Fatalf("nothing is done, and nothing will be: %+v", step)
		}
	}
	if took := w.Mono.Round(time.Minute); took != 30*time.Minute {
		t.Errorf("two codes took %s", w.Mono)
	}
	// At GitHub's interval of 5 s it would be 180 for each code.
	if polls < 150 || polls > 190 {
		t.Errorf("two codes were polled %d times", polls)
	}
	if w.offer.Codes != 3 || !w.offer.Since.Equal(epoch) {
		t.Errorf("the third code is %+v", w.offer)
	}
	w.Mono += w.reconcile().RequeueAt.Sub(w.Now())
	w.result = rotation.Result{Outcome: rotation.Committed}
	w.reconcile()
	w.expect("acquire "+testApp, "poll", "pause "+testApp, "record Committed")
}

// A Secret may name a code that somebody has made up: GitHub must have known it before its polls have a limit of their own.
func TestDeviceFlowPollsHaveALimitOfTheirOwnOnceGitHubHasKnownTheCode(t *testing.T) {
	w := newWorld(t, nobodyLoggedIn)
	w.isOffered()
	w.result = rotation.Result{Outcome: rotation.Untouched, Err: &github.Error{Reason: github.AuthorizationPending}}
	if step := w.reconcile(); !step.Started || !w.request.Poll {
		t.Errorf("the poll of a code that was just given out is asked for as %+v", w.request)
	}
	w.flow = w.newFlow(10) // Another process.
	for i, known := range []bool{false, false, true} {
		w.Mono += w.reconcile().RequeueAt.Sub(w.Now())
		w.result.Err = &github.Error{Reason: github.AuthorizationPending}
		if i == 0 {
			w.result.Err = &github.Error{Reason: github.SlowDown} // GitHub says that of whatever it is asked too often.
		}
		if step := w.reconcile(); !step.Started || w.request.Poll != known {
			t.Errorf("after a restart poll %d is asked for as %+v", i, w.request)
		}
	}
}

func TestDeviceFlowTellsOfALongWaitForItsTurn(t *testing.T) {
	w := newWorld(t, nobodyLoggedIn)
	w.turn = w.Now().Add(88 * time.Second)
	if step := w.reconcile(); step.Problem == nil || !strings.Contains(step.Problem.Message, "the code may take 2 minutes to come") {
		t.Errorf("while the request for a code waits it says %+v", step.Problem)
	}
	w.turn = time.Time{}
	if step := w.isOffered(); strings.Contains(step.Problem.Message, "Many") {
		t.Errorf("the code has come, and it says %q", step.Problem.Message)
	}
	for wait, says := range map[time.Duration]string{time.Minute: "may take a minute to see that this was done", 4 * time.Second: ""} {
		w.turn = w.Now().Add(wait)
		step := w.reconcile()
		if tells := strings.Contains(step.Problem.Message, "Many logins"); tells != (says != "") || !strings.Contains(step.Problem.Message, says) {
			t.Errorf("for %s it says %q", wait, step.Problem.Message)
		}
	}
}
