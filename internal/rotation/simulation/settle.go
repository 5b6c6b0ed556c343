package simulation

import (
	"slices"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// finish stops all faults and sees to it that everything settles: every resource ends Ready or says the
// true reason; a new login mends it; and then nothing is written that is not needed.
func (w *world) finish() {
	w.becalm()
	w.runFor(w.cfg.Lifetime*13/10 + time.Hour)
	w.judgeAll(w.judgeReason)
	w.judgeAll(w.mend)
	w.runFor(15 * time.Minute)
	w.judgeAll(w.judgeReady)
	w.judgeQuiet()
}

// mend is a person who does what the resource's condition says.
func (w *world) mend(res *resource) {
	w.removeInTheWay(res)
	if o := w.secretOf(res); o == nil || !o.pair.State.HasToken() || o.pair.State.RefreshToken == "" || o.pair.State.Owner != string(res.token.UID) || o.pair.State.App != rightApp.Key() || o.pair.State.Verdict != nil || o.pair.State.SeedVerdict != nil {
		w.logIn(res, res.account)
	}
}

func (w *world) judgeAll(judge func(*resource)) {
	for _, res := range w.all {
		if w.report.Violation == "" {
			judge(res)
		}
	}
}

// becalm ends every fault that goes on.
func (w *world) becalm() {
	w.tracef("CALM")
	w.calm = true
	w.api.down = 0
	for _, r := range w.replicas {
		r.cutOff, r.skew, r.box.full = 0, 0, 0
	}
	for _, l := range w.lives {
		l.setBack = true
		l.resume()
		l.watch.list()
		l.watch.tell()
		l.reconcileAll()
	}
	for _, c := range w.gitHub.codes {
		c.entered, c.denied, c.user = true, false, c.res.account
	}
	for _, res := range w.all {
		res.denied, res.misconfigured, res.namespaceGone, res.saidDead, res.appRefused = 0, 0, 0, 0, 0
		w.respec(res, func(spec *v1alpha1.GitHubUserTokenSpec) { spec.App.ClientID, spec.Suspend = rightApp.ClientID, false })
		res.webhook = webhook{}
		w.olderFormat(res)
		for _, name := range pairNames {
			w.removeForeign(rotation.Ref{Namespace: res.namespace, Name: name})
		}
	}
}

// secretOf is the pair Secret, under the name that is asked for or, while it has not moved, under a former one.
func (w *world) secretOf(res *resource) *object { return w.api.secrets[w.whereOf(res)] }

// whereOf is where the pair is, or would be.
func (w *world) whereOf(res *resource) rotation.Ref {
	wanted := res.ref()
	for _, name := range pairNames {
		ref := rotation.Ref{Namespace: res.namespace, Name: name}
		if o := w.api.secrets[ref]; o != nil && res.token != nil && o.pair.Controlled && res.is(o.pair.Owner.UID) {
			return ref
		}
	}
	for _, name := range pairNames {
		ref := rotation.Ref{Namespace: res.namespace, Name: name}
		if o := w.api.secrets[ref]; o != nil && w.api.secrets[wanted] == nil && o.labelled {
			return ref
		}
	}
	return wanted
}

// inTheWay says of a retained pair that it goes back to another login than the seed, or to another App: somebody
// must decide which of the two it is to be, and is told so.
func (o *object) inTheWay(res *resource) bool {
	return o.pair.Orphan && (o.pair.StateLost && o.labelled || o.pair.State.Retained) &&
		(o.pair.State.App != rightApp.Key() || o.pair.State.PendingSeed != res.seed.Fingerprint() && !o.pair.State.KnowsSeed(res.seed.Fingerprint(), rightApp.Key()))
}

// isInTheWay reports whether somebody has to decide about what stands in the place of a pair: also where the resource's own pair waits in
// a backup for that place.
func (w *world) isInTheWay(res *resource, o *object) bool {
	backup := w.api.secrets[res.owner(res.incarnation).BackupRef()]
	waits := backup != nil && backup.pair.Controlled && !backup.pair.RefreshToken.IsZero()
	return o.inTheWay(res) || waits && o.pair.Orphan && o.pair.State.Retained
}

// judgeReason asks whether a resource is Ready or says the true reason.
func (w *world) judgeReason(res *resource) {
	if o := w.secretOf(res); o != nil && res.token != nil && w.isInTheWay(res, o) {
		return
	}
	if o := w.secretOf(res); res.usesSeed() && res.seedVersion == "" && res.token != nil && (o == nil || !o.pair.Controlled) {
		return // It says that there is no seed.
	}
	o := w.settled(res)
	if o == nil {
		return
	}
	w.judgeAsked(res, o.pair)
	w.judgeLeftAlive(res)
	w.judgePastedOver(res)
	switch {
	case o.pair.State.Owner != string(res.token.UID):
		w.judgeUnproven(res, o.pair)
		return
	case o.pair.State.App != rightApp.Key() && res.appChanged:
		return // It says that the chain is another App's.
	}
	switch {
	case !o.pair.State.HasToken() && o.pair.State.RefreshToken == "" && o.pair.State.Verdict == nil && res.usesSeed() && (res.seedVersion == "" || o.pair.State.KnowsSeed(res.seed.Fingerprint(), rightApp.Key())):
		return // It says that the seed holds no refresh token of use.
	case !o.pair.State.HasToken() && o.pair.State.Verdict == nil && !res.usesSeed():
		return // A person has still to enter a code, or to ask for one.
	case !o.pair.State.HasToken() && o.pair.State.RefreshToken == "" && o.pair.State.Verdict == nil && res.damaged > 0:
		return // It says that there is no pair: what was pasted there while no process looked is not seen.
	case o.pair.RefreshToken.IsZero() && o.pair.State.Verdict == nil && res.damaged+res.garbled > 0:
		return // A person has edited away that the refresh token is lost; it is found out when the access token expires.
	case o.pair.State.Verdict == nil:
		w.judgeAlive(res, o.pair)
	default:
		w.judgeTruth(res, o.pair, o.pair.State.Verdict)
	}
	if verdict := o.pair.State.SeedVerdict; verdict != nil {
		w.judgeTruth(res, o.pair, verdict)
	}
}

// judgeUnproven asks whether a pair that came back from elsewhere is rightly not used.
func (w *world) judgeUnproven(res *resource, pair *rotation.Pair) {
	p := w.gitHub.tokens[pair.RefreshToken.Reveal()]
	if p != nil && w.works(p) && p.access == pair.AccessToken.Reveal() {
		w.violate("%s: a pair that GitHub proves to be the current one is not used", res.namespace)
	}
}

// judgeReady asks whether a resource is Ready.
func (w *world) judgeReady(res *resource) {
	o := w.settled(res)
	if o == nil {
		return
	}
	if verdict := o.pair.State.Verdict; verdict != nil {
		if p := w.gitHub.names[verdict.Fingerprint]; p != nil && p.login == res.logins && max(res.garbled, res.damaged, res.forgetful) >= p.login {
			return // What was known of the token was gone when it died, which was found out after everybody was asked to log in.
		}
		w.violate("%s: a new login did not mend it: %s", res.namespace, verdict.Reason)
		return
	}
	if o.pair.Ref != res.ref() && w.api.secrets[res.ref()] == nil { // What somebody else has left there is in its way.
		w.violate("%s: the pair stands in Secret %s and not in %s", res.namespace, o.pair.Ref.Name, res.ref().Name)
	}
	w.judgeAlive(res, o.pair)
}

// settled is a resource's Secret, when nothing is left half done.
func (w *world) settled(res *resource) *object {
	o := w.secretOf(res)
	switch {
	case res.token == nil || res.isDeleting():
		w.violate("%s: the deletion of the resource is stuck", res.namespace)
	case o == nil:
		w.violate("%s: there is no Secret", res.namespace)
	case !o.pair.Controlled || o.pair.Owner.UID != string(res.token.UID):
		w.violate("%s: the Secret belongs to nobody", res.namespace)
	case o.pair.Deleting:
		w.violate("%s: the deletion of the Secret is stuck", res.namespace)
	case o.pair.Intent != nil && !w.fresh(o.pair.Intent) && (o.pair.State.App == rightApp.Key() || !res.appChanged) && !o.isDisowned():
		w.violate("%s: intent %s was never resolved", res.namespace, o.pair.Intent.ID)
	default:
		return w.onlyOne(res, o)
	}
	return nil
}

// isDisowned says of a pair that was put back to an older state, and is to be proven, or replaced by a login: an intent to spend
// its token came back with it, and is not resolved before.
func (o *object) isDisowned() bool {
	return o.pair.State.Owner == rotation.RolledBack && o.pair.Intent.Spends == o.pair.State.RefreshToken
}

// onlyOne is the resource's Secret, when no other of the operator's is left in its namespace but retained ones.
func (w *world) onlyOne(res *resource, kept *object) *object {
	for _, o := range w.secretsOf(res) {
		if o != kept && o.labelled && !o.pair.State.Retained && (!o.pair.Orphan || !o.pair.StateLost) {
			w.violate("%s: Secret %s is left: %s", res.namespace, o.pair.Ref.Name, describe(o))
			return nil
		}
	}
	w.judgeCodes(res, kept.pair)
	w.judgeBrought(res, kept.pair)
	return kept
}

// fresh says that an intent belongs to an exchange that is under way right now.
func (w *world) fresh(intent *rotation.Intent) bool {
	for _, l := range w.lives {
		if l.holder == intent.Holder && len(l.tasks) > 0 {
			return true
		}
	}
	return false
}

func (w *world) judgeAlive(res *resource, pair *rotation.Pair) {
	p := w.gitHub.tokens[pair.RefreshToken.Reveal()]
	switch {
	case pair.Intent != nil: // Right now it is being exchanged.
	case p == nil && pair.RefreshToken.IsZero() && res.damaged+res.garbled > 0: // A person has taken it out, and garbled what was known of it.
	// Computed from tokens, and from an expiry by a wrong clock, after an edit that took the verdict away as well, or what told
	// that a token was pasted: what became of the token is found out when it is due by that clock.
	case p == nil && res.garbled > 0 && (res.damaged > 0 || res.redacted) && pair.State.ExpiresAt.Sub(pair.State.IssuedAt)+pair.State.Shortened != w.cfg.Lifetime:
	case p == nil:
		w.violate("%s: Ready with a refresh token that GitHub never issued", res.namespace)
	case (p.revoked || p.spent && res.garbled >= p.login) && pair.State.ExpiresAt.Sub(pair.State.IssuedAt)+pair.State.Shortened != w.cfg.Lifetime:
	case p.spent || p.revoked:
		w.violate("%s: Ready with a dead refresh token", res.namespace)
	case pair.AccessToken.Reveal() != p.access && !pair.AccessToken.IsZero():
		w.violate("%s: Ready with tokens of two pairs", res.namespace)
	case p.res != res:
		w.violate("%s: Ready with a token of %s", res.namespace, p.res.namespace)
	case w.now > p.issuedAt+w.cfg.Lifetime && res.garbled < p.login && !pair.State.ExpiresAt.IsZero():
		w.violate("%s: the access token has ended, and its chain is not exchanged", res.namespace)
	}
}

// mayBeSpent reports whether the last process that sent a token had a reason to think that it was spent before:
// it had sent it itself, or another process had begun to.
func (p *issued) mayBeSpent() bool {
	if len(p.attempts) == 0 {
		return false
	}
	last := p.attempts[len(p.attempts)-1]
	return slices.ContainsFunc(p.fences, func(f *attempt) bool {
		return f != last && (f.sent == p || f.life != last.life)
	})
}

// onlyMistakes are the faults of worlds in which a token that GitHub has refused by mistake is good again in time.
var onlyMistakes = Of(GitHubMistaken, APISlow, LabelEdit, RefreshRequested, WatchHeld, GitHubRequestLost, GitHubRateLimited, GitHubMisconfigured, LeaseLost)

// judgeTruth compares a verdict with what GitHub knows.
func (w *world) judgeTruth(res *resource, pair *rotation.Pair, verdict *rotation.Verdict) {
	p := w.gitHub.names[verdict.Fingerprint]
	if p != nil && p.res != res {
		return // What became of a token that was copied from another resource only that one knows.
	}
	lost := p != nil && p.successor != nil && p.successor.stored == 0 && p.successor.kept == 0
	// What an earlier incarnation of the resource has done with a token is beyond what the present one can know.
	doubtful := p != nil && (res.damaged >= p.login || p.revoked || res.forgetful >= p.login || p.successor != nil && !res.is(p.successor.ownerUID()))
	isTrue := p != nil && p.misjudged && !w.cfg.Faults.except(onlyMistakes).isEmpty()
	switch verdict.Reason {
	case rotation.ReasonRefreshTokenMissing:
		// What was pasted there while no process looked is not seen.
		isTrue = pair.RefreshToken.IsZero() || res.damaged > 0
	case rotation.ReasonReplyLost:
		half := lost && pair.RefreshToken.IsZero()
		isTrue = isTrue || p == nil || half || (doubtful || lost && (p.successor.fate != fateWrongUser || p.successor.overdue)) && p.mayBeSpent()
	case rotation.ReasonRefreshTokenRejected:
		// A seed that was refused while the App was another one, and taken away before it was right again.
		ofApp := func(r rotation.SeedRecord) bool {
			return r.Fingerprint == verdict.Fingerprint && r.RefusedFor != "" && r.RefusedFor != rightApp.Key()
		}
		isTrue = isTrue || p == nil || doubtful || res.appChanged && (p.spent || slices.ContainsFunc(pair.State.Seeds, ofApp)) || p.spent && (!lost || p.login != res.logins || !res.is(p.successor.ownerUID()))
	case rotation.ReasonOutcomeUnknown:
		isTrue = res.seed.Fingerprint() != verdict.Fingerprint
	case rotation.ReasonRevoked:
		// GitHub may be mistaken about both tokens, one after the other.
		isTrue = isTrue || p == nil || doubtful || pair.State.AccessTokenEnded && p.spent || p.misjudged && p.accessRefused
	case v1alpha1.ReasonRevokedOnRequest:
		isTrue = isTrue || p == nil || !p.isGood() || doubtful
	case rotation.ReasonUserUnknown:
		// The account was asked for, and the pair has been waiting for GitHub's word on whose it is.
		isTrue = p == nil || doubtful || lost && p.successor.minted != nil && p.successor.minted.job.User != nil
	case rotation.ReasonWrongUser:
		isTrue = p == nil || res.token.Spec.User == nil || p.user != res.token.Spec.User.Login
	}
	if !isTrue {
		fate := "none"
		if lost {
			fate = string(p.successor.fate)
		}
		w.violate("%s: the verdict %s is not true (what became of the pair: %s)", res.namespace, verdict.Reason, fate)
	}
}

// judgeQuiet restarts everything and asks whether anything is written that is not needed.
func (w *world) judgeQuiet() {
	if w.report.Violation != "" {
		return
	}
	for _, r := range w.replicas {
		if len(r.box.records) > 0 && len(r.life.tasks) == 0 {
			w.violate("%d records are left in the outbox of %s", len(r.box.records), r.name)
		}
		if r.life != nil && !r.life.dead && !r.life.draining {
			r.life.drain("restart for the last look")
		}
	}
	type figures struct {
		writes, rotations, replacement, attempts, refusals int
		condemned                                          bool
	}
	before := map[string]figures{}
	for _, res := range w.all {
		was := figures{writes: res.writes, rotations: res.rotations, attempts: res.attempts, refusals: res.refusals, condemned: w.isCondemned(res)}
		if o := w.secretOf(res); o != nil && o.pair.Immutable {
			was.replacement = 7 // A person has made the Secret immutable; it is replaced when it is written next.
		}
		before[res.namespace] = was
	}
	w.runFor(w.cfg.Lifetime)
	w.judgeAll(func(res *resource) {
		was := before[res.namespace]
		writes, rotations := res.writes-was.writes, res.rotations-was.rotations
		if w.isCondemned(res) && !was.condemned {
			writes-- // Of a chain that was found to have ended it is asked at once whether its access token works, and written down.
		}
		// An attempt to log in is written down when it begins and when all that it was begun for is gone.
		writes -= 2 * (res.attempts - was.attempts)
		// A seed whose owner has gone is tried, and once more when GitHub has refused it. That is a fence and a verdict each.
		writes -= 2 * min(2, res.refusals-was.refusals)
		// An exchange may be under way at either end of the time that is looked at.
		if writes > 2*rotations+2+was.replacement {
			w.violate("%s: %d writes for %d rotations while nothing went wrong", res.namespace, writes, rotations)
		}
		if rotations > 2 {
			w.violate("%s: %d rotations in one lifetime while nothing went wrong", res.namespace, rotations)
		}
	})
}

// isCondemned reports whether a verdict stands over the chain of a resource.
func (w *world) isCondemned(res *resource) bool {
	o := w.secretOf(res)
	return o != nil && o.pair.State.Verdict != nil
}
