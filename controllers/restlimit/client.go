package restlimit

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
)

// PerHour is how many requests an hour whose credential is not trusted are sent to one host: as many as GitHub takes from an
// address without any credential.
const PerHour = 60

// GitHub is what is limited. Errors are *github.Error.
type GitHub interface {
	CheckToken(ctx context.Context, app github.App, token credential.AccessToken) (github.Check, error)
	User(ctx context.Context, host string, token credential.AccessToken) (github.User, error)
	RevokeToken(ctx context.Context, app github.App, token credential.AccessToken) error
	// CheckHost says why a host must not be called; nil when it may be.
	CheckHost(host string) error
}

// Limiter gives out turns; see ratelimit.Limiter. It wakes a resource by its UID.
type Limiter interface {
	Acquire(app string, request ratelimit.Request) (ok bool, estimate time.Time)
	Waits(app, id string) (estimate time.Time, waits bool)
	Return(app, namespace string)
	Pause(app string, until time.Time)
	Cancel(id string)
}

// Options configure a Client.
type Options struct {
	GitHub GitHub
	// Limiter gives out turns, PerHour for each host. Nil: there is no limit.
	Limiter Limiter
	Memory  *memory.Store
}

// Caller is for which resource something is asked.
type Caller struct {
	UID       types.UID
	Namespace string
	// QueueID is by which name it waits for its turn. Default: the UID, by which the resource is woken. Work that cannot be
	// begun anew has a name of its own; nobody is woken for it, and it comes back every few seconds.
	QueueID string
}

func (c Caller) id() string {
	if c.QueueID != "" {
		return c.QueueID
	}
	return string(c.UID)
}

// PollEvery is after how long who is not woken has to come back: a turn is held for longer than that.
const PollEvery = 5 * time.Second

// WaitingError: GitHub was not asked, since it is not this namespace's turn.
type WaitingError struct {
	// Host is GitHub.
	Host string
	// Until is about when the turn comes, by the wall clock.
	Until time.Time
}

// Error says so. A deployment that has a share of the limit sends fewer.
func (e *WaitingError) Error() string {
	return fmt.Sprintf("%s: it is not known whether it takes this credential, and at most %d such requests an hour are sent; this namespace has no turn yet", e.Host, PerHour)
}

// Client asks GitHub as the client does that it is made with, when there is a turn. It is safe for concurrent use. Make it
// with New.
type Client struct {
	options Options
	// key keeps what is remembered of a secret from being of use to anybody.
	key   [32]byte
	notes memory.Slot[note]

	mu     sync.Mutex
	doubts map[place]*rate.Limiter
	pruned int
}

// New makes a Client.
func New(options Options) *Client {
	c := &Client{options: options, notes: memory.NewSlot[note](options.Memory), doubts: map[place]*rate.Limiter{}}
	_, _ = rand.Read(c.key[:]) // It never fails.
	return c
}

// CheckToken reports whether a token is alive: by the App when there is a client secret, otherwise by using the token.
// Errors: *WaitingError, and those of GitHub.
func (c *Client) CheckToken(ctx context.Context, who Caller, app github.App, token credential.AccessToken) (github.Check, error) {
	sent := c.ofToken(token.Fingerprint())
	if !app.ClientSecret.IsZero() {
		sent = c.ofApp(app)
	}
	r, err := c.begin(who, app.Host, sent)
	if err != nil {
		return github.Check{}, err
	}
	check, err := c.options.GitHub.CheckToken(ctx, app, token)
	if err == nil && !check.Alive && app.ClientSecret.IsZero() {
		c.end(r, refused, nil)
	} else {
		c.end(r, answerOf(err), err)
	}
	return check, err
}

// User asks whose a token is. Errors: *WaitingError, and those of GitHub.
func (c *Client) User(ctx context.Context, who Caller, host string, token credential.AccessToken) (github.User, error) {
	r, err := c.begin(who, host, c.ofToken(token.Fingerprint()))
	if err != nil {
		return github.User{}, err
	}
	user, err := c.options.GitHub.User(ctx, host, token)
	c.end(r, answerOf(err), err)
	return user, err
}

