package simulation

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// issued is a pair that GitHub has issued, and all that is known about it by those who know everything.
type issued struct {
	access, refresh string
	res             *resource
	user, app       string
	// login counts the resource's logins, generation the exchanges since.
	login, generation int
	spent, revoked    bool
	// byCode says that its login came by a device code.
	byCode    bool
	successor *issued
	// accessDead says that the access token was killed by the next exchange; refusedUntil that it is new.
	accessDead   bool
	refusedUntil moment
	// attempts are those that have presented the refresh token.
	attempts []*attempt
	// thieves are other resources into whose seeds a person has copied the refresh token.
	thieves []*resource
	// fences are those that have written an intent to present it.
	fences []*attempt
	// stored and kept count the copies in Secrets and in outboxes.
	stored, kept int
	// storedAt is when it was stored first; 0 is never.
	storedAt moment
	// heldBy is the attempt that has it in memory.
	heldBy *attempt
	// minted is the attempt whose request brought it about; nil for a login.
	minted *attempt
	fate   fate
	// dropped says that it went with a resource that was deleted; a copy may have stayed for a while.
	dropped bool
	// refusedTo is the process that GitHub has refused it to last.
	refusedTo *life
	// overdue says that a process had the reply for so long that the others took it for lost.
	overdue bool
	// restoredAt is when a copy of it came back from a backup although it was spent; 0 is never.
	restoredAt moment
	// outdated says that a newer login has replaced it.
	outdated bool
	// altered says that admission has put something else in its place when it was to be stored.
	altered bool
	// refused counts the replies by which a process has heard that GitHub does not take the refresh token.
	refused int
	// copied says that a copy of it came back from a backup, destroyed that a person has overwritten it.
	copied, destroyed bool
	// disowned says that it was stored as one that is nobody's until it is proven.
	disowned bool
	// misjudged says that GitHub has refused it once although it was good, and refusals counts the refusals that were heard
	// by the incarnation refusedFor.
	misjudged  bool
	refusals   int
	refusedFor string
	// accessRefused says that a check of the access token was answered that it is dead, be it by mistake.
	accessRefused bool
	// issuedAt is when GitHub issued it, and ahead by how much the clock was wrong by which the request was sent.
	issuedAt moment
	ahead    time.Duration
}

// fate is what became of a pair that is not in use.
type fate string

const (
	fateNone        fate = ""
	fateNoReply     fate = "lost: GitHub's reply never arrived"
	fateDied        fate = "lost: the process died before the pair was kept"
	fateNodeDied    fate = "lost: the pod was deleted before the pair was stored"
	fateOutboxBroke fate = "lost: the outbox broke at Keep and the process died before the pair was stored"
	fateCorrupted   fate = "lost: the process died before the pair was stored, and its record in the outbox was corrupted"
	fateSuperseded  fate = "replaced by a newer login"
	fateOwnerGone   fate = "dropped with its resource"
	fateWrongUser   fate = "refused: it belongs to another user"
	fatePerson      fate = "destroyed by a person"
)

// gitHub is the truth about tokens. It is strict: a token is good for one exchange.
type gitHub struct {
	world  *world
	tokens map[string]*issued
	access map[string]*issued
	names  map[credential.Fingerprint]*issued
	// codes are the device authorizations, by their user codes.
	codes map[string]*deviceCode
	// webCodes are the codes of the web flow.
	webCodes map[string]*webCode
	serial   int
}

// login is a person authorizing the App: a pair that no exchange has brought.
func (g *gitHub) login(res *resource, user, app string) *issued {
	res.logins++
	return g.issue(&issued{res: res, user: user, app: app, login: res.logins})
}

func (g *gitHub) issue(p *issued) *issued {
	g.serial++
	p.issuedAt = g.world.now
	p.access = fmt.Sprintf("ghu_%s_%d_%d_%06d", p.res.namespace, p.login, p.generation, g.serial)
	p.refresh = fmt.Sprintf("ghr_%s_%d_%d_%06d", p.res.namespace, p.login, p.generation, g.serial)
	g.tokens[p.refresh], g.access[p.access] = p, p
	g.names[credential.NewRefreshToken(p.refresh).Fingerprint()] = p
	return p
}

