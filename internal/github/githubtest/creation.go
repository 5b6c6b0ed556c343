package githubtest

import (
	"fmt"
	"time"
)

// unusedFor is how old a token must be to die before others because nobody has used it.
const unusedFor = time.Minute

// creations is the window in which tokens are counted that were created for a user, App and scope. The caller holds the
// lock.
func (s *Server) creations(app *App, user *User, scope string) *window {
	return s.window(fmt.Sprintf("creations/%s/%d/%s", app.ClientID, user.ID, scope), time.Hour)
}

func (s *Server) countCreation(app *App, user *User, scope string) {
	s.creations(app, user, scope).used++
}

// tooManyCreations reports whether no more tokens can be created at this time without the person being asked again. The
// caller holds the lock.
func (s *Server) tooManyCreations(app *App, user *User, scope string) bool {
	return app.MaxCreations > 0 && s.creations(app, user, scope).used >= app.MaxCreations
}

// creationRefused is tooManyCreations where the App is one that refuses then.
func (s *Server) creationRefused(app *App, user *User, scope string) bool {
	return app.CreationError != "" && s.tooManyCreations(app, user, scope)
}

// counted are the pairs, oldest first, that count to App.MaxTokens.
func (g *grant) counted() []*pair {
	var counted []*pair
	for e := g.pairs.Front(); e != nil; e = e.Next() {
		if p := e.Value.(*pair); p.parent == nil || p.app.ScopedTokensCount {
			counted = append(counted, p)
		}
	}
	return counted
}

// evictee is the pair that dies when there are too many; they stand in the order of their issue.
func evictee(pairs []*pair, now time.Time) *pair {
	var leastRecent *pair
	for _, p := range pairs {
		switch {
		case p.used.IsZero():
			if now.Sub(p.issued) > unusedFor {
				return p
			}
		case leastRecent == nil || p.used.Before(leastRecent.used):
			leastRecent = p
		}
	}
	if leastRecent != nil {
		return leastRecent
	}
	return pairs[0]
}
