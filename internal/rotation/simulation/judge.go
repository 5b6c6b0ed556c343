package simulation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/lifecycle"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// violate ends the run: an invariant is broken.
func (w *world) violate(format string, arguments ...any) {
	if w.report.Violation == "" {
		w.report.Violation = fmt.Sprintf(format, arguments...)
		w.report.ViolatedAt = w.now
		w.tracef("VIOLATION %s", w.report.Violation)
	}
}

// judgeCall is asked at every call that an attempt makes: a reply goes to the outbox before anything else.
func (w *world) judgeCall(t *task) {
	if f := t.attempt; f != nil && f.unkept {
		w.violate("%s: a reply was not kept before anything else was done", f.res.namespace)
	}
}

// judgeSend is asked when a refresh token goes out.
func (w *world) judgeSend(f *attempt, token credential.RefreshToken, app github.App) {
	w.report.Exchanges++
	res, name := f.res, f.res.namespace
	w.tracef("SEND %s by %s: %s", name, f.life, token.Fingerprint().Short())
	if f.outboxFull {
		w.violate("%s: an exchange was begun although its pair could not have been kept", name)
	}
	if f.job.Pair != nil && f.job.Pair.State.Format > rotation.StateFormat {
		w.violate("%s: a token was sent on the strength of a state that a newer version has written", name)
	}
	if f.unfenced {
		w.violate("%s: a token was sent although admission had altered its fence", name)
	}
	if f.forNobody {
		w.violate("%s: a token was sent for a resource that was found to be gone", name)
	}
	if f.sent != nil {
		w.violate("%s: a token was sent twice under one fence", name)
	}
	if token.Fingerprint() != f.job.Decision.Spends {
		w.violate("%s: another token was sent than the one that was decided on", name)
	}
	w.judgeCause(f)
	w.judgeOutbox(f)
	p := w.gitHub.tokens[token.Reveal()]
	if p == nil {
		return
	}
	w.judgeRefused(f, p)
	f.sent, f.sentAt = p, w.now
	if p.refused > mostRefusals {
		w.violate("%s: a token was presented again although GitHub had refused it %d times", name, p.refused)
	}
	if p.res != res {
		w.judgeTheft(f, p)
		return
	}
	for _, other := range p.attempts {
		if other != f && (other.owner == f.owner && res.isNow(f.owner) || other.life == f.life) && !other.life.dead && !other.answered && w.now < other.deadline && res.damaged < p.login && res.forgetful < p.login {
			w.violate("%s: a token was sent while %s was still waiting for the answer to it", name, other.life)
		}
	}
	w.judgeTime(f, p)
	w.judgeRolledBack(f, p)
	w.judgeAskedBefore(f, p)
	p.attempts = append(p.attempts, f)
	if p.restoredAt > 0 && f.fencedAt > p.restoredAt && f.job.Decision.Action != rotation.ActionImport && res.garbled < p.login && !res.outlives(f.life, f.owner) {
		w.violate("%s: a pair that was restored from a backup was used without a proof", name)
	}
	if p.generation > 0 && p.app != app.Key() && max(res.garbled, res.damaged) < p.login {
		w.violate("%s: a token of one App was sent to another", name)
	}
	if w.now > f.fencedAt+rotation.IntentTimeout {
		w.violate("%s: a token was sent when its fence was no longer respected", name)
	}
	// Between the fence and the sending a holder that was thought to be dead may come back and commit, and a retained
	// pair that goes back to this login may be taken up: that cannot be seen in time, and does no harm.
	if p.spent && res.damaged < p.login && res.forgetful < p.login && w.chainStored(p) && max(p.successor.storedAt, res.takenUpAt) <= f.fencedAt {
		w.violate("%s: a token was presented again after its successor was stored", name)
	}
}

// mostRefusals is how often a process may be refused a token before it has to know: verdicts can be lost, and not be
// stored.
const mostRefusals = 8