// works reports whether GitHub takes the access token of a pair.
func (w *world) works(p *issued) bool { return !p.accessDead && w.now < p.issuedAt+w.cfg.Lifetime }

// isGood reports whether GitHub has a reason to refuse a refresh token.
func (p *issued) isGood() bool { return !p.spent && !p.revoked }

// exchange spends a token. A nil pair means bad_refresh_token.
func (g *gitHub) exchange(refresh, app string) *issued {
	p := g.tokens[refresh]
	if p == nil || p.spent || p.revoked || p.app != app {
		return nil
	}
	p.spent, p.accessDead = true, true
	p.successor = g.issue(&issued{res: p.res, user: p.user, app: p.app, login: p.login, generation: p.generation + 1, byCode: p.byCode})
	g.world.report.Rotations++
	p.res.rotations++
	return p.successor
}

func (g *gitHub) revoke(res *resource) {
	for _, p := range g.tokens {
		if p.res == res {
			p.revoked, p.accessDead = true, true
		}
	}
}

// request is one POST on its way.
type request struct {
	out, back time.Duration
	// unreachable says that no connection comes about.
	unreachable bool
	// before and after replace GitHub's answer; before keeps it from exchanging.
	before, after *github.Reply
	// cut is where the reply is cut off; 0 is whole.
	cut int
	// lost says that the reply is lost on purpose.
	lost bool
}

func (w *world) newRequest(res *resource, left time.Duration) request {
	q := request{out: w.mostly(100*time.Millisecond, 2*time.Second), back: w.mostly(100*time.Millisecond, 2*time.Second)}
	page := func(status int, body string) *github.Reply {
		return &github.Reply{Status: status, Body: credential.NewRaw([]byte(body))}
	}
	switch {
	case w.now < res.misconfigured:
		q.before = page(http.StatusOK, `{"error":"incorrect_client_credentials"}`)
	case w.strikes(GitHubFailedBefore, 60):
		q.before = page(http.StatusBadGateway, "<html>Server Error</html>")
	case w.strikes(GitHubFailedAfter, 200):
		q.after, q.lost = page(http.StatusBadGateway, "<html>Server Error</html>"), true
	case w.strikes(GitHubRequestLost, 80):
		q.out, q.unreachable = -1, w.chance().IntN(2) == 0
	case w.strikes(GitHubReplyLost, 200):
		q.back, q.lost = -1, true
	case w.strikes(GitHubReplyCut, 200):
		q.cut, q.lost = 1+w.chance().IntN(200), true
	case w.strikes(GitHubHTML, 100):
		q.before = page(http.StatusOK, "<html><title>Sign in</title></html>")
	case w.strikes(GitHubRedirect, 150):
		q.before = page(http.StatusTemporaryRedirect, "")
	case w.strikes(GitHubRateLimited, 80):
		q.before = page(http.StatusTooManyRequests, "")
		q.before.RateLimited, q.before.RetryAfter = true, w.between(time.Second, 2*time.Minute)
	case w.strikes(GitHubRateLimitedSilently, 100):
		q.before = page(http.StatusForbidden, `{"message":"You have exceeded a secondary rate limit"}`)
	case w.strikes(GitHubHang, 150):
		q.lost = true
		q.out = w.between(0, max(0, left)+20*time.Second) // A deadline may have passed before the request was made.
		q.back = max(0, left-q.out) + w.between(time.Second, time.Minute)
	case w.strikes(GitHubMisconfigured, 200):
		res.misconfigured = w.now + w.mostly(time.Minute, 30*time.Minute)
		q.before = page(http.StatusOK, `{"error":"incorrect_client_credentials"}`)
	}
	return q
}

