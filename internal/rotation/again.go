package rotation

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// AgainAfter is how long after a refusal the token is presented once more. GitHub is known to refuse a good one now and then.
const AgainAfter = time.Hour

// verdictOn is the verdict on a token in the state; nil when there is none.
func (s *State) verdictOn(token credential.Fingerprint) *Verdict {
	for _, verdict := range []*Verdict{s.Verdict, s.SeedVerdict} {
		if verdict != nil && verdict.Fingerprint == token {
			return verdict
		}
	}
	return nil
}

// setAgain says when the token of a verdict is presented once more, in a state that is not shared.
func (s *State) setAgain(token credential.Fingerprint, at time.Time) {
	if verdict := s.verdictOn(token); verdict != nil {
		verdict.AgainAt = at
	}
}

// isDoubtful reports whether a refusal has a better explanation than a mistake of GitHub's: the pair came back from a backup,
// or nobody knows what was done with it.
func (s *State) isDoubtful() bool { return s.Restored || s.isGuessed() }
