package fair

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func takeAll(p *Places, key Key) (taken int) {
	for p.Take(key) {
		taken++
	}
	return taken
}

func TestPlacesLeaveRoomForOthers(t *testing.T) {
	for _, test := range []struct {
		limit int
		host  string
		want  []int // that each of so many namespaces gets which take all they can, one after the other
	}{
		{limit: 1, want: []int{1, 0}},
		{limit: 2, want: []int{2, 0}},
		{limit: 8, want: []int{6, 2, 0}},
		{limit: 256, want: []int{192, 48, 12, 3, 1, 0}},
		{limit: 1, host: "github.com", want: []int{1, 0}},
		{limit: 5, host: "github.com", want: []int{3, 1, 0}},
		{limit: 8, host: "github.com", want: []int{5, 1, 0}},
		{limit: 32, host: "github.com", want: []int{18, 5, 1, 0}},
		{limit: 256, host: "github.com", want: []int{144, 36, 9, 3, 0}},
	} {
		p := NewPlaces(test.limit)
		for i, want := range test.want {
			if got := takeAll(p, Key{fmt.Sprint(i), test.host}); got != want {
				t.Errorf("of %d places with host %q namespace %d got %d, want %d", test.limit, test.host, i, got, want)
			}
		}
	}
}

// A host that hangs takes the places of all who ask it, however many they are, and leaves a quarter to the other hosts.
func TestPlacesOfAHostLeaveRoomForOtherHosts(t *testing.T) {
	p := NewPlaces(256)
	taken := 0
	for i := range 1000 {
		taken += takeAll(p, Key{fmt.Sprint(i), "slow"})
	}
	if taken != 192 {
		t.Errorf("a host got %d places, want 192", taken)
	}
	if !p.Fits(Key{"0", "fast"}) || !p.Fits(Key{"another", "fast"}) || !p.Fits(Key{"another", ""}) {
		t.Error("nothing is left to another host, or to what waits for none")
	}
	p.Free(Key{"0", "slow"})
	if !p.Fits(Key{"another", "slow"}) {
		t.Error("a place that was given back is not free")
	}
}

// Whatever one namespace does with however many hosts, and with none, another finds places at each of them.
func TestPlacesOfOneNamespaceLeaveRoomAtEveryHost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := NewPlaces(rapid.IntRange(8, 64).Draw(t, "limit"))
		hosts := []string{"", "a", "b", "c"}
		for _, host := range rapid.SliceOfN(rapid.SampledFrom(hosts), 0, 100).Draw(t, "taken") {
			p.Take(Key{"flood", host})
		}
		for _, host := range hosts {
			if !p.Fits(Key{"victim", host}) {
				t.Fatalf("nothing is left at host %q of %d places: %v", host, p.limit, p.both)
			}
		}
	})
}

func TestPlacesTakenAnywayCount(t *testing.T) {
	p := NewPlaces(4)
	for range 6 {
		p.TakeAnyway(Key{Namespace: "a"})
	}
	if p.Fits(Key{Namespace: "b"}) {
		t.Error("there is a place although more are taken than there are")
	}
	for range 6 {
		p.Free(Key{Namespace: "a"})
	}
	if got := takeAll(p, Key{Namespace: "b"}); got != 3 {
		t.Errorf("got %d places after all were given back, want 3", got)
	}
}

// Whoever has nothing gets a place as long as one is free and the host has its share, and what was taken is given back whole.
func TestPlacesKeepTheirRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 40).Draw(t, "limit")
		p := NewPlaces(limit)
		var taken []Key
		count := func(is func(Key) bool) (n int) {
			for _, k := range taken {
				if is(k) {
					n++
				}
			}
			return n
		}
		namespace, host := rapid.SampledFrom([]string{"a", "b", "c", "d"}), rapid.SampledFrom([]string{"", "x", "y"})
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				k := Key{namespace.Draw(t, "namespace"), host.Draw(t, "host")}
				free, atHost := limit-len(taken), count(func(o Key) bool { return o.Host == k.Host })
				want := free > 0 && count(func(o Key) bool { return o.Namespace == k.Namespace }) < Share*free
				if want && k.Host != "" {
					room := 0
					for ; free-room > 0 && atHost+room < Share*(free-room); room++ {
					}
					want = count(func(o Key) bool { return o == k }) < Share*room
				}
				took := p.Take(k)
				if took != want {
					t.Fatalf("took %v, want %v", took, want)
				}
				if took {
					taken = append(taken, k)
				}
			},
			"free": func(t *rapid.T) {
				if len(taken) == 0 {
					return
				}
				i := rapid.IntRange(0, len(taken)-1).Draw(t, "which")
				p.Free(taken[i])
				taken = slices.Delete(taken, i, i+1)
			},
			"": func(t *rapid.T) {
				if p.taken != len(taken) || p.taken > limit {
					t.Fatalf("%d are taken, want %d of %d", p.taken, len(taken), limit)
				}
				if len(taken) == 0 && len(p.namespaces)+len(p.hosts)+len(p.both) > 0 {
					t.Fatal("something is remembered of those that have nothing")
				}
			},
		})
	})
}