// forgetRefusals counts anew when what was known of a refused token is gone, with its Secret or by a person's hand.
func (w *world) forgetRefusals(by writer, before, after *object) {
	if before == nil {
		return
	}
	left := func(state *rotation.State) []*rotation.Verdict {
		return []*rotation.Verdict{state.Verdict, state.SeedVerdict}
	}
	for i, verdict := range left(&before.pair.State) {
		if verdict != nil && (after == nil || by.life == nil && left(&after.pair.State)[i] == nil) {
			if p := w.gitHub.names[verdict.Fingerprint]; p != nil {
				p.refused, p.refusals = 0, 0
			}
		}
	}
}

// judgeOutbox is asked when a token is sent: no reply to an earlier exchange of the resource may wait in the outbox.
func (w *world) judgeOutbox(f *attempt) {
	for _, record := range f.life.replica.box.records {
		if record.Owner.UID == f.owner.UID {
			w.violate("%s: a token was sent while a reply for its resource waits in the outbox", f.res.namespace)
		}
	}
}

// judgeRefused is asked when a token is sent: the process that GitHub has refused it to does not send it again, in worlds
// where nobody interferes with what is stored.
func (w *world) judgeRefused(f *attempt, p *issued) {
	if w.judgeAgain(f, p); f.job.Decision.Cause == rotation.CauseAgain || p.refusals == 1 && f.resolvesAgain() {
		return
	}
	if p.refusedTo == f.life && w.cfg.Faults.except(Of(APIRefused, APINotFound, StatusRefused, APISlow, Revoked, RefreshRequested, LabelEdit)).isEmpty() {
		w.violate("%s: a token was sent again that GitHub has refused to %s", f.res.namespace, f.life)
	}
}

// resolvesAgain reports whether a token is sent because its second presentation was decided on and may not have been made: the
// fence of that one stands beside the verdict, and nobody knows what became of it.
func (f *attempt) resolvesAgain() bool {
	d, pair := f.job.Decision, f.job.Pair
	return d.Cause == rotation.CauseIntent && pair != nil && pair.State.Verdict != nil && pair.State.Verdict.Fingerprint == d.Spends
}

// judgeAgain is asked when a token is sent: GitHub may have refused it by mistake, so that it is presented once more, and not
// after that, and never where an earlier answer was lost.
func (w *world) judgeAgain(f *attempt, p *issued) {
	res, d := f.res, f.job.Decision
	if d.Cause != rotation.CauseAgain || f.job.Pair == nil {
		return
	}
	// With another App a login is tried again, and has a verdict of its own.
	known := !res.mayHaveForgotten(p) && !p.copied && p.restoredAt == 0 && !res.appChanged
	if p.refusals > 1 && p.refusedFor == f.owner.UID && known {
		w.violate("%s: a token was presented once more although GitHub had refused it %d times", res.namespace, p.refusals)
	}
	for _, verdict := range []*rotation.Verdict{f.job.Pair.State.Verdict, f.job.Pair.State.SeedVerdict} {
		if verdict == nil || verdict.Fingerprint != d.Spends {
			continue
		}
		wall := f.decidedAt // Since then it may have jumped, and between the decision and that, too.
		jumped := f.life.jumpedAt > 0 && w.now-f.life.jumpedAt < time.Minute
		early := !f.life.setBack && !jumped && wall.Before(verdict.AgainAt) && verdict.AgainAt.Sub(wall) <= time.Hour
		if early && (f.job.RefreshRequestedAt == "" || f.job.RefreshRequestedAt == verdict.Asked) {
			w.violate("%s: a refused token was presented once more before anybody asked for it, and too early", res.namespace)
		}
		if verdict.Reason != rotation.ReasonRefreshTokenRejected {
			w.violate("%s: a token was presented once more after the verdict %s", res.namespace, verdict.Reason)
		}
		return
	}
	w.violate("%s: a token was presented once more that was not refused", res.namespace)
}

// mayHaveForgotten reports whether a person, or admission, may have taken away what a resource knew of a pair. Of one that was
// issued to another resource it is not known with which of its own logins the token came.
func (r *resource) mayHaveForgotten(p *issued) bool {
	newest := max(r.garbled, r.damaged, r.forgetful)
	return newest >= p.login || p.res != r && newest > 0
}

