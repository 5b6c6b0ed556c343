package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner/runnertest"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// crowd is what a resource meets that asks for a place in the outbox, and sees what is asked and told.
type crowd struct {
	*world
	run *runner.Runner

	// full is why there is no place beforehand, and broken why nothing could be kept when the exchange begins.
	full, broken error
	// taken are the resources that have a place.
	taken map[string]bool
	// looks counts how often the outbox was asked, turns those that were had at the limiter, and reads the Secrets of
	// somebody else's that were read.
	looks, turns, reads int
	told                *problem.Problem
	// limited has the limiter refuse, and unread the Secrets of somebody else's not be read. panics says where something
	// is wrong with the operator.
	limited bool
	unread  error
	panics  string
}

// at is a moment in which the operator may panic.
func (c *crowd) at(moment string) {
	if c.panics == moment {
		panic("something is wrong " + moment)
	}
}

// The ports at which that is.
type (
	crowdedOutbox struct {
		noOutbox
		*crowd
	}
	countedLimiter struct {
		noLimit
		*crowd
	}
	countedAPI struct {
		*live
		crowd *crowd
	}
	toldReporter struct {
		*live
		crowd *crowd
	}
)

func (o crowdedOutbox) Take(owner rotation.Owner) error {
	if o.looks++; o.full == nil {
		o.taken[owner.UID] = true
	}
	return o.full
}

func (o crowdedOutbox) Reserve(rotation.Owner) error     { return o.broken }
func (o crowdedOutbox) Release(owner rotation.Owner)     { delete(o.taken, owner.UID) }
func (o crowdedOutbox) Remove(string) error              { return nil }
func (o crowdedOutbox) List() ([]rotation.Record, error) { return nil, nil }
func (o crowdedOutbox) Keep(rotation.Record) error       { o.at("while it keeps the reply"); return nil }

func (l countedLimiter) Acquire(string, ratelimit.Request) (bool, time.Time) {
	l.turns++
	return !l.limited, l.clock.Now().Add(time.Minute)
}

func (l countedLimiter) Waits(string, string) (time.Time, bool) {
	return l.clock.Now().Add(time.Minute), l.limited && l.turns > 0
}

func (a countedAPI) ReadSecret(context.Context, types.NamespacedName) (*seeds.Secret, error) {
	a.crowd.reads++
	a.crowd.at("while it reads the client secret")
	if a.crowd.unread != nil {
		return nil, a.crowd.unread
	}
	return &seeds.Secret{Version: "1", Data: map[string][]byte{"secret": []byte("shh")}}, nil
}

func (r toldReporter) Starting(logr.Logger, *v1alpha1.GitHubUserToken, rotation.Job) {
	r.crowd.at("when it begins")
}
func (r toldReporter) Panicked(types.UID) {}

func (r toldReporter) Report(_ context.Context, _ *scope.Scope, _ rotation.Decision, result Result) (time.Time, error) {
	r.crowd.told = result.Problem
	return time.Time{}, nil
}

// unwatched knows no Secret's version.
type unwatched struct{ seeds.Versions }

func (unwatched) Version(types.NamespacedName) (string, bool) { return "", false }
func (unwatched) Learn(types.NamespacedName, string)          {}

// In an outage tries that fail use up the App's limit. Who then waits for a turn is told what stands in the way.
func TestPlaceWhatTriesFailOfIsToldWhileTheTurnIsWaitedFor(t *testing.T) {
	w, token, work := newCrowd(t)
	w.limited = true
	w.notes.fail(token, problem.Problem{Reason: v1alpha1.ReasonHostUnreachable, Message: "The host cannot be reached."}, backoff.Backoff{First: time.Second, Max: time.Second})
	w.clock.pass(time.Minute)
	if _, err := w.Reconcile(t.Context(), token); err != nil || w.told == nil || w.told.Reason != v1alpha1.ReasonHostUnreachable || w.told.RetryAt.IsZero() || work.Len() != 0 ||
		!strings.HasPrefix(w.told.Message, "The host cannot be reached. The App's limit") {
		t.Fatalf("%+v, %v, %d exchanges", w.told, err, work.Len())
	}
	w.notes.fail(token, problem.Problem{Reason: v1alpha1.ReasonAPIServerUnavailable, Message: "It is over."}, backoff.Backoff{First: time.Second, Max: time.Second})
	w.clock.pass(time.Minute)
	if _, err := w.Reconcile(t.Context(), token); err != nil || w.told.Reason != v1alpha1.ReasonRateLimited {
		t.Errorf("%+v, %v: it tells of what is over", w.told, err)
	}
}

