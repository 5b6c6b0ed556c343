package seeds

import (
	"crypto/rand"
	"crypto/sha256"
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// findings are what was found in named Secrets. A Secret is read once in each version, however many resources name
// it, and what was found there goes when Versions has forgotten the Secret: what is kept grows with what is named.
type findings struct {
	versions Versions
	// key is that of the digests.
	key []byte

	mu       sync.Mutex
	bySecret map[types.NamespacedName]*entry
	// left is how many were left when they were last pruned.
	left int
}

// entry is what was found in one Secret, under the keys that somebody has asked for.
type entry struct {
	// version is what was read, and told what the watch had told until then: both stand for it.
	version string
	told    told
	keys    map[string]*known
}

// told is what Versions tells of a Secret.
type told struct {
	version string
	known   bool
}

// known is the latest finding under a key, and the one that those who name the Secret were last told of.
type known struct{ latest, announced finding }

const (
	// maxKeys is of how many keys of a Secret something is remembered.
	maxKeys = 1000
	// roomFor is how many Secrets may be remembered, named or not, before any is pruned.
	roomFor = 64
)

func newFindings(versions Versions) *findings {
	f := &findings{versions: versions, key: make([]byte, sha256.Size), bySecret: map[types.NamespacedName]*entry{}}
	_, _ = rand.Read(f.key) // It never fails.
	return f
}

func (f *findings) told(secret types.NamespacedName) told {
	version, known := f.versions.Version(secret)
	return told{version, known}
}

// get is what was found under a reference, if the Secret is still as it was read, as far as the watch has told. What
// was read may be newer than that.
func (f *findings) get(ref reference) (found finding, ok bool) {
	now := f.told(ref.secret)
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.bySecret[ref.secret]
	if e == nil || !now.known || now.version != e.version && now != e.told || e.keys[ref.key] == nil {
		return finding{}, false
	}
	return e.keys[ref.key].latest, true
}

// confirmed is get for a version that was known before it was read: what the watch has not told since has not happened.
func (f *findings) confirmed(ref reference) (found finding, ok bool) {
	f.mu.Lock()
	e := f.bySecret[ref.secret]
	known := e != nil && e.told.known
	f.mu.Unlock()
	if !known {
		return finding{}, false
	}
	return f.get(ref)
}

// note remembers what a Secret held when it was read, nil when there was none: under the keys, and under all that were
// asked for before. before is what the watch had told before it was read. It reports whether
// something else was known of any of them.
func (f *findings) note(name types.NamespacedName, secret *Secret, before told, keys ...string) (news bool) {
	version := ""
	if secret != nil {
		version = secret.Version
	}
	f.versions.Learn(name, version)
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.bySecret[name]
	if e == nil {
		f.prune()
		e = &entry{keys: map[string]*known{}}
		f.bySecret[name] = e
	}
	e.version, e.told = version, before
	for key, k := range e.keys {
		found := find(reference{name, key}, secret, f.key)
		news = news || !found.sameAs(k.latest)
		k.latest = found
	}
	for _, key := range keys {
		if e.keys[key] != nil {
			continue
		}
		if len(e.keys) >= maxKeys {
			clear(e.keys)
		}
		found := find(reference{name, key}, secret, f.key)
		e.keys[key] = &known{found, found}
	}
	return news
}

// unknown are those of the keys of which nothing is remembered.
func (f *findings) unknown(name types.NamespacedName, keys []string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.bySecret[name]
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return e != nil && e.keys[key] != nil })
}

// announce is which of the keys hold something else than was announced of them last; now it is. Of keys that are not
// named any more nothing is remembered.
func (f *findings) announce(name types.NamespacedName, keys []string) (changed []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.bySecret[name]
	if e == nil {
		return keys // It was forgotten meanwhile.
	}
	named := make(map[string]*known, len(keys))
	for _, key := range keys {
		k := e.keys[key]
		if k == nil || named[key] != nil {
			continue
		}
		named[key] = k
		if !k.latest.sameAs(k.announced) {
			k.announced = k.latest
			changed = append(changed, key)
		}
	}
	e.keys = named
	return changed
}

// prune drops what was found in Secrets that Versions has forgotten. It is done when there are twice as many as were
// left the last time, so that each costs a bounded number of lookups.
func (f *findings) prune() {
	if len(f.bySecret) <= max(2*f.left, roomFor) {
		return
	}
	maps.DeleteFunc(f.bySecret, func(name types.NamespacedName, _ *entry) bool { return !f.told(name).known })
	f.left = len(f.bySecret)
}

func (f *findings) forget(name types.NamespacedName) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.bySecret, name)
}
