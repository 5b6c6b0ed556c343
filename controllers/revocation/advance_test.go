package revocation

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

func TestRevocationOfADeletedResource(t *testing.T) {
	const app, byTokens = "app github.com/Iv23li", "tokens github.com 10"
	limited := &github.Error{Reason: github.RateLimited, RetryAfter: 40 * time.Second}
	farOff := &github.Error{Reason: github.RateLimited, RetryAfter: time.Hour}
	for name, c := range map[string]struct {
		edit  func(*world)
		calls []string
		// atLeast is how many calls there are when they are not listed.
		atLeast     int
		least, most time.Duration
		// event is what it says; empty when there is none.
		event string
	}{
		"another policy revokes nothing":   {edit: func(w *world) { w.token.Spec.DeletionPolicy = v1alpha1.DeletionPolicyRetain }},
		"the pair is revoked":              {calls: []string{app}},
		"without a client secret, too":     {edit: func(w *world) { w.noSecret = true }, calls: []string{byTokens}},
		"there is no Secret":               {edit: func(w *world) { w.secrets = nil }},
		"the Secret is somebody else's":    {edit: func(w *world) { w.pair().Controlled = false }},
		"the Secret is another resource's": {edit: func(w *world) { w.pair().Owner.UID = "u0" }},
		"after two failures it is tried again": {
			edit:  func(w *world) { w.byApp = []error{failure(github.ServerError), failure(github.ServerError), nil} },
			calls: []string{app, app, app}, least: 3 * time.Second, most: 4 * time.Second,
		},
		"a rate limit is kept to": {
			edit:  func(w *world) { w.byApp = []error{limited, nil} },
			calls: []string{app, app}, least: 40 * time.Second, most: 41 * time.Second,
		},
		"the time is kept to although GitHub asks to wait beyond it": {
			edit:  func(w *world) { w.byApp = []error{limited, limited, farOff} },
			calls: []string{app, app, app}, least: maxTime, most: maxTime + time.Second, event: "lives until",
		},
		"a rate limit that ends too late is not waited for": {
			edit:  func(w *world) { w.byApp = []error{farOff} },
			calls: []string{app}, least: maxTime, most: maxTime + time.Second, event: "lives until",
		},
		"GitHub is away for all the time": {
			edit:    func(w *world) { w.byApp = []error{failure(github.ServerError)} },
			atLeast: 8, least: maxTime, most: maxTime + time.Second, event: "The access token lives until 2026-03-01T20:00:00Z at most. The refresh token may live for months.",
		},
		"the API server is away for all the time": {
			edit:  func(w *world) { w.storeErr = errAPIServer },
			least: maxTime, most: maxTime + time.Second, event: "(the API server does not answer). To revoke it now",
		},
		"the Secrets cannot be listed": {
			edit:  func(w *world) { w.refsErr = errAPIServer },
			least: maxTime, most: maxTime + time.Second, event: "https://github.com/settings/apps/authorizations",
		},
		"GitHub refuses for good, and nothing is waited for": {
			edit:  func(w *world) { w.noSecret, w.byToken = true, []error{failure(github.NotSupported)} },
			calls: []string{byTokens}, event: "this GitHub host does not offer the call",
		},
		"one try is made when the time is over, as after a restart": {
			edit:  func(w *world) { w.clock.Mono += time.Hour },
			calls: []string{app},
		},
		"and only one": {
			edit:  func(w *world) { w.clock.Mono += time.Hour; w.byApp = []error{failure(github.ServerError)} },
			calls: []string{app}, event: "lives until",
		},
		"an access token that has expired meanwhile is not said to live": {
			edit: func(w *world) {
				w.pair().State.ExpiresAt = w.clock.Now()
				w.noSecret, w.byToken = true, []error{failure(github.NotSupported)}
			},
			calls: []string{byTokens}, event: "call). By the operator's clock the access token has expired. The refresh token may live for months. To revoke",
		},
		"nor is one that expired a day ago": {
			edit: func(w *world) {
				w.pair().State.ExpiresAt = w.clock.Now().Add(-clockDoubt)
				w.byToken = []error{failure(github.NotSupported)}
			},
			calls: []string{"tokens github.com 5"}, event: "call). The refresh token may live for months. To revoke",
		},
		"one that never expires is told of": {
			edit: func(w *world) {
				w.pair().State.ExpiresAt, w.pair().RefreshToken = time.Time{}, credential.RefreshToken{}
				w.noSecret, w.byToken = true, []error{failure(github.NotSupported)}
			},
			calls: []string{"tokens github.com 5"}, event: "The access token does not expire. To revoke",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if c.edit != nil {
				c.edit(w)
			}
			revoked, givenUp := counts(t)
			took := w.finish()
			if took < c.least || took > c.most {
				t.Errorf("it took %s, want %s to %s", took, c.least, c.most)
			}
			if (c.atLeast == 0 && !slices.Equal(w.calls, c.calls)) || len(w.calls) < c.atLeast {
				t.Errorf("GitHub was called by %q, want %q", w.calls, c.calls)
			}
			// The steps of a deletion that come later may fail, and all is done once more.
			calls := len(w.calls)
			if step := w.advance(); !step.Done || len(w.calls) != calls {
				t.Errorf("once more: %+v, after %d more calls", step, len(w.calls)-calls)
			}
			revokedNow, givenUpNow := counts(t)
			if told := c.event != ""; told != (len(w.events) == 1) || told != (givenUpNow == givenUp+1) || len(w.events) > 1 {
				t.Errorf("the events are %q, and %v were given up", w.events, givenUpNow-givenUp)
			} else if told && !strings.Contains(w.events[0], c.event) {
				t.Errorf("the event says %q", w.events[0])
			}
			if want := c.event == "" && w.token.Spec.DeletionPolicy == v1alpha1.DeletionPolicyRevoke; want != (revokedNow == revoked+1) {
				t.Errorf("%v were counted as revoked", revokedNow-revoked)
			}
			for _, event := range w.events {
				if strings.Contains(event, "ghu_") || strings.Contains(event, "ghr_") {
					t.Error("the event holds a token")
				}
			}
		})
	}
}

