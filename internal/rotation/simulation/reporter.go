package simulation

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/lifecycle"
	"github.com/githubusertoken/github-user-token-operator/controllers/revocation"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

var discard = logr.Discard()

// reporter is what the world sees of a process: reports, which people read, and the work that begins and ends.
type reporter struct{ life *life }

var _ lifecycle.Reporter = reporter{}

// Report implements lifecycle.Reporter.
func (r reporter) Report(_ context.Context, s *scope.Scope, decision rotation.Decision, result lifecycle.Result) (time.Time, error) {
	w := r.life.world
	res := w.resources[s.Token.Namespace]
	if w.cfg.Trace != nil {
		reason := "nothing"
		if result.Problem != nil {
			reason = result.Problem.Reason + " " + result.Problem.RetryAt.Sub(epoch).String()
		}
		w.tracef("REPORT %s by %s: rule %q, in the way: %s", res.namespace, r.life, decision.Rule, reason)
	}
	w.judgeReport(r.life, res, s, decision, result)
	w.attend(res, result.Problem)
	if result.Offered != nil {
		w.show(res, result.Offered.UserCode)
	}
	if w.strikes(StatusRefused, 200) {
		return time.Time{}, errRefused
	}
	w.readWebLogin(res, s)
	return time.Time{}, nil
}

// ReportUnknown implements lifecycle.Reporter.
func (r reporter) ReportUnknown(_ context.Context, token *v1alpha1.GitHubUserToken, p *problem.Problem) error {
	w := r.life.world
	w.attend(w.resources[token.Namespace], p)
	if w.strikes(StatusRefused, 200) {
		return errRefused
	}
	return nil
}

// ReportReleased implements lifecycle.Reporter.
func (r reporter) ReportReleased(context.Context, *v1alpha1.GitHubUserToken) (time.Duration, error) {
	if r.life.world.strikes(StatusRefused, 200) {
		return 0, errRefused
	}
	return 0, nil
}

// errRefused is the API server's answer to a status.
var errRefused = errors.New("the API server refuses the status")

// Starting implements lifecycle.Reporter.
func (r reporter) Starting(_ logr.Logger, _ *v1alpha1.GitHubUserToken, job rotation.Job) {
	w := r.life.world
	f := w.current.attempt
	f.owner, f.job, f.decidedAt = job.Owner, &job, r.life.wall()
	w.attemptBegins(f)
}

// Stored implements lifecycle.Reporter.
func (reporter) Stored(logr.Logger, *v1alpha1.GitHubUserToken, *rotation.Pair, bool) {}

// Observed implements lifecycle.Reporter.
func (r reporter) Observed(result rotation.Result) {
	w := r.life.world
	w.report.Outcomes[result.Outcome]++
	if w.cfg.Trace != nil {
		f := w.current.attempt
		w.tracef("RESULT %s by %s: %s for %s: %s %v", f.res.namespace, r.life, f.job.Decision.Cause, f.job.Decision.Spends.Short(), result.Outcome, result.Err)
	}
}

// CommitRetried implements lifecycle.Reporter.
func (r reporter) CommitRetried() { r.life.world.judgeRetry(r.life.world.current.attempt) }

// RemoveOutputs implements lifecycle.Reporter.
func (reporter) RemoveOutputs(context.Context, *v1alpha1.GitHubUserToken) (time.Duration, error) {
	return 0, nil
}

// IsOutput implements lifecycle.Reporter.
func (reporter) IsOutput(context.Context, *v1alpha1.GitHubUserToken, rotation.Ref) bool { return false }

// Eventf implements lifecycle.Reporter.
func (r reporter) Eventf(regarding, _ runtime.Object, eventtype, reason, _, note string, args ...any) {
	token, ok := regarding.(*v1alpha1.GitHubUserToken)
	if !ok {
		return
	}
	r.life.world.tracef("EVENT %s: %s: %s", token.UID, reason, fmt.Sprintf(note, args...))
	if eventtype == "Warning" && reason == revocation.EventRevocationFailed {
		r.life.world.resources[token.Namespace].warned = true
		if f := r.life.world.current.attempt; f != nil {
			f.warned = true
		}
	}
}

// Panicked implements lifecycle.Reporter.
func (r reporter) Panicked(uid types.UID) { r.life.world.tracef("PANIC in %s for %s", r.life, uid) }

// limiter lets everybody through: the shares are simulated with the limiter itself.
type limiter struct{}

func (limiter) Acquire(string, ratelimit.Request) (bool, time.Time) { return true, time.Time{} }
func (limiter) Waits(string, string) (time.Time, bool)              { return time.Time{}, false }
func (limiter) Pause(string, time.Time)                             {}
func (limiter) Cancel(string)                                       {}

// ownerOf is the resource of a UID.
func (w *world) ownerOf(uid string) (*resource, rotation.Owner) {
	namespace, number, _ := strings.Cut(uid, "-")
	incarnation, err := strconv.Atoi(number)
	if err != nil {
		panic("no resource has the UID " + uid)
	}
	res := w.resources[namespace]
	return res, res.owner(incarnation)
}
