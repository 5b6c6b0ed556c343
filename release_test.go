package main

import "testing"

func TestMemoryIsReleasedOnceThereIsNothingToDo(t *testing.T) {
	var sum uint64
	released := 0
	r := releaser{allocated: func() uint64 { return sum }, release: func() { released++ }}
	for i, step := range []struct {
		allocates uint64
		want      int
		when      string
	}{
		{100, 0, "at the beginning"},
		{100, 0, "where nothing was done yet"},
		{64 << 20, 0, "while much is done"},
		{quietBytes, 0, "at the first look at which little is done"},
		{quietBytes, 1, "at the second"},
		{quietBytes, 1, "at the third"},
		{quietBytes + 1, 1, "when something is done again"},
		{0, 1, "after little was done"},
		{0, 1, "later"},
		{leastRoom, 1, "while more is done"},
		{0, 1, "at the first look after it"},
		{0, 2, "at the second after it"},
		{0, 2, "for ever"},
	} {
		sum += step.allocates
		if r.look(); released != step.want {
			t.Fatalf("%d, %s: memory was released %d times, want %d", i, step.when, released, step.want)
		}
	}
	if before := allocated(); before == 0 {
		t.Error("what is allocated is not known")
	}
}
