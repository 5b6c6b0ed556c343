package simulation

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// memory is what a process remembers of a resource, as the controller does.
type memory struct {
	uid string
	// latest is the pair's metadata as last written, while the watch lags behind.
	latest      *rotation.Pair
	intent      string
	intentSince moment
	accessToken credential.Fingerprint
	expiresAt   time.Duration
	failure     failure
	// knows is the version of the pair Secret that this process wrote or looked at last.
	knows string
	// proven is GitHub's answer about the access token of a restored pair.
	provenToken credential.Fingerprint
	proven      rotation.Proof
	// examined is what was found in the seed Secret.
	examinedVersion string
	examined        credential.Fingerprint
	// nextLook is when the resource is looked at again.
	nextLook moment
}

type failure struct {
	tries int
	until moment
}

func (f *failure) reset() { *f = failure{} }

// again doubles the wait at each try.
func (f *failure) again(now moment, wait time.Duration) {
	f.until = now + min(wait<<min(f.tries, 10), max(wait, 5*time.Minute))
	f.tries++
}

// flight is one call of Rotate, Replay, Restore or Adopt.
type flight struct {
	life *life
	res  *resource
	job  rotation.Job
	// fencedAt is when its fence was written.
	fencedAt moment
	// sent is the pair whose refresh token was presented, deadline until when its answer is waited for.
	sent     *issued
	deadline moment
	answered bool
	// pair is the pair that GitHub issued for it, if any.
	pair *issued
	// unkept says that a reply has arrived and is not in the outbox yet.
	unkept bool
	// outboxFull says that the outbox was not ready, keepFailed that it broke all the same.
	outboxFull, keepFailed bool
}

func (l *life) remembered(key string) *memory {
	if l.memories[key] == nil {
		l.memories[key] = &memory{}
	}
	return l.memories[key]
}

func (l *life) reconcileAll() {
	for _, res := range l.world.all {
		l.reconcile(res.namespace)
	}
}

// look has a resource reconciled later, unless that is to happen earlier anyway.
func (l *life) look(key string, in time.Duration) {
	m, at := l.remembered(key), l.world.now+in
	if m.nextLook > l.world.now && m.nextLook <= at {
		return
	}
	m.nextLook = at
	l.after(in, func() {
		if l.remembered(key).nextLook == at {
			l.reconcile(key)
		}
	})
}

// reconcile is the caller of the protocol: it gathers, decides, and carries out.
func (l *life) reconcile(key string) {
	if l.dead || l.draining || !l.leading {
		return
	}
	if l.busy[key] {
		l.again[key] = true
		return
	}
	spec := l.watch.specs[key]
	switch {
	case spec == nil:
		l.begin(key, rotation.Owner{}, func(*flight) { l.releaseOrphans(key, nil) }, l.orphan(key, nil) != nil)
	case spec.deleting:
		l.begin(key, spec.owner, func(*flight) { l.finalize(spec) }, true)
	case l.orphan(key, spec) != nil && l.orphan(key, spec).Ref.Name != pairName:
		l.begin(key, spec.owner, func(*flight) { l.releaseOrphans(key, spec) }, true)
	default:
		l.decide(key, spec)
	}
}

// begin starts a flight when there is something to do; at most one for each resource.
func (l *life) begin(key string, owner rotation.Owner, work func(*flight), wanted bool) {
	if !wanted {
		return
	}
	l.busy[key] = true
	f := &flight{life: l, res: l.world.resources[key], job: rotation.Job{Owner: owner}}
	l.world.spawn(l, func() {
		l.world.current.flight = f
		defer l.land(key, f)
		work(f)
	})
}

