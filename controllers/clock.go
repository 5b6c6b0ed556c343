package controllers

import (
	"fmt"
	"time"

	"github.com/go-logr/logr"

	"github.com/githubusertoken/github-user-token-operator/controllers/processmetrics"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// WatchClock is processmetrics.WatchClock by the real clock.
func WatchClock(log logr.Logger) func(host string, ahead time.Duration) {
	return processmetrics.WatchClock(log, rotation.SystemClock().Monotonic)
}

// clockNote says in the message of Ready that a wrong clock has made the expiry earlier than the pair's own times say.
func clockNote(s *scope.Scope) string {
	state := s.Stored()
	switch earlier := state.ExpiresAt.Sub(s.ExpiresAt()); {
	case earlier >= processmetrics.WrongClock:
		return fmt.Sprintf(" By the operator's clock of the time at which the token was stored it would be %s later, but that clock was ahead, or is behind now: set the clock of the operator's node.",
			words.Duration(earlier))
	case state.Shortened >= processmetrics.WrongClock:
		return fmt.Sprintf(" The clock of the operator's node was at least %s ahead of GitHub's when the token was issued, so the expiry is that much earlier than by the node's clock: set that clock.",
			words.Duration(state.Shortened))
	default:
		return ""
	}
}
