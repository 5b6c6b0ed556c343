package revocation

import (
	"errors"
	"time"

	"github.com/go-logr/logr"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
)

// CredentialsPerHour is how many requests an hour GitHub takes at its credentials endpoint from one address, whoever
// makes them. A namespace that deletes many resources must not use up what all others have.
const CredentialsPerHour = 60

// maxTurnTime is for how long the deletion of a resource waits for its turn at the credentials endpoint: longer than it
// tries to reach GitHub, and not so long that a namespace with many resources could not be deleted.
const maxTurnTime = 10 * time.Minute

// EventRevocationWaiting is the reason of the event that tells of a deletion which waits for its turn.
const EventRevocationWaiting = "RevocationWaiting"

// Limiter gives out turns at the credentials endpoint; see ratelimit.Limiter. It wakes a resource by its UID.
type Limiter interface {
	Acquire(app string, request ratelimit.Request) (ok bool, estimate time.Time)
	Pause(app string, until time.Time)
	Cancel(id string)
}

// queue is where a turn is waited for; zero is nowhere.
type queue struct {
	host string
	// secret reports that it is for those who try a client secret there, and not for those who ask the credentials endpoint.
	secret bool
	// only reports that the credentials endpoint is of no use instead, since the host has none.
	only bool
}

// waitingError: GitHub was not asked, since it is not this namespace's turn.
type waitingError struct {
	in    queue
	until time.Time
}

func (e *waitingError) Error() string {
	if e.in.secret {
		return (&restlimit.WaitingError{Host: e.in.host, Until: e.until}).Error()
	}
	return e.in.host + ": its limit of requests without a client secret is used up, and this namespace has no turn yet"
}

// credentialsOf is the one name by which the limiter knows a host's endpoint.
func credentialsOf(host string) string { return host + "/credentials" }

// isLaterThan reports whether the turn does not come in that time, for all that is known.
func (e *waitingError) isLaterThan(left time.Duration) bool {
	return time.Until(e.until) > left // The limiter has the real clock.
}

// asker is for whom a pair is revoked, and how long that may take.
type asker struct {
	who restlimit.Caller
	// turn asks for one request to the tokens' own endpoint of a host; an error says that there is none yet.
	turn func(host string) *waitingError
	// left is for how much longer turns are waited for.
	left time.Duration
	// secretOnly reports that the tokens' own endpoint was found to be of no use.
	secretOnly bool
}

// acquire asks for a turn; nil means that it may be used now.
func (r *Revoker) acquire(host, id, namespace string) *waitingError {
	if r.options.Limiter == nil {
		return nil
	}
	// Who has waited longest goes first.
	ok, until := r.options.Limiter.Acquire(credentialsOf(host), ratelimit.Request{ID: id, Namespace: namespace, Yields: true})
	if !ok {
		return &waitingError{in: queue{host: host}, until: until}
	}
	return nil
}

// cancel gives up a place among those who wait.
func (r *Revoker) cancel(id string) {
	if r.options.Limiter != nil {
		r.options.Limiter.Cancel(id)
	}
}

// pauseCredentials lets nobody ask the endpoint for as long as GitHub has asked for: it counts by the address.
func (r *Revoker) pauseCredentials(host string, err error) {
	limited, ok := errors.AsType[*github.Error](err)
	if ok && limited.Reason == github.RateLimited && limited.RetryAfter > 0 && r.options.Limiter != nil {
		r.options.Limiter.Pause(credentialsOf(host), time.Now().Add(limited.RetryAfter)) // The limiter has the real clock.
	}
}

// turnOf is the turn of a resource that is being deleted: one that it got while it waited, or a new one.
func (r *Revoker) turnOf(token *v1alpha1.GitHubUserToken) func(host string) *waitingError {
	return func(host string) *waitingError {
		got := false
		r.notes.Peek(token.UID, func(n *note) { got, n.turn = n.turn == host, "" })
		if got {
			return nil
		}
		return r.acquire(host, string(token.UID), token.Namespace)
	}
}

// awaitTurn looks whether the turn of a resource that waits for one has come. One to try the client secret is held for it.
// Where that would come too late, the resource waits for the credentials endpoint as well.
func (r *Revoker) awaitTurn(token *v1alpha1.GitHubUserToken, in queue, left time.Duration) *waitingError {
	var secret *waitingError
	if in.secret {
		until, waits := r.options.GitHub.Waits(in.host, token.UID)
		if !waits {
			r.notes.With(token.UID, func(n *note) { n.queue = queue{} })
			return nil
		}
		if secret = (&waitingError{in, until}); in.only || !secret.isLaterThan(left) {
			return secret
		}
	}
	if waiting := r.acquire(in.host, string(token.UID), token.Namespace); waiting != nil {
		if secret != nil && secret.until.Before(waiting.until) {
			return secret
		}
		return waiting
	}
	r.notes.With(token.UID, func(n *note) { n.queue, n.turn = queue{}, in.host })
	return nil
}

// tellWaiting tells that a resource waits for its turn, once.
func (r *Revoker) tellWaiting(log logr.Logger, token *v1alpha1.GitHubUserToken, waiting *waitingError) {
	log.Info("The pair is revoked at GitHub when it is its turn", "host", waiting.in.host, "about", waiting.until)
	if r.options.Events == nil {
		return
	}
	if waiting.in.secret {
		r.options.Events.Eventf(token, nil, eventNormal, EventRevocationWaiting, "Revoke",
			"The token is revoked at GitHub when it is the turn of this namespace, at about %s: whether %s takes the client secret is not known yet, and at most %d such requests an hour are made to it.",
			words.Time(waiting.until), waiting.in.host, restlimit.PerHour)
		return
	}
	r.options.Events.Eventf(token, nil, eventNormal, EventRevocationWaiting, "Revoke",
		"The token is revoked at GitHub when it is the turn of this namespace, at about %s: %s takes %d requests an hour without a client secret. With the client secret of the App there is nothing to wait for.",
		words.Time(waiting.until), waiting.in.host, CredentialsPerHour)
}
