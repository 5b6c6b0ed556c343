// Package atwork knows at what this process is at work: exchanging, storing a pair, or replaying a record. It knows no Secret
// and no resource, only ids of intents and the tokens that are spent under them.
package atwork

import (
	"maps"
	"slices"
	"sync"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// Set is the work that is under way. Its zero value is ready, and it is safe for concurrent use.
type Set struct {
	mu sync.Mutex
	by map[string]credential.Fingerprint
}

// Has reports whether work under an intent is under way, by the intent's id.
func (s *Set) Has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.by[id] != ""
}

// Spends reports whether work with a token is under way.
func (s *Set) Spends(token credential.Fingerprint) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(slices.Collect(maps.Values(s.by)), token)
}

// Begin notes that work under an intent begins, with a token. It returns what ends it.
func (s *Set) Begin(id string, spends credential.Fingerprint) (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = map[string]credential.Fingerprint{}
	}
	s.by[id] = spends
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.by, id)
	}
}
