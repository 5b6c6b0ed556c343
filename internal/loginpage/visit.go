package loginpage

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/endpoint"
	"github.com/githubusertoken/github-user-token-operator/internal/loginpage/visits"
)

// Visits is how people prove whose account is theirs. A visit is a GitHubUserToken in the page's own namespace. The operator redeems its code, and
// writes into its status whose it is; then the page deletes it, and the operator revokes its token.
type Visits struct {
	// Namespace is the page's own, and App the one that the visits are of.
	Namespace string
	App       v1alpha1.AppReference
	// Key seals what this page says of a browser to itself. All replicas have the same.
	Key func() ([]byte, error)
	// PerClient and InAll are how many visits may be under way at once, of one address and of all. Defaults: 4 and 40.
	PerClient, InAll int
}

// sweepEvery is how often visits are looked for that were left.
const sweepEvery = time.Minute

// visitView fills the page on which a visit begins.
type visitView struct {
	Action, Code string
	Account      string
}

// visitCode shows that the form which begins a visit was shown to a browser.
func visitCode(visit hidden) string { return sealed(visit, "begin a visit") }

// beginVisit is POST /tokens: a visit is made, and asks for its login at once. One browser has one at a time, one address some, and all together
// no more than there are places; who has not confirmed makes room.
func (p *Page) beginVisit(r *http.Request, _ string) answer {
	visit, fresh := visitOf(r)
	if fresh || !same(field(r, "code"), visitCode(visit)) {
		return p.stopped(r, whyForm)
	}
	key, err := p.visits.Key()
	if err != nil {
		p.log.Error(err, "The key that seals what is known of a browser could not be read")
		return p.stopped(r, whyUnavailable)
	}
	browser, visitor := nameFor(visit, "browser"), nameFor(hide(string(key)), "visitor", endpoint.ClientOf(r))
	under, err := p.cluster.visits(r.Context(), p.visits.Namespace)
	if err != nil {
		p.log.Error(err, "The visits that are under way could not be looked at")
		return p.stopped(r, whyUnavailable)
	}
	room := visits.Limits{PerClient: p.visits.PerClient, InAll: p.visits.InAll}.Room(under, browser, visitor, p.now())
	if room.Own != nil {
		s := p.visitSession(visit, room.Own.Name)
		s.uid = room.Own.UID
		if now := standing(room.Own, s, p.now()); now == isAsked || now == isOpen {
			return p.visitBegun(s)
		}
		room.End = append(room.End, room.Own)
	}
	if room.Full {
		return p.stopped(r, whyVisitsFull)
	}
	for _, ends := range room.End {
		if err := p.cluster.endVisit(r.Context(), ends); err != nil {
			p.log.Error(err, "A visit could not be ended")
			return p.stopped(r, whyUnavailable)
		}
	}
	s := p.visitSession(visit, v1alpha1.VisitPrefix+strings.ToLower(rand.Text()))
	made, err := p.cluster.makeVisit(r.Context(), p.visits, s, browser, visitor, p.address.callback())
	if err != nil {
		p.log.Error(err, "A visit could not be made")
		return p.stopped(r, whyUnavailable)
	}
	s.uid = made.UID
	p.log.Info("A visit was begun", "name", s.name.name)
	return p.visitBegun(s)
}

// visitSession is a visit as its browser knows it. All of it follows from the secret of the browser, so that to begin twice is to begin once.
func (p *Page) visitSession(visit hidden, name string) session {
	return session{
		name: resourceName{p.visits.Namespace, name}, ticket: hide(sealed(visit, "ticket of a visit", name)), browser: hide(sealed(visit, "browser of a visit", name)),
	}
}

func (p *Page) visitBegun(s session) answer {
	return p.onTo("begun", pathVisitWait).with(s.cookieAs(cookieProof), dropCookie(cookieProofCode), dropCookie(cookieWho))
}

// nameFor is by what somebody is known in a label, which tells nothing of them.
func nameFor(key hidden, of ...string) string {
	sum := sha256.Sum256([]byte(sealed(key, "name in a label", of...)))
	return hex.EncodeToString(sum[:10])
}

