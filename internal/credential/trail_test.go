package credential

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestTrailNamesTheLastTokens(t *testing.T) {
	named := func(i int) Fingerprint { return NewRefreshToken(fmt.Sprint(i)).Fingerprint() }
	var trail Trail
	if trail.Has("") || trail.Has(named(0)) || len(trail.Last(3)) != 0 {
		t.Error("an empty trail names a token")
	}
	for i := range 100 {
		trail = trail.With(named(i)).With(named(i)).With("").With("short")
		for j := range 100 {
			if known := j <= i && j > i-maxTrail; trail.Has(named(j)) != known {
				t.Fatalf("after token %d it is known of token %d: %t", i, j, !known)
			}
		}
	}
	if last := trail.Last(2); !slices.Equal(last, []Fingerprint{named(99), named(98)}) || len(trail) != maxTrail*fingerprintLength {
		t.Errorf("the last two are %v, and the trail has %d characters", last, len(trail))
	}
}

// It stands where anybody may edit it.
func TestTrailThatSomebodyHasWrittenIsBounded(t *testing.T) {
	forged := Trail(strings.Repeat("x", 1_000_003))
	if len(forged.Last(1000)) != 1000 || forged.Has("x") {
		t.Error("it names something else than its text")
	}
	token := NewRefreshToken("a").Fingerprint()
	if next := forged.With(token); len(next) != maxTrail*fingerprintLength || !next.Has(token) {
		t.Errorf("it has %d characters", len(next))
	}
}