// judgeRetry is asked when a write after an exchange has failed: only a pair in the outbox is worth many tries, or the access
// token of one that was cut off before its refresh token.
func (w *world) judgeRetry(f *attempt) {
	f.retries++
	waits := slices.ContainsFunc(f.life.replica.box.records, func(r rotation.Record) bool {
		return r.Owner.UID == f.owner.UID && w.read(r.Reply).hasAccessToken
	})
	if f.retries > 20 && !waits && f.pair == nil {
		w.violate("%s: a verdict is tried without end", f.res.namespace)
	}
}

// judgeTheft is asked when a token is sent that was issued to another resource: nobody's chain may have stood at it when
// the fence was written: a pair that is retained is nobody's until it is taken up. What a person has damaged, garbled or brought back does not tell whose it is, nor does a cache
// that has lost an event.
func (w *world) judgeTheft(f *attempt, p *issued) {
	if f.life.watch.lost || p.copied || p.restoredAt > 0 || p.storedAt == 0 || max(p.storedAt, p.res.takenUpAt) > f.fencedAt || max(p.res.damaged, p.res.garbled, p.res.forgetful) >= p.login {
		return
	}
	for _, o := range w.secretsOf(p.res) {
		if o.labelled && o.pair.Controlled && !w.api.ownerGone(o.pair) && o.pair.RefreshToken.Reveal() == p.refresh {
			w.violate("%s: the refresh token of %s was sent, whose chain stands at it", f.res.namespace, p.res.namespace)
		}
	}
}

// judgeRolledBack is asked when a token is sent: a process that has got and stored its successor does not send it because a
// person has written an old copy over the Secret, in worlds where nobody does anything else to what is stored.
func (w *world) judgeRolledBack(f *attempt, p *issued) {
	next := p.successor
	// A login that the seed holds is no matter of copies, whether it is begun or its intent resolved.
	isLogin := f.job.Pair == nil || f.job.Pair.State.RefreshToken != f.job.Decision.Spends
	if !w.cfg.Faults.except(Of(BackupRestored, APISlow, WatchHeld, RefreshRequested, LabelEdit)).isEmpty() || isLogin {
		return
	}
	if next != nil && next.minted != nil && next.minted.life == f.life && next.storedAt > 0 && f.fencedAt > p.res.overwrittenAt && p.res.overwrittenAt > next.storedAt {
		w.violate("%s: a token was sent that came back with an old copy of the Secret", f.res.namespace)
	}
}

// judgeTime asks whether a token is presented in time, and not again at once after a failure, in worlds where nobody
// interferes.
func (w *world) judgeTime(f *attempt, p *issued) {
	// A process whose clock is behind knows a token's age only from when it has seen it first: each one that begins anew on
	// such a node may let it live for a whole lifetime. That the clock was ahead at the exchange GitHub's Date tells, up to
	// three quarters of a lifetime.
	since := p.issuedAt
	if f.life.behind || p.ahead > w.cfg.Lifetime*3/4 {
		since = max(since, f.life.ledSince)
	}
	late := w.now - max(since+w.cfg.Lifetime, w.behindUntil)
	if (w.cfg.FullQuota || w.cfg.Faults.except(Of(ClockJump, ClockAhead, Kill)).isEmpty()) && f.job.Decision.Cause == rotation.CauseDue && late > 5*time.Minute {
		w.violate("%s: a pair was refreshed %v after its access token must have expired", f.res.namespace, late)
	}
	if !w.cfg.Faults.both(Of(people...)).isEmpty() || w.calm || len(p.attempts) == 0 {
		return
	}
	if last := p.attempts[len(p.attempts)-1]; last.life == f.life && w.now-last.sentAt < time.Second {
		w.violate("%s: a token was sent again %v after the last time", f.res.namespace, w.now-last.sentAt)
	}
}

// chainStored reports whether the same login is stored at a later generation.
func (w *world) chainStored(p *issued) bool {
	for _, o := range w.secretsOf(p.res) {
		if !o.pair.Controlled || w.api.ownerGone(o.pair) {
			continue
		}
		if stored := w.gitHub.tokens[o.pair.RefreshToken.Reveal()]; stored != nil && stored.res == p.res && stored.login == p.login && stored.generation > p.generation {
			return true
		}
	}
	return false
}

