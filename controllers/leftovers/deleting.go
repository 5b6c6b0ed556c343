package leftovers

import (
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// deleting are the pair Secrets and backups that are being deleted, by the name of the resource that they were
// made for. Those of a former resource of a name are of no use to the one that bears it now, and nobody but us
// takes our finalizer off them.
//
// Whose a Secret is stands in its annotations, where anybody can write, and write something else each time: a Secret stands
// under one name, the last one.
type deleting struct {
	mu     sync.Mutex
	byName map[types.NamespacedName][]rotation.Ref
	nameOf map[rotation.Ref]types.NamespacedName
}

// maxName is how long the name of a resource can be.
const maxName = 253

// see notes a Secret as the cache shows it now, or that it is gone.
func (d *deleting) see(pair *rotation.Pair, gone bool) {
	name, ok := NameOf(pair)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop(pair.Ref)
	if gone || !ok || len(name.Name) > maxName || !pair.Deleting || !pair.Controlled && !IsForsaken(pair, name.Name) {
		return
	}
	if d.byName == nil {
		d.byName, d.nameOf = map[types.NamespacedName][]rotation.Ref{}, map[rotation.Ref]types.NamespacedName{}
	}
	d.byName[name], d.nameOf[pair.Ref] = append(d.byName[name], pair.Ref), name
}

// drop forgets a Secret.
func (d *deleting) drop(secret rotation.Ref) {
	name, known := d.nameOf[secret]
	if !known {
		return
	}
	delete(d.nameOf, secret)
	d.byName[name] = slices.DeleteFunc(d.byName[name], func(ref rotation.Ref) bool { return ref == secret })
	if len(d.byName[name]) == 0 {
		delete(d.byName, name)
	}
}

func (d *deleting) of(name types.NamespacedName) []rotation.Ref {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.byName[name])
}
