package recent

import "testing"

func TestSaidIsRememberedOfABoundedNumber(t *testing.T) {
	var s Said[int]
	for n := range 10 * mostSaid {
		if s.Again(n, "x") || !s.Again(n, "x") || s.Again(n, "y") {
			t.Fatalf("of %d it is not remembered what was said", n)
		}
		if n%2 == 0 {
			if s.Forget(n); s.Again(n, "y") {
				t.Fatalf("of %d it is remembered what was forgotten", n)
			}
		}
	}
	if len(s.said) > mostSaid {
		t.Errorf("%d are remembered", len(s.said))
	}
}