// judgeCause asks whether there is a reason to exchange.
func (w *world) judgeCause(f *attempt) {
	base, name := f.job.Pair, f.res.namespace
	if d := f.job.Decision; d.Action == rotation.ActionRefresh && d.Cause != rotation.CauseAgain && base.State.Verdict != nil && base.State.Verdict.Fingerprint == d.Spends {
		w.violate("%s: a token was presented although it was known to be of no more use", name)
	}
	switch f.job.Decision.Cause {
	case rotation.CauseDue:
		if early := base.NextRefreshAt.Sub(f.life.wall()); early > time.Second+w.mayBeEarlyBy(f, base) {
			w.violate("%s: exchanged %v before it was due", name, early)
		}
	case rotation.CauseEnded:
		if since := f.life.wall().Sub(base.State.RenewedAt); !base.State.AccessTokenEnded || since >= 0 && since < time.Hour && !f.life.setBack {
			w.violate("%s: exchanged for an access token that has ended, %v after the last time", name, since)
		}
	case rotation.CauseRequested:
		if p := f.res.honoured[f.job.RefreshRequestedAt]; p != nil && p.stored > 0 && f.fencedAt > p.storedAt && (w.cfg.LeaderElection || f.res.garbled < p.login) {
			w.violate("%s: one request for a refresh was honoured twice", name)
		}
	case rotation.CauseIntent:
		if base == nil || base.Intent == nil {
			w.violate("%s: resolved an intent that was not there", name)
		}
	}
}

// mayBeEarlyBy says how long a pair may be exchanged before the time that was announced when it was stored:
// when the clock was set back, or is not the one by which it was stored, or when the pair was adopted, also after it was
// disowned, which changes its jitter.
func (w *world) mayBeEarlyBy(f *attempt, base *rotation.Pair) time.Duration {
	p := w.gitHub.names[f.job.Decision.Spends]
	recovered := base.State.ExpiresAt.Sub(base.State.IssuedAt)+base.State.Shortened != w.cfg.Lifetime || base.State.Incomplete // From the tokens, after an edit.
	if p == nil || recovered || f.life.setBack || p.ownerUID() != f.owner.UID || p.disowned {
		return w.cfg.Lifetime * 1000
	}
	return max(0, base.State.IssuedAt.Sub(epoch.Add(p.issuedAt+f.life.replica.skew)))
}

// judgeSilence is asked when no answer came.
func (w *world) judgeSilence(f *attempt) {
	if w.now < f.deadline {
		w.violate("%s: an exchange under way was given up before its deadline", f.res.namespace)
	}
	if f.pair != nil && f.pair.fate == fateNone {
		f.pair.fate = fateNoReply
	}
}

// judgeReply is told that a reply has reached the process.
func (w *world) judgeReply(f *attempt, reply *github.Reply) {
	f.unkept = true
	if f.sent != nil && w.read(reply).rejects {
		if f.sent.refusedTo != f.life {
			f.sent.refusedTo, f.sent.refused = f.life, 0
		}
		f.sent.refused++
		if f.sent.app == f.job.App.Key() {
			if f.sent.refusedFor != f.owner.UID { // A former resource has taken what it knew with it.
				f.sent.refusedFor, f.sent.refusals = f.owner.UID, 0
			}
			f.sent.refusals++
		}
	}
	switch pair := w.pairIn(reply); {
	case f.pair == nil:
	case pair == f.pair:
		f.pair.heldBy, f.pair.fate = f, fateNone
		if f.pair.generation == 1 {
			f.pair.res.received = append(f.pair.res.received, f.pair)
		}
		if f.job.Decision.Cause == rotation.CauseRequested {
			f.res.honoured[f.job.RefreshRequestedAt] = f.pair
		}
	default:
		f.pair.fate = fateNoReply
	}
}