// RevokeToken ends a token through its App. Errors: *WaitingError, and those of GitHub.
func (c *Client) RevokeToken(ctx context.Context, who Caller, app github.App, token credential.AccessToken) error {
	return c.WithSecret(who, app, func() error { return c.options.GitHub.RevokeToken(ctx, app, token) })
}

// WithSecret has a request made that sends the client secret of an App. Errors: *WaitingError, and those of the request.
func (c *Client) WithSecret(who Caller, app github.App, request func() error) error {
	r, err := c.begin(who, app.Host, c.ofApp(app))
	if err != nil {
		return err
	}
	err = request()
	answer := answerOf(err)
	if isReason(err, github.TokenInvalid) || isReason(err, github.ScopeNotGranted) {
		answer = taken // GitHub has looked at what was sent with the secret.
	}
	c.end(r, answer, err)
	return err
}

// CheckHost says why a host must not be called; nil when it may be.
func (c *Client) CheckHost(host string) error { return c.options.GitHub.CheckHost(host) }

// Received is told of an access token that GitHub has issued to this process, and for which App: it has taken the App's client
// secret for that, if there is one. Who waited with another one is to ask at once.
func (c *Client) Received(uid types.UID, app github.App, token credential.Fingerprint) {
	if token == "" || c.options.Limiter == nil {
		return
	}
	changed := false
	c.notes.With(uid, func(n *note) {
		changed, _ = n.trust(c.ofToken(token))
		if !app.ClientSecret.IsZero() {
			another, _ := n.trust(c.ofApp(app))
			changed = changed || another
		}
	})
	if changed {
		c.Cancel(string(uid))
	}
}

// Waits reports whether a resource waits for its turn at a host, and until when about. While it does there is no use in a call.
func (c *Client) Waits(host string, uid types.UID) (until time.Time, waits bool) {
	if c.options.Limiter == nil {
		return time.Time{}, false
	}
	return c.options.Limiter.Waits(turnsOf(host), string(uid))
}

// Cancel gives up a place among those who wait.
func (c *Client) Cancel(id string) {
	if c.options.Limiter != nil {
		c.options.Limiter.Cancel(id)
	}
}

// turnsOf is the one name by which the limiter knows a host, which can be written in more than one way.
func turnsOf(host string) string { return github.App{Host: host, ClientID: "rest"}.Key() }

// nameOf is a host in its normal form.
func nameOf(host string) string {
	name, _, _ := strings.Cut(turnsOf(host), "/")
	return name
}

// request is one that was sent, or is about to be.
type request struct {
	who  Caller
	host string
	sent sent
	// charged reports that it has used a turn.
	charged bool
}

// begin asks whether a request may be sent now.
func (c *Client) begin(who Caller, host string, with sent) (*request, error) {
	r := &request{who: who, host: nameOf(host), sent: with}
	if c.options.Limiter == nil || c.isTrusted(r) {
		return r, nil
	}
	// Who has waited longest goes first.
	ok, until := c.options.Limiter.Acquire(turnsOf(host), ratelimit.Request{ID: who.id(), Namespace: who.Namespace, Yields: true})
	if !ok {
		return nil, &WaitingError{r.host, until}
	}
	r.charged = true
	return r, nil
}

// end takes down what came of a request.
func (c *Client) end(r *request, a answer, err error) {
	if c.options.Limiter == nil {
		return
	}
	switch a {
	case taken:
		changed, refusals := c.trust(r.who.UID, r.sent)
		c.absolve(r, refusals)
		if changed {
			c.Cancel(string(r.who.UID)) // What waits may need no turn now.
		}
	case refused:
		if !r.charged {
			c.distrust(r)
		}
	case tooMany:
		if !r.charged && isReason(err, github.RateLimited) {
			break // It is GitHub's limit for what was sent, for all that is known.
		}
		c.options.Limiter.Pause(turnsOf(r.host), time.Now().Add(pauseAfter(err))) // The limiter has the real clock.
	}
	if r.charged && (a == taken || a == notSent) {
		c.options.Limiter.Return(turnsOf(r.host), r.who.Namespace)
	}
}
