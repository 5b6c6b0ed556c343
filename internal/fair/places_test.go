package fair

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func takeAll(p *Places[string], keys ...string) (taken int) {
	for p.Take(keys...) {
		taken++
	}
	return taken
}

func TestPlacesLeaveRoomForOthers(t *testing.T) {
	for _, test := range []struct {
		limit int
		want  []int // that each of so many keys gets which take all they can, one after the other
	}{
		{limit: 1, want: []int{1, 0}},
		{limit: 2, want: []int{2, 0}},
		{limit: 8, want: []int{6, 2, 0}},
		{limit: 256, want: []int{192, 48, 12, 3, 1, 0}},
	} {
		p := NewPlaces[string](test.limit)
		for i, want := range test.want {
			if got := takeAll(p, fmt.Sprint(i)); got != want {
				t.Errorf("of %d places key %d got %d, want %d", test.limit, i, got, want)
			}
		}
	}
}

func TestPlacesCountForEachKey(t *testing.T) {
	p := NewPlaces[string](100)
	if got := takeAll(p, "namespace/a", "host/slow"); got != 75 {
		t.Fatalf("got %d places, want 75", got)
	}
	if p.Fits("namespace/b", "host/slow") {
		t.Error("another namespace got one more place for the same host")
	}
	if !p.Take("namespace/b", "host/fast") {
		t.Error("another namespace got no place for another host")
	}
	p.Free("namespace/a", "host/slow")
	if !p.Fits("namespace/b", "host/slow") {
		t.Error("a place that was given back is not free")
	}
}

func TestPlacesTakenAnywayCount(t *testing.T) {
	p := NewPlaces[string](4)
	for range 6 {
		p.TakeAnyway("a")
	}
	if p.Fits("b") {
		t.Error("there is a place although more are taken than there are")
	}
	for range 6 {
		p.Free("a")
	}
	if got := takeAll(p, "b"); got != 3 {
		t.Errorf("got %d places after all were given back, want 3", got)
	}
}

// Whoever has nothing gets a place as long as one is free, and what was taken is given back whole.
func TestPlacesKeepTheirRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 40).Draw(t, "limit")
		p, of, total := NewPlaces[string](limit), map[string]int{}, 0
		key := rapid.SampledFrom([]string{"a", "b", "c", "d"})
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				k := key.Draw(t, "key")
				took := p.Take(k)
				if want := total < limit && of[k] < Share*(limit-total); took != want {
					t.Fatalf("took %v, want %v", took, want)
				}
				if took {
					of[k]++
					total++
				}
			},
			"free": func(t *rapid.T) {
				k := key.Draw(t, "key")
				if of[k] == 0 {
					return
				}
				p.Free(k)
				of[k]--
				total--
			},
			"": func(t *rapid.T) {
				if p.taken != total || p.taken > limit {
					t.Fatalf("%d are taken, want %d of %d", p.taken, total, limit)
				}
				if total == 0 && len(p.of) > 0 {
					t.Fatalf("%d keys are remembered that have nothing", len(p.of))
				}
			},
		})
	})
}
