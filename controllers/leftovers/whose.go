package leftovers

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// NameOf names the resource that an event about one of our Secrets is for: its controller, or the one for
// whose name it was retained or restored. ok is false when there is none.
func NameOf(pair *rotation.Pair) (name types.NamespacedName, ok bool) {
	name = types.NamespacedName{Namespace: pair.Ref.Namespace, Name: pair.Owner.Name}
	if name.Name == "" {
		name.Name = pair.State.OwnerName
	}
	return name, name.Name != ""
}

// IsLeft reports whether a pair was let go of by a resource of that name. Our finalizer may still be on it.
func IsLeft(pair *rotation.Pair, name string) bool {
	return pair.Orphan && pair.State.Retained && pair.State.OwnerName == name
}

// IsForsaken reports whether a pair of a resource of that name has no owner: it was let go of, or has come from a backup or
// another namespace without one.
func IsForsaken(pair *rotation.Pair, name string) bool {
	return pair.Orphan && pair.State.OwnerName == name
}

// IsOfNoUse reports whether a pair without an owner was that of a former resource of this name. One that is the resource's own
// has only lost its owner reference.
func IsOfNoUse(pair *rotation.Pair, owner rotation.Owner) bool {
	return IsForsaken(pair, owner.Name) && (pair.State.Retained || pair.State.Owner != owner.UID)
}
