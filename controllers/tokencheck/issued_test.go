package tokencheck

import (
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// issued is what is done about a pair that was just stored, and the look at it that follows.
func (w *world) issued() {
	w.checks.Issued(discard, w.token, scope.InlineApp(w.token).App, w.live.Clone())
	w.sync()
}

func TestIssuedPairIsAskedAboutWithoutARead(t *testing.T) {
	w := newWorld(t, reply{user: github.User{Login: "octocat", ID: 7}})
	w.live.State.User = nil
	w.issued()
	if w.asked != 1 || w.reads != 0 || w.learnt != 1 || w.learntUser.ID != 7 || w.remembered != 1 {
		t.Errorf("asked %d times, read %d times, learnt %d times: %+v", w.asked, w.reads, w.learnt, w.learntUser)
	}
	if got := w.checks.Awaits(w.token.UID); got != 0 {
		t.Errorf("it is waited for another %s", got)
	}
	w.issued() // It is known by now, as after a renewal.
	w.pass(time.Hour)
	if w.asked != 1 {
		t.Errorf("asked %d times", w.asked)
	}
}

func TestIssuedPairOfWhichGitHubDoesNotTellIsAskedAboutAgain(t *testing.T) {
	for name, first := range map[string]func(w *world){
		"an outage": func(*world) {},
		"no turn":   func(w *world) { w.turnIn = time.Millisecond },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, reply{err: errOutage}, reply{user: github.User{Login: "octocat", ID: 7}})
			w.live.State.User = nil
			first(w)
			w.issued()
			if w.learnt != 0 {
				t.Fatal("it is known")
			}
			w.turnIn = 0
			w.pass(minute)
			if w.learnt != 1 {
				t.Errorf("after %d questions it is not known", w.asked)
			}
		})
	}
}

func TestIssuedPairThatIsNotAskedAbout(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"its account is known":         func(w *world) { w.live.State.User = &rotation.User{Login: "octocat", ID: 7} },
		"it is another resource's":     func(w *world) { w.live.Owner.UID = "another" },
		"it is nobody's":               func(w *world) { w.live.Controlled = false },
		"admission has changed it":     func(w *world) { w.live.AccessToken = credential.NewAccessToken("ghu_2") },
		"it has ended":                 func(w *world) { w.live.State.AccessTokenEnded = true },
		"its host must not be reached": func(w *world) { w.hostErr = errStore },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, reply{user: github.User{Login: "octocat", ID: 7}})
			w.live.State.User = nil
			change(w)
			w.checks.Issued(discard, w.token, scope.InlineApp(w.token).App, w.live.Clone())
			if w.asked != 0 || w.learnt != 0 {
				t.Errorf("asked %d times", w.asked)
			}
		})
	}
}
