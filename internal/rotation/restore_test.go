package rotation

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// shelves are a Store of several Secrets.
type shelves struct {
	byRef   map[Ref]*Pair
	version int
	// admit, if set, alters what is written, as a mutating webhook would.
	admit func(*Pair)
}

func (s *shelves) Locate(context.Context, Owner) ([]Ref, error) { return nil, nil }

// Gone says that the resource is there.
func (s *shelves) Gone(context.Context, Owner) (bool, error) { return false, nil }

func (s *shelves) Get(_ context.Context, ref Ref) (*Pair, error) {
	if pair := s.byRef[ref]; pair != nil {
		return pair.Clone(), nil
	}
	return nil, ErrNotFound
}

func (s *shelves) Create(_ context.Context, pair *Pair) (*Pair, error) {
	if s.byRef[pair.Ref] != nil {
		return nil, ErrExists
	}
	return s.put(pair)
}

func (s *shelves) Update(_ context.Context, current, next *Pair) (*Pair, error) {
	if live := s.byRef[current.Ref]; live == nil || live.Version != current.Version {
		return nil, ErrConflict
	}
	return s.put(next)
}

func (s *shelves) Remove(_ context.Context, pair *Pair) error {
	delete(s.byRef, pair.Ref)
	return nil
}

func (s *shelves) put(pair *Pair) (*Pair, error) {
	s.version++
	fresh := pair.Clone()
	fresh.Controlled = true
	if s.admit != nil {
		s.admit(fresh)
	}
	fresh.Version = strconv.Itoa(s.version)
	s.byRef[pair.Ref] = fresh
	return fresh.Clone(), nil
}

// stored is a pair of a resource with tokens of a name; without any when it has none.
func stored(owner Owner, ref Ref, token string) *Pair {
	pair := &Pair{
		Ref: ref, Owner: owner, Controlled: true, UID: "uid-of-" + ref.Name,
		State: State{Owner: owner.UID, OwnerName: owner.Name, App: "app", Revision: 1},
	}
	if token == "" {
		pair.Intent = &Intent{ID: "first", Spends: "seed"}
		return pair
	}
	pair.AccessToken, pair.RefreshToken = credential.NewAccessToken("ghu_"+token), credential.NewRefreshToken("ghr_"+token)
	pair.State.AccessToken, pair.State.RefreshToken = pair.AccessToken.Fingerprint(), pair.RefreshToken.Fingerprint()
	pair.State.Seeds = []SeedRecord{{Fingerprint: credential.Fingerprint("seed-" + token)}}
	return pair
}

// Two resources have asked for a Secret of one name, and the other one has it.
func TestAPairIsNotPutIntoTheSecretOfAnotherResource(t *testing.T) {
	ours, theirs := Owner{Namespace: "n", Name: "a", UID: "uid-a"}, Owner{Namespace: "n", Name: "b", UID: "uid-b"}
	ref := Ref{Namespace: "n", Name: "s"}
	for name, token := range map[string]string{"with a pair": "b", "with a first fence": ""} {
		t.Run(name, func(t *testing.T) {
			store := &shelves{byRef: map[Ref]*Pair{}}
			if _, err := store.put(stored(theirs, ref, token)); err != nil {
				t.Fatal(err)
			}
			if _, err := store.put(stored(ours, ours.BackupRef(), "a")); err != nil {
				t.Fatal(err)
			}
			rotator := &Rotator{Store: store, Clock: SystemClock()}
			if _, err := rotator.Restore(context.Background(), ours, ref); !errors.Is(err, ErrNotOwned) {
				t.Errorf("error %v, want ErrNotOwned", err)
			}
			if store.byRef[ours.BackupRef()] == nil {
				t.Error("the only copy of the pair is gone")
			}
			if live := store.byRef[ref]; live.AccessToken == credential.NewAccessToken("ghu_a") || live.State.Owner != theirs.UID {
				t.Error("the pair stands in the Secret of somebody else")
			}
		})
	}
}