// judgeDeath is told that an attempt's process has died.
func (w *world) judgeDeath(f *attempt) {
	p := f.pair
	switch {
	case p == nil:
	case p.heldBy == f:
		p.heldBy = nil
		switch {
		case f.keepFailed:
			w.judgeLoss(p, "its process died", fateOutboxBroke)
		case f.kept:
			w.judgeLoss(p, "its process died, and its record was gone before the pair was stored", fateNone)
		default:
			w.judgeLoss(p, "its process died", fateDied)
		}
	case !f.answered && p.fate == fateNone && p.stored == 0:
		p.fate = fateNoReply
	}
}

// judgeEnd is told that an attempt has ended.
func (w *world) judgeEnd(f *attempt) {
	if f.unkept {
		w.violate("%s: a reply was never kept", f.res.namespace)
	}
	if p := f.pair; p != nil && p.heldBy == f {
		p.heldBy = nil
		allowed := fateNone
		switch {
		case f.keepFailed:
			allowed = fateOutboxBroke
		case f.warned: // Its owner was told what to do.
			allowed = fateWrongUser
		}
		w.judgeLoss(p, "its exchange ended", allowed)
	}
}

// judgeLoss is asked when a copy of a pair is gone: there must be another, or a good reason.
func (w *world) judgeLoss(p *issued, why string, allowed fate) {
	p.outdated = p.outdated || w.newerLoginStored(p)
	if p.spent || p.revoked || p.fate != fateNone || p.stored > 0 || p.kept > 0 || p.heldBy != nil {
		return
	}
	res := p.res
	if slices.ContainsFunc(w.secretsOf(res), func(o *object) bool { return w.waitingIn(o) == p }) {
		return // It is imported next.
	}
	switch {
	case p.outdated:
		p.fate = fateSuperseded
	case allowed == fateNone && p.isOfWrongUser():
		p.fate = fateWrongUser
	case p.generation == 1 && (p.byCode || p.minted.job.User != nil) && (!res.is(p.ownerUID()) || res.isDeleting()):
		p.fate = fateOwnerGone // Its resource went before there was a chain, or an account, that it could leave to the next one.
	case p.dropped, res.dropsPairsOf(p.ownerUID()), w.now < res.namespaceGone:
		p.fate = fateOwnerGone
	case res.damaged >= p.login, p.destroyed, res.asked[p.login] != "": // Whoever wants its end loses nothing.
		p.fate = fatePerson
	case allowed != fateNone:
		p.fate = allowed
	default:
		w.violate("%s: the pair of login %d, generation %d is lost: %s", res.namespace, p.login, p.generation, why)
	}
}

// goesWithItsPair reports whether a resource is being deleted and takes its pair along.
func (r *resource) goesWithItsPair(owner rotation.Owner) bool {
	return r.is(owner.UID) && r.isDeleting() && !r.retains()
}

// isOfWrongUser reports whether a pair belongs to another account than the one that was asked for.
func (p *issued) isOfWrongUser() bool {
	return p.generation == 1 && p.minted != nil && p.minted.job.User != nil && p.minted.job.User.Login != p.user
}

// dropsPairsOf reports whether the incarnation of a resource that a pair was got for is gone, and was not to
// leave its pair to the next one.
func (r *resource) dropsPairsOf(uid string) bool {
	switch {
	case r.isDeleting() && !r.retains():
		return true
	case r.is(uid):
		return false
	default:
		return !r.retained[uid]
	}
}

func (p *issued) ownerUID() string {
	if p.minted != nil {
		return p.minted.owner.UID
	}
	return ""
}

func (w *world) newerLoginStored(p *issued) bool {
	for _, o := range w.secretsOf(p.res) {
		if stored := w.gitHub.tokens[o.pair.RefreshToken.Reveal()]; stored != nil && stored.replaces(p) {
			return true
		}
	}
	// What a process has received of a newer login, and admission has altered, is stored again as soon as that can be.
	return slices.ContainsFunc(p.res.received, func(newer *issued) bool {
		return newer.altered && newer.replaces(p) && (newer.heldBy != nil || newer.kept > 0)
	})
}

