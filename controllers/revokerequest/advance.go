package revokerequest

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/controllers/revocation"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// EventRequested is the reason of the event that tells of a request which is honoured.
const EventRequested = "RevocationRequested"

// turnPause is until a turn that is waited for is asked for again, at the latest: it may come earlier than it was thought, and is held for a
// moment only.
const turnPause = 10 * time.Second

// tryTimeout bounds one try, with its reads and writes.
const tryTimeout = 40 * time.Second

// Options configure Requests. All are needed.
type Options struct {
	// Amender writes what is asked for, and what came of it.
	Amender interface {
		AskRevocation(ctx context.Context, owner rotation.Owner, seen *rotation.Pair) (*rotation.Pair, bool, error)
		EndRevocation(ctx context.Context, owner rotation.Owner, read *rotation.Pair, revoked bool) (*rotation.Pair, bool, error)
	}
	// Pairs reads pair Secrets live.
	Pairs interface {
		Get(ctx context.Context, ref rotation.Ref) (*rotation.Pair, error)
	}
	// TakeUp brings the state of a pair Secret into line with what somebody has put into it; see rotation.Rotator.
	TakeUp func(ctx context.Context, owner rotation.Owner, live *rotation.Pair) (*rotation.Pair, error)
	// EndPair makes one try to revoke a pair; see revocation.Revoker.
	EndPair func(ctx context.Context, token *v1alpha1.GitHubUserToken, live *rotation.Pair) (revocation.Ending, error)
	// Leave gives up the turn that a resource waits for; see revocation.Revoker.
	Leave func(uid types.UID)
	// Runner runs it: that of the exchanges, so that a resource has no exchange meanwhile. Its OnDone has the resource reconciled.
	Runner *runner.Runner
	// Remember is told of each pair Secret that was read or written.
	Remember func(uid types.UID, pair *rotation.Pair)
	Events   interface {
		Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any)
	}
	Memory *memory.Store
	Clock  rotation.Clock
}

// Requests carries out what people ask for. It is safe for concurrent use. Make it with New.
type Requests struct {
	options Options
	notes   memory.Slot[note]
	told    memory.Slot[told]
}

// note is what is remembered of a revocation that has not come to its end. None of it is needed: after a restart GitHub is asked again.
type note struct {
	// login names the login: what is remembered of one is nothing to the next.
	login    string
	failures int
	// retry is when to try again, and why what stands in the way.
	retry backoff.Due
	why   string
}

// New makes Requests.
func New(options Options) *Requests {
	return &Requests{options, memory.NewSlot[note](options.Memory), memory.NewSlot[told](options.Memory)}
}

// Step is how far a revocation has come.
type Step struct {
	// Started reports that GitHub is being asked; its end has the resource reconciled.
	Started bool
	// Again reports that the pair Secret was written, so that everything is decided anew.
	Again bool
	// Problem is what is waited for.
	Problem *problem.Problem
}

// Advance brings the revocation of the login at which a resource stands forward, by as much as can be done without waiting for GitHub: the request
// is taken down first. An error is why it could not be.
func (r *Requests) Advance(ctx context.Context, s *scope.Scope) (Step, error) {
	if !s.Pair.State.Login.IsAsked() {
		stored, said, err := r.options.Amender.AskRevocation(ctx, s.Owner, s.Pair)
		if err != nil {
			return Step{}, err
		}
		r.options.Remember(s.Token.UID, stored)
		if !said {
			return Step{}, rotation.ErrConflict // It is not as the cache shows it. What it is now is decided on.
		}
		r.tellRequested(ctx, s)
		return Step{Again: true}, nil
	}
	if known := r.recall(s); known.failures > 0 {
		if at := known.retry.At(s.Now, r.options.Clock.Monotonic()); s.Now.Before(at) {
			return Step{Problem: revoking(s, known.why, at)}, nil
		}
	}
	log, token, owner, ref, login := logr.FromContextOrDiscard(ctx), s.Token, s.Owner, s.Ref, string(s.Pair.State.LoginName())
	of := runner.Subject{UID: token.UID, Namespace: token.Namespace, Host: hostOf(&s.Pair.State), Operation: runner.Revocation}
	if r.options.Runner.Start(of, func() { r.try(log, token, owner, ref, login) }) != nil {
		return Step{Problem: revoking(s, "Other work has to end first.", s.Now.Add(time.Second))}, nil
	}
	return Step{Started: true}, nil
}

