package outbox

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// exchange is what the model knows of one resource.
type exchange struct {
	// underWay says that an exchange has begun and has not ended, and since when its reply is kept; zero while it is not.
	underWay bool
	since    time.Time
}

func (e *exchange) isKept() bool { return !e.since.IsZero() }

// model is what the shares ought to be, counted anew at each look.
type model struct {
	limit     int
	now       time.Time
	exchanges map[rotation.Owner]*exchange
	// heirs are the namespaces of replies that an earlier life has left. They may have more than they would get.
	heirs map[string]bool
}

// count is how many places a namespace has, and for how many of them a reply has waited for long.
func (m *model) count(namespace string) (has, waiting int) {
	for owner, e := range m.exchanges {
		if owner.Namespace != namespace || !e.underWay {
			continue
		}
		has++
		if e.isKept() && m.now.Sub(e.since) > patience {
			waiting++
		}
	}
	return has, waiting
}

func (m *model) free() int {
	free := m.limit
	for _, e := range m.exchanges {
		if e.underWay {
			free--
		}
	}
	return free
}

// gets reports whether a namespace that has so many places gets one more, as the documents put it.
func (m *model) gets(has, free int) bool {
	lastPart := m.limit / 8
	return free > 0 && (has == 0 || float64(has) < float64(free-lastPart)/6)
}

// Whoever has nothing gets a place while any is free, nobody gets more than an eighth, and whoever is refused is told why:
// never of pairs that wait when it has none. All that is taken is given back once, in whatever way an exchange ends.
func TestOutboxSharesKeepTheirRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{
			limit: rapid.OneOf(rapid.IntRange(1, 40), rapid.Just(120)).Draw(t, "limit"),
			now:   time.Unix(1e9, 0), exchanges: map[rotation.Owner]*exchange{}, heirs: map[string]bool{},
		}
		namespaces := []string{"a", "b", "c", "d", "e", "f"}
		for _, namespace := range namespaces {
			for n := range 20 {
				m.exchanges[of(namespace, n)] = &exchange{}
			}
		}
		s := newShares(m.limit)
		owners := slices.SortedFunc(maps.Keys(m.exchanges), func(a, b rotation.Owner) int {
			return strings.Compare(a.UID, b.UID)
		})
		one := rapid.SampledFrom(owners)
		begin := func(t *rapid.T, owner rotation.Owner) (began bool) {
			e := m.exchanges[owner]
			if e.underWay {
				return false
			}
			has, waiting := m.count(owner.Namespace)
			want := m.gets(has, m.free())
			err := s.room(owner, m.now)
			if again := s.reserve(owner, m.now); (again == nil) != (err == nil) || (err == nil) != want {
				t.Fatalf("%v: has %d, %d are free of %d: said %v beforehand, and %v then; want %v", owner, has, m.free(), m.limit, err, again, want)
			}
			e.underWay = want
			switch passes := m.gets(waiting, m.free()+has-waiting); {
			case want:
			case has == 0 && (!errors.Is(err, errFull) || m.free() > 0):
				t.Fatalf("who has nothing is told %v while %d are free", err, m.free())
			case errors.Is(err, rotation.ErrShareUsed) && waiting == 0:
				t.Fatalf("is told %v, and no pair has waited for long", err)
			case errors.Is(err, rotation.ErrPlacesInUse) != passes:
				t.Fatalf("has %d, of which %d wait, with %d free, and is told %v", has, waiting, m.free(), err)
			}
			return want
		}
		t.Repeat(map[string]func(*rapid.T){
			"begin": func(t *rapid.T) { begin(t, one.Draw(t, "owner")) },
			"begin many": func(t *rapid.T) {
				namespace := rapid.SampledFrom(namespaces).Draw(t, "namespace")
				for _, owner := range owners {
					if owner.Namespace == namespace && !m.exchanges[owner].underWay && !begin(t, owner) {
						return
					}
				}
			},
			"keep": func(t *rapid.T) {
				owner := one.Draw(t, "owner")
				if e := m.exchanges[owner]; e.underWay && !e.isKept() {
					s.keep(owner, owner.UID, m.now)
					e.since = m.now
				}
			},
			"find": func(t *rapid.T) {
				owner := one.Draw(t, "owner")
				if e := m.exchanges[owner]; !e.underWay && rapid.IntRange(0, 3).Draw(t, "luck") == 0 {
					*e = exchange{underWay: true, since: m.now.Add(-time.Duration(rapid.IntRange(0, 60).Draw(t, "seconds")) * time.Second)}
					s.found(owner.Namespace, owner.UID, e.since)
					m.heirs[owner.Namespace] = true
				}
			},
			"end": func(t *rapid.T) {
				owner := one.Draw(t, "owner")
				if e := m.exchanges[owner]; e.isKept() {
					s.forget(owner.Namespace, owner.UID)
				}
				s.release(owner) // As the exchange does, whatever has become of it.
				*m.exchanges[owner] = exchange{}
			},
			"time passes": func(t *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "seconds")) * time.Second)
			},
			"": func(t *rapid.T) {
				if s.limit-s.taken != m.free() {
					t.Fatalf("%d of %d are taken, want %d", s.taken, s.limit, m.limit-m.free())
				}
				for _, namespace := range namespaces {
					has, _ := m.count(namespace)
					switch h := s.of[namespace]; {
					case h == nil && has > 0 || h != nil && (h.places != has || has == 0):
						t.Fatalf("%s has %d places, and is remembered with %+v", namespace, has, h)
					case has > (m.limit+7)/8 && !m.heirs[namespace]:
						t.Fatalf("%s has %d of %d places", namespace, has, m.limit)
					}
				}
			},
		})
		for owner, e := range m.exchanges {
			if e.isKept() {
				s.forget(owner.Namespace, owner.UID)
			}
			s.release(owner)
		}
		if s.taken != 0 || len(s.of) != 0 || len(s.reserved) != 0 {
			t.Fatalf("%d places are taken, by %d namespaces, for %d exchanges when all have ended", s.taken, len(s.of), len(s.reserved))
		}
	})
}
