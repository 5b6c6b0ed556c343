package simulation

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// attemptBegins is the moment at which people like to interfere: most of what they do falls into the next
// seconds, the rest somewhere into the lifetime of the token.
func (w *world) attemptBegins(f *attempt) {
	for _, kind := range people {
		if !w.strikes(kind, 60) {
			continue
		}
		in := w.mostly(3*time.Second, time.Minute)
		if w.chance().IntN(4) == 0 {
			in = w.between(0, w.cfg.Lifetime)
		}
		w.after(in, func() {
			if !w.calm {
				w.interfere(kind, f.res)
			}
		})
	}
	for _, kind := range []Fault{WebhookAlters, WebhookStripsIntent} {
		if w.strikes(kind, 200) {
			w.webhookBegins(f.res, kind)
		}
	}
	// Where nothing can be written in any namespace nothing goes on, and nothing is found out.
	if f.res.number%3 == 1 && w.cfg.Resources > 2 && w.strikes(APIRefused, 200) {
		w.after(w.mostly(time.Second, 10*time.Second), func() {
			if !w.calm {
				f.res.denied = w.longest()
			}
		})
	}
	if w.strikes(APIDenied, 200) {
		w.after(w.mostly(time.Second, 10*time.Second), func() {
			if !w.calm {
				f.res.denied = max(f.res.denied, w.now+w.mostly(time.Minute, 20*time.Minute))
			}
		})
	}
}

// interfere is one thing that a person does.
func (w *world) interfere(kind Fault, res *resource) {
	w.tracef("PERSON %s: %v", res.namespace, kind)
	w.acting = res
	defer func() { w.acting = nil }()
	ref := w.whereOf(res)
	later := w.mostly(2*time.Minute, 30*time.Minute)
	switch kind {
	case LabelEdit:
		for range 1 + w.chance().IntN(3) {
			w.after(w.between(0, time.Second), func() { w.api.edit(ref, func(*rotation.Pair) {}) })
		}
	case NewSeed:
		w.logIn(res, res.account)
	case WrongUserSeed:
		w.logIn(res, "mallory")
	case SecretDeleted:
		if o := w.api.secrets[ref]; o != nil && (!o.protected || o.pair.Orphan && o.pair.State.Retained) {
			res.damaged = res.logins // A retained pair is protected by nothing.
		}
		_ = w.api.remove(person, ref, "", "")
	case SecretForceDeleted:
		w.forceDelete(res, ref)
	case SecretReplaced:
		w.forceDelete(res, ref)
		_, _ = w.api.create(person, &rotation.Pair{Ref: ref})
		w.after(later, func() { w.removeForeign(ref) })
	case SecretImmutable:
		w.api.edit(ref, func(p *rotation.Pair) { p.Immutable = true })
	case HandEdit:
		w.handEdit(res, ref)
	case RefreshRequested:
		w.change(res, func(token *v1alpha1.GitHubUserToken) { w.annotate(token, v1alpha1.AnnotationRefreshRequestedAt) })
	case Suspended:
		w.respec(res, func(spec *v1alpha1.GitHubUserTokenSpec) { spec.Suspend = true })
		w.after(later, func() { w.respec(res, func(spec *v1alpha1.GitHubUserTokenSpec) { spec.Suspend = false }) })
	case Renamed:
		w.respec(res, func(spec *v1alpha1.GitHubUserTokenSpec) {
			spec.Secret.Name = pairNames[(slices.Index(pairNames[:], spec.Secret.Name)+1)%len(pairNames)]
		})
	case StateGarbled:
		res.garbled = res.logins
		if w.cfg.Faults.Count() > 3 {
			// What was known of former logins, and which copy is the newer, is gone. That alone does no harm.
			res.damaged, res.forgetful = res.logins, res.logins
		}
		w.api.edit(ref, func(p *rotation.Pair) { p.State, p.StateLost = rotation.State{ExpiresAt: p.State.ExpiresAt}, true }) // The expiry is in the data, too.
	case FormatNewer:
		// A newer version of the operator was there for a while.
		w.api.edit(ref, func(p *rotation.Pair) { p.State.Format = rotation.StateFormat + 1 })
		w.after(later, func() { w.olderFormat(res) })
	case AppChanged:
		res.appChanged = true
		w.respec(res, func(spec *v1alpha1.GitHubUserTokenSpec) { spec.App.ClientID = wrongApp.ClientID })
		w.after(later, func() {
			w.respec(res, func(spec *v1alpha1.GitHubUserTokenSpec) { spec.App.ClientID = rightApp.ClientID })
		})
	case ResourceDeleted:
		w.deleteResource(res, v1alpha1.DeletionPolicyDelete, 0)
	case ResourceRetained:
		w.deleteResource(res, v1alpha1.DeletionPolicyRetain, 0)
	case ResourceRevoked:
		w.deleteResource(res, v1alpha1.DeletionPolicyRevoke, 0)
	case NamespaceDeleted:
		w.deleteResource(res, v1alpha1.DeletionPolicyDelete, w.now+later)
	case Revoked:
		w.gitHub.revoke(res)
	case BackupRestored:
		w.restoreBackup(res, ref)
	case TokenCopied:
		w.copyToken(res, later)
	case SeedDeleted, SeedReverted:
		w.takeSeed(kind, res, later)
	case RevocationAsked:
		w.askRevocation(res, ref)
	case CodeDeleted:
		w.api.dropCodes(res.namespace, func(*storedCode) bool { return true })
	case SaidDead:
		// GitHub is mistaken for a while, and sends notice.
		res.saidDead = w.now + w.mostly(10*time.Second, 10*time.Minute)
		if len(w.lives) > 0 {
			w.lives[w.chance().IntN(len(w.lives))].notice(res)
		}
	}
}

