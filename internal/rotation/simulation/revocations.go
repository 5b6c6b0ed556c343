package simulation

import (
	"fmt"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/revokerequest"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// readLogin is what people can read of a login in the status.
func (w *world) readLogin(res *resource, s *scope.Scope) {
	login := revokerequest.Report(s)
	if login == nil || s.Pair == nil {
		return
	}
	res.told, res.toldOf = login, 0
	if p := w.gitHub.names[s.Pair.State.RefreshToken]; p != nil && p.res == res {
		res.toldOf = p.login
	}
}

// askRevocation is the person whose token it is, who asks for the end of the login that they have read of. Somebody else may ask in
// the name of another account, or a person may log in anew at that moment, by whatever way, of which the request knows nothing.
func (w *world) askRevocation(res *resource, ref rotation.Ref) {
	if res.told == nil || res.toldOf == 0 || res.token == nil || res.isDeleting() {
		return
	}
	value := res.told.Account + " " + res.told.ID
	switch w.chance().IntN(5) {
	case 0:
		value = "1" + value
	case 1:
		value = fmt.Sprintf("%s/%d %s", rightApp.Host, 1_000_000+res.number, res.told.ID)
	default:
		if res.asked == nil {
			res.asked, res.takenDown, res.takenDownFor = map[int]string{}, map[int]moment{}, map[int]string{}
		}
		res.asked[res.toldOf] = value
	}
	w.change(res, func(token *v1alpha1.GitHubUserToken) {
		if token.Annotations == nil {
			token.Annotations = map[string]string{}
		}
		token.Annotations[v1alpha1.AnnotationRevocationRequested] = value
	})
	switch w.chance().IntN(6) {
	case 0:
		w.after(w.between(0, 2*w.cfg.Lifetime/100), func() { w.logIn(res, res.account) })
	case 1:
		w.after(w.between(0, 2*w.cfg.Lifetime/100), func() { w.pasteLogin(res, ref) })
	}
}

// pasteLogin is a person who has logged in elsewhere, and puts the refresh token into the pair Secret by hand.
func (w *world) pasteLogin(res *resource, ref rotation.Ref) {
	o := w.api.secrets[ref]
	if w.calm || o == nil || o.pair.Immutable || !o.pair.Controlled || !res.is(o.pair.Owner.UID) {
		return
	}
	if state := &o.pair.State; state.Login.IsOpen(state.AccessToken, state.RefreshToken) {
		if open := w.gitHub.names[state.RefreshToken]; open != nil && open.res == res {
			res.pastedOver = append(res.pastedOver, open)
		}
	}
	p := w.gitHub.login(res, res.account, rightApp.Key())
	res.damaged, res.pasted = res.logins, true
	if res.pastedLogins == nil {
		res.pastedLogins = map[int]bool{}
	}
	res.pastedLogins[p.login] = true
	w.tracef("PASTED %s: login %d", res.namespace, p.login)
	w.api.edit(ref, func(pair *rotation.Pair) { pair.RefreshToken = credential.NewRefreshToken(p.refresh) })
}

// judgeRevocation is asked when a pair is to be revoked at GitHub. That of a resource which stays is revoked because its person has asked for
// the end of this very login, or because it must not be stored.
func (w *world) judgeRevocation(e exchanger, p *issued) {
	f := w.current.attempt
	if p == nil || p.res != f.res || p.storedAt == 0 || !f.res.isNow(f.owner) || f.job != noJob {
		return
	}
	if f.res.asked[p.login] != "" {
		if at := f.res.takenDown[p.login]; (at == 0 || at >= w.now) && max(f.res.damaged, f.res.garbled, f.res.forgetful) < p.login {
			w.violate("%s: login %d is being revoked by %s, and it was not taken down before that this was asked for", f.res.namespace, p.login, e.life)
		}
		return
	}
	if o := w.secretOf(f.res); o == nil || !o.pair.State.Login.IsAsked() {
		return // It is one that was received and must not be stored.
	}
	w.violate("%s: login %d is being revoked by %s, and nobody has asked for that", f.res.namespace, p.login, e.life)
}

// judgeTakenDown is told of each write of the operator: that the end of a login was asked for is written before GitHub is asked.
func (w *world) judgeTakenDown(res *resource, before, after *object) {
	login := after.pair.State.Login
	if !login.IsAsked() || before != nil && before.pair.State.Login.IsAsked() && before.pair.State.Login.First == login.First {
		return
	}
	p := w.gitHub.names[after.pair.State.RefreshToken]
	if p == nil || p.res != res {
		return
	}
	if res.asked[p.login] == "" && res.garbled < p.login && res.forgetful < p.login {
		w.violate("%s: the end of login %d was taken down, and nobody has asked for that", res.namespace, p.login)
	}
	if res.asked[p.login] != "" && res.takenDown[p.login] == 0 {
		res.takenDown[p.login], res.takenDownFor[p.login] = w.now, after.pair.State.Owner
	}
}

// judgeAskedBefore is asked when a refresh token is sent: not one of a login whose end was taken down before the fence.
func (w *world) judgeAskedBefore(f *attempt, p *issued) {
	at := f.res.takenDown[p.login]
	if p.spent && f.res.isDeleting() {
		return // Its Secret may have gone already, and with it what was asked for: a process that has not heard of that takes the seed for a new one.
	}
	if at > 0 && f.res.takenDownFor[p.login] == f.owner.UID && // The next resource of the name knows nothing of it.
		f.fencedAt > at && p.restoredAt == 0 && !p.copied && max(f.res.garbled, f.res.damaged, f.res.forgetful) < p.login {
		w.violate("%s: a token of login %d was exchanged, whose end was asked for", f.res.namespace, p.login)
	}
}

// judgeAsked is asked when everything has settled: what a person has asked for is done, and what is said to be is.
func (w *world) judgeAsked(res *resource, pair *rotation.Pair) {
	state := &pair.State
	if state.Owner != string(res.token.UID) {
		return
	}
	p := w.gitHub.tokens[pair.RefreshToken.Reveal()]
	switch {
	case revokerequest.IsAsked(res.token, pair) && !state.Login.IsAsked() && (state.HasToken() || state.RefreshToken != ""):
		w.violate("%s: the end of a login was asked for, and that was not taken down", res.namespace)
	case state.Login.IsOpen(state.AccessToken, state.RefreshToken):
		w.violate("%s: the end of a login was asked for, and it lives on", res.namespace)
	case state.Login.IsAsked() && p != nil && p.res == res && p.isGood() && !p.misjudged && res.damaged < p.login:
		w.violate("%s: login %d is said to have ended, and its tokens are good", res.namespace, p.login)
	}
}

// judgeLeftAlive is asked when everything has settled: a login whose end was taken down has ended, or an event tells that it lives on, also where
// another one has taken its place since.
func (w *world) judgeLeftAlive(res *resource) {
	for _, p := range w.gitHub.tokens {
		known := p.res == res && res.takenDown[p.login] > 0 && p.storedAt > 0 && p.restoredAt == 0 && !p.copied
		if known && p.isGood() && !p.misjudged && !res.warned && max(res.damaged, res.garbled, res.forgetful) < p.login {
			w.violate("%s: everything has settled, and login %d, whose end was asked for, lives on in silence", res.namespace, p.login)
		}
	}
}

// seesPastes are the faults among which nothing but a login that is pasted makes the operator lose sight of the one before.
var seesPastes = Of(RevocationAsked, LabelEdit, RefreshRequested, APISlow, GitHubRequestLost, GitHubFailedBefore)

// judgePastedOver is asked when everything has settled: a login that was to end, and over which a person has put another one by hand, has ended, or an
// event tells that it lives on.
func (w *world) judgePastedOver(res *resource) {
	for _, p := range res.pastedOver {
		if p.isGood() && !p.misjudged && !res.warned && w.cfg.Faults.except(seesPastes).isEmpty() {
			w.violate("%s: everything has settled, and login %d, over whose end another one was pasted, lives on in silence", res.namespace, p.login)
		}
	}
}

// judgeAskedGone is asked when a resource is gone: a login whose end was taken down, or asked for to the last, has ended before, or an event
// tells that it lives on.
func (w *world) judgeAskedGone(res *resource) {
	asked, uid := res.token.Annotations[v1alpha1.AnnotationRevocationRequested], string(res.token.UID)
	for _, p := range w.gitHub.tokens {
		isAsked := asked != "" && res.asked[p.login] == asked && p.ownerUID() == uid && res.unheld != uid && p.restoredAt == 0 && !p.copied && !p.disowned
		known := p.res == res && (res.takenDown[p.login] > 0 || isAsked) && p.storedAt > 0 && p.dropped && !p.outdated
		if known && p.isGood() && !p.misjudged && !res.warned && max(res.damaged, res.garbled, res.forgetful) < p.login {
			w.violate("%s: the resource is gone, and login %d, whose end was asked for, lives on in silence", res.namespace, p.login)
		}
	}
}
