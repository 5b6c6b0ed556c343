package lifecycle

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner/runnertest"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// live is a cluster and a GitHub that carry an exchange out. No request of it may be made under a context that has ended.
type live struct {
	*cluster
	t *testing.T

	// asked, when there is one, is called when GitHub has got the token.
	asked   func()
	written int
}

func (l *live) CheckHost(string) error { return nil }

func (l *live) request(ctx context.Context, what string) {
	l.t.Helper()
	if err := ctx.Err(); err != nil {
		l.t.Fatalf("%s: %v", what, err) // A pair that was received would be tried to be stored without end.
	}
}

func (l *live) Update(ctx context.Context, _, next *rotation.Pair) (*rotation.Pair, error) {
	l.request(ctx, "the pair is written")
	written := next.Clone()
	l.written++
	written.Version = strconv.Itoa(l.written)
	l.secrets[written.Ref] = written
	return written.Clone(), nil
}

func (l *live) Exchange(ctx context.Context, _ github.App, _ credential.RefreshToken) (*github.Reply, error) {
	if l.asked != nil {
		l.asked()
	}
	l.request(ctx, "GitHub is asked")
	body := `{"access_token":"ghu_2","expires_in":28800,"refresh_token":"ghr_2","refresh_token_expires_in":15897600,"token_type":"bearer"}`
	return &github.Reply{Host: "github.com", Status: 200, SentAt: start, Body: credential.NewRaw([]byte(body))}, nil
}

func (l *live) Starting(logr.Logger, *v1alpha1.GitHubUserToken, rotation.Job)       {}
func (l *live) Stored(logr.Logger, *v1alpha1.GitHubUserToken, *rotation.Pair, bool) {}

// noOutbox keeps nothing.
type noOutbox struct{ Outbox }

func (noOutbox) Take(rotation.Owner) error    { return nil }
func (noOutbox) Unwanted(string)              {}
func (noOutbox) Reserve(rotation.Owner) error { return nil }
func (noOutbox) Release(rotation.Owner)       {}
func (noOutbox) Keep(rotation.Record) error   { return nil }
func (noOutbox) Remove(string) error          { return nil }

// The context of a reconcile ends with the manager. The exchange that it has started is waited for by the process, and
// spends a token that nobody gets back: it must not end with it.
func TestExchangeOutlivesTheReconcileThatStartedIt(t *testing.T) {
	for name, during := range map[string]bool{
		"the process is told to stop before the exchange begins": false,
		"the process is told to stop while GitHub is asked":      true,
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var work runnertest.Queue
			run := runner.New(runner.Options{Limit: 1, Go: work.Go})
			w := newWorld(t)
			l := &live{cluster: w.cluster, t: t}
			w.Controller = New(Options{
				Cache: cached{w.cluster}, API: l, GitHub: l, Reporter: l, Outbox: noOutbox{}, Limiter: noLimit{}, Clock: w.clock,
				Memory: memory.NewStore(), Runner: run, CheckRunner: run, NewID: func() string { return "exchange-1" }, Log: logr.Discard(),
			})
			stop := func() {
				cancel()
				_ = run.Drain(ctx) // Begins nothing more, and has no time to wait.
			}
			if during {
				l.asked = stop
			}
			token := &v1alpha1.GitHubUserToken{
				ObjectMeta: metav1.ObjectMeta{Namespace: owner.Namespace, Name: owner.Name, UID: uid, Finalizers: []string{v1alpha1.Finalizer}},
				Spec: v1alpha1.GitHubUserTokenSpec{
					App: v1alpha1.App{Host: "github.com", ClientID: "Iv23li"}, Secret: v1alpha1.SecretTemplate{Name: inPlace.Name},
				},
			}
			w.secrets[inPlace] = pairAt("1", func(p *rotation.Pair) {
				p.AccessToken, p.RefreshToken = credential.NewAccessToken("ghu_1"), credential.NewRefreshToken("ghr_1")
				p.State.App, p.State.AccessToken, p.State.RefreshToken = scope.InlineApp(token).Key(), p.AccessToken.Fingerprint(), p.RefreshToken.Fingerprint()
			})
			w.clock.pass(8 * time.Hour)
			if _, err := w.Reconcile(ctx, token); err != nil || work.Len() != 1 {
				t.Fatalf("%d exchanges were started: %v", work.Len(), err)
			}
			if !during {
				stop()
			}
			work.Run()
			if got := w.secrets[inPlace].RefreshToken.Reveal(); got != "ghr_2" {
				t.Errorf("the Secret holds %s", got)
			}
			if ctx.Err() == nil || run.Count() != 0 {
				t.Error("the process has not come to its end")
			}
		})
	}
}