// land is the end of a flight, by whatever way.
func (l *life) land(key string, f *flight) {
	cause := recover()
	if cause == any(errKilled) {
		panic(errKilled)
	}
	if l.dead {
		return
	}
	delete(l.busy, key)
	l.world.judgeLanding(f)
	switch {
	case cause == nil:
	case cause == any(errPanic):
		// As after a crash, the outbox goes first.
		l.world.tracef("PANIC in %s for %s", l, key)
		l.remembered(key).latest = nil
		l.remembered(key).failure.again(l.world.now, time.Minute)
		l.again[key] = true
		if l.world.cfg.Break != BreakReplaySkipped {
			l.replay()
		}
	default:
		panic(cause)
	}
	if l.again[key] {
		delete(l.again, key)
		l.look(key, time.Millisecond)
	}
}

// replay commits what earlier lives have kept.
func (l *life) replay() {
	for _, record := range l.replica.box.records {
		key := keyOf(record.Ref)
		if l.busy[key] {
			continue
		}
		l.begin(key, record.Owner, func(f *flight) {
			for _, record := range slices.Clone(l.replica.box.records) {
				if keyOf(record.Ref) == key {
					result := l.rotator.Replay(l.ctx, appOf(record.App), record)
					l.world.tracef("REPLAYED %s by %s: %s %v", key, l, result.Outcome, result.Err)
					l.remember(key, result.Pair)
				}
			}
			l.again[key] = true
		}, true)
	}
}

// decide gathers what is known and acts on it.
func (l *life) decide(key string, spec *spec) {
	w, m := l.world, l.remembered(key)
	if m.uid != spec.owner.UID {
		*m = memory{uid: spec.owner.UID}
	}
	ref := spec.ref()
	pair := l.newest(m, l.watch.secrets[ref])
	if pair != nil {
		pair = pair.Clone()
		pair.Controlled = pair.Controlled && pair.Owner.UID == spec.owner.UID
	}
	if pair != nil && pair.Controlled && !pair.Deleting && m.latest == nil {
		if m.knows != "" && m.knows != pair.Version {
			l.begin(key, spec.owner, func(*flight) { l.verify(key, spec, pair) }, true)
			return
		}
		m.knows = pair.Version
	}
	seed, known := l.seedOf(key, pair)
	if !known {
		l.begin(key, spec.owner, func(*flight) { l.readSeed(key) }, true)
		return
	}
	in := rotation.Input{
		Owner: spec.owner, App: spec.app.Key(), Suspended: spec.suspended, RefreshRequestedAt: spec.requested,
		Pair: pair, Backup: l.watch.secrets[spec.owner.BackupRef()] != nil, Seed: seed, Me: l.holder, Now: l.wall(),
	}
	in.IntentSeen, in.ExpiresIn = l.observe(m, pair)
	if pair != nil && pair.State.AccessToken == m.provenToken {
		in.Proof = m.proven
	}
	if w.now < m.failure.until {
		in.NotBefore = in.Now.Add(m.failure.until - w.now)
	}
	if w.cfg.Break == BreakClocksCompared && pair != nil && pair.Intent != nil {
		in.IntentSeen = in.Now.Sub(pair.Intent.StartedAt)
	}
	decision := rotation.Decide(in)
	switch {
	case decision.Action == rotation.ActionRestore:
		l.begin(key, spec.owner, func(*flight) { l.restore(key, spec) }, true)
	case decision.Action == rotation.ActionAdopt:
		l.begin(key, spec.owner, func(*flight) { l.adopt(key, spec, pair, l.rotator.Adopt) }, true)
	case decision.Action == rotation.ActionReclaim:
		l.begin(key, spec.owner, func(*flight) { l.adopt(key, spec, pair, l.rotator.Reclaim) }, true)
	case decision.Action == rotation.ActionProve:
		l.begin(key, spec.owner, func(*flight) { l.prove(key, pair) }, true)
	case decision.Obstacle == rotation.ObstacleNotOwned && l.orphan(key, spec) != nil:
		l.begin(key, spec.owner, func(*flight) { l.releaseOrphans(key, spec) }, true)
	case decision.Action.Exchanges():
		l.begin(key, spec.owner, func(f *flight) { l.rotate(f, key, spec, pair, decision) }, true)
	case decision.At.After(in.Now):
		l.look(key, decision.At.Sub(in.Now)+time.Millisecond)
	}
}

