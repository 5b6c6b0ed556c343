package simulation

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// deviceCode is a device authorization at GitHub.
type deviceCode struct {
	device, userCode string
	res              *resource
	app              string
	expires          moment
	// entered says that user has entered the code, denied that somebody pressed Cancel, redeemed that its pair was
	// given out.
	entered, denied, redeemed bool
	user                      string
}

// codeLife is how long a code can be entered and redeemed.
const codeLife = 15 * time.Minute

// RequestDeviceCode implements lifecycle.GitHub.
func (e exchanger) RequestDeviceCode(ctx context.Context, app github.App) (granted github.DeviceAuthorization, err error) {
	w, f := e.life.world, e.life.world.current.attempt
	if failed := e.ask(ctx, app.Host, func() {
		g := w.gitHub
		g.serial++
		c := &deviceCode{
			device: fmt.Sprintf("device_%s_%06d", f.res.namespace, g.serial), userCode: fmt.Sprintf("CODE-%06d", g.serial),
			res: f.res, app: app.Key(), expires: w.now + codeLife, user: f.res.account,
		}
		g.codes[c.userCode], g.codes[c.device] = c, c
		granted = github.DeviceAuthorization{
			DeviceCode: credential.NewDeviceCode(c.device), UserCode: c.userCode, VerificationURI: "https://github.com/login/device",
			ExpiresAt: e.life.wall().Add(codeLife), Interval: 5 * time.Second,
		}
	}); failed != nil {
		return github.DeviceAuthorization{}, failed
	}
	return granted, nil
}

// PollDevice implements rotation.Poller. A poll that succeeds is as destructive as an exchange: the pair is given
// out once.
func (e exchanger) PollDevice(ctx context.Context, app github.App, code credential.DeviceCode) (*github.Reply, error) {
	w, f := e.life.world, e.life.world.current.attempt
	limit := deadlineOf(ctx, w.now, time.Minute)
	if f.outboxFull {
		w.violate("%s: a code was redeemed although its pair could not have been kept", f.res.namespace)
	}
	q := w.newRequest(f.res, limit-w.now)
	if q.unreachable {
		return nil, &github.Error{Class: github.Transient, Reason: github.HostUnreachable, Host: app.Host}
	}
	f.deadline, f.answered = limit, false
	sentAt, ahead := e.life.wall(), e.life.replica.skew
	var reply *github.Reply
	answered := w.roundTrip(ctx, limit, q.out, q.back, func() {
		reply = w.gitHub.redeem(f, q, code.Reveal(), app)
		reply.Date = w.date()
	})
	f.answered = true
	if !answered {
		w.judgeSilence(f)
		return nil, &github.Error{Class: github.Ambiguous, Reason: github.NoReply, Host: app.Host, Sent: true}
	}
	reply.Host, reply.SentAt = app.Host, sentAt
	if f.pair != nil {
		f.pair.ahead = ahead
	}
	w.judgeReply(f, reply)
	return reply, nil
}

// redeem is what happens at GitHub when a poll arrives.
func (g *gitHub) redeem(f *attempt, q request, device string, app github.App) *github.Reply {
	w := g.world
	say := func(code string) *github.Reply {
		return &github.Reply{Status: http.StatusOK, Body: credential.NewRaw([]byte(`{"error":"` + code + `"}`))}
	}
	c := g.codes[device]
	switch {
	case q.before != nil:
		return q.before
	case c == nil || c.redeemed || c.app != app.Key():
		return say("incorrect_device_code")
	case w.now >= c.expires:
		return say("expired_token")
	case c.denied:
		return say("access_denied")
	case !c.entered:
		return say("authorization_pending")
	}
	c.redeemed = true
	c.res.logins++
	p := g.issue(&issued{res: c.res, user: c.user, app: c.app, login: c.res.logins, generation: 1, byCode: true})
	w.report.Redeemed++
	c.res.rotations++
	w.tracef("GITHUB %s: login %d by a code", c.res.namespace, p.login)
	return g.reply(f, q, p)
}