// replaces reports whether a pair is one of a newer login than another.
func (p *issued) replaces(other *issued) bool {
	// A seed that was refused for another App is imported when the App is right again, over a login by code; and of
	// two codes that were offered at once and both entered, the one whose pair is stored first stays.
	// One that a person has pasted waits in the Secret, and comes after those that are newer by their number.
	return p.res == other.res && (p.login > other.login || p.login != other.login && (other.byCode || p.res.pastedLogins[p.login]))
}

// secretsOf are the Secrets in a resource's namespace, the pair Secret first.
func (w *world) secretsOf(res *resource) []*object {
	var found []*object
	for _, ref := range res.refs() {
		if o := w.api.secrets[ref]; o != nil {
			found = append(found, o)
		}
	}
	return found
}

// judgeWrite is asked at every write to a Secret. sent is what was written, before admission.
func (w *world) judgeWrite(by writer, res *resource, before, after *object, sent *rotation.Pair) {
	var old, fresh *issued
	if before != nil {
		old = w.gitHub.tokens[before.pair.RefreshToken.Reveal()]
	}
	if after != nil {
		fresh = w.gitHub.tokens[after.pair.RefreshToken.Reveal()]
	}
	if sent != nil && by.life != nil {
		if p := w.gitHub.tokens[sent.RefreshToken.Reveal()]; p != nil && p != fresh {
			p.altered = true
		}
	}
	if p := w.waitingIn(before); p != nil && p != w.waitingIn(after) && p != fresh {
		p.dropped = p.dropped || after == nil && res.goesWithItsPair(before.pair.Owner)
		p.destroyed = p.destroyed || by.life == nil || sent != nil && sent.SeedToken == before.pair.SeedToken
		w.judgeLoss(p, "it waited as a login and was overwritten by "+by.String(), fateNone)
	}
	if fresh != old {
		if fresh != nil {
			fresh.stored++
			if by.life != nil && before != nil && before.pair.State.PendingSeed != "" && fresh.isOfWrongUser() && fresh.storedAt == 0 {
				w.violate("%s: the pair of another account was stored", res.namespace)
			}
			if old == nil && fresh.generation > 1 && fresh.storedAt == 0 {
				res.takenUpAt = w.now // The chain had gone with its Secret, and a late commit has put it into another.
			}
			if fresh.storedAt == 0 {
				fresh.storedAt = w.now
			} else if fresh.stored == 1 {
				res.takenUpAt = w.now // It had gone with its resource, and a commit that was still under way brought it back.
			}
			fresh.fate = fateNone
			if by.life != nil && after.pair.State.Web.IsOpen() && w.isStored(after.pair) {
				w.violate("%s: the attempt to log in is left open although its pair is stored", res.namespace)
			}
		}
		if old != nil {
			if sent != nil && fresh == nil { // What admission has altered was there to replace it.
				received := w.gitHub.tokens[sent.RefreshToken.Reveal()]
				old.outdated = old.outdated || received != nil && received.replaces(old)
			}
			old.stored--
			old.dropped = old.dropped || after == nil && res.goesWithItsPair(before.pair.Owner)
			switch {
			case sent != nil && sent.RefreshToken == before.pair.RefreshToken:
				old.destroyed = true
				w.judgeLoss(old, "admission has destroyed it", fatePerson)
			case by == garbageCollector && before.pair.State.Retained:
				w.judgeLoss(old, "it was retained, and "+by.String()+" took it", fateNone)
			case by.life == nil:
				old.destroyed = true
				w.judgeLoss(old, "a person destroyed it", fatePerson)
			case old.copied && (before.pair.State.Owner != before.pair.Owner.UID || w.api.ownerGone(before.pair)):
				old.fate = fatePerson // A copy that belongs to no resource, or is not proven, may go.
			case old.storedAt > res.overwrittenAt && by.life.exchangedBefore(res, res.overwrittenAt):
				old.fate = fatePerson // A copy was written over the Secret in mid-exchange: its logins look like this one's.
			default:
				w.judgeLoss(old, "it was overwritten by "+by.String(), fateNone)
			}
		}
	}
	if by.life == nil {
		return
	}
	if before != nil && !before.pair.Controlled && !before.labelled {
		w.violate("%s: a Secret that belongs to somebody else was written", res.namespace)
	}
	if after == nil {
		return
	}
	w.judgeData(res, before, sent)
	if before != nil && !before.pair.Controlled && after.pair.Controlled {
		res.takenUpAt = w.now
	}
	if fresh != nil && after.pair.State.Owner == rotation.RolledBack {
		fresh.disowned = true
	}
	w.judgeTakenDown(res, before, after)
	w.judgeVerdict(res, after, after.pair.State.Verdict)
	w.judgeVerdict(res, after, after.pair.State.SeedVerdict)
}

