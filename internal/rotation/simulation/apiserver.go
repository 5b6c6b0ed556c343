package simulation

import (
	"reflect"
	"strconv"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/recovery"
)

// apiServer is the truth: Secrets and resources, changed by one write at a time. Its methods take no time;
// the network around them does.
type apiServer struct {
	world   *world
	version int
	secrets map[rotation.Ref]*object
	codes   map[rotation.Ref]*storedCode
	// brought are the codes of logins by the web flow that people have brought back.
	brought map[rotation.Ref]string
	// down and deny end at these times.
	down moment
}

// object is a pair Secret, a backup, or a foreign Secret. The pair is never changed in place.
type object struct {
	pair *rotation.Pair
	// protected says that the operator's finalizer is on it, labelled that its label is, by which caches select it.
	protected, labelled bool
	// metadata is what watches see of it, once one has looked; see seen.
	metadata *rotation.Pair
}

// writer is who makes a write.
type writer struct {
	life *life // nil for people and the garbage collector
	name string
}

var (
	person           = writer{name: "a person"}
	garbageCollector = writer{name: "the garbage collector"}
)

func (a *apiServer) next() string {
	a.version++
	return strconv.Itoa(a.version)
}

func (a *apiServer) get(ref rotation.Ref) (*rotation.Pair, error) {
	o := a.secrets[ref]
	if o == nil {
		return nil, rotation.ErrNotFound
	}
	return lookedAt(o.pair), nil
}

func (a *apiServer) create(by writer, pair *rotation.Pair) (*rotation.Pair, error) {
	res := a.world.resources[keyOf(pair.Ref)]
	switch {
	case a.world.now < res.namespaceGone:
		return nil, rotation.ErrTerminating
	case by.life != nil && a.world.now < res.denied:
		return nil, rotation.ErrDenied
	case a.secrets[pair.Ref] != nil:
		return nil, rotation.ErrExists
	}
	created := pair.Clone()
	created.UID, created.Version = "secret-"+a.next(), a.next()
	created.Deleting, created.Immutable = false, false
	created.Controlled, created.Orphan = by.life != nil, by.life == nil
	created.StateLost, created.MayBeElsewhere = false, false
	if by.life != nil && created.Owner.BackupRef() != created.Ref && !created.RefreshToken.IsZero() {
		a.world.report.Restored++
	}
	return a.put(by, created, &object{protected: by.life != nil, labelled: by.life != nil}), nil
}

// update is a merge patch: it changes what differs between current and next, which are the caller's to give away. A dry run
// tells what would be stored.
func (a *apiServer) update(by writer, current, next *rotation.Pair, dryRun bool) (*rotation.Pair, error) {
	o := a.secrets[current.Ref]
	switch {
	case o == nil:
		return nil, rotation.ErrNotFound
	case o.pair.Version != current.Version:
		return nil, rotation.ErrConflict
	case by.life != nil && a.world.now < a.world.resources[keyOf(current.Ref)].denied:
		return nil, rotation.ErrDenied
	}
	changed := new(*o.pair)
	changed.State, changed.Intent, changed.NextRefreshAt, changed.StateLost = next.State, next.Intent, next.NextRefreshAt, false
	data := setIfChanged(&changed.AccessToken, current.AccessToken, next.AccessToken)
	data = setIfChanged(&changed.RefreshToken, current.RefreshToken, next.RefreshToken) || data
	data = setIfChanged(&changed.SeedToken, current.SeedToken, next.SeedToken) || data
	data = setIfChanged(&changed.DeviceCode, current.DeviceCode, next.DeviceCode) || data
	data = setIfChanged(&changed.TokenType, current.TokenType, next.TokenType) || data
	if data && o.pair.Immutable {
		return nil, rotation.ErrImmutable
	}
	owned, left := next.Controlled && !current.Controlled, !next.Controlled && current.Controlled
	if !data && !owned && !left && !o.pair.StateLost && reflect.DeepEqual(changed.State, o.pair.State) && reflect.DeepEqual(changed.Intent, o.pair.Intent) &&
		changed.NextRefreshAt.Equal(o.pair.NextRefreshAt) {
		return changed, nil // Nothing differs: the API server keeps the version.
	}
	if owned {
		changed.Owner, changed.Controlled, changed.Orphan = next.Owner, true, false
		o = &object{pair: o.pair, protected: true, labelled: true}
	}
	if left {
		changed.Owner, changed.Controlled, changed.Orphan = rotation.Owner{}, false, true
	}
	if dryRun {
		return lookedAt(a.world.alter(o.pair, changed)), nil
	}
	changed.Version = a.next()
	return a.put(by, changed, o), nil
}

func setIfChanged[T comparable](stored *T, current, next T) bool {
	if current == next {
		return false
	}
	*stored = next
	return true
}

// release takes the operator's finalizer off, under the version if one is given. It returns what is left; nil when that was
// all that held the Secret.
func (a *apiServer) release(by writer, ref rotation.Ref, version string) (*rotation.Pair, error) {
	o := a.secrets[ref]
	switch {
	case o == nil:
		return nil, rotation.ErrNotFound
	case version != "" && o.pair.Version != version:
		return nil, rotation.ErrConflict
	case by.life != nil && a.world.now < a.world.resources[keyOf(ref)].denied:
		return nil, rotation.ErrDenied
	case o.pair.Deleting:
		a.drop(by, ref)
		return nil, nil //nolint:nilnil // nothing is left, which is no error
	}
	released := o.pair.Clone()
	released.Version = a.next()
	return a.put(by, released, &object{labelled: o.labelled}), nil
}