// visitNow is the visit of a browser as it is now. reason is why there is none to go on with.
func (p *Page) visitNow(ctx context.Context, s session) (token *v1alpha1.GitHubUserToken, now stage, reason why) {
	if s.name.namespace != p.visits.Namespace || !strings.HasPrefix(s.name.name, v1alpha1.VisitPrefix) {
		return nil, isTaken, whyVisitEnded
	}
	token, err := p.cluster.token(ctx, s.name)
	if err != nil {
		return nil, isTaken, p.unread(err, s.name, whyVisitEnded)
	}
	now = standing(token, s, p.now())
	switch now {
	case isAsked, isOpen, isRedeeming, isOver, isHeld:
		return token, now, ""
	default:
		return token, now, whyVisitEnded
	}
}

// showVisitWait is GET /tokens/wait; see showWait.
func (p *Page) showVisitWait(r *http.Request, _ string) answer {
	if _, ok := sessionIn(r, cookieProof); !ok {
		return p.stopped(r, whyNoVisit)
	}
	next := p.address.to(pathVisitGo)
	a := shown("waiting", "visitwait", waitView{next})
	a.refresh, a.refreshAfter = next, againAfter
	return a
}

// goOnVisit is GET /tokens/go: on to GitHub, as soon as the operator has begun the attempt.
func (p *Page) goOnVisit(r *http.Request, _ string) answer {
	s, ok := sessionIn(r, cookieProof)
	if !ok {
		return p.stopped(r, whyNoVisit)
	}
	var a answer
	if !p.hold(r.Context(), func() (found bool) { a, found = p.visitOnward(r, s); return found }) {
		return p.onTo("waiting", pathVisitWait)
	}
	return a
}

func (p *Page) visitOnward(r *http.Request, s session) (a answer, found bool) {
	token, now, reason := p.visitNow(r.Context(), s)
	switch {
	case reason == whyUnavailable:
		return answer{}, false
	case reason != "":
		return p.stopped(r, reason), true
	case now == isAsked, now == isHeld:
		return answer{}, false
	case now != isOpen:
		return p.onTo("over", pathVisitProven), true
	}
	app, reason := p.findApp(r.Context(), token)
	if reason != "" {
		return p.stopped(r, reason), true
	}
	page, _, err := gitHubsPage(token.Status.WebLogin.AuthorizeURL, app, p.address.callback())
	if err != nil {
		p.log.Error(err, "Nobody was sent to GitHub", "namespace", s.name.namespace, "name", s.name.name)
		return p.stopped(r, whyAddress), true
	}
	switch err := p.cluster.markSent(r.Context(), token, p.now()); {
	case err == nil:
	case errors.Is(err, errGone):
		return p.stopped(r, whyVisitEnded), true
	case isForbidden(err): // By a policy of an earlier version. Most people are back before it is removed.
		p.log.Error(err, "It could not be taken down that the browser of a visit was sent to GitHub", "name", s.name.name)
	default:
		return answer{}, false
	}
	return answer{outcome: "sent", location: page}, true
}

// takeProof is the part of GET /callback for a visit. It is one where the answer has the state of the visit that this browser has begun;
// otherwise it may be that of a login.
func (p *Page) takeProof(r *http.Request) (a answer, isVisit bool) {
	s, ok := sessionIn(r, cookieProof)
	said, readable := readAnswer(r.URL.RawQuery)
	if p.visits == nil || !ok || !readable {
		return answer{}, false
	}
	token, now, reason := p.visitNow(r.Context(), s)
	if reason == whyUnavailable {
		p.pause(r.Context(), betweenTries)
		token, now, reason = p.visitNow(r.Context(), s)
	}
	var app app
	if reason == "" && now == isOpen {
		app, reason = p.findApp(r.Context(), token)
	}
	switch _, both := sessionOf(r); {
	case reason == whyUnavailable: // Whichever of the two it is of: to reload it helps, so it stays at this address.
		return p.stopped(r, reason), true
	case reason == "" && now == isHeld && !both:
		return p.stopped(r, whyHeld), true // To reload it helps, as before.
	case reason == whyVisitEnded && !both: // As when it made room for another one. Nobody has lured its person here.
		return p.stoppedAt(reason).with(dropCookie(cookieProof), dropCookie(cookieProofCode)), true
	case reason == "" && !both && (now == isRedeeming || now == isOver):
		return p.onTo("over", pathVisitProven), true
	case reason != "" || now != isOpen:
		return answer{}, false
	}
	_, state, err := gitHubsPage(token.Status.WebLogin.AuthorizeURL, app, p.address.callback())
	switch {
	case err != nil, !state.is(said.state.reveal()):
		return answer{}, false
	case said.issuer != "" && !isIssuer(said.issuer, app):
		return p.stoppedAt(whyIssuer), true
	case said.failure != "":
		p.leave(r.Context(), token)
		return p.stoppedAt(whyVisitDenied).with(dropCookie(cookieProof), dropCookie(cookieProofCode)), true
	}
	return p.onTo("answered", pathVisitConfirm).with(codeCookieAs(cookieProofCode, s, said.answered)), true
}

