package check

// Verdict is how a finding is.
type Verdict string

const (
	// OK: it is as it should be.
	OK Verdict = "ok"
	// Note: it may be meant so.
	Note Verdict = "note"
	// Fail: it is not as it should be.
	Fail Verdict = "FAIL"
	// Unknown: it could not be found out.
	Unknown Verdict = "unknown"
)

// Finding is one thing that was looked at.
type Finding struct {
	What    string  `json:"what"`
	Verdict Verdict `json:"verdict"`
	Says    string  `json:"says"`
}

// Failed reports whether one of them fails.
func Failed(all []Finding) bool {
	for _, finding := range all {
		if finding.Verdict == Fail {
			return true
		}
	}
	return false
}