// remove asks for deletion, under the version if one is given. A finalizer makes it wait.
func (a *apiServer) remove(by writer, ref rotation.Ref, uid, version string) error {
	o := a.secrets[ref]
	switch {
	case o == nil:
		return rotation.ErrNotFound
	case uid != "" && o.pair.UID != uid, version != "" && o.pair.Version != version:
		return rotation.ErrConflict
	case !o.protected:
		a.drop(by, ref)
	case !o.pair.Deleting:
		deleting := o.pair.Clone()
		deleting.Deleting, deleting.Version = true, a.next()
		a.put(by, deleting, o)
	}
	return nil
}

// edit is a change that a person makes to whatever is there.
func (a *apiServer) edit(ref rotation.Ref, change func(*rotation.Pair)) {
	o := a.secrets[ref]
	if o == nil {
		return
	}
	edited := o.pair.Clone()
	change(edited)
	edited.Version = a.next()
	a.put(person, edited, o)
}

// restoreOver is a person who writes a copy of a Secret over it.
func (a *apiServer) restoreOver(ref rotation.Ref, copied *rotation.Pair) {
	a.edit(ref, func(p *rotation.Pair) {
		now, old := a.world.gitHub.tokens[p.RefreshToken.Reveal()], a.world.gitHub.tokens[copied.RefreshToken.Reveal()]
		if res := a.world.resources[keyOf(ref)]; p.State.Revision == copied.State.Revision || now == nil || old == nil || now.login != old.login {
			res.damaged = res.logins // What is under way may be forgotten, or another login's chain go on, or what somebody pasted.
		}
		a.world.resources[keyOf(ref)].forgetful = a.world.resources[keyOf(ref)].logins
		a.world.resources[keyOf(ref)].overwrittenAt = a.world.now
		p.State, p.Intent, p.NextRefreshAt, p.StateLost = copied.State.Clone(), copied.Intent, copied.NextRefreshAt, copied.StateLost
		p.AccessToken, p.RefreshToken, p.SeedToken, p.TokenType = copied.AccessToken, copied.RefreshToken, copied.SeedToken, copied.TokenType
	})
}

// restore is a backup tool that makes a Secret from its copy, with the owner reference in it or without.
func (a *apiServer) restore(copied *rotation.Pair, withOwner bool) {
	pair := copied.Clone()
	pair.UID, pair.Version = "secret-"+a.next(), a.next()
	pair.Deleting, pair.Immutable = false, false
	if !withOwner || !copied.Controlled {
		pair.Owner, pair.Controlled, pair.Orphan = rotation.Owner{}, false, true
	}
	if p := a.world.gitHub.tokens[pair.RefreshToken.Reveal()]; p != nil {
		p.copied = true
		if p.spent || p.revoked {
			p.restoredAt = a.world.now
		}
	}
	a.put(person, pair, &object{protected: pair.Controlled, labelled: true})
}

// put stores a pair, with what else is like in another object. It returns what is stored.
func (a *apiServer) put(by writer, sent *rotation.Pair, like *object) *rotation.Pair {
	before := a.secrets[sent.Ref]
	var former *rotation.Pair
	if before != nil {
		former = before.pair
	}
	stored := a.world.admit(by, former, sent)
	a.secrets[sent.Ref] = &object{pair: stored, protected: like.protected, labelled: like.labelled}
	a.written(by, sent.Ref, before, a.secrets[sent.Ref], sent)
	return lookedAt(stored)
}

// lookedAt is a pair as a reader sees it.
func lookedAt(stored *rotation.Pair) *rotation.Pair {
	pair := stored.Clone()
	if pair.StateLost {
		pair.State = recovery.StateFromTokens(pair, stored.State.ExpiresAt, time.Time{})
	}
	return pair
}

func (a *apiServer) drop(by writer, ref rotation.Ref) {
	before := a.secrets[ref]
	delete(a.secrets, ref)
	a.version++
	a.written(by, ref, before, nil, nil)
}

// written checks a write and tells all watches of it. sent is what was written; admission may have altered it.
func (a *apiServer) written(by writer, ref rotation.Ref, before, after *object, sent *rotation.Pair) {
	w := a.world
	res := w.resources[keyOf(ref)]
	if by.life != nil {
		res.writes++
		w.report.Writes++
	}
	if w.cfg.Trace != nil {
		w.tracef("WRITE %s to %s/%s: %s", by, ref.Namespace, ref.Name, describe(after))
	}
	w.judgeWrite(by, res, before, after, sent)
	w.forgetRefusals(by, before, after)
	for _, l := range w.lives {
		l.watch.secretChanged(ref, after)
	}
	if after != nil && a.ownerGone(after.pair) {
		w.collectGarbage(ref)
	}
}

func (a *apiServer) ownerGone(pair *rotation.Pair) bool {
	res := a.world.resources[keyOf(pair.Ref)]
	return pair.Controlled && (res == nil || !res.is(pair.Owner.UID))
}

func (by writer) String() string {
	if by.life != nil {
		return by.life.String()
	}
	return by.name
}

// seen is a Secret without its data. All watches see the same one, and change nothing about it.
func (o *object) seen() *rotation.Pair {
	if o.metadata == nil {
		o.metadata = o.pair.WithoutTokens()
		o.metadata.Immutable = false
		if o.metadata.StateLost {
			o.metadata.State = rotation.State{}
		}
	}
	return o.metadata
}