// waitingIn is the pair whose refresh token waits in a Secret as a login: a commit that found it without a word of whose it
// is has kept it there.
func (w *world) waitingIn(o *object) *issued {
	if o == nil {
		return nil
	}
	p := w.gitHub.tokens[o.pair.SeedToken.Reveal()]
	if p == nil || p.generation == 0 || o.pair.SeedToken == o.pair.RefreshToken {
		return nil
	}
	return p
}

// exchangedBefore reports whether a process is at work on an exchange for a resource whose token it has sent before a moment.
func (l *life) exchangedBefore(res *resource, at moment) bool {
	return slices.ContainsFunc(l.tasks, func(t *task) bool {
		return t.attempt != nil && t.attempt.res == res && t.attempt.sent != nil && t.attempt.sentAt <= at
	})
}

// judgeReport is asked when a status is written.
func (w *world) judgeReport(l *life, res *resource, s *scope.Scope, decision rotation.Decision, result lifecycle.Result) {
	if _, before := l.reported[s.Owner.UID]; !before {
		l.reported[s.Owner.UID] = w.now
	}
	if decision.Action != rotation.ActionNone && result.Problem == nil {
		w.violate("%s: nothing is done by the rule %q, and nothing is said", res.namespace, decision.Rule)
	}
	if p := result.Problem; p != nil && (p.Reason == "" || p.Message == "") {
		w.violate("%s: a problem without a reason or words: %+v", res.namespace, *p)
	}
	if p := result.Problem; p != nil && !l.draining && !p.Stalled && !p.Unauthorized && p.RetryAt.IsZero() && result.RequeueAt.IsZero() && decision.At.IsZero() && p.Reason != v1alpha1.ReasonSuspended && p.Reason != v1alpha1.ReasonCommitting {
		w.violate("%s: %s is said to pass, and nobody looks again", res.namespace, p.Reason)
	}
	w.judgeWaiting(res, result.Problem)
	if state := s.Stored(); state != nil && state.Owner != s.Owner.UID && result.Problem == nil {
		w.violate("%s: a pair that is not proven is reported as good", res.namespace)
	}
}

// judgeWaiting asks whether a resource waits for the exchanges of others for longer than these can take. What cannot be
// stored must not be waited for.
func (w *world) judgeWaiting(res *resource, p *problem.Problem) {
	switch {
	case p == nil || p.Reason != v1alpha1.ReasonExchanging || !w.cfg.Faults.Without(APIRefused).isEmpty():
		res.waitsSince = 0
	case res.waitsSince == 0:
		res.waitsSince = w.now
	case w.now-res.waitsSince > 10*time.Minute:
		w.violate("%s: no exchange begins because those of others are under way", res.namespace)
	}
}

// judgeRevoked is asked when a resource whose pair was to be revoked is gone: GitHub has ended its tokens, or an
// event tells that one lives on.
func (w *world) judgeRevoked(res *resource) {
	for _, p := range w.gitHub.tokens {
		stored := p.storedAt > 0 && p.dropped && !p.outdated && p.fate != fateSuperseded && p.ownerUID() == string(res.token.UID)
		if p.res == res && stored && p.isGood() && !p.misjudged && !res.warned && res.damaged < p.login {
			w.violate("%s: the resource is gone, and the tokens of login %d live on in silence", res.namespace, p.login)
		}
	}
}

