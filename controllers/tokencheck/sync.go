package tokencheck

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
)

// Sync starts the checks of a resource that are due, beside the caller: whose its token is, when that is not
// known, and whether it is alive, at the interval that the resource asks for. It returns when it is to be called
// again, by the wall clock; zero when only a change, or the end of what runs, can make a difference.
func (c *Checks) Sync(log logr.Logger, s *scope.Scope) (requeueAt time.Time) {
	t, ok := targetOf(s)
	if !ok || c.options.GitHub.CheckHost(t.app.Host) != nil {
		c.notes.Drop(s.Token.UID)
		return time.Time{}
	}
	switch {
	case c.options.Runner.Busy(t.uid()):
		return time.Time{} // Its end has the resource reconciled.
	case c.options.Runner.Full(t.subject()):
		return s.Now.Add(time.Second + spread(t.owner, 30*time.Second))
	}
	if until, waits := c.options.GitHub.Waits(t.app.Host, t.uid()); waits {
		return s.Now.Add(max(time.Until(until), time.Second)) // It is woken when it has its turn.
	}
	var w work
	now := c.options.Clock.Monotonic()
	c.notes.With(t.uid(), func(n *note) {
		if *n == (note{}) {
			n.standing = told(s.Token)
		}
		*n, w = due(*n, t, now)
	})
	if w.learnUser || w.checkToken {
		if err := c.start(log, s.Token, t, w); err != nil {
			w.next = min(w.next, time.Second+spread(t.owner, 10*time.Second))
		}
	}
	return s.Now.Add(w.next)
}

// Awaits is in how long GitHub will have told whose the token of a resource is, at the latest, when it is being asked for the
// first time: what is told of the resource until then would be told anew in a moment. Zero when nothing is worth waiting for.
func (c *Checks) Awaits(uid types.UID) (wait time.Duration) {
	c.notes.Peek(uid, func(n *note) {
		if n.userTries == 1 {
			wait = max(0, n.userAt-c.options.Clock.Monotonic()) // Until it is asked again.
		}
	})
	return wait
}

func (c *Checks) start(log logr.Logger, token *v1alpha1.GitHubUserToken, t target, w work) error {
	return c.options.Runner.Start(t.subject(), func() { c.run(log, token, t, w) })
}

// run asks GitHub what is due.
func (c *Checks) run(log logr.Logger, token *v1alpha1.GitHubUserToken, t target, w work) {
	ctx, cancel := c.options.Clock.WithTimeout(logr.NewContext(context.Background(), log), 3*callTimeout)
	defer cancel()
	if w.checkToken {
		if t.app = c.options.App(ctx, token); t.app.ClientID == "" {
			return
		}
		c.check(ctx, t)
	}
	if w.learnUser {
		c.learnUser(ctx, t)
	}
}
