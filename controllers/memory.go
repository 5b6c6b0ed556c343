package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// memories is what this process remembers of each resource. Nothing in it is needed for safety: after a
// restart it is empty, and what must not be forgotten stands in the pair Secret.
type memories struct {
	mu    sync.Mutex
	clock rotation.Clock
	byUID map[types.UID]*memory
}

// memory is what is remembered of one resource. Its fields are guarded by memories.mu.
type memory struct {
	// latest is the metadata of the pair Secret as this process last wrote it, for as long as the cache
	// lags behind.
	latest *rotation.Pair
	// backupGone is the UID of a backup that was removed, or was found gone, and may still be in the cache.
	backupGone types.UID
	// seenVersion is the version of the pair Secret that was last looked at, and ownVersion the one that this
	// process last wrote: any other is somebody else's edit.
	seenVersion, ownVersion string
	// intent and intentSince say since when this process has been seeing an intent.
	intent      string
	intentSince time.Duration
	// accessToken and expiresAt say when the access token expires by the monotonic clock.
	accessToken credential.Fingerprint
	expiresAt   time.Duration
	// generation is that of the spec that was last looked at.
	generation int64
	// failure is the last exchange that brought nothing, until one succeeds or the spec changes.
	failure *failure
	// commitTrouble says why a received pair is not stored yet.
	commitTrouble string
	// statusVersion, statusHash and standing tell a status that was written and is not in the cache yet.
	statusVersion string
	statusHash    uint64
	standing      standing
}

// failure is why the last exchange brought nothing.
type failure struct {
	reason  string
	message string
	tries   int
	// next is when to try again, and nextMonotonic the same by the monotonic clock: a wall clock that is set
	// back must not put it off.
	next          time.Time
	nextMonotonic time.Duration
	generation    int64
	// requested is the value of the annotation that asked for the exchange.
	requested string
	// ambiguous says that nobody knows whether GitHub exchanged the token.
	ambiguous bool
}

func newMemories(clock rotation.Clock) *memories {
	return &memories{clock: clock, byUID: map[types.UID]*memory{}}
}

// with runs a function on the memory of a resource, under the lock.
func (m *memories) with(uid types.UID, use func(*memory)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	remembered := m.byUID[uid]
	if remembered == nil {
		remembered = &memory{}
		m.byUID[uid] = remembered
	}
	use(remembered)
}

// forget drops the memory of a resource that is gone.
func (m *memories) forget(uid types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.byUID, uid)
}

// remember keeps the metadata of a pair Secret that was just written.
func (m *memories) remember(uid types.UID, pair *rotation.Pair) {
	if pair == nil {
		return
	}
	stripped := withoutTokens(pair)
	m.with(uid, func(remembered *memory) {
		remembered.latest = stripped
		remembered.ownVersion = stripped.Version
		remembered.commitTrouble = ""
	})
}

// newest is the newer of what the cache shows and what was last written. A Secret that was written and is
// missing from the cache has either not arrived there yet, or is gone; which of them the next write tells.
func (m *memories) newest(uid types.UID, ref rotation.Ref, cached *rotation.Pair) *rotation.Pair {
	newest := cached
	m.with(uid, func(remembered *memory) {
		latest := remembered.latest
		switch {
		case latest == nil || latest.Ref != ref:
		case cached == nil:
			newest = latest
		case isOlder(cached.Version, latest.Version):
			newest = latest
		default:
			remembered.latest = nil
		}
	})
	return newest
}

// backupIsGone notes that a backup which the cache may still show does not exist any more.
func (m *memories) backupIsGone(uid, backup types.UID) {
	m.with(uid, func(remembered *memory) { remembered.backupGone = backup })
}

// isBackupGone says whether that was noted of this very backup.
func (m *memories) isBackupGone(uid, backup types.UID) (gone bool) {
	m.with(uid, func(remembered *memory) { gone = remembered.backupGone == backup })
	return gone
}

// doubt drops the last written metadata: a write made on the strength of it was refused.
func (m *memories) doubt(uid types.UID) {
	m.with(uid, func(remembered *memory) { remembered.latest = nil })
}

// wasEdited says whether somebody else has written the pair Secret since it was last looked at. What was
// there when this process began is taken as it is.
func (m *memories) wasEdited(uid types.UID, version string) (edited bool) {
	m.with(uid, func(remembered *memory) {
		edited = remembered.seenVersion != "" && version != remembered.seenVersion && version != remembered.ownVersion
		remembered.seenVersion = version
	})
	return edited
}

// hasNewSpec says whether the spec was changed since it was last looked at. The one that was there when this
// process began is taken as known.
func (m *memories) hasNewSpec(uid types.UID, generation int64) (changed bool) {
	m.with(uid, func(remembered *memory) {
		changed = remembered.generation != 0 && remembered.generation != generation
		remembered.generation = generation
	})
	return changed
}

// gone drops the last written metadata of a Secret that is known not to exist any more.
func (m *memories) gone(uid, secret types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if remembered := m.byUID[uid]; remembered != nil && remembered.latest != nil && remembered.latest.UID == string(secret) {
		remembered.latest = nil
	}
}

// observe starts the monotonic clocks on what is seen now, and reads them.
func (m *memories) observe(uid types.UID, pair *rotation.Pair, now time.Time) (intentSeen time.Duration, expiresIn *time.Duration) {
	mono := m.clock.Monotonic()
	m.with(uid, func(remembered *memory) {
		switch {
		case pair == nil || pair.Intent == nil:
			remembered.intent = ""
		case remembered.intent != pair.Intent.ID:
			remembered.intent, remembered.intentSince = pair.Intent.ID, mono
		}
		if remembered.intent != "" {
			intentSeen = mono - remembered.intentSince
		}
		if pair == nil || !pair.State.Expires() {
			remembered.accessToken = ""
			return
		}
		if remembered.accessToken != pair.State.AccessToken {
			remembered.accessToken = pair.State.AccessToken
			remembered.expiresAt = mono + pair.State.ExpiresAt.Sub(now)
		}
		expiresIn = new(remembered.expiresAt - mono)
	})
	return intentSeen, expiresIn
}

// due is when to try again. It stays the same text at each look, unless the wall clock was set.
func (f *failure) due(clock rotation.Clock, now time.Time) time.Time {
	if due := now.Add(f.nextMonotonic - clock.Monotonic()); due.Sub(f.next).Abs() > time.Second {
		return due
	}
	return f.next
}

// isOlder compares two resourceVersions of Secrets. Versions that cannot be compared count as not older.
func isOlder(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order < 0
}
