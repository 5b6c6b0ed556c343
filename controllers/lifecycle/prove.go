package lifecycle

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/apps"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/rules"
)

// proveTimeout bounds the question to GitHub.
const proveTimeout = 20 * time.Second

// prover finds out whether a pair that was restored from a backup is alive.
type prover struct {
	github interface {
		apps.Hosts
		// CheckToken and Waits are those of restlimit.Client: whoever restores a pair says what its token is.
		CheckToken(ctx context.Context, who restlimit.Caller, app github.App, token credential.AccessToken) (github.Check, error)
		Waits(host string, uid types.UID) (until time.Time, waits bool)
	}
	seeds  *seeds.Reader
	pairs  pairReader
	runner *runner.Runner
	notes  notes
	clock  rotation.Clock
}

// prove starts asking GitHub whether the access token of a restored pair is alive.
func (v *prover) prove(ctx context.Context, s *scope.Scope) Result {
	if p := apps.Check(v.github, s.App); p != nil {
		return blocked(p)
	}
	if until, waits := v.github.Waits(s.App.Host, s.Token.UID); waits {
		p := words.WaitsToProve(s.App.Host, restlimit.PerHour)
		p.RetryAt = s.Now.Add(max(time.Until(until), time.Second)) // It is woken when it has its turn.
		return blocked(&p)
	}
	app := s.App.App
	secret, p, err := v.seeds.ClientSecret(ctx, s.App)
	if err != nil {
		return v.notes.failedOfApp(s, err, "GitHub was not asked about the restored pair, because the client secret could not be read")
	}
	if p == nil {
		app.ClientSecret = secret // Without it the token itself is tried.
	}
	log, token, ref := logr.FromContextOrDiscard(ctx), s.Token, s.Ref
	of := runner.Subject{UID: token.UID, Namespace: token.Namespace, Host: s.App.Host, Operation: runner.Check}
	if err := v.runner.Start(of, func() { v.proveNow(log, token, ref, app) }); err != nil {
		return blocked(&problem.Problem{Reason: v1alpha1.ReasonPairUnproven, Message: "Waiting to ask GitHub about the restored pair.", RetryAt: s.Now.Add(time.Second)})
	}
	return Result{State: Started}
}

// proveNow is that work.
func (v *prover) proveNow(log logr.Logger, token *v1alpha1.GitHubUserToken, ref rotation.Ref, app github.App) {
	ctx, cancel := v.clock.WithTimeout(context.Background(), proveTimeout)
	defer cancel()
	fail := func(p problem.Problem, wait backoff.Backoff) {
		v.notes.fail(token, p, wait)
	}
	pair, err := v.pairs.Get(ctx, ref)
	if err != nil {
		fail(problem.Problem{
			Reason: v1alpha1.ReasonAPIServerUnavailable, Message: "The restored pair could not be read: " + words.Of(err) + ".",
		}, backoff.Backoff{First: time.Second, Max: retry.Max})
		return
	}
	found, asked := rules.ProofDead, v.clock.Monotonic()
	if !pair.AccessToken.IsZero() && pair.AccessToken.Fingerprint() == pair.State.AccessToken {
		check, err := v.github.CheckToken(ctx, restlimit.Caller{UID: token.UID, Namespace: token.Namespace}, app, pair.AccessToken)
		if waiting, ok := errors.AsType[*restlimit.WaitingError](err); ok {
			if _, waits := v.github.Waits(waiting.Host, token.UID); waits {
				return // The end of this has the resource reconciled, which tells of it.
			}
			in := max(time.Until(waiting.Until), time.Second) // There is no room to wait in.
			fail(words.WaitsToProve(waiting.Host, restlimit.PerHour), backoff.Backoff{First: in, Max: retry.Max})
			return
		}
		if err != nil {
			p := problem.Problem{Reason: v1alpha1.ReasonGitHubUnavailable, Message: "GitHub could not be asked about the restored pair: " + words.Of(err) + "."}
			if failed, ok := errors.AsType[*github.Error](err); ok {
				p.Reason, p.OfApp, p.AppRefused = words.ReasonOf(failed), words.IsOfApp(failed), words.IsAppRefused(failed)
			}
			fail(p, retry.After(err))
			return
		}
		if check.Alive {
			found = rules.ProofAlive
		}
	}
	v.notes.With(token.UID, func(m *note) { m.proven, m.proof, m.provenAt = tokensOf(&pair.State), found, asked })
	v.notes.succeed(token.UID)
	log.Info("GitHub was asked about the access token of a restored pair", "alive", found == rules.ProofAlive)
}
