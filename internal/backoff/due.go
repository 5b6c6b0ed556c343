package backoff

import "time"

// Due is a time by both clocks. The monotonic clock decides whether it has come, so that a wall clock that is
// set back puts nothing off; the wall clock's time is what people are told. The zero Due came long ago.
type Due struct {
	Wall time.Time
	// Monotonic is by a clock that never jumps, since some moment of the process.
	Monotonic time.Duration
}

// Earliest is the first of the times; one that is zero is none. One that has passed counts: it means at once.
func Earliest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// DueIn is the time after a wait, which begins now: now and mono are the two clocks.
func DueIn(wait time.Duration, now time.Time, mono time.Duration) Due {
	return Due{now.Add(wait), mono + wait}
}

// HasCome reports whether the time has come.
func (d Due) HasCome(mono time.Duration) bool { return d.Monotonic <= mono }

// At is the time by the wall clock: now when it has come. It stays the same at each look, so that no status is
// written for a change of its last digit, unless the wall clock was set.
func (d Due) At(now time.Time, mono time.Duration) time.Time {
	if at := now.Add(max(0, d.Monotonic-mono)); at.Sub(d.Wall).Abs() > time.Second {
		return at
	}
	return d.Wall
}