func TestRevocationWaitsUntilAnExchangeIsSettled(t *testing.T) {
	w := newWorld(t)
	w.settling = 5 * time.Second
	if step := w.advance(); step.Done || step.RequeueAt != w.clock.Now().Add(5*time.Second) || len(w.calls) != 0 {
		t.Errorf("%+v after %q", step, w.calls)
	}
	if w.memory.Len() != 0 {
		t.Error("something is remembered before there was a try")
	}
	w.settleErr = errAPIServer
	if _, err := w.revoker.Advance(t.Context(), w.token, w.settle); !errors.Is(err, errAPIServer) {
		t.Errorf("the error is %v", err)
	}
	// What cannot be settled within the time is not waited for.
	settles := w.settles
	w.clock.Mono += maxTime
	if took := w.finish(); took != 0 || w.settles != settles || len(w.calls) != 1 {
		t.Errorf("settled %d times more, and GitHub was called by %q", w.settles-settles, w.calls)
	}
}

func TestRevocationSettlesBeforeEachTryAndNotInBetween(t *testing.T) {
	w := newWorld(t)
	w.byApp = []error{failure(github.ServerError)}
	w.advance()
	if step := w.advance(); w.settles != 1 || step.RequeueAt != w.clock.Now().Add(time.Second) {
		t.Errorf("settled %d times, again at %s", w.settles, step.RequeueAt)
	}
	w.clock.Mono += time.Second
	w.advance()
	if w.settles != 2 || len(w.calls) != 2 {
		t.Errorf("settled %d times for %d calls", w.settles, len(w.calls))
	}
}

func TestRevocationWaitsForRoom(t *testing.T) {
	w := newWorld(t)
	if err := w.runner.Start(runner.Subject{UID: "another"}, func() {}); err != nil {
		t.Fatal(err)
	}
	step, err := w.revoker.Advance(t.Context(), w.token, w.settle)
	if err != nil || step.Done || step.RequeueAt != w.clock.Now().Add(time.Second) || len(w.calls) != 0 {
		t.Errorf("without room: %+v, %v", step, err)
	}
	w.advance() // The other ends.
	w.finish()
	if len(w.calls) != 1 {
		t.Errorf("GitHub was called by %q", w.calls)
	}
}