// newest is what the watch shows, or what was last written if that is newer.
func (l *life) newest(m *memory, cached *rotation.Pair) *rotation.Pair {
	switch {
	case m.latest == nil:
		return cached
	case cached == nil || older(cached.Version, m.latest.Version):
		return m.latest
	}
	m.latest = nil
	return cached
}

func older(a, b string) bool { return len(a) < len(b) || len(a) == len(b) && a < b }

func (l *life) remember(key string, pair *rotation.Pair) {
	if pair != nil && pair.Ref.Name == pairName {
		l.remembered(key).latest, l.remembered(key).knows = metadata(pair), pair.Version
	}
}

// seedOf is the seed as far as there is a reason to look at it. It is not known when it must be read.
func (l *life) seedOf(key string, pair *rotation.Pair) (seed credential.Fingerprint, known bool) {
	m, latest := l.remembered(key), l.watch.seeds[key]
	if pair != nil && (pair.State.HasToken() || pair.State.PendingSeed != "") && pair.State.SeedVersion == latest {
		return "", true
	}
	return m.examined, m.examinedVersion == latest
}

func (l *life) readSeed(key string) (credential.RefreshToken, string) {
	var token credential.RefreshToken
	var version string
	res := l.world.resources[key]
	if err := (store{l}).call(l.ctx, false, func() { token, version = res.seed, res.seedVersion }); err != nil {
		l.look(key, time.Second)
		return credential.RefreshToken{}, ""
	}
	m := l.remembered(key)
	m.examined, m.examinedVersion = token.Fingerprint(), version
	if l.watch.seeds[key] != version {
		l.watch.seeds[key] = version
	}
	l.again[key] = true
	return token, version
}

func (l *life) observe(m *memory, pair *rotation.Pair) (intentSeen time.Duration, expiresIn *time.Duration) {
	now := l.world.now
	switch {
	case pair == nil || pair.Intent == nil:
		m.intent = ""
	case m.intent != pair.Intent.ID:
		m.intent, m.intentSince = pair.Intent.ID, now
	}
	if m.intent != "" {
		intentSeen = now - m.intentSince
	}
	if pair == nil || !pair.State.Expires() {
		m.accessToken = ""
		return intentSeen, nil
	}
	if m.accessToken != pair.State.AccessToken {
		// However wrong the clock was under which it was stored, no pair outlives its lifetime from here on.
		left := min(pair.State.ExpiresAt.Sub(l.wall()), pair.State.ExpiresAt.Sub(pair.State.IssuedAt))
		m.accessToken, m.expiresAt = pair.State.AccessToken, now+left
	}
	return intentSeen, new(m.expiresAt - now)
}

func (l *life) rotate(f *flight, key string, spec *spec, pair *rotation.Pair, decision rotation.Decision) {
	w, m := l.world, l.remembered(key)
	job := rotation.Job{
		Owner: spec.owner, Ref: spec.ref(), App: spec.app, RefreshRequestedAt: spec.requested, User: spec.pin,
		Pair: pair, Decision: decision,
	}
	if decision.Action == rotation.ActionImport && (pair == nil || pair.State.PendingSeed != decision.Spends || m.examined == decision.Spends) {
		token, version := l.readSeed(key)
		if token.Fingerprint() != decision.Spends {
			return
		}
		job.Seed, job.SeedVersion = token, version
	}
	f.job = job
	w.flightBegins(f)
	result := l.rotator.Rotate(l.ctx, job)
	w.tracef("ROTATED %s by %s: %s for %s: %s %v", key, l, decision.Cause, decision.Spends.Short(), result.Outcome, result.Err)
	w.report.Outcomes[result.Outcome]++
	l.remember(key, result.Pair)
	switch result.Outcome {
	case rotation.Committed, rotation.Rejected, rotation.WrongUser:
		m.failure.reset()
	case rotation.Superseded, rotation.Discarded:
		m.latest = nil
		m.failure.reset()
	case rotation.Stale:
		m.latest = nil
		m.failure.again(w.now, 200*time.Millisecond)
	default:
		m.failure.again(w.now, backoffOf(result.Err))
	}
	l.again[key] = true
}

