package controllers

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// outputMemories is what this process remembers of outputs. Nothing is remembered of an output that is in
// the cache as it was written.
type outputMemories struct {
	mu    sync.Mutex
	clock rotation.Clock
	byUID map[types.UID]map[string]*outputMemory
	// rounds are the tries under way.
	rounds map[types.UID]*outputRound
}

// outputRound is about outputs of one resource that are being written.
type outputRound struct {
	// writers is how many are at it: a flight and a reconcile may be at once.
	writers int
	// disturbed says that a Secret of theirs has changed since: what they saw in their way may be gone.
	disturbed bool
}

// outputMemory is what is remembered of one output.
type outputMemory struct {
	// written is the metadata as this process last wrote it, while the cache lags behind.
	written *metav1.ObjectMeta
	// checked is the version whose data was read and found right, although managedFields do not prove it.
	checked string
	// trouble says why the output is not as it should be.
	trouble *outputTrouble
}

// outputTrouble is why an output could not be written.
type outputTrouble struct {
	reason  string
	message string
	// stalled says that somebody must change something.
	stalled bool
	// transient says that nobody refused the write: it may well succeed in a moment.
	transient  bool
	tries      int
	next       time.Duration
	generation int64
}

func newOutputMemories(clock rotation.Clock) *outputMemories {
	return &outputMemories{clock: clock, byUID: map[types.UID]map[string]*outputMemory{}, rounds: map[types.UID]*outputRound{}}
}

// begin notes that outputs of a resource are about to be written. What it returns notes the end.
func (m *outputMemories) begin(uid types.UID) (end func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	round := m.rounds[uid]
	if round == nil {
		round = &outputRound{}
		m.rounds[uid] = round
	}
	round.writers++
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if round.writers--; round.writers == 0 {
			delete(m.rounds, uid)
		}
	}
}

// with runs a function on the memory of an output, under the lock, and drops the memory when it is empty.
func (m *outputMemories) with(uid types.UID, name string, use func(*outputMemory)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	remembered := m.byUID[uid][name]
	if remembered == nil {
		remembered = &outputMemory{}
	}
	use(remembered)
	if *remembered == (outputMemory{}) {
		delete(m.byUID[uid], name)
		if len(m.byUID[uid]) == 0 {
			delete(m.byUID, uid)
		}
		return
	}
	if m.byUID[uid] == nil {
		m.byUID[uid] = map[string]*outputMemory{}
	}
	m.byUID[uid][name] = remembered
}

// newest is the newer of what the cache shows and what was last written.
func (m *outputMemories) newest(uid types.UID, name string, cached *metav1.ObjectMeta) *metav1.ObjectMeta {
	newest := cached
	m.with(uid, name, func(remembered *outputMemory) {
		switch written := remembered.written; {
		case written == nil:
		case cached == nil || isOlder(cached.ResourceVersion, written.ResourceVersion):
			newest = written
		default:
			remembered.written = nil
		}
	})
	return newest
}

// wrote remembers the metadata of an output that was just written, which ends its trouble.
func (m *outputMemories) wrote(uid types.UID, name string, meta *metav1.ObjectMeta) {
	written := meta.DeepCopy()
	written.ManagedFields = dataManagers(meta.ManagedFields)
	m.with(uid, name, func(remembered *outputMemory) { *remembered = outputMemory{written: written} })
}

// gone drops what is remembered of a Secret that does not exist any more.
func (m *outputMemories) gone(uid types.UID, name string, secret types.UID) {
	m.with(uid, name, func(remembered *outputMemory) {
		if remembered.written != nil && remembered.written.UID == secret {
			remembered.written = nil
		}
		remembered.checked = ""
	})
}

// failed remembers the trouble of an output: it is tried again later each time. nil ends it.
func (m *outputMemories) failed(uid types.UID, name string, generation int64, trouble *outputTrouble) {
	m.with(uid, name, func(remembered *outputMemory) {
		if trouble == nil {
			remembered.trouble = nil
			return
		}
		if before := remembered.trouble; before != nil && before.reason == trouble.reason {
			trouble.tries = before.tries
		}
		wait := min(time.Second<<min(trouble.tries, 10), maxBackoff)
		if trouble.stalled {
			wait = maxBackoff // A change is noticed at once; this is for one that was missed.
			if round := m.rounds[uid]; round != nil && round.disturbed {
				wait = 0
			}
		}
		trouble.tries++
		trouble.generation, trouble.next = generation, m.clock.Monotonic()+wait
		remembered.trouble = trouble
		remembered.written = nil // What was remembered did not help; look anew.
	})
}

// waits says whether an output is in trouble and its next try is still to come.
func (m *outputMemories) waits(uid types.UID, name string, generation int64) (waits bool) {
	m.with(uid, name, func(remembered *outputMemory) {
		if remembered.trouble != nil && remembered.trouble.generation != generation {
			remembered.trouble = nil
		}
		waits = remembered.trouble != nil && remembered.trouble.next > m.clock.Monotonic()
	})
	return waits
}

// reconsider has outputs tried again that were blocked by a Secret which has changed now.
func (m *outputMemories) reconsider(uid types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if round := m.rounds[uid]; round != nil {
		round.disturbed = true
	}
	for _, remembered := range m.byUID[uid] {
		if remembered.trouble != nil && remembered.trouble.stalled {
			remembered.trouble.next = 0
		}
	}
}

// keep forgets all outputs but the named ones.
func (m *outputMemories) keep(uid types.UID, outputs []v1alpha1.Output) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.byUID[uid] {
		if !slices.ContainsFunc(outputs, func(o v1alpha1.Output) bool { return o.Name == name }) {
			delete(m.byUID[uid], name)
		}
	}
	if len(m.byUID[uid]) == 0 {
		delete(m.byUID, uid)
	}
}

// forget drops all that is remembered for a resource that is gone.
func (m *outputMemories) forget(uid types.UID) { m.keep(uid, nil) }

// transient says whether an output is missing or stale for a reason that may pass in a moment.
func (m *outputMemories) transient(uid types.UID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, remembered := range m.byUID[uid] {
		if remembered.trouble != nil && remembered.trouble.transient {
			return true
		}
	}
	return false
}

// obstacle puts the troubles of all outputs of a resource into words, those that need somebody first, and
// says when to look again.
func (m *outputMemories) obstacle(uid types.UID, now time.Time) (*obstacle, time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name, remembered := range m.byUID[uid] {
		if remembered.trouble != nil {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, time.Time{}
	}
	slices.SortFunc(names, func(a, b string) int {
		if sa, sb := m.byUID[uid][a].trouble.stalled, m.byUID[uid][b].trouble.stalled; sa != sb {
			if sa {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	first := m.byUID[uid][names[0]].trouble
	found := &obstacle{reason: first.reason, stalled: first.stalled, message: first.message}
	if more := len(names) - 1; more > 0 {
		found.message += fmt.Sprintf(" Further outputs in trouble: %s.", strings.Join(names[1:], ", "))
	}
	next := first.next
	for _, name := range names {
		next = min(next, m.byUID[uid][name].trouble.next)
	}
	at := now.Add(max(0, next-m.clock.Monotonic()))
	if !found.stalled {
		found.next = at
	}
	return found, at
}
