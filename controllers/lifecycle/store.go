package lifecycle

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// ownStore remembers which versions of pair Secrets this process has written itself: any other version is
// somebody else's edit, and its data has to be looked at.
type ownStore struct {
	rotation.Store

	notes    notes
	versions interface {
		// Forget is that of seeds.Versions.
		Forget(name types.NamespacedName)
	}
}

// Create implements rotation.Store. When it fails a Secret may stand there of which the watch has not told: it is looked for.
func (s ownStore) Create(ctx context.Context, pair *rotation.Pair) (*rotation.Pair, error) {
	created, err := s.Store.Create(ctx, pair)
	if err != nil {
		s.versions.Forget(types.NamespacedName(pair.Ref))
		return created, err
	}
	s.wrote(pair.Owner, "", created)
	return created, nil
}

// Update implements rotation.Store. An update that changes nothing keeps the version, which may be somebody else's.
func (s ownStore) Update(ctx context.Context, current, next *rotation.Pair) (*rotation.Pair, error) {
	updated, err := s.Store.Update(ctx, current, next)
	if err == nil && updated.Version != current.Version {
		s.wrote(next.Owner, current.Version, updated)
	}
	return updated, err
}

// wrote notes a version, unless what it was written over may hold an edit that nobody has looked at yet: that must not be hidden.
func (s ownStore) wrote(owner rotation.Owner, over string, pair *rotation.Pair) {
	if owner.UID == "" || pair.Ref == owner.BackupRef() {
		return
	}
	s.notes.With(types.UID(owner.UID), func(m *note) {
		if over == "" || !m.wasEdited(over) {
			m.ownVersion = pair.Version
		}
	})
}
