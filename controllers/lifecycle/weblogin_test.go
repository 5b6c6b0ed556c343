package lifecycle

import (
	"context"
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
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

// quotaFull is a namespace whose quota takes no further Secret.
type quotaFull struct {
	*told

	refused int
}

func (f *quotaFull) KeepVerifier(context.Context, rotation.Owner, credential.CodeVerifier) error {
	f.refused++
	return rotation.ErrDenied
}

func (f *quotaFull) CheckHost(string) error { return nil }

func (f *quotaFull) ReadSecret(context.Context, types.NamespacedName) (*seeds.Secret, error) {
	return &seeds.Secret{Version: "1", Data: map[string][]byte{"client_secret": []byte("secret")}}, nil
}

// learning is noVersions that may be told.
type learning struct{ noVersions }

func (learning) Learn(types.NamespacedName, string) {}

// newQuotaFull is a resource with a chain in such a namespace, whose people may log in by the web flow.
func newQuotaFull(t *testing.T) (*world, *quotaFull, *runnertest.Queue, *v1alpha1.GitHubUserToken) {
	t.Helper()
	w, work := newWorld(t), &runnertest.Queue{}
	r := &quotaFull{told: &told{live: &live{cluster: w.cluster, t: t}}}
	run := runner.New(runner.Options{Limit: 2, Go: work.Go})
	w.Controller = New(Options{
		Cache: cached{w.cluster}, Versions: learning{}, API: r, GitHub: r, Reporter: r, Outbox: noOutbox{}, Limiter: noLimit{}, Clock: w.clock,
		Memory: w.memory, Runner: run, CheckRunner: run, NewID: func() string { return "exchange-1" }, Log: logr.Discard(),
	})
	w.secrets[inPlace] = wholePair(uid)
	token := tokenOf(uid)
	token.Spec.App.ClientSecretRef = &v1alpha1.ClientSecretReference{Name: "github-app", Key: "client_secret"}
	token.Spec.Login = &v1alpha1.Login{Methods: []v1alpha1.LoginMethod{v1alpha1.LoginMethodWebFlow}}
	return w, r, work, token
}

func ask(token *v1alpha1.GitHubUserToken, id string) {
	token.Annotations = map[string]string{v1alpha1.AnnotationWebLoginRequested: id + " http://127.0.0.1:8976/callback"}
}

func TestWebLoginThatCannotBeBegunEndsNoChain(t *testing.T) {
	for name, asked := range map[string]bool{"without a request": false, "with a request": true} {
		t.Run(name, func(t *testing.T) {
			w, r, work, token := newQuotaFull(t)
			if asked {
				ask(token, "request-1")
			}
			for elapsed := time.Duration(0); elapsed < 8*time.Hour; elapsed += 20 * time.Second {
				if _, err := w.Reconcile(t.Context(), token); err != nil {
					t.Fatal(err)
				}
				if work.Len() > 0 {
					return
				}
				w.clock.wall, w.clock.mono = w.clock.wall.Add(20*time.Second), w.clock.mono+20*time.Second
			}
			t.Errorf("the access token has expired, no exchange was begun, and %d verifiers were refused; it says %+v", r.refused, r.last.Problem)
		})
	}
}

// What the former login has waited for is no affair of whoever asks for the next.
func TestWebLoginIsNotHeldUpByTheFormer(t *testing.T) {
	w, r, _, token := newQuotaFull(t)
	reconcile := func() {
		t.Helper()
		if _, err := w.Reconcile(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	ask(token, "request-1")
	reconcile()
	if reconcile(); r.refused != 1 {
		t.Errorf("it was tried %d times at once", r.refused)
	}
	ask(token, "request-2")
	reconcile()
	if reconcile(); r.refused != 2 {
		t.Errorf("with another that is asked for it was tried %d times", r.refused)
	}
}

// turns is a rate limit that takes down who asks.
type turns struct {
	noLimit

	asked []ratelimit.Request
}

func (l *turns) Acquire(_ string, request ratelimit.Request) (bool, time.Time) {
	l.asked = append(l.asked, request)
	return true, time.Time{}
}

// A code dies in ten minutes, and whoever has hours to go need not be served before it.
func TestWebLoginCodeHasItsTurnAtTheRateLimitInTime(t *testing.T) {
	w, token, limiter := newWorld(t), tokenOf(uid), &turns{}
	now := w.clock.Now()
	for name, c := range map[string]struct {
		action        rotation.Action
		code, expires time.Duration
		want          time.Duration
	}{
		"a code beside a chain":              {rotation.ActionRedeem, 10 * time.Minute, 7 * time.Hour, 10 * time.Minute},
		"a code beside one that dies sooner": {rotation.ActionRedeem, 10 * time.Minute, time.Minute, time.Minute},
		"a refresh beside a code":            {rotation.ActionRefresh, 10 * time.Minute, 7 * time.Hour, 7 * time.Hour},
		"a code without a chain":             {rotation.ActionRedeem, 10 * time.Minute, 0, -time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			token.CreationTimestamp = metav1.NewTime(now.Add(-time.Hour))
			pair := &rotation.Pair{State: rotation.State{Web: &weblogin.Attempt{ID: "uid-1", ExpiresAt: now.Add(c.code)}}}
			if c.expires != 0 {
				pair.State.ExpiresAt = now.Add(c.expires)
			}
			e := &exchanges{limiter: limiter}
			if ok, _ := e.turn(&scope.Scope{Token: token, Pair: pair, Now: now}, rotation.Decision{Action: c.action}); !ok {
				t.Fatal("it has no turn")
			}
			if got := limiter.asked[len(limiter.asked)-1].Expiry; !got.Equal(now.Add(c.want)) {
				t.Errorf("it is asked for by %s, want %s", got.Sub(now), c.want)
			}
		})
	}
}
