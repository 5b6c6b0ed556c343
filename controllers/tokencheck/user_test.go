package tokencheck

import (
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Of a pair that was just stored GitHub is asked whose it is, with the token in hand, before anybody is told of the pair.
func TestLearnAccountOfAPairThatWasJustStored(t *testing.T) {
	octocat := reply{user: github.User{Login: "octocat", ID: 1}}
	for name, c := range map[string]struct {
		reply         reply
		edit          func(*world)
		asked, learnt int
	}{
		"it is told and written down":               {reply: octocat, asked: 1, learnt: 1},
		"an outage is left to the checks":           {reply: reply{err: errOutage}, asked: 1},
		"it is known":                               {reply: octocat, edit: func(w *world) { w.live.State.User = &rotation.User{Login: "octocat", ID: 1} }},
		"there is no token":                         {reply: octocat, edit: func(w *world) { w.live.AccessToken = credential.AccessToken{} }},
		"what is stored is another token":           {reply: octocat, edit: func(w *world) { w.live.AccessToken = credential.NewAccessToken("ghu_2") }},
		"the pair is another resource's":            {reply: octocat, edit: func(w *world) { w.live.State.Owner = "u0" }},
		"the pair is another App's":                 {reply: octocat, edit: func(w *world) { w.live.State.App = "github.com/other" }},
		"the host must not be called":               {reply: octocat, edit: func(w *world) { w.hostErr = errStore }},
		"the token was dead when it was stored":     {reply: octocat, edit: func(w *world) { w.live.State.AccessTokenEnded = true }},
		"the Secret does not take what was learned": {reply: octocat, edit: func(w *world) { w.writeErr = errStore }, asked: 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.reply)
			w.live.State.User = nil
			if c.edit != nil {
				c.edit(w)
			}
			w.checks.Learn(t.Context(), w.token, scope.InlineApp(w.token).App, w.live)
			if w.asked != c.asked || w.learnt != c.learnt || w.reads != 0 {
				t.Errorf("GitHub was asked %d times, %d accounts were learnt, and %d Secrets read", w.asked, w.learnt, w.reads)
			}
		})
	}
}

// What Learn did not find out the checks ask for, after a while and not at once.
func TestLearnAccountIsTriedAgain(t *testing.T) {
	w := newWorld(t, reply{err: errOutage}, reply{user: github.User{Login: "octocat", ID: 1}})
	w.live.State.User = nil
	w.checks.Learn(t.Context(), w.token, scope.InlineApp(w.token).App, w.live)
	w.pass(time.Second)
	if w.asked != 1 {
		t.Errorf("GitHub was asked %d times within a second", w.asked)
	}
	w.pass(10 * time.Second)
	if w.asked != 2 || w.learntUser.Login != "octocat" {
		t.Errorf("after some seconds GitHub was asked %d times, and the account is %q", w.asked, w.learntUser.Login)
	}
}
