package recent

import "testing"

func TestRecentSetRemembersTheLastOnes(t *testing.T) {
	var s Set[int]
	for n := range 5 * Least {
		if s.Has(n) {
			t.Fatalf("%d is there before it was added", n)
		}
		s.Add(n)
		if first := max(0, n-Least+1); !s.Has(n) || !s.Has(first) {
			t.Fatalf("after %d it or %d is forgotten", n, first)
		}
		if kept := len(s.younger) + len(s.older); kept > 2*Least {
			t.Fatalf("%d are remembered", kept)
		}
	}
	if s.Has(0) {
		t.Error("the first one is still there")
	}
}
