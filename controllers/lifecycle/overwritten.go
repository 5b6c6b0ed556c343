package lifecycle

import (
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/webflow"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
)

// theAccessToken is what the contest over it is about: always the same.
const theAccessToken = 1

// overwritten notes that somebody else has put something in the place of the access token, as a mirror does that writes back
// what it has read before. A new one costs an exchange. So it is got at once when that happens now and then, and later each
// time when it happens again and again.
func (n notes) overwritten(s *scope.Scope) {
	now, mono := n.clock.Now(), n.clock.Monotonic()
	n.With(s.Token.UID, func(m *note) {
		wait := m.contest.Wait(theAccessToken, mono, backoff.ContestPause)
		m.contest.Round(theAccessToken, mono+wait)
		if wait == 0 {
			return
		}
		due := backoff.DueIn(wait, now, mono)
		m.failure = &failure{
			problem: words.Overwritten(s.Ref.Name, m.contest.Rounds, due.Wall), tries: 1, retry: due,
			generation: s.Token.Generation, requested: s.Input.RefreshRequestedAt, login: webflow.ValueOf(s.Token),
		}
	})
}
