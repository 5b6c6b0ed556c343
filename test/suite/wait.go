package suite

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// Eventually asks again and again, with a pause of 20 milliseconds between two answers, until a condition holds. When it
// does not within the patience, the test ends with what was seen last.
func Eventually(t testing.TB, patience time.Duration, what string, holds func() (bool, string)) {
	t.Helper()
	var last string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		ok, seen := holds()
		if ok {
			return
		}
		last = seen
	}
	t.Fatalf("%s: not within %s; last seen: %s", what, patience, last)
}

// Main is what TestMain of a suite does: it runs the tests between the suite's beginning and its end, tells what went
// wrong with these, and exits.
func Main(m *testing.M, run func(*testing.M) (int, error)) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