// Who gets no place in the outbox is told why, and asks again, but neither at once nor at the expense of anybody else: no
// Secret is read for it and no turn at the rate limit used up. When there is a place it is exchanged.
func TestWhoGetsNoPlaceInTheOutboxAsksAgainAtNoCost(t *testing.T) {
	const s = time.Second
	for name, c := range map[string]struct {
		full   error
		reason string
		says   string
		waits  []time.Duration
		timed  bool // the next try is told
	}{
		"exchanges of the namespace are about to end": {
			rotation.ErrPlacesInUse, v1alpha1.ReasonExchanging, "Waiting for other exchanges of this namespace", []time.Duration{s, s, s, s, s}, false,
		},
		"pairs of the namespace cannot be stored": {
			fmt.Errorf("%w: 96 of 766 places", rotation.ErrShareUsed), v1alpha1.ReasonOutboxShareUsed, "with the reason Committing",
			[]time.Duration{2 * s, 4 * s, 8 * s, 16 * s, 32 * s}, true,
		},
		"there is no place for anybody": {
			errors.New("the outbox is full"), v1alpha1.ReasonOutboxUnavailable, "administrator", []time.Duration{2 * s, 4 * s, 8 * s, 16 * s, 32 * s}, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, token, work := newCrowd(t)
			w.full = c.full
			for i, want := range c.waits {
				looks := w.looks
				again, err := w.Reconcile(t.Context(), token)
				if wait := again.Truncate(s); err != nil || wait != want {
					t.Fatalf("after %d tries it is looked at again after %s, want %s: %v", i+1, again, want, err)
				}
				if p := w.told; p == nil || p.Reason != c.reason || !strings.Contains(p.Message, c.says) || p.RetryAt.IsZero() == c.timed {
					t.Fatalf("it is told of %+v", p)
				}
				// An event in between has it looked at, and makes no difference.
				if w.clock.pass(want - s/2); c.timed {
					if _, err := w.Reconcile(t.Context(), token); err != nil {
						t.Fatal(err)
					}
				}
				if w.looks != looks+1 {
					t.Errorf("the outbox was asked %d times in one pause", w.looks-looks)
				}
				w.clock.pass(s)
			}
			if w.turns != 0 || w.reads != 0 || work.Len() != 0 {
				t.Errorf("%d turns at the limiter were had, %d Secrets read and %d exchanges begun for nothing", w.turns, w.reads, work.Len())
			}
			w.full = nil
			if _, err := w.Reconcile(t.Context(), token); err != nil || work.Len() != 1 {
				t.Fatalf("%d exchanges were begun when there was a place: %v", work.Len(), err)
			}
			work.Run()
			if got := w.secrets[inPlace].RefreshToken.Reveal(); got != "ghr_2" {
				t.Errorf("the Secret holds %s", got)
			}
		})
	}
}

// A resource may be changed a hundred times a second while it waits, and its Secrets may be large.
func TestPlaceNothingIsReadForAnExchangeWhileItsTurnIsWaitedFor(t *testing.T) {
	w, token, work := newCrowd(t)
	w.limited = true
	for range 20 {
		if _, err := w.Reconcile(t.Context(), token); err != nil || w.told.Reason != v1alpha1.ReasonRateLimited {
			t.Fatalf("%+v, %v", w.told, err)
		}
	}
	if w.reads != 1 || work.Len() != 0 {
		t.Errorf("Secrets were read %d times, want once, before it was known that there is no turn", w.reads)
	}
	w.turns, w.limited = 5, false // Its turn is held for it.
	if _, err := w.Reconcile(t.Context(), token); err != nil || work.Len() != 1 || w.turns != 6 {
		t.Errorf("%d exchanges were begun for %d turns: %v", work.Len(), w.turns-5, err)
	}
}

