package rules

import (
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

// A value of the annotation that still stands there begins no login that nobody asks for.
func TestWebLoginRequestIsHonouredOnce(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	owner := rotation.Owner{Namespace: "team-a", Name: "octocat", UID: "uid"}
	first, second := weblogin.Request{ID: "request-1", Callback: "http://127.0.0.1:8976/"}, weblogin.Request{ID: "request-2", Callback: "http://127.0.0.1:8976/"}
	begun := func(at time.Time, request weblogin.Request, former *weblogin.Attempt) *weblogin.Attempt {
		attempt := &weblogin.Attempt{ID: "uid-" + request.ID, Request: request.ID, Callback: request.Callback, BeganAt: at, ExpiresAt: at.Add(weblogin.Lifetime)}
		return attempt.After(former)
	}
	both := func() *rotation.Pair {
		return &rotation.Pair{Owner: owner, Controlled: true, State: rotation.State{
			Owner: "uid", OwnerName: "octocat", App: "github.com/Iv23li", Web: begun(now.Add(-time.Hour), second, begun(now.Add(-2*time.Hour), first, nil)),
		}}
	}
	forgotten := both()
	forgotten.ForgetLogin()
	retained := both().AsRetained()
	retained.Controlled, retained.Orphan = true, false // The next resource of the name has it.
	for name, c := range map[string]struct {
		pair  *rotation.Pair
		asked weblogin.Request
		want  bool
	}{
		"that of the attempt":                               {both(), second, false},
		"one of before":                                     {both(), first, false},
		"a new one":                                         {both(), weblogin.Request{ID: "request-3", Callback: first.Callback}, true},
		"when the pair came back from elsewhere":            {forgotten, second, false},
		"one of before, then":                               {forgotten, first, false},
		"when the pair was retained":                        {retained, second, false},
		"another callback with the ID that was used before": {both(), weblogin.Request{ID: "request-2", Callback: "http://127.0.0.1:8977/"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			in := Input{Owner: owner, App: "github.com/Iv23li", Now: now, Pair: c.pair, Web: WebLogin{Request: c.asked}}
			if got := Decide(in).Action == rotation.ActionOffer; got != c.want {
				t.Errorf("a login is begun: %t", got)
			}
		})
	}
}

// More codes are remembered than can be sent while one lives.
func TestWebLoginCodesAreRememberedForAsLongAsTheyLive(t *testing.T) {
	if weblogin.MaxCodes*OfferPause < weblogin.Lifetime+weblogin.AheadBy {
		t.Errorf("%d codes at one in %s", weblogin.MaxCodes, OfferPause)
	}
}

// What stands in a seed and is another's may not be exchanged, and holds up nothing else.
func TestBesideSeedWhatIsDoneWhileItHoldsAnothersToken(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	asked := weblogin.Request{ID: "request-1", Callback: "http://127.0.0.1:8976/"}
	in := func(expiresIn time.Duration, request weblogin.Request) Input {
		owner := rotation.Owner{Namespace: "team-a", Name: "octocat", UID: "uid"}
		pair := &rotation.Pair{Owner: owner, Controlled: true, State: rotation.State{
			Owner: "uid", OwnerName: "octocat", App: "github.com/Iv23li", AccessToken: "access", RefreshToken: "refresh",
			IssuedAt: now.Add(expiresIn - 8*time.Hour), ExpiresAt: now.Add(expiresIn),
		}}
		return Input{Now: now, Owner: owner, App: "github.com/Iv23li", Pair: pair, Seed: "another's", Web: WebLogin{Request: request}}
	}
	for name, c := range map[string]struct {
		in   Input
		want rotation.Action
	}{
		"a chain that is due":    {in(time.Minute, weblogin.Request{}), rotation.ActionRefresh},
		"a chain that is not":    {in(8*time.Hour, weblogin.Request{}), rotation.ActionNone},
		"a login is asked for":   {in(8*time.Hour, asked), rotation.ActionOffer},
		"there is nothing there": {Input{Now: now, Seed: "another's"}, rotation.ActionBlocked},
	} {
		if decision := Decide(c.in); decision.Action != rotation.ActionImport {
			t.Errorf("%s: with the seed it is %+v", name, decision)
		}
		if decision := BesideSeed(c.in); decision.Action != c.want || c.want == rotation.ActionNone && decision.At.IsZero() {
			t.Errorf("%s: it is %+v", name, decision)
		}
	}
}
