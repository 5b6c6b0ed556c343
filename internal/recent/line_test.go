package recent

import "testing"

func TestRecentLineDropsTheFirstOfTooMany(t *testing.T) {
	const most = 3
	var l Line[int]
	for n := range most {
		if first, fell := l.Add(n, most); fell {
			t.Fatalf("%d fell out for %d", first, n)
		}
	}
	if _, fell := l.Add(1, most); fell {
		t.Error("one that is there was added again")
	}
	l.Remove(1)
	for _, c := range []struct {
		add, first int
		fell       bool
	}{{10, 0, true}, {11, 1, false}, {12, 2, true}, {0, 10, true}} {
		if first, fell := l.Add(c.add, most); fell != c.fell || fell && first != c.first {
			t.Errorf("for %d fell %d, %t", c.add, first, fell)
		}
	}
	if len(l.in) != most || len(l.order) != most {
		t.Errorf("%d are kept, in a line of %d", len(l.in), len(l.order))
	}
}