// judgeRelease is asked when a resource is gone. The next one of its name must know what it has left, and nothing may hold
// that.
func (w *world) judgeRelease(res *resource, retains bool) {
	for _, o := range w.secretsOf(res) {
		switch {
		case !o.labelled || !o.pair.Orphan:
		case o.protected && o.pair.State.Retained && w.cfg.LeaderElection:
			w.after(10*time.Minute, func() { // Another process may just be about to take it off.
				if now := w.api.secrets[o.pair.Ref]; now != nil && now.pair.Version == o.pair.Version {
					w.violate("%s: Secret %s is let go of, and the finalizer holds it", res.namespace, o.pair.Ref.Name)
				}
			})
		// What a webhook does that has come since it was tried is remembered by the process that has written, and by no other.
		case retains && o.pair.StateLost && w.cfg.Faults.Has(WebhookAlters) && res.tried > res.webhook.since:
			w.violate("%s: Secret %s is let go of, and nobody can tell any more whose it was", res.namespace, o.pair.Ref.Name)
		}
	}
}

// judgeVerdict is asked when the operator condemns a token.
func (w *world) judgeVerdict(res *resource, after *object, verdict *rotation.Verdict) {
	if verdict == nil {
		return
	}
	found := *verdict
	found.AgainAt = time.Time{}
	if res.verdicts[found] {
		return
	}
	res.verdicts[found] = true
	w.report.Verdicts[verdict.Reason]++
	p := w.gitHub.names[verdict.Fingerprint]
	w.notice(res, p)
	if p != nil && p.successor != nil && p.successor.heldBy != nil {
		p.successor.overdue = true
	}
	switch {
	case verdict.Reason == rotation.ReasonOutcomeUnknown: // Nobody says that it is of no more use.
	case verdict.Reason == rotation.ReasonRefreshTokenMissing:
		if !after.pair.RefreshToken.IsZero() {
			w.violate("%s: said to hold no refresh token, and holds one", res.namespace)
		}
	case p == nil, p.res != res, res.damaged >= p.login, refusedByWrongApp(after.pair, verdict.Fingerprint):
	case p.misjudged && p.isGood(): // GitHub has said so.
	case p.isGood() && p.app == res.appNow().Key():
		w.violate("%s: the token of login %d, generation %d was condemned (%s) although it is good", res.namespace, p.login, p.generation, verdict.Reason)
	case p.successor != nil && w.gitHub.tokens[after.pair.RefreshToken.Reveal()] == p.successor:
		w.violate("%s: a token was condemned (%s) although its successor is stored", res.namespace, verdict.Reason)
	}
}

// refusedByWrongApp reports whether a login is remembered as one to be tried again with the right App.
func refusedByWrongApp(pair *rotation.Pair, seed credential.Fingerprint) bool {
	return slices.Contains(pair.State.Seeds, rotation.SeedRecord{Fingerprint: seed, RefusedFor: wrongApp.Key()})
}

// describe names what is in a Secret, for a trace.
func describe(o *object) string {
	if o == nil {
		return "gone"
	}
	p := o.pair
	text := []string{fmt.Sprintf("rv=%s rev=%d refresh=%s", p.Version, p.State.Revision, p.RefreshToken.Fingerprint().Short())}
	if !p.SeedToken.IsZero() {
		text = append(text, "seed="+p.SeedToken.Fingerprint().Short())
	}
	if p.Intent != nil {
		text = append(text, fmt.Sprintf("intent=%s(%s,%d)", p.Intent.ID, p.Intent.Spends.Short(), p.Intent.Unresolved))
	}
	for _, mark := range []struct {
		is   bool
		name string
	}{{p.Deleting, "deleting"}, {p.Immutable, "immutable"}, {!p.Controlled, "foreign"}, {p.State.Retained, "retained"}} {
		if mark.is {
			text = append(text, mark.name)
		}
	}
	if p.State.Verdict != nil {
		text = append(text, "verdict="+p.State.Verdict.Reason)
	}
	if p.State.SeedVerdict != nil {
		text = append(text, "seedverdict="+p.State.SeedVerdict.Reason)
	}
	return strings.Join(text, " ")
}