func backoffOf(err error) time.Duration {
	var failed *github.Error
	switch {
	case !errors.As(err, &failed):
		return 2 * time.Second
	case failed.RetryAfter > 0:
		return failed.RetryAfter
	case failed.Reason == github.RateLimited:
		return time.Minute
	case failed.Class == github.Misconfigured:
		return 10 * time.Second
	default:
		return 2 * time.Second
	}
}

func (l *life) restore(key string, spec *spec) {
	restored, err := l.rotator.Restore(l.ctx, spec.owner, spec.ref())
	l.world.tracef("RESTORED %s by %s: %v", key, l, err)
	if err != nil {
		l.remembered(key).latest = nil
		l.remembered(key).failure.again(l.world.now, 200*time.Millisecond)
	} else {
		l.world.report.Restored++
		l.remembered(key).failure.reset()
		l.remember(key, restored)
	}
	l.look(key, 250*time.Millisecond)
}

// verify looks at a pair that somebody else has written: they may have edited its tokens.
func (l *life) verify(key string, spec *spec, pair *rotation.Pair) {
	m := l.remembered(key)
	live, err := l.rotator.Store.Get(l.ctx, pair.Ref)
	if err == nil {
		m.knows = live.Version
		live, err = l.rotator.TakeUp(l.ctx, spec.owner, live)
	}
	switch {
	case err == nil:
		l.remember(key, live)
		l.again[key] = true
	case errors.Is(err, rotation.ErrNotFound), errors.Is(err, rotation.ErrNotOwned):
		m.knows = pair.Version // It has just gone; the event about it brings us back.
	default:
		l.look(key, time.Second)
	}
}

// prove asks GitHub whether the access token of a restored pair is alive.
func (l *life) prove(key string, pair *rotation.Pair) {
	w, m := l.world, l.remembered(key)
	live, err := l.rotator.Store.Get(l.ctx, pair.Ref)
	if err != nil || w.sleep(l.ctx, w.mostly(100*time.Millisecond, time.Second)) != nil {
		l.look(key, time.Second)
		return
	}
	m.provenToken, m.proven = live.State.AccessToken, rotation.ProofDead
	if p := w.gitHub.tokens[live.RefreshToken.Reveal()]; p != nil && w.works(p) && p.access == live.AccessToken.Reveal() {
		m.proven = rotation.ProofAlive
	}
	l.again[key] = true
}

// believeDead is what a process does, whether it leads or not, when GitHub has said twice that the stored access token is
// dead: truly, or by mistake.
func (l *life) believeDead(key string) {
	w, res := l.world, l.world.resources[key]
	cached := l.watch.secrets[rotation.Ref{Namespace: key, Name: pairName}]
	if cached == nil || !cached.Controlled || cached.State.AccessToken == "" || l.busy[key] {
		return
	}
	owner, ref, token := cached.Owner, cached.Ref, cached.State.AccessToken
	w.spawn(l, func() {
		w.current.flight = &flight{life: l, res: res, job: rotation.Job{Owner: owner}}
		defer func() {
			if cause := recover(); cause != nil && cause != any(errPanic) {
				panic(cause)
			}
		}()
		_, marked, err := l.rotator.MarkRevoked(l.ctx, owner, ref, token)
		w.tracef("SAID DEAD %s to %s: %t %v", key, l, marked, err)
		l.look(key, time.Millisecond)
	})
}

