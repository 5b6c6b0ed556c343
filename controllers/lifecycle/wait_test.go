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
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// told is a cluster whose reports are kept.
type told struct {
	*live

	last Result
}

func (r *told) Report(_ context.Context, _ *scope.Scope, _ rotation.Decision, result Result) (time.Time, error) {
	r.last = result
	return time.Time{}, nil
}

// noVersions knows that there is nothing beside the pair Secrets.
type noVersions struct{ seeds.Versions }

func (noVersions) Version(types.NamespacedName) (string, bool) { return "", true }
func (noVersions) Forget(types.NamespacedName)                 {}

// newTold is a Controller with a pair in its place, and the work that it starts.
func newTold(t *testing.T) (*world, *told, *runnertest.Queue) {
	t.Helper()
	w, work := newWorld(t), &runnertest.Queue{}
	r := &told{live: &live{cluster: w.cluster, t: t}}
	run := runner.New(runner.Options{Limit: 2, Go: work.Go})
	w.Controller = New(Options{
		Cache: cached{w.cluster}, Versions: noVersions{}, API: r, GitHub: r, Reporter: r, Outbox: noOutbox{}, Limiter: noLimit{}, Clock: w.clock,
		Memory: w.memory, Runner: run, CheckRunner: run, NewID: func() string { return "exchange-1" }, Log: logr.Discard(),
	})
	w.secrets[inPlace] = wholePair(uid)
	return w, r, work
}

// wholePair is a pair of a resource, tokens included.
func wholePair(of types.UID) *rotation.Pair {
	return pairAt("1", func(p *rotation.Pair) {
		p.Owner.UID, p.State.Owner, p.State.User = string(of), string(of), &rotation.User{Login: "octocat", ID: 1}
		p.AccessToken, p.RefreshToken = credential.NewAccessToken("ghu_1"), credential.NewRefreshToken("ghr_1")
		p.State.App, p.State.AccessToken, p.State.RefreshToken = scope.InlineApp(tokenOf(of)).Key(), p.AccessToken.Fingerprint(), p.RefreshToken.Fingerprint()
	})
}

func tokenOf(uid types.UID) *v1alpha1.GitHubUserToken {
	return &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: owner.Namespace, Name: owner.Name, UID: uid, Finalizers: []string{v1alpha1.Finalizer}},
		Spec: v1alpha1.GitHubUserTokenSpec{
			App: v1alpha1.App{Host: "github.com", ClientID: "Iv23li"}, Secret: v1alpha1.SecretTemplate{Name: inPlace.Name},
		},
	}
}

// The Secret may be gone for good when the cache does not show what was just written. No event tells so, and what is due
// may be due much later, or never.
func TestASecretThatDoesNotArriveIsLookedForAgain(t *testing.T) {
	w, r, _ := newTold(t)
	written := w.secrets[inPlace]
	written.State.Verdict, written.State.ExpiresAt = &rotation.Verdict{Reason: rotation.ReasonRefreshTokenRejected}, time.Time{}
	w.notes.written(uid, written)
	clear(w.secrets)
	w.clock.pass(time.Minute)
	again, err := w.Reconcile(t.Context(), tokenOf(uid))
	if err != nil || again <= 0 || again > arrivalTime-time.Minute+time.Second {
		t.Fatalf("it is looked at again after %s (%v)", again, err)
	}
	if r.last.Problem == nil || r.last.Problem.Reason != rotation.ReasonRefreshTokenRejected {
		t.Errorf("on its way it is told: %+v", r.last.Problem)
	}
	w.clock.pass(again)
	if _, err = w.Reconcile(t.Context(), tokenOf(uid)); err != nil || r.last.Problem == nil || r.last.Problem.Reason != v1alpha1.ReasonRefreshTokenMissing {
		t.Errorf("then it is told: %+v (%v)", r.last.Problem, err)
	}
}

// A resource may go with its Secret, and the intent in it, while its token is under way. The next one of the name that has the
// same token waits for that.
func TestATokenThatIsUnderWayIsNotSentForTheNextResource(t *testing.T) {
	w, r, work := newTold(t)
	begin := func(of types.UID) {
		t.Helper()
		w.secrets[inPlace] = wholePair(of)
		again, err := w.Reconcile(t.Context(), tokenOf(of))
		if err != nil {
			t.Fatal(err)
		}
		if p := r.last.Problem; p != nil && (again <= 0 || again > time.Minute || !p.RetryAt.IsZero() || p.Message == "") {
			t.Errorf("it is told %+v, and looked at again after %s", p, again)
		}
	}
	w.clock.pass(8 * time.Hour)
	exchanges := 0
	r.asked = func() {
		exchanges++
		r.asked = nil
		begin("uid-2")
		if work.Len() != 0 || r.last.Problem == nil || r.last.Problem.Reason != v1alpha1.ReasonExchanging {
			t.Errorf("%d exchanges were started beside it, and it is told %+v", work.Len(), r.last.Problem)
		}
		w.secrets[inPlace] = wholePair(uid) // Where the first one ends.
	}
	begin(uid)
	work.Run()
	if exchanges != 1 {
		t.Fatalf("%d exchanges were made", exchanges)
	}
	r.last = Result{}
	begin("uid-2")
	if work.Len() != 1 {
		t.Errorf("%d exchanges were started when the first had ended, and it is told %+v", work.Len(), r.last.Problem)
	}
}

// lateReport is a reporter whose time to come back has passed by when it is given.
type lateReport struct{ *told }

func (r lateReport) Report(_ context.Context, s *scope.Scope, _ rotation.Decision, _ Result) (time.Time, error) {
	return s.Now.Add(-time.Second), nil
}

// What came due while something else took its time is followed at once, and is no reason to look without end.
func TestAReportThatIsOverdueBringsItsResourceBackAtOnce(t *testing.T) {
	w, r, _ := newTold(t)
	w.reporter = lateReport{r}
	for _, want := range []time.Duration{0, time.Second, 2 * time.Second} {
		if again, err := w.Reconcile(t.Context(), tokenOf(uid)); err != nil || again != want+time.Millisecond {
			t.Errorf("again after %s, %v; want %s", again, err, want)
		}
	}
	w.reporter = r
	if again, err := w.Reconcile(t.Context(), tokenOf(uid)); err != nil || again < time.Minute {
		t.Errorf("when nothing is overdue, again after %s, %v", again, err)
	}
}