// However an attempt ends, the place that was taken for it is given back, and while it is under way it is not.
func TestThePlaceInTheOutboxIsGivenBack(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*crowd, *runner.Runner, *runnertest.Queue)
		// started says that an exchange is started, and panics that the attempt itself ends in a panic.
		started, panics bool
	}{
		"the pair is stored":              {func(*crowd, *runner.Runner, *runnertest.Queue) {}, true, false},
		"the rate limit is used up":       {func(c *crowd, _ *runner.Runner, _ *runnertest.Queue) { c.limited = true }, false, false},
		"the client secret is not read":   {func(c *crowd, _ *runner.Runner, _ *runnertest.Queue) { c.unread = errors.New("no answer") }, false, false},
		"the outbox breaks":               {func(c *crowd, _ *runner.Runner, _ *runnertest.Queue) { c.broken = errors.New("read-only") }, true, false},
		"the operator is shutting down":   {func(_ *crowd, r *runner.Runner, _ *runnertest.Queue) { _ = r.Drain(context.Background()) }, false, false},
		"a panic while it is prepared":    {func(c *crowd, _ *runner.Runner, _ *runnertest.Queue) { c.panics = "while it reads the client secret" }, false, true},
		"a panic when it begins":          {func(c *crowd, _ *runner.Runner, _ *runnertest.Queue) { c.panics = "when it begins" }, true, false},
		"a panic while the reply is kept": {func(c *crowd, _ *runner.Runner, _ *runnertest.Queue) { c.panics = "while it keeps the reply" }, true, false},
		"others take all places of the runner": {func(_ *crowd, r *runner.Runner, work *runnertest.Queue) {
			_ = r.Start(runner.Subject{UID: "other", Namespace: "other"}, func() {})
			*work = runnertest.Queue{} // It never ends.
		}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			w, token, work := newCrowd(t)
			c.change(w, w.run, work)
			panicked := func() (panicked bool) {
				defer func() { panicked = recover() != nil }()
				if _, err := w.Reconcile(t.Context(), token); err != nil {
					t.Error(err)
				}
				return false
			}()
			if started := work.Len() == 1; panicked != c.panics || started != c.started || w.taken[string(uid)] != started || w.looks != 1 {
				t.Fatalf("started %t, panicked %t, with a place %t", started, panicked, w.taken[string(uid)])
			}
			work.Run()
			if len(w.taken) != 0 {
				t.Error("its end has left the place taken")
			}
		})
	}
}

// newCrowd is a Controller with a resource whose token is due, and whose App has a client secret.
func newCrowd(t *testing.T) (*crowd, *v1alpha1.GitHubUserToken, *runnertest.Queue) {
	t.Helper()
	work := &runnertest.Queue{}
	w := newWorld(t)
	l := &live{cluster: w.cluster, t: t}
	c := &crowd{world: w, taken: map[string]bool{}}
	c.run = runner.New(runner.Options{Limit: 1, Go: work.Go, Sleep: w.clock.Sleep})
	w.Controller = New(Options{
		Cache: cached{w.cluster}, API: countedAPI{l, c}, GitHub: l, Reporter: toldReporter{l, c}, Outbox: crowdedOutbox{crowd: c},
		Limiter: countedLimiter{crowd: c}, Clock: w.clock, Versions: unwatched{},
		Memory: memory.NewStore(), Runner: c.run, CheckRunner: c.run, NewID: func() string { return "exchange-1" }, Log: logr.Discard(),
	})
	token := &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: owner.Namespace, Name: owner.Name, UID: uid, Finalizers: []string{v1alpha1.Finalizer}},
		Spec: v1alpha1.GitHubUserTokenSpec{
			App:    v1alpha1.App{Host: "github.com", ClientID: "Iv23li", ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "app", Key: "secret"}},
			Secret: v1alpha1.SecretTemplate{Name: inPlace.Name},
		},
	}
	w.secrets[inPlace] = pairAt("1", func(p *rotation.Pair) {
		p.AccessToken, p.RefreshToken = credential.NewAccessToken("ghu_1"), credential.NewRefreshToken("ghr_1")
		p.State.App, p.State.AccessToken, p.State.RefreshToken = scope.InlineApp(token).Key(), p.AccessToken.Fingerprint(), p.RefreshToken.Fingerprint()
	})
	w.clock.pass(8 * time.Hour)
	return c, token, work
}
