package standing

import (
	"fmt"
	"time"
)

// Span is a duration as a person reads it: its two largest units.
func Span(d time.Duration) string {
	if d < 0 {
		d = -d
	}
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm %02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh %02dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd %dh", int(d.Hours())/24, int(d.Hours())%24)
	}
}

// When is a time, and how far away it is.
func When(t, now time.Time) string {
	at := t.UTC().Format("2006-01-02 15:04:05Z")
	if t.After(now) {
		return fmt.Sprintf("%s (in %s)", at, Span(t.Sub(now)))
	}
	return fmt.Sprintf("%s (%s)", at, Away(t, now))
}

// Away is how far away a time is: "in 2h 03m", "5m 00s ago".
func Away(t, now time.Time) string {
	if t.After(now) {
		return "in " + Span(t.Sub(now))
	}
	if now.Sub(t) < time.Second {
		return "just now"
	}
	return Span(now.Sub(t)) + " ago"
}