// takeSeed takes the token out of the seed: the Secret is deleted, or has the former one again, which is spent. Later
// somebody puts it back, or logs in anew.
func (w *world) takeSeed(kind Fault, res *resource, later time.Duration) {
	token, former := res.seed, w.gitHub.tokens[res.formerSeed.Reveal()]
	switch {
	case token.IsZero() || kind == SeedReverted && (former == nil || !former.spent || former.res != res || res.formerSeed == token):
		return
	case kind == SeedReverted:
		w.reseed(res, res.formerSeed)
	default:
		w.unseed(res)
	}
	taken, logins := res.seed, res.logins
	w.after(later, func() {
		switch {
		case res.seed != taken || res.logins != logins: // Who has logged in since puts no older token back: it would be a login again.
		case res.rng.IntN(4) == 0:
		case res.rng.IntN(3) == 0:
			w.logIn(res, res.account)
		default:
			w.reseed(res, token)
		}
	})
}

// copyToken puts the current refresh token of a resource into the seed of the next one. Later somebody sees that, and that
// one gets a login of its own again.
func (w *world) copyToken(res *resource, later time.Duration) {
	thief := w.all[(res.number+1)%len(w.all)]
	o := w.secretOf(res)
	if thief == res || !thief.usesSeed() || o == nil || o.pair.RefreshToken.IsZero() {
		return
	}
	p := w.gitHub.tokens[o.pair.RefreshToken.Reveal()]
	if p == nil || p.res != res {
		return
	}
	p.thieves = append(p.thieves, thief)
	w.reseed(thief, o.pair.RefreshToken)
	w.after(later, func() {
		if thief.seed == o.pair.RefreshToken {
			w.logIn(thief, thief.account)
		}
	})
}

// restoreBackup takes a copy of the pair Secret, and the next time brings it back: over the Secret that is there by
// then, or in its place after the resource was lost.
func (w *world) restoreBackup(res *resource, ref rotation.Ref) {
	now, copied := w.api.secrets[ref], res.backup
	switch {
	case copied == nil && now != nil && !now.pair.RefreshToken.IsZero():
		res.backup = now.pair
		return
	case copied == nil:
		return
	}
	res.backup = nil
	if w.chance().IntN(2) == 0 {
		if now != nil && now.pair.Controlled && now.pair.Owner == copied.Owner && !now.pair.Immutable {
			w.api.restoreOver(ref, copied)
		}
		return
	}
	withOwner := w.chance().IntN(2) == 0
	w.deleteResource(res, v1alpha1.DeletionPolicyDelete, 0)
	var restore func()
	restore = func() {
		switch {
		case w.calm:
		case res.token == nil && w.api.secrets[copied.Ref] == nil:
			w.api.restore(copied, withOwner)
		case res.token == nil || res.isDeleting():
			w.after(100*time.Millisecond, restore)
		}
	}
	restore()
}

func (w *world) forceDelete(res *resource, ref rotation.Ref) {
	o := w.api.secrets[ref]
	if o == nil {
		return
	}
	res.damaged = res.logins
	w.api.secrets[ref] = &object{pair: o.pair}
	_ = w.api.remove(person, ref, "", "")
}

func (w *world) removeForeign(ref rotation.Ref) {
	if o := w.api.secrets[ref]; o != nil && !o.pair.Controlled && !o.pair.State.Retained {
		w.api.drop(person, ref)
	}
}

