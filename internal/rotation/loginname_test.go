package rotation

import (
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/origin"
)

// A chain that is older than what is taken down of its login keeps the name by which the status has told of it: a person may ask for its end
// by that at any time.
func TestLoginNameStaysThroughExchanges(t *testing.T) {
	for name, change := range map[string]func(*Pair){
		"of a login that is known":      func(p *Pair) { p.State.Login = &origin.Login{First: "first"} },
		"where nothing is known of it":  func(p *Pair) { p.State.Login = nil },
		"where there is no token yet":   func(p *Pair) { p.State.AccessToken = "" },
		"where its end was asked for":   func(p *Pair) { p.State.Login = (origin.Login{First: p.State.LoginName()}).Asked(deviceNow) },
		"where another's was asked for": func(p *Pair) { p.State.Login = nil },
	} {
		t.Run(name, func(t *testing.T) {
			live := goodChain()
			change(live)
			record := Record{Owner: live.Owner, Ref: live.Ref, App: live.State.App, Base: live.State, Spent: live.State.RefreshToken, Reply: said(pairReply)}
			before := live.State.LoginName()
			if name == "where another's was asked for" {
				live.State.Login = (origin.Login{First: "another"}).Asked(deviceNow)
			}
			tokens, err := record.Reply.Tokens()
			if err != nil {
				t.Fatal(err)
			}
			next := pairAfter(live, Policy{}, record, tokens)
			if next.State.RefreshToken == record.Spent || next.State.LoginName() != before || next.State.Login.IsAsked() != (name == "where its end was asked for") {
				t.Errorf("after an exchange the login is %+v, and was %q", next.State.Login, before)
			}
		})
	}
}

// A login that is put into the Secret by hand takes the place of the one there, of which nobody has the tokens any more: where that was to end, the
// state says so, through the exchange that follows.
func TestLoginThatIsPastedOverOneThatIsToEndSaysSo(t *testing.T) {
	first := &origin.Login{First: "first"}
	for name, c := range map[string]struct {
		login   *origin.Login
		unended bool
	}{
		"nobody has asked":      {first, false},
		"nothing is known":      {nil, false},
		"its end was asked for": {first.Asked(deviceNow), true},
		"it has ended":          {first.Asked(deviceNow).Ended(goodChain().State.AccessToken, goodChain().State.RefreshToken, true), false},
	} {
		t.Run(name, func(t *testing.T) {
			w, pair := newDeviceWorld(), goodChain()
			pair.State.Login, pair.RefreshToken = c.login, credential.NewRefreshToken("ghr_pasted")
			live, err := w.shelf.put(pair)
			if err != nil {
				t.Fatal(err)
			}
			taken, err := w.rotator.TakeUp(t.Context(), deviceOwner, live)
			if err != nil {
				t.Fatal(err)
			}
			login := taken.State.Login
			if login == nil || login.First != pair.RefreshToken.Fingerprint() || login.IsAsked() || login.Unended != c.unended || login.At.IsZero() || taken.State.User != nil {
				t.Errorf("the login is %+v of %v", login, taken.State.User)
			}
			if after := origin.After(login, login, login.First); after.Unended != c.unended {
				t.Errorf("after an exchange it is %+v", after)
			}
		})
	}
}