func (l *life) adopt(key string, spec *spec, pair *rotation.Pair, take func(context.Context, rotation.Owner, *rotation.Pair) (*rotation.Pair, error)) {
	adopted, err := take(l.ctx, spec.owner, pair)
	l.world.tracef("ADOPTED %s by %s: %v", key, l, err)
	if err != nil {
		l.remembered(key).failure.again(l.world.now, time.Second)
	} else {
		l.remember(key, adopted)
	}
	l.look(key, time.Second)
}

// finalize carries out what is asked for when a resource is deleted.
func (l *life) finalize(spec *spec) {
	key := spec.owner.Namespace
	retain := spec.retain
	if retain {
		// A replacement that was cut short leaves the pair in the backup only.
		_, err := l.rotator.Restore(l.ctx, spec.owner, spec.ref())
		switch {
		case err == nil, errors.Is(err, rotation.ErrNotFound), errors.Is(err, rotation.ErrNotOwned), errors.Is(err, rotation.ErrExists):
		case errors.Is(err, rotation.ErrTerminating), errors.Is(err, rotation.ErrOwnerGone):
			retain = false
		default:
			l.look(key, time.Second)
			return
		}
	}
	for _, ref := range []rotation.Ref{spec.ref(), spec.owner.BackupRef()} {
		if err := l.letGo(spec, ref, retain); err != nil && !errors.Is(err, rotation.ErrNotFound) {
			l.look(key, time.Second)
			return
		}
	}
	err := store{l}.call(l.ctx, true, func() { l.world.dropResource(spec) })
	if err != nil {
		l.look(key, time.Second)
		return
	}
	l.rotator.Forget(spec.owner)
	l.memories[key] = nil
}

var errDeletedAgain = errors.New("the Secret was deleted a moment ago; it is put back before it is retained")

// letGo removes or retains one Secret of a resource that is being deleted. A backup is retained when there is no
// other copy of the pair.
func (l *life) letGo(spec *spec, ref rotation.Ref, retain bool) error {
	pair, err := l.rotator.Store.Get(l.ctx, ref)
	if err != nil || !pair.Controlled || pair.Owner.UID != spec.owner.UID {
		return err
	}
	if retain && pair.Deleting && ref == spec.ref() {
		return errDeletedAgain
	}
	if retain && ref != spec.ref() {
		switch other, err := l.rotator.Store.Get(l.ctx, spec.ref()); {
		case err == nil:
			retain = other.State.Owner != spec.owner.UID
		case !errors.Is(err, rotation.ErrNotFound):
			return err
		}
	}
	if retain && !pair.Deleting {
		return store{l}.Retain(l.ctx, pair)
	}
	return l.rotator.Store.Remove(l.ctx, pair)
}

// orphan is a Secret that is being deleted and belongs to a resource that is not there any more.
func (l *life) orphan(key string, present *spec) *rotation.Pair {
	var found *rotation.Pair
	for ref := range l.world.resources[key].refs() {
		if pair := l.watch.secrets[ref]; pair != nil && pair.Deleting && pair.Controlled && (present == nil || pair.Owner.UID != present.owner.UID) {
			found = pair
		}
	}
	return found
}

// releaseOrphans lets go of a Secret whose resource is gone.
func (l *life) releaseOrphans(key string, present *spec) {
	pair := l.orphan(key, present)
	if pair == nil {
		return
	}
	gone := false
	err := store{l}.call(l.ctx, false, func() { gone = l.world.api.ownerGone(pair) })
	if err == nil && gone {
		err = l.rotator.Store.Remove(l.ctx, pair)
	}
	if err != nil || !gone {
		l.look(key, time.Second)
	}
}

func appOf(key string) github.App {
	for _, app := range []github.App{rightApp, wrongApp} {
		if app.Key() == key {
			return app
		}
	}
	return github.App{}
}