// Exchange implements rotation.Exchanger.
func (e exchanger) Exchange(ctx context.Context, app github.App, token credential.RefreshToken) (*github.Reply, error) {
	w, f := e.life.world, e.life.world.current.attempt
	limit := deadlineOf(ctx, w.now, time.Minute)
	// The connection takes a while, and the process may be stopped meanwhile.
	if err := w.sleep(ctx, w.mostly(30*time.Millisecond, 3*time.Second)); err != nil && w.cfg.Break != BreakDeadlineNotEnforced {
		return nil, &github.Error{Class: github.Transient, Reason: github.Timeout, Host: app.Host}
	}
	if w.now >= limit && w.cfg.Break != BreakDeadlineNotEnforced {
		return nil, &github.Error{Class: github.Transient, Reason: github.Timeout, Host: app.Host}
	}
	q := w.newRequest(f.res, limit-w.now)
	if q.unreachable {
		return nil, &github.Error{Class: github.Transient, Reason: github.HostUnreachable, Host: app.Host}
	}
	f.deadline = limit
	w.judgeSend(f, token, app)
	e.life.clockBegins(f.res)
	sentAt, ahead := e.life.wall(), e.life.replica.skew

	var reply *github.Reply
	answered := w.roundTrip(ctx, limit, q.out, q.back, func() { reply = w.gitHub.answer(f, q, token, app) })
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

// answer is what happens at GitHub when the request arrives.
func (g *gitHub) answer(f *attempt, q request, token credential.RefreshToken, app github.App) *github.Reply {
	reply := g.answerTo(f, q, token, app)
	reply.Date = g.world.date()
	return reply
}

// date is what GitHub says that the time is.
func (w *world) date() time.Time { return epoch.Add(w.now).Truncate(time.Second) }

func (g *gitHub) answerTo(f *attempt, q request, token credential.RefreshToken, app github.App) *github.Reply {
	w := g.world
	if q.before != nil {
		w.tracef("GITHUB %s: %d without an exchange", f.res.namespace, q.before.Status)
		return q.before
	}
	var p *issued
	named := g.tokens[token.Reveal()]
	switch {
	case named != nil && named.isGood() && !named.misjudged && w.strikesOn(f.res, GitHubMistaken, 200):
		named.misjudged = true
	case named == nil || named.res == f.res:
		p = g.exchange(token.Reveal(), app.Key())
	}
	if p == nil { // A thief gets nothing either: that the token was sent at all is what matters.
		w.tracef("GITHUB %s: bad_refresh_token", f.res.namespace)
		f.res.refusals++
		return &github.Reply{Status: http.StatusOK, Body: credential.NewRaw([]byte(`{"error":"bad_refresh_token"}`))}
	}
	w.tracef("GITHUB %s: issued login %d generation %d", f.res.namespace, p.login, p.generation)
	return g.reply(f, q, p)
}

// reply is GitHub's answer with a pair that it has just issued.
func (g *gitHub) reply(f *attempt, q request, p *issued) *github.Reply {
	w := g.world
	if w.strikesOn(f.res, GitHubFreshTokenRefused, 10) {
		p.refusedUntil = w.now + w.between(0, 5*time.Second)
	}
	f.pair, p.minted = p, f
	if q.lost || f.life.dead || f.answered {
		p.fate = fateNoReply
	}
	if q.after != nil {
		return q.after
	}
	body := fmt.Sprintf(`{"access_token":%q,"expires_in":%d,"refresh_token":%q,"refresh_token_expires_in":15897600,"scope":"","token_type":"bearer"}`,
		p.access, int(w.cfg.Lifetime.Seconds()), p.refresh)
	reply := &github.Reply{Status: http.StatusOK}
	if q.cut > 0 {
		body, reply.Truncated = body[:min(q.cut, len(body))], true
	}
	reply.Body = credential.NewRaw([]byte(body))
	return reply
}

// underWay is how many exchanges wait for their answer.
func (g *gitHub) underWay() (count int) {
	for _, p := range g.tokens {
		for _, f := range p.attempts {
			if !f.answered && !f.life.dead {
				count++
			}
		}
	}
	return count
}
