package lifecycle

import (
	"context"
	"testing"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner/runnertest"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/origin"
)

// visits has the Apps of resources that are visits of the login page.
type visits struct{}

func (visits) App(_ context.Context, token *v1alpha1.GitHubUserToken) (scope.App, error) {
	app := scope.InlineApp(token)
	app.OfVisit, app.Visit = true, true
	return app, nil
}

func (r *told) Eventf(_, _ runtime.Object, _, _, _, _ string, _ ...any) {}

// Nobody has to tell that the login page is gone: the operator looks at the visit by itself when its time is over, also where a refresh of it is due
// or asked for, and whoever it is.
func TestVisitIsEndedByItselfAndNotRefreshed(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.GitHubUserToken, *rotation.Pair){
		"as ever":                func(*v1alpha1.GitHubUserToken, *rotation.Pair) {},
		"whosever it is":         func(_ *v1alpha1.GitHubUserToken, p *rotation.Pair) { p.State.User = nil },
		"while a refresh is due": func(_ *v1alpha1.GitHubUserToken, p *rotation.Pair) { p.State.ExpiresAt = start.Add(4 * time.Minute) },
		"while it is suspended":  func(token *v1alpha1.GitHubUserToken, _ *rotation.Pair) { token.Spec.Suspend = true },
		"while a refresh is asked for": func(token *v1alpha1.GitHubUserToken, _ *rotation.Pair) {
			token.Annotations = map[string]string{v1alpha1.AnnotationRefreshRequestedAt: "now"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, work := newWorld(t), &runnertest.Queue{}
			r := &told{live: &live{cluster: w.cluster, t: t, asked: func() { t.Error("a token of it was exchanged") }}}
			run := runner.New(runner.Options{Limit: 2, Go: work.Go})
			w.Controller = New(Options{
				Cache: cached{w.cluster}, Versions: noVersions{}, API: r, GitHub: r, Reporter: r, Outbox: noOutbox{}, Limiter: noLimit{}, Clock: w.clock, Apps: visits{},
				Memory: w.memory, Runner: run, CheckRunner: run, NewID: func() string { return "exchange-1" }, Log: logr.Discard(),
			})
			token, pair := tokenOf(uid), wholePair(uid)
			token.CreationTimestamp = metav1.NewTime(start.Add(-time.Minute))
			pair.State.Login, pair.State.Verdict = &origin.Login{First: "first", At: start}, nil
			w.secrets[inPlace] = pair
			again, err := w.Reconcile(t.Context(), token)
			if err != nil || again <= 0 || again > 3*time.Minute+time.Second || w.secrets[inPlace].State.Login.IsAsked() {
				t.Fatalf("a moment after its login it is looked at again after %s (%v), and its end is written down: %t", again, err, w.secrets[inPlace].State.Login.IsAsked())
			}
			change(token, w.secrets[inPlace])
			w.clock.pass(3 * time.Minute)
			if again, err = w.Reconcile(t.Context(), token); err != nil || again != time.Millisecond || !w.secrets[inPlace].State.Login.IsAsked() {
				t.Fatalf("when its time is over it is looked at again after %s (%v), and its end is written down: %t", again, err, w.secrets[inPlace].State.Login.IsAsked())
			}
			if _, err = w.Reconcile(t.Context(), token); err != nil || !run.Busy(uid) {
				t.Errorf("GitHub is not asked to revoke it: %v", err)
			}
		})
	}
}
