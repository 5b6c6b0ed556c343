package secretwatch

import (
	"maps"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// VersionOf names one version of one object. An object that was deleted and made anew is another.
func VersionOf(object metav1.Object) string {
	return string(object.GetUID()) + "/" + object.GetResourceVersion()
}

// roomFor is how many versions may be known, of Secrets that are named or not, before any is pruned.
const roomFor = 64

// seen is what is known of a Secret.
type seen struct {
	// version is the current one; empty when there is no Secret.
	version string
	// marks are those of this version; see Options.Marks. They are not known of one that was learned.
	marks   uint64
	learned bool
	// old reports that the watch has begun anew, and has not told of it since.
	old bool
}

// versions are the versions of Secrets that are named, and of some that were.
type versions struct {
	named func(types.NamespacedName) bool

	mu    sync.Mutex
	known map[types.NamespacedName]seen
	// left is how many were left when they were last pruned. It is done again when there are twice as many, so
	// that each that is noted costs a bounded number of lookups.
	left int
}

func (v *versions) get(name types.NamespacedName) (version string, known bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	current, known := v.known[name]
	return current.version, known
}

// set notes what the watch tells, and completes the change that this is. news is false when it was known.
func (v *versions) set(name types.NamespacedName, current seen, change *Change) (news bool) {
	v.mu.Lock()
	before, known := v.known[name]
	v.known[name] = current
	v.mu.Unlock()
	v.pruneIfMany()
	gone := before.version == "" != (current.version == "")
	change.First = !known
	change.Marked = !known || before.learned || gone || before.marks != current.marks
	return !known || before.version != current.version
}

func (v *versions) learn(name types.NamespacedName, version string) {
	v.mu.Lock()
	if before, known := v.known[name]; !known || before.old {
		v.known[name] = seen{version: version, learned: true}
	}
	v.mu.Unlock()
	v.pruneIfMany()
}

// age notes that the watch of a namespace, or of all when it is empty, begins anew.
func (v *versions) age(namespace string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for name, current := range v.known {
		if (namespace == "" || name.Namespace == namespace) && current.version != "" {
			current.old = true
			v.known[name] = current
		}
	}
}

// old are the Secrets of which a watch that has begun anew has not told.
func (v *versions) old(namespace string) (names []types.NamespacedName) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for name, current := range v.known {
		if (namespace == "" || name.Namespace == namespace) && current.old {
			names = append(names, name)
		}
	}
	return names
}

func (v *versions) forget(name types.NamespacedName) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.known, name)
}

func (v *versions) pruneIfMany() {
	v.mu.Lock()
	many := len(v.known) > max(2*v.left, roomFor)
	v.mu.Unlock()
	if many {
		v.prune()
	}
}

// prune drops the versions of Secrets that nobody names. Somebody may begin to name one while it is looked at;
// a version that is told meanwhile is then news to them and stays.
func (v *versions) prune() {
	v.mu.Lock()
	before := maps.Clone(v.known)
	v.left = len(before) // What is noted meanwhile begins no second one.
	v.mu.Unlock()
	maps.DeleteFunc(before, func(name types.NamespacedName, _ seen) bool { return v.named(name) })
	v.mu.Lock()
	defer v.mu.Unlock()
	for name, was := range before {
		if v.known[name] == was {
			delete(v.known, name)
		}
	}
	v.left = len(v.known)
}
