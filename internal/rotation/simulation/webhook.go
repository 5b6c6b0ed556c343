package simulation

import (
	"fmt"
	"slices"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// webhook is a mutating admission webhook that alters what anybody writes to the Secrets of a namespace. The API server
// answers as if nothing were wrong.
type webhook struct {
	since, until moment
	how          alteration
	// only is the one Secret that is altered; empty is all.
	only rotation.Ref
}

// alteration is what a webhook does to a Secret.
type alteration int

const (
	tokensRedacted alteration = iota
	tokensEncrypted
	refreshTokenDropped
	annotationsStripped
	junkAdded
	intentGarbled
	everythingAltered

	intentStripped
	// Of a pair that is let go of: its owner is put back, or its annotations are taken off.
	ownerPutBack
	orphanStripped
)

// alterations are what a webhook may do, and ofRetained what one may do besides where pairs are retained.
var (
	alterations = []alteration{
		tokensRedacted, tokensEncrypted, refreshTokenDropped, annotationsStripped, junkAdded, intentGarbled, everythingAltered,
	}
	ofRetained = []alteration{ownerPutBack, orphanStripped}
)

// webhookBegins installs a webhook soon, and takes it away later.
func (w *world) webhookBegins(res *resource, kind Fault) {
	w.after(w.mostly(time.Second, 10*time.Second), func() {
		if w.calm {
			return
		}
		res.webhook = webhook{since: w.now, until: w.now + w.mostly(time.Minute, 20*time.Minute), how: intentStripped}
		if kind == WebhookAlters {
			kinds := alterations
			if w.cfg.Faults.Has(ResourceRetained) {
				kinds = slices.Concat(alterations, ofRetained)
			}
			res.webhook.how = kinds[res.rng.IntN(len(kinds))]
		}
		if res.rng.IntN(2) == 0 {
			res.webhook.only = w.whereOf(res)
		}
		w.tracef("WEBHOOK %s: %d", res.namespace, res.webhook.how)
	})
}

// admit is the Secret as it is stored, after the webhook, if there is one, and what comes of that.
func (w *world) admit(by writer, before, sent *rotation.Pair) *rotation.Pair {
	altered := w.alter(before, sent)
	if altered == sent {
		return sent
	}
	res := w.resources[keyOf(sent.Ref)]
	switch res.webhook.how {
	case tokensRedacted, tokensEncrypted:
		res.forgetImport(sent)
	case refreshTokenDropped:
		res.garbled = res.logins
	case annotationsStripped, orphanStripped:
		w.forgetState(res)
	case everythingAltered:
		res.redacted = true
		res.forgetImport(sent)
		w.forgetState(res)
	}
	if w.isElsewhere(res, sent.Ref) {
		res.damaged = res.logins // Of two copies nobody can see any more which is the newer.
	}
	if before != nil && before.Intent != nil && sent.Intent != nil && !isIntact(sent.Intent, altered.Intent) {
		res.loseIntent(by, before.Intent, sent.Intent)
	}
	return altered
}

// alter is what a webhook makes of a write; what was sent itself where there is none that alters it.
func (w *world) alter(before, sent *rotation.Pair) *rotation.Pair {
	hook := w.resources[keyOf(sent.Ref)].webhook
	if w.now >= hook.until || hook.only != (rotation.Ref{}) && hook.only != sent.Ref {
		return sent
	}
	altered := sent.Clone()
	switch hook.how {
	case tokensRedacted:
		redact(altered, "altered")
	case tokensEncrypted: // Anew each time.
		redact(altered, fmt.Sprint(w.api.version))
	case refreshTokenDropped:
		altered.RefreshToken = credential.RefreshToken{}
	case annotationsStripped:
		strip(altered)
	case junkAdded:
		if altered.SeedToken.IsZero() {
			altered.SeedToken = credential.NewRefreshToken("ghr_junk")
		}
		if altered.DeviceCode.IsZero() {
			altered.DeviceCode = credential.NewDeviceCode("junk")
		}
	case intentGarbled:
		if altered.Intent != nil {
			altered.Intent = &rotation.Intent{ID: "unreadable", Unresolved: 1}
		}
	case everythingAltered:
		redact(altered, "altered")
		strip(altered)
	case intentStripped:
		altered.Intent = nil
	case ownerPutBack:
		if before == nil || !before.Controlled || sent.Controlled {
			return sent
		}
		altered.Owner, altered.Controlled, altered.Orphan = before.Owner, true, false
	case orphanStripped:
		if !sent.Orphan {
			return sent
		}
		strip(altered)
	}
	return altered
}

// loseIntent is told that an intent is gone with a write that was to keep or to replace it. It has said that somebody is at
// work, or was, and how many tries before are unresolved. Whoever writes something else into the Secret does not note what
// goes with it, be it the holder of the intent itself: then nobody knows it any more. Whoever has written a fence over it has
// waited for its end, has counted it as unresolved, and remembers that its fence did not stand: then it is known as long
// as this very process goes on, whoever the holder was and whether it lives. When another does, it is forgotten; see fenced.
func (r *resource) loseIntent(by writer, former, sent *rotation.Intent) {
	if by.life == nil || sent.ID == former.ID {
		r.forgetful = r.logins
		return
	}
	r.goesOn(by.life)
	r.knownTo, r.knownOf = by.life, r.logins
}

// goesOn is told that a process writes a fence. What another one alone has known of an intent is forgotten.
func (r *resource) goesOn(l *life) {
	if r.knownTo != nil && r.knownTo != l {
		r.forgetful, r.knownTo = max(r.forgetful, r.knownOf), nil
	}
}

// isElsewhere reports whether another Secret of the operator's stands in the namespace: a backup, or one of another name.
func (w *world) isElsewhere(res *resource, ref rotation.Ref) bool {
	return slices.ContainsFunc(w.secretsOf(res), func(o *object) bool { return o.labelled && o.pair.Ref != ref })
}

// strip takes the operator's annotations off.
func strip(pair *rotation.Pair) {
	pair.State, pair.StateLost, pair.Intent = rotation.State{ExpiresAt: pair.State.ExpiresAt}, true, nil
}

// forgetState: what was known of former logins is gone with the annotations.
func (w *world) forgetState(res *resource) {
	res.garbled, res.forgetful = res.logins, res.logins
	if res.appChanged {
		res.damaged = res.logins // Nor is it known whose App's the tokens are.
	}
}

// redact puts other values in the place of all tokens.
func redact(pair *rotation.Pair, by string) {
	if !pair.AccessToken.IsZero() {
		pair.AccessToken = credential.NewAccessToken("ghu_" + by)
	}
	if !pair.RefreshToken.IsZero() {
		pair.RefreshToken = credential.NewRefreshToken("ghr_" + by)
	}
	if !pair.SeedToken.IsZero() {
		pair.SeedToken = credential.NewRefreshToken("ghr_seed_" + by)
	}
}

// forgetImport: the intent of a login whose token is redacted is of no more use, and with it goes what was known of earlier
// tries.
func (r *resource) forgetImport(sent *rotation.Pair) {
	if !sent.SeedToken.IsZero() {
		r.forgetful = r.logins
	}
}

// isIntact reports whether a fence is stored as it was written.
func isIntact(sent, stored *rotation.Intent) bool {
	return stored != nil && stored.ID == sent.ID && stored.Holder == sent.Holder && stored.Spends == sent.Spends
}