func (w *world) handEdit(res *resource, ref rotation.Ref) {
	o := w.api.secrets[ref]
	if o == nil || o.pair.Immutable {
		return
	}
	switch w.chance().IntN(5) {
	case 0:
		w.api.edit(ref, func(p *rotation.Pair) { p.AccessToken = credential.AccessToken{} })
	case 1: // The same value under another key of the Secret does not make another thing of it.
		res.codePasted = true
		w.api.edit(ref, func(p *rotation.Pair) { p.DeviceCode = credential.NewDeviceCode(p.RefreshToken.Reveal()) })
	case 2:
		if !o.pair.SeedToken.IsZero() {
			res.forgetful = res.logins // It is not seen any more what is being exchanged.
		}
		res.pasted = true
		w.api.edit(ref, func(p *rotation.Pair) { p.SeedToken = p.RefreshToken })
	case 3:
		res.damaged = res.logins
		w.api.edit(ref, func(p *rotation.Pair) { p.RefreshToken = credential.RefreshToken{} })
	default:
		res.damaged, res.pasted = res.logins, true
		w.api.edit(ref, func(p *rotation.Pair) { p.RefreshToken = credential.NewRefreshToken("ghr_garbage") })
	}
}

// deleteResource deletes a resource, or its whole namespace until some time, and makes it anew later.
func (w *world) deleteResource(res *resource, policy v1alpha1.DeletionPolicy, namespaceUntil moment) {
	if res.token == nil || res.isDeleting() {
		return
	}
	token := res.token
	w.respec(res, func(spec *v1alpha1.GitHubUserTokenSpec) { spec.DeletionPolicy = policy })
	if namespaceUntil > 0 {
		res.namespaceGone = namespaceUntil
		for _, ref := range res.refs() {
			_ = w.api.remove(person, ref, "", "")
		}
		w.api.dropCodes(res.namespace, func(*storedCode) bool { return true })
	}
	w.change(res, func(token *v1alpha1.GitHubUserToken) {
		token.DeletionTimestamp = new(metav1.NewTime(epoch.Add(w.now)))
	})
	res.deleted[string(token.UID)] = w.now
	w.tracef("DELETED %s: %s", token.UID, policy)
	var recreate func()
	recreate = func() {
		if res.token != nil || w.now < res.namespaceGone {
			w.after(w.between(time.Second, time.Minute), recreate)
			return
		}
		w.create(res)
	}
	w.after(w.between(time.Second, time.Minute), recreate)
}

// olderFormat undoes what a newer version of the operator has written.
func (w *world) olderFormat(res *resource) {
	for _, o := range w.secretsOf(res) {
		if o.pair.State.Format > rotation.StateFormat {
			w.api.edit(o.pair.Ref, func(p *rotation.Pair) { p.State.Format = 0 })
		}
	}
}

// show is a person who is shown a code: most enter it some time, few refuse, and some never look.
func (w *world) show(res *resource, code string) {
	if res.shown == code {
		return
	}
	res.shown = code
	c := w.gitHub.codes[code]
	if c == nil {
		return
	}
	if w.calm || w.cfg.Faults.isEmpty() {
		w.after(time.Second, func() { c.entered = true })
		return
	}
	switch draw := res.rng.IntN(10); {
	case draw < 6:
		w.after(w.mostly(time.Minute, 20*time.Minute), func() { c.entered = true })
	case draw == 6:
		w.after(w.mostly(time.Minute, 20*time.Minute), func() { c.entered, c.user = true, "mallory" })
	case draw == 7:
		w.after(w.mostly(time.Minute, 20*time.Minute), func() { c.denied = true })
	}
}

// notice is a person who sees that a login is needed, and logs in after a while: where GitHub is mistaken, they may first
// wait for what the operator says that it will try.
func (w *world) notice(res *resource, p *issued) {
	if res.loggingIn || w.calm {
		return
	}
	res.loggingIn = true
	in := w.between(time.Minute, time.Hour)
	if p != nil && p.misjudged {
		in *= 3
	}
	w.after(in, func() {
		res.loggingIn = false
		if !w.calm {
			w.logIn(res, res.account)
		}
	})
}

// attend is a person who reads at last that a retained pair stands in the way, or that nobody has entered a code: nothing goes on
// before they act.
func (w *world) attend(res *resource, p *problem.Problem) {
	if p == nil || p.Reason != v1alpha1.ReasonSecretNotOwned && p.Reason != v1alpha1.ReasonAuthorizationExpired || res.attending {
		return
	}
	res.attending = true
	w.after(4*w.cfg.Lifetime, func() {
		res.attending = false
		o := w.secretOf(res)
		if w.calm || res.token == nil || res.isDeleting() {
			return
		}
		if o != nil && w.isInTheWay(res, o) || o == nil || o.pair.Controlled && !o.pair.State.HasToken() {
			w.mend(res)
		}
	})
}

// removeInTheWay removes a retained pair that stands in the way.
func (w *world) removeInTheWay(res *resource) {
	if o := w.secretOf(res); o != nil && w.isInTheWay(res, o) {
		res.damaged = res.logins
		w.api.drop(person, o.pair.Ref)
	}
}
