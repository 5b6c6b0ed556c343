package suite

import (
	"testing"
	"time"
)

func TestSuiteQuantiles(t *testing.T) {
	var hundred Durations
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i)*time.Millisecond)
	}
	if text := hundred.String(); text != "p50 50ms, p99 99ms, max 100ms" {
		t.Errorf("a hundred are told as %q", text)
	}
	if text := (Durations{7 * time.Millisecond}).String(); text != "p50 7ms, p99 7ms, max 7ms" {
		t.Errorf("one is told as %q", text)
	}
	if text := (Durations{}).String(); text != "p50 0s, p99 0s, max 0s" {
		t.Errorf("none are told as %q", text)
	}
}