func TestRevocationOfSeveralSecrets(t *testing.T) {
	const app, byTokens = "app github.com/Iv23li", "tokens github.com 10"
	backup := rotation.Ref{Namespace: "team-a", Name: "backup"}
	former := rotation.Ref{Namespace: "team-a", Name: "former"}
	for name, c := range map[string]struct {
		edit  func(*world)
		calls []string
		event string
	}{
		"each pair is revoked":                 {edit: func(w *world) { w.store(backup, "2") }, calls: []string{app, app}},
		"the same pair in two is revoked once": {edit: func(w *world) { w.store(backup, "1") }, calls: []string{app}},
		"a copy with another refresh token is another pair": {
			edit:  func(w *world) { w.store(backup, "1").RefreshToken = credential.NewRefreshToken("ghr_2") },
			calls: []string{app, app},
		},
		"the pair of a former App is revoked by its tokens at its host": {
			edit:  func(w *world) { w.pair().State.App = "ghe.example/Iv1.old" },
			calls: []string{"tokens ghe.example 10"},
		},
		"and told of with that host": {
			edit: func(w *world) {
				w.pair().State.App = "ghe.example/Iv1.old"
				w.byToken = []error{failure(github.HostNotAllowed)}
			},
			calls: []string{"tokens ghe.example 10"}, event: "https://ghe.example/settings/apps/authorizations",
		},
		"a pair of no known App is taken for one of the App": {
			edit:  func(w *world) { w.pair().State.App = "" },
			calls: []string{app},
		},
		"what is revoked is not revoked again while another is tried again": {
			edit: func(w *world) {
				w.store(backup, "2")
				w.byApp = []error{nil, failure(github.ServerError), nil}
			},
			calls: []string{app, app, app},
		},
		"the one that is hopeless does not keep the other from another try": {
			edit: func(w *world) {
				w.pair().State.App = "ghe.example/Iv1.old"
				w.store(backup, "2")
				w.byToken = []error{failure(github.HostNotAllowed)}
				w.byApp = []error{failure(github.ServerError), nil}
			},
			calls: []string{"tokens ghe.example 10", app, "tokens ghe.example 10", app},
			event: "https://ghe.example/",
		},
		"where nobody knows what GitHub gave for a code the pair is revoked, and that is told": {
			edit: func(w *world) {
				w.pair().State.Web = &weblogin.Attempt{ID: "u1-1", Sent: "code", Ended: v1alpha1.WebLoginLost}
			},
			calls: []string{app}, event: "no answer is known, so that tokens that it may have given for it were not revoked). The refresh token may live for months. To revoke it now, its owner can revoke the App at https://github.com/settings/apps/authorizations",
		},
		"also while the intent stands": {
			edit: func(w *world) {
				w.pair().State.Web = &weblogin.Attempt{ID: "u1-1", Sent: "code"}
				w.pair().Intent = &rotation.Intent{ID: "1", Spends: "code", Login: true, Attempt: "u1-1"}
			},
			calls: []string{app}, event: "no answer is known",
		},
		"a code is no secret of anybody's when its pair is stored, or another login's": {
			edit: func(w *world) {
				w.pair().State.Web = &weblogin.Attempt{ID: "u1-1", Sent: "code"}
				w.pair().State.Seeds = []rotation.SeedRecord{{Fingerprint: "code"}}
				w.store(backup, "1").State.Web = (&weblogin.Attempt{ID: "u1-0", Sent: "code", Ended: v1alpha1.WebLoginLost}).AfterLogin("", false)
			},
			calls: []string{app},
		},
		"what is worth another try comes first, beside a code": {
			edit: func(w *world) {
				w.pair().State.Web = &weblogin.Attempt{ID: "u1-1", Sent: "code"}
				w.byApp = []error{failure(github.ServerError), nil}
			},
			calls: []string{app, app}, event: "no answer is known",
		},
		"a Secret that is gone is none": {
			edit:  func(w *world) { w.refs = append([]rotation.Ref{former}, w.refs...) },
			calls: []string{app},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.edit(w)
			w.finish()
			if !slices.Equal(w.calls, c.calls) {
				t.Errorf("GitHub was called by %q, want %q", w.calls, c.calls)
			}
			if text := strings.Join(w.events, "; "); (text != "") != (c.event != "") || !strings.Contains(text, c.event) {
				t.Errorf("the events say %q", text)
			}
		})
	}
}

func TestRevocationWithoutARecorderTellsNobody(t *testing.T) {
	w := newWorld(t)
	w.revoker.options.Events = nil
	w.noSecret, w.byToken = true, []error{failure(github.NotSupported)}
	w.finish()
	if len(w.events) != 0 {
		t.Errorf("events: %q", w.events)
	}
}

