package tokencheck

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestVerifyAccount(t *testing.T) {
	octocat := reply{user: github.User{Login: "octocat", ID: 1}}
	hubot := reply{user: github.User{Login: "hubot", ID: 2}}
	invalid, outage := reply{err: errInvalid}, reply{err: errOutage}
	limited := reply{err: &github.Error{Reason: github.RateLimited, RetryAfter: time.Hour}}
	many := func(r reply, n int, then ...reply) (all []reply) {
		for range n {
			all = append(all, r)
		}
		return append(all, then...)
	}
	for name, c := range map[string]struct {
		replies []reply
		edit    func(*world, *rotation.Record, *github.Tokens)
		want    error
		// least and most are how long it may take.
		least, most time.Duration
	}{
		"it is the account":                           {replies: []reply{octocat}},
		"it is another account":                       {replies: []reply{hubot}, want: rotation.ErrWrongUser},
		"an outage is outlasted":                      {replies: many(outage, 100, octocat), least: 20 * minute, most: 30 * minute},
		"and another account found after it":          {replies: many(outage, 100, hubot), want: rotation.ErrWrongUser, least: 20 * minute, most: 30 * minute},
		"GitHub refuses a new token for a while":      {replies: many(invalid, 8, octocat), least: 30 * second, most: deadAfter},
		"GitHub goes on refusing it":                  {replies: []reply{invalid}, want: rotation.ErrPairDead, least: deadAfter, most: deadAfter + 15*second},
		"an outage in between proves nothing":         {replies: append(many(invalid, 8, outage), many(invalid, 8, octocat)...), least: deadAfter, most: 10 * minute},
		"an error that is not GitHub's proves none":   {replies: append(many(invalid, 8, reply{err: errStore}), many(invalid, 8, octocat)...), least: deadAfter, most: 10 * minute},
		"a rate limit is kept to for a minute":        {replies: many(limited, 3, octocat), least: 3 * minute, most: 3 * minute},
		"the resource is gone":                        {replies: []reply{outage}, edit: func(w *world, _ *rotation.Record, _ *github.Tokens) { w.unwanted = true }, want: rotation.ErrOwnerGone},
		"the resource is gone, but it is the account": {replies: []reply{octocat}, edit: func(w *world, _ *rotation.Record, _ *github.Tokens) { w.unwanted = true }},
		"GitHub does not say before the token expires": {
			replies: []reply{outage}, want: rotation.ErrUserUnknown, least: time.Hour, most: time.Hour + minute,
			edit: func(w *world, _ *rotation.Record, tokens *github.Tokens) {
				tokens.ExpiresAt = w.clock.Now().Add(time.Hour)
			},
		},
		"GitHub refuses it because it has expired": {
			replies: []reply{invalid}, want: rotation.ErrUserUnknown, least: deadAfter, most: deadAfter + 15*second,
			edit: func(w *world, _ *rotation.Record, tokens *github.Tokens) {
				tokens.ExpiresAt = w.clock.Now().Add(-time.Minute)
			},
		},
		"a clock that was ahead at the exchange ends no pair early": {
			replies: []reply{outage}, want: rotation.ErrUserUnknown, least: 4 * time.Hour, most: 4*time.Hour + minute,
			edit: func(w *world, _ *rotation.Record, tokens *github.Tokens) {
				tokens.ExpiresAt, tokens.Shortened = w.clock.Now().Add(time.Hour), 3*time.Hour
			},
		},
		"GitHub does not say in eight hours": {replies: []reply{outage}, want: rotation.ErrUserUnknown, least: verifyTime, most: verifyTime + minute},
		"restarts do not make it longer": {
			replies: []reply{outage}, want: rotation.ErrUserUnknown, least: time.Hour, most: time.Hour + minute,
			edit: func(_ *world, record *rotation.Record, _ *github.Tokens) {
				record.Reply.SentAt = record.Reply.SentAt.Add(-7 * time.Hour)
			},
		},
		"a clock that was set forward ends no pair at once": {
			replies: many(outage, 8, octocat), least: 30 * second, most: deadAfter,
			edit: func(w *world, _ *rotation.Record, _ *github.Tokens) { w.clock.Off = 1000 * time.Hour },
		},
		"a clock that was set back does not wait for ever": {
			replies: []reply{outage}, want: rotation.ErrUserUnknown, least: verifyTime, most: verifyTime + minute,
			edit: func(w *world, _ *rotation.Record, _ *github.Tokens) { w.clock.Off = -1000 * time.Hour },
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.replies...)
			record := rotation.Record{
				Owner: scope.OwnerOf(w.token), User: &rotation.UserPin{Login: "OctoCat", ID: 1}, Reply: &github.Reply{SentAt: w.clock.Now()},
			}
			tokens := github.Tokens{AccessToken: credential.NewAccessToken("ghu_new")}
			if c.edit != nil {
				c.edit(w, &record, &tokens)
			}
			began := w.clock.Mono
			user, err := w.checks.VerifyAccount(t.Context(), scope.InlineApp(w.token).App, record, tokens)
			if !errors.Is(err, c.want) || (err == nil) != (user != nil) {
				t.Errorf("got %v, %v; want %v", user, err, c.want)
			}
			if took := w.clock.Mono - began; took < c.least || took > c.most {
				t.Errorf("it took %s, want %s to %s", took, c.least, c.most)
			}
			if user != nil && *user != (rotation.User{Login: "octocat", ID: 1}) {
				t.Errorf("the account is %+v", user)
			}
		})
	}
}

func TestVerifyAccountTellsWhenItTakesLongAndKeepsNobodyElseFromAnExchange(t *testing.T) {
	octocat := reply{user: github.User{Login: "octocat", ID: 1}}
	for name, c := range map[string]struct {
		failures, told int
	}{
		"GitHub knows a new token a moment later": {failures: 2},
		"an outage": {failures: 4, told: 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for range c.failures {
				w.replies = append(w.replies, reply{err: &github.Error{Reason: github.ServerError, Host: "github.com"}})
			}
			w.replies = append(w.replies, octocat)
			record := rotation.Record{Owner: scope.OwnerOf(w.token), User: &rotation.UserPin{ID: 1}, Reply: &github.Reply{SentAt: w.clock.Now()}}
			if _, err := w.checks.VerifyAccount(t.Context(), scope.InlineApp(w.token).App, record, github.Tokens{}); err != nil {
				t.Fatal(err)
			}
			if len(w.troubles) != c.told || w.aside != c.told {
				t.Errorf("told %d times, stood aside %d times; want %d", len(w.troubles), w.aside, c.told)
			}
			for _, trouble := range w.troubles {
				if !strings.Contains(trouble, "kept safe") || !strings.Contains(trouble, "GitHub failed while it handled the request. ") {
					t.Errorf("the status says: %s", trouble)
				}
			}
		})
	}
}