// ask is a question to GitHub that changes nothing that cannot be changed again. It carries no client secret, so that a wrong
// one is no obstacle.
func (e exchanger) ask(ctx context.Context, host string, effect func()) error {
	w, f := e.life.world, e.life.world.current.attempt
	w.judgeCall(w.current)
	q := w.newRequest(f.res, deadlineOf(ctx, w.now, 10*time.Second)-w.now)
	if w.now < f.res.misconfigured {
		q.before = nil
	}
	if q.unreachable {
		return &github.Error{Class: github.Transient, Reason: github.HostUnreachable, Host: host}
	}
	limit := deadlineOf(ctx, w.now, 10*time.Second)
	failed := q.before != nil || q.after != nil || q.cut > 0
	answered := w.roundTrip(ctx, limit, q.out, q.back, func() {
		if q.before == nil {
			effect()
		}
	})
	switch {
	case !answered:
		return &github.Error{Class: github.Ambiguous, Reason: github.NoReply, Host: host, Sent: true}
	case failed && q.before != nil && q.before.RateLimited:
		return &github.Error{Class: github.Transient, Reason: github.RateLimited, Host: host, RetryAfter: q.before.RetryAfter, Sent: true}
	case failed:
		return &github.Error{Class: github.Ambiguous, Reason: github.ServerError, Host: host, Sent: true}
	}
	return nil
}

// CheckHost implements lifecycle.GitHub.
func (exchanger) CheckHost(string) error { return nil }

// CheckToken implements lifecycle.GitHub.
func (e exchanger) CheckToken(ctx context.Context, app github.App, token credential.AccessToken) (check github.Check, err error) {
	w := e.life.world
	res, misconfigured := w.current.attempt.res, false
	err = e.ask(ctx, app.Host, func() {
		if misconfigured = w.now < res.misconfigured; misconfigured {
			return
		}
		p := w.gitHub.access[token.Reveal()]
		check.Alive = p != nil && w.works(p) && w.now >= p.refusedUntil && w.now >= p.res.saidDead
		if p != nil && !check.Alive {
			p.accessRefused = true
		}
	})
	if err == nil && misconfigured {
		err = &github.Error{Class: github.Misconfigured, Reason: github.IncorrectClientCredentials, Host: app.Host, Sent: true}
	}
	return check, err
}

// User implements lifecycle.GitHub.
func (e exchanger) User(ctx context.Context, host string, token credential.AccessToken) (user github.User, err error) {
	w := e.life.world
	var refused bool
	if err := e.ask(ctx, host, func() {
		p := w.gitHub.access[token.Reveal()]
		if refused = p == nil || !w.works(p) || w.now < p.refusedUntil; !refused {
			user = github.User{Login: p.user, ID: int64(p.res.number) + 1}
			if p.user != p.res.account {
				user.ID = 666
			}
		}
	}); err != nil {
		return github.User{}, err
	}
	if refused {
		return github.User{}, &github.Error{Class: github.Rejected, Reason: github.TokenInvalid, Host: host, Sent: true}
	}
	return user, nil
}

// RevokeToken implements lifecycle.GitHub. Only those who log in by the web flow have client secrets here.
func (e exchanger) RevokeToken(ctx context.Context, app github.App, access credential.AccessToken) error {
	w := e.life.world
	if res := w.current.attempt.res; !res.usesWeb() {
		w.violate("%s: a token was revoked without a client secret", res.namespace)
	}
	known := false
	w.judgeRevocation(e, w.gitHub.access[access.Reveal()])
	if err := e.ask(ctx, app.Host, func() {
		if p := w.gitHub.access[access.Reveal()]; p != nil && w.works(p) {
			known, p.revoked, p.accessDead = true, true, true
		}
	}); err != nil {
		return err
	}
	if !known {
		return &github.Error{Class: github.Transient, Reason: github.TokenInvalid, Host: app.Host, Sent: true}
	}
	return nil
}

// RevokeCredentials implements lifecycle.GitHub.
func (e exchanger) RevokeCredentials(ctx context.Context, host string, access credential.AccessToken, refresh credential.RefreshToken) error {
	w := e.life.world
	pairs := []*issued{w.gitHub.access[access.Reveal()], w.gitHub.tokens[refresh.Reveal()]}
	for _, p := range pairs {
		w.judgeRevocation(e, p)
	}
	return e.ask(ctx, host, func() {
		for _, p := range pairs {
			if p != nil {
				p.revoked, p.accessDead = true, true
			}
		}
	})
}