func TestRevocationIsForgottenWithTheResource(t *testing.T) {
	w := newWorld(t)
	w.finish()
	w.memory.Forget("u1")
	if w.memory.Len() != 0 {
		t.Error("something is left")
	}
}

func TestUnadmittedPairIsRevoked(t *testing.T) {
	const app, byTokens = "app github.com/Iv23li", "tokens github.com 10"
	limited := &github.Error{Reason: github.RateLimited, RetryAfter: 40 * time.Second}
	farOff := &github.Error{Reason: github.RateLimited, RetryAfter: time.Hour}
	for name, c := range map[string]struct {
		edit  func(*world, *rotation.Record)
		calls []string
		slept []time.Duration
		event string
		lives bool
	}{
		"through its App": {calls: []string{app}},
		"by its tokens, where there is no secret any more": {edit: func(w *world, _ *rotation.Record) { w.noSecret = true }, calls: []string{byTokens}},
		"by its tokens, when its resource is gone":         {edit: func(w *world, _ *rotation.Record) { w.gone = true }, calls: []string{byTokens}},
		"by its tokens, when its resource is not found":    {edit: func(w *world, _ *rotation.Record) { w.findErr = errAPIServer }, calls: []string{byTokens}},
		"by its tokens, when the resource has another App": {edit: func(_ *world, r *rotation.Record) { r.App = "github.com/old" }, calls: []string{byTokens}},
		"as soon as GitHub knows it": {
			edit: func(w *world, _ *rotation.Record) {
				w.byApp, w.byToken = []error{failure(github.TokenInvalid), nil}, []error{failure(github.NotSupported)}
			},
			calls: []string{app, byTokens, app}, slept: []time.Duration{time.Second},
		},
		"when a rate limit is over": {
			edit:  func(w *world, _ *rotation.Record) { w.byApp = []error{limited, nil} },
			calls: []string{app, app}, slept: []time.Duration{40 * time.Second},
		},
		"or it is told of, when GitHub is away for long": {
			edit:  func(w *world, _ *rotation.Record) { w.byApp = []error{limited, farOff} },
			calls: []string{app, app, app}, slept: []time.Duration{40 * time.Second, 80 * time.Second},
			event: "The access token lives until 2026-03-01T21:00:00Z at most. The refresh token may live for months.", lives: true,
		},
		"or at once, when GitHub refuses for good": {
			edit: func(w *world, _ *rotation.Record) {
				w.noSecret, w.byToken = true, []error{failure(github.NotSupported)}
			},
			calls: []string{byTokens}, event: "The token was not revoked at GitHub (github.com: this GitHub host does not offer the call).", lives: true,
		},
		"or nobody is told, where there is no resource": {
			edit:  func(w *world, _ *rotation.Record) { w.gone, w.byToken = true, []error{failure(github.NotSupported)} },
			calls: []string{byTokens}, lives: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			record := rotation.Record{Owner: scope.OwnerOf(w.token), App: "github.com/Iv23li", Reply: &github.Reply{SentAt: w.clock.Now()}}
			if c.edit != nil {
				c.edit(w, &record)
			}
			revoked, givenUp := counts(t)
			w.revoker.Unadmitted(t.Context(), scope.InlineApp(w.token).App, record, github.Tokens{
				AccessToken: credential.NewAccessToken("ghu_1"), RefreshToken: credential.NewRefreshToken("ghr_1"), ExpiresAt: w.clock.Now().Add(8 * time.Hour),
			})
			if !slices.Equal(w.calls, c.calls) || !slices.Equal(w.clock.Slept, c.slept) {
				t.Errorf("GitHub was called by %q with the pauses %v, want %q, %v", w.calls, w.clock.Slept, c.calls, c.slept)
			}
			if text := strings.Join(w.events, "; "); (text != "") != (c.event != "") || !strings.Contains(text, c.event) {
				t.Errorf("the events say %q", text)
			}
			revokedNow, givenUpNow := counts(t)
			if c.lives != (givenUpNow == givenUp+1) || c.lives == (revokedNow == revoked+1) {
				t.Errorf("%v were counted as revoked, %v as given up", revokedNow-revoked, givenUpNow-givenUp)
			}
			if w.memory.Len() != 0 {
				t.Error("something is remembered of a pair that was not let in")
			}
		})
	}
}