// tellRequested tells why a login is to end, when that is written down.
func (r *Requests) tellRequested(ctx context.Context, s *scope.Scope) {
	why, user := words.VisitLeft, s.Pair.State.User
	if user != nil && !s.App.OfVisit {
		why = fmt.Sprintf("The end of this login was asked for in the name of %s (id %d), by the annotation %s.", user.Login, user.ID, v1alpha1.AnnotationRevocationRequested)
	}
	logr.FromContextOrDiscard(ctx).Info("A login is to end, and is being revoked", "leftVisit", s.App.OfVisit)
	r.options.Events.Eventf(s.Token, nil, "Normal", EventRequested, "Revoke",
		"%s It is being revoked at GitHub. Until GitHub has answered, the access token works.", why)
}

// revoking is the problem of a login whose revocation has not come to its end.
func revoking(s *scope.Scope, why string, at time.Time) *problem.Problem {
	because := words.RevocationAsked
	if s.App.OfVisit {
		because = words.VisitLeft
	}
	return &problem.Problem{
		Reason: v1alpha1.ReasonRevoking, RetryAt: at,
		Message: because + " No token of it is exchanged any more, and it is being revoked at GitHub. Until that is done, the access token works. " + why,
	}
}

// try makes one try, and notes why it has failed.
func (r *Requests) try(log logr.Logger, token *v1alpha1.GitHubUserToken, owner rotation.Owner, ref rotation.Ref, login string) {
	ctx, cancel := r.options.Clock.WithTimeout(context.Background(), tryTimeout)
	defer cancel()
	ending, err := r.end(ctx, token, owner, ref)
	switch {
	case err != nil:
		log.Info("A login was not revoked at GitHub yet", "why", words.Of(err))
		r.fail(token.UID, login, fmt.Sprintf("That has not succeeded yet: %s. It is tried again.", words.Of(err)), retry.After(err))
	case !ending.TurnAt.IsZero():
		in := min(max(ending.TurnAt.Sub(r.options.Clock.Now()), time.Second), turnPause)
		r.fail(token.UID, login, "It is done when it is the turn of this namespace.", backoff.Backoff{First: in, Max: in})
	default:
		r.drop(token.UID)
		if ending.Revoked {
			log.Info("A login that was to end was revoked at GitHub")
		}
	}
}

// Acknowledge forgets a revocation that has come to its end, or whose login another one has replaced, with the turn that it waits for. What
// lives on of such a login is told.
func (r *Requests) Acknowledge(s *scope.Scope) {
	r.recall(s)
	r.tellUnended(s)
}

// recall is what is remembered of the revocation that is open.
func (r *Requests) recall(s *scope.Scope) (known note) {
	if !r.notes.Peek(s.Token.UID, func(n *note) { known = *n }) {
		return note{}
	}
	if s.Pair != nil && string(s.Pair.State.LoginName()) == known.login && s.Pair.State.Login.IsOpen(s.Pair.State.AccessToken, s.Pair.State.RefreshToken) {
		return known
	}
	r.drop(s.Token.UID)
	return note{}
}

func (r *Requests) drop(uid types.UID) {
	r.notes.Drop(uid)
	r.options.Leave(uid)
}

func (r *Requests) fail(uid types.UID, login string, why string, wait backoff.Backoff) {
	r.notes.With(uid, func(n *note) {
		if n.login != login {
			*n = note{login: login}
		}
		n.failures, n.why = n.failures+1, why
		n.retry = backoff.DueIn(wait.After(n.failures), r.options.Clock.Now(), r.options.Clock.Monotonic())
	})
}

// end revokes the pair of the login, if the Secret, read live, still stands at it, and takes down what came of it. What somebody has put
// there meanwhile is taken up first: it may be another login.
func (r *Requests) end(ctx context.Context, token *v1alpha1.GitHubUserToken, owner rotation.Owner, ref rotation.Ref) (ending revocation.Ending, err error) {
	live, err := r.options.Pairs.Get(ctx, ref)
	if err != nil {
		return ending, err
	}
	state := &live.State
	if !live.Controlled || live.Owner.UID != owner.UID || state.Owner != owner.UID || live.IsNewer() || !state.Login.IsOpen(state.AccessToken, state.RefreshToken) {
		r.options.Remember(token.UID, live)
		return ending, nil
	}
	taken, err := r.options.TakeUp(ctx, owner, live)
	if err != nil {
		return ending, err
	}
	if taken.Version != live.Version {
		r.options.Remember(token.UID, taken)
		return ending, nil
	}
	if ending, err = r.options.EndPair(ctx, token, live); err != nil || !ending.Revoked && !ending.GivenUp {
		return ending, err
	}
	ended, said, err := r.options.Amender.EndRevocation(ctx, owner, live, ending.Revoked)
	if err != nil {
		return ending, err // GitHub is asked again: it says that it knows no such token.
	}
	if r.options.Remember(token.UID, ended); !said {
		return revocation.Ending{}, nil // Another pair was stored meanwhile. It is decided on.
	}
	return ending, nil
}