// visitConfirmView fills the page that asks whether somebody is to be known here.
type visitConfirmView struct {
	Host, ClientID, Ref                    string
	Action, Code, CancelAction, CancelCode string
}

// visitToConfirm is the visit whose code is in the browser; otherwise where that is led instead.
func (p *Page) visitToConfirm(r *http.Request) (s session, token *v1alpha1.GitHubUserToken, said answered, found app, instead *answer) {
	fail := func(a answer) (session, *v1alpha1.GitHubUserToken, answered, app, *answer) {
		return session{}, nil, answered{}, app{}, &a
	}
	s, ok := sessionIn(r, cookieProof)
	if !ok {
		return fail(p.stopped(r, whyNoVisit))
	}
	token, now, reason := p.visitNow(r.Context(), s)
	switch {
	case reason != "":
		return fail(p.stopped(r, reason))
	case now == isRedeeming, now == isOver:
		return fail(p.onTo("over", pathVisitProven))
	case now != isOpen:
		return fail(p.stopped(r, whyVisitEnded))
	}
	if found, reason = p.findApp(r.Context(), token); reason != "" {
		return fail(p.stopped(r, reason))
	}
	_, state, err := gitHubsPage(token.Status.WebLogin.AuthorizeURL, found, p.address.callback())
	if err != nil {
		return fail(p.stopped(r, whyAddress))
	}
	if said, ok = answerIn(r, cookieProofCode, s); !ok || !state.is(said.state.reveal()) {
		return fail(p.stopped(r, whyNoVisit))
	}
	return s, token, said, found, nil
}

// showVisitConfirmation is GET /tokens/confirm: GitHub may have sent somebody back without a question.
func (p *Page) showVisitConfirmation(r *http.Request, _ string) answer {
	s, token, _, found, instead := p.visitToConfirm(r)
	if instead != nil {
		return *instead
	}
	return shown("shown", "visitconfirm", visitConfirmView{
		Host: found.shownHost(), ClientID: plain(found.clientID), Ref: plain(found.ref),
		Action: p.address.to(pathVisitConfirm), Code: confirmCode(s, token.Status.WebLogin.AttemptID),
		CancelAction: p.address.to(pathVisitCancel), CancelCode: cancelCode(s),
	})
}

// confirmVisit is POST /tokens/confirm: the code goes to the operator.
func (p *Page) confirmVisit(r *http.Request, _ string) answer {
	s, token, said, _, instead := p.visitToConfirm(r)
	if instead != nil {
		return *instead
	}
	if !same(field(r, "code"), confirmCode(s, token.Status.WebLogin.AttemptID)) {
		return p.stopped(r, whyForm)
	}
	for range maxTries {
		err := p.cluster.bring(r.Context(), token, token.Status.WebLogin.AttemptID, said.code)
		if err == nil {
			return p.onTo("confirmed", pathVisitProven).with(dropCookie(cookieProofCode))
		}
		p.log.Error(err, "The code of a visit could not be brought to the operator")
		if isForbidden(err) {
			break
		}
		p.pause(r.Context(), betweenTries)
	}
	return p.stopped(r, whyUnavailable)
}

