package amend

import (
	"testing"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/origin"
)

func TestAmendRevocationIsTakenDownForTheLoginThatWasSeen(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*rotation.Pair)
		said bool
	}{
		"as it was seen":                  {func(*rotation.Pair) {}, true},
		"where the login is not known":    {func(p *rotation.Pair) { p.State.Login = nil }, true},
		"where it was taken down already": {func(p *rotation.Pair) { p.State.Login = p.State.Login.Asked(now) }, true},
		"after another login":             {func(p *rotation.Pair) { p.State.Login = &origin.Login{First: "another"} }, false},
		"beside an exchange":              {func(p *rotation.Pair) { p.Intent = &rotation.Intent{ID: "new"} }, false},
		"of another account by now":       {func(p *rotation.Pair) { p.State.User = &rotation.User{Login: "hubot", ID: 2} }, false},
		"of nobody known":                 {func(p *rotation.Pair) { p.State.User = nil }, false},
		"of a pair that is not proven":    {func(p *rotation.Pair) { p.State.Owner = rotation.RolledBack }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.shelf.put(goodChain())
			w.shelf.edit(func(p *rotation.Pair) { p.State.Login = &origin.Login{First: "first"} })
			if name == "where the login is not known" {
				w.shelf.edit(c.edit)
			}
			seen := w.shelf.pair.WithoutTokens()
			w.shelf.edit(c.edit)
			stored, said, err := w.amender.AskRevocation(t.Context(), owner, seen)
			if err != nil || said != c.said || c.said != stored.State.Login.IsAsked() {
				t.Errorf("it says so: %t, %v: %+v", said, err, stored.State.Login)
			}
			if said && !stored.State.Login.IsOpen(stored.State.AccessToken, stored.State.RefreshToken) {
				t.Error("it is not open")
			}
		})
	}
}

func TestAmendRevocationEndsForThePairThatWasRevoked(t *testing.T) {
	for name, c := range map[string]struct {
		edit    func(*rotation.Pair)
		revoked bool
		said    bool
	}{
		"as it was read":         {func(*rotation.Pair) {}, true, true},
		"given up":               {func(*rotation.Pair) {}, false, true},
		"another pair is stored": {func(p *rotation.Pair) { p.State.RefreshToken = "late" }, true, false},
		"another login by now":   {func(p *rotation.Pair) { p.State.Login = &origin.Login{First: "another"} }, true, false},
		"nobody asks any more":   {func(p *rotation.Pair) { p.State.Login = &origin.Login{First: "first"} }, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.shelf.put(goodChain())
			login := origin.Login{First: "first"}
			w.shelf.edit(func(p *rotation.Pair) { p.State.Login = login.Asked(now) })
			read := w.shelf.pair.Clone()
			w.shelf.edit(c.edit)
			stored, said, err := w.amender.EndRevocation(t.Context(), owner, read, c.revoked)
			if err != nil || said != c.said {
				t.Fatalf("it says so: %t, %v", said, err)
			}
			if !said {
				if stored.State.Verdict != nil {
					t.Errorf("the verdict is %+v", stored.State.Verdict)
				}
				return
			}
			verdict := stored.State.Verdict
			if verdict == nil || verdict.Reason != v1alpha1.ReasonRevokedOnRequest || verdict.Fingerprint != credential.NewRefreshToken("ghr_old").Fingerprint() || !verdict.AgainAt.IsZero() {
				t.Errorf("the verdict is %+v", verdict)
			}
			if stored.State.AccessTokenEnded != c.revoked || !stored.NextRefreshAt.IsZero() || stored.State.Login.IsOpen(stored.State.AccessToken, stored.State.RefreshToken) {
				t.Errorf("what is stored is %+v", stored.State)
			}
		})
	}
}
