package credential

import "slices"

const (
	// fingerprintLength is how long a fingerprint is; see Fingerprint.
	fingerprintLength = 32
	// maxTrail is how many tokens a trail names: at GitHub's lifetimes those of four days.
	maxTrail = 16
)

// Trail names the last tokens of a chain that are its own no longer, the newest last: fingerprints in one text, which takes
// less room than a list wherever it is stored and kept. Anybody may have written one.
type Trail string

// With is the trail with a further token at its end. The oldest goes when there are too many.
func (t Trail) With(token Fingerprint) Trail {
	if len(token) != fingerprintLength || t.Has(token) {
		return t
	}
	longer := string(t) + string(token)
	return Trail(longer[max(0, len(longer)-maxTrail*fingerprintLength):])
}

// Has reports whether a token is one of them.
func (t Trail) Has(token Fingerprint) bool { return slices.Contains(t.Last(maxTrail), token) }

// Last are the newest of them, n at most, the newest first.
func (t Trail) Last(n int) []Fingerprint {
	var last []Fingerprint
	for end := len(t); end >= fingerprintLength && len(last) < n; end -= fingerprintLength {
		last = append(last, Fingerprint(t[end-fingerprintLength:end]))
	}
	return last
}