// showProven is GET /tokens/proven: as soon as the operator has said whose the account is, the visit ends, and this browser is known for some
// minutes. Nobody but the browser that has begun the visit brings that about.
func (p *Page) showProven(r *http.Request, _ string) answer {
	s, ok := sessionIn(r, cookieProof)
	visit, fresh := visitOf(r)
	if !ok || fresh {
		return p.stopped(r, whyNoVisit)
	}
	var token *v1alpha1.GitHubUserToken
	var reason why
	var who identity
	known := p.hold(r.Context(), func() bool {
		var now stage
		if token, now, reason = p.visitNow(r.Context(), s); reason != "" {
			return reason != whyUnavailable
		}
		who, ok = identityOf(token)
		return ok || now == isOver && token.Status.WebLogin.Result != v1alpha1.WebLoginSucceeded
	})
	switch {
	case !known:
		a := shown("waiting", "visitwait", waitView{p.address.to(pathVisitProven)})
		a.refresh, a.refreshAfter = p.address.to(pathVisitProven), againAfter
		return a
	case reason != "":
		return p.stopped(r, reason)
	case !ok && token.Status.WebLogin != nil && token.Status.WebLogin.Result != "":
		p.leave(r.Context(), token)
		refused := whyVisitFailed
		if token.Status.WebLogin.Result == v1alpha1.WebLoginRefused {
			refused = whyVisitRefused
		}
		return p.stopped(r, refused).with(dropCookie(cookieProof), dropCookie(cookieProofCode))
	}
	p.leave(r.Context(), token) // Whatever comes of it: its token has done what it is for.
	if found, why := p.findApp(r.Context(), token); why != "" || !strings.HasPrefix(who.Account, found.shownHost()+"/") {
		return p.stopped(r, whyVisitFailed).with(dropCookie(cookieProof), dropCookie(cookieProofCode))
	}
	sealedWho, err := p.whoCookie(visit, who)
	if err != nil {
		p.log.Error(err, "The key that seals what is known of a browser could not be read")
		return p.stopped(r, whyVisitFailed).with(dropCookie(cookieProof), dropCookie(cookieProofCode))
	}
	return p.onTo("proven", pathTokens).with(sealedWho, dropCookie(cookieProof), dropCookie(cookieProofCode))
}

// leave ends a visit. What is left of it is swept.
func (p *Page) leave(ctx context.Context, token *v1alpha1.GitHubUserToken) {
	if err := p.cluster.endVisit(ctx, token); err != nil {
		p.log.Error(err, "A visit could not be ended; it is swept later", "name", token.Name)
	}
}

// leaveOwn ends the visit that this browser has begun, if there is one.
func (p *Page) leaveOwn(r *http.Request) {
	s, ok := sessionIn(r, cookieProof)
	if !ok {
		return
	}
	if token, now, _ := p.visitNow(r.Context(), s); token != nil && now != isTaken {
		p.leave(r.Context(), token)
	}
}

// cancelVisit is POST /tokens/cancel.
func (p *Page) cancelVisit(r *http.Request, _ string) answer {
	s, ok := sessionIn(r, cookieProof)
	if !ok {
		return p.stopped(r, whyNoVisit)
	}
	if !same(field(r, "code"), cancelCode(s)) {
		return p.stopped(r, whyForm)
	}
	p.leaveOwn(r)
	return p.stoppedAt(whyVisitDenied).with(dropCookie(cookieProof), dropCookie(cookieProofCode))
}

// Sweep removes visits that were left, as by a tab that was closed or a page that has died, until the context ends.
func (p *Page) Sweep(ctx context.Context) error {
	for p.visits != nil && ctx.Err() == nil {
		p.sweepOnce(ctx)
		p.pause(ctx, sweepEvery)
	}
	return nil
}

func (p *Page) sweepOnce(ctx context.Context) {
	under, err := p.cluster.visits(ctx, p.visits.Namespace)
	if err != nil {
		p.log.Error(err, "Visits that were left could not be looked for")
		return
	}
	for i := range under {
		if !visits.IsLeft(&under[i], p.now()) {
			continue
		}
		if err := p.cluster.endVisit(ctx, &under[i]); err != nil && !errors.Is(err, errGone) {
			p.log.Error(err, "A visit that was left could not be removed", "name", under[i].Name)
		}
	}
}

// identityOf is whose account the status of a visit says that it is.
func identityOf(token *v1alpha1.GitHubUserToken) (identity, bool) {
	login, user := token.Status.Login, token.Status.User
	if login == nil || user == nil || login.Account == "" {
		return identity{}, false
	}
	return identity{Account: login.Account, Login: plain(user.Login)}, true
}
