package rules

import (
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/origin"
)

// What the person of a login asks for goes before all that would go on with it, or take its place.
func TestDecideRevocationThatIsAskedFor(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	me, peer := rotation.Holder{Outbox: "mine", Process: "2"}, rotation.Holder{Outbox: "theirs", Process: "1"}
	login := origin.Login{First: "first"}
	asked := func(in *Input) { in.RevocationAsked = true }
	open := func(in *Input) { in.Pair.State.Login = login.Asked(now) }
	ended := func(in *Input) {
		in.Pair.State.Login = login.Asked(now).Ended("access", "refresh", true)
		in.Pair.State.Verdict = &rotation.Verdict{Reason: v1alpha1.ReasonRevokedOnRequest, Fingerprint: "refresh"}
	}
	intent := func(spends string, holder rotation.Holder) func(*Input) {
		return func(in *Input) {
			in.Pair.Intent = &rotation.Intent{ID: "1", Holder: holder, Spends: in.Pair.State.RefreshToken, App: in.App}
			if spends != "" {
				in.Pair.Intent.Spends, in.Pair.Intent.Login, in.Seed = "login", true, "login"
			}
		}
	}
	for name, c := range map[string]struct {
		changes []func(*Input)
		action  rotation.Action
	}{
		"nobody asks":                      {nil, rotation.ActionNone},
		"asked for":                        {[]func(*Input){asked}, rotation.ActionRevoke},
		"taken down":                       {[]func(*Input){open}, rotation.ActionRevoke},
		"taken down, and the wish is gone": {[]func(*Input){open, func(in *Input) { in.RevocationAsked = false }}, rotation.ActionRevoke},
		"while it is suspended":            {[]func(*Input){asked, func(in *Input) { in.Suspended = true }}, rotation.ActionRevoke},
		"beside a new login":               {[]func(*Input){open, func(in *Input) { in.Seed = "new" }}, rotation.ActionRevoke},
		"beside a request for a refresh":   {[]func(*Input){open, func(in *Input) { in.RefreshRequestedAt = "now" }}, rotation.ActionRevoke},
		"of a token that is due":           {[]func(*Input){open, func(in *Input) { in.Pair.State.ExpiresAt = now }}, rotation.ActionRevoke},
		"has ended":                        {[]func(*Input){ended}, rotation.ActionBlocked},
		"has ended, and the wish is left":  {[]func(*Input){ended, asked}, rotation.ActionBlocked},
		"has ended, and somebody logs in":  {[]func(*Input){ended, asked, func(in *Input) { in.Seed = "new" }}, rotation.ActionImport},
		"has ended, and a pair came late": {[]func(*Input){ended, func(in *Input) {
			in.Pair.State.AccessToken, in.Pair.State.RefreshToken, in.Pair.State.Verdict = "late", "late", nil
		}}, rotation.ActionRevoke},
		"of a pair that is not proven":        {[]func(*Input){asked, open, func(in *Input) { in.Pair.State.Owner = "another" }}, rotation.ActionProve},
		"of somebody else's Secret":           {[]func(*Input){asked, open, func(in *Input) { in.Pair.Controlled = false }}, rotation.ActionBlocked},
		"of nothing":                          {[]func(*Input){asked, func(in *Input) { in.Pair.State = rotation.State{Owner: "uid", App: in.App} }}, rotation.ActionBlocked},
		"beside another's exchange":           {[]func(*Input){asked, intent("", peer)}, rotation.ActionWait},
		"beside another's import":             {[]func(*Input){asked, intent("login", peer)}, rotation.ActionWait},
		"after an exchange without an answer": {[]func(*Input){asked, intent("", me)}, rotation.ActionResolve},
		"that one, while it is suspended":     {[]func(*Input){asked, intent("", me), func(in *Input) { in.Suspended = true }}, rotation.ActionRevoke},
		"that one, after it was taken down":   {[]func(*Input){open, intent("", me)}, rotation.ActionRevoke},
		"after an import without an answer":   {[]func(*Input){asked, intent("login", me)}, rotation.ActionRevoke},
		"after a failure": {[]func(*Input){asked, func(in *Input) {
			in.Failure = &problem.Problem{Reason: v1alpha1.ReasonAPIServerUnavailable, RetryAt: now.Add(time.Minute)}
		}}, rotation.ActionWait},
	} {
		t.Run(name, func(t *testing.T) {
			in := Input{
				Owner: rotation.Owner{Namespace: "team-a", Name: "octocat", UID: "uid"}, App: "github.com/Iv23li", Me: me, Now: now,
				Pair: &rotation.Pair{
					Owner: rotation.Owner{UID: "uid", Name: "octocat"}, Controlled: true,
					State: rotation.State{
						Owner: "uid", OwnerName: "octocat", App: "github.com/Iv23li", Revision: 3, AccessToken: "access", RefreshToken: "refresh", Login: &login,
						IssuedAt: now.Add(-time.Hour), ExpiresAt: now.Add(7 * time.Hour), Seeds: []rotation.SeedRecord{{Fingerprint: "first"}},
					},
				},
			}
			for _, change := range c.changes {
				change(&in)
			}
			if got := Decide(in); got.Action != c.action {
				t.Errorf("it decides %d by the rule %q, want %d", got.Action, got.Rule, c.action)
			}
		})
	}
}
