package origin

import (
	"testing"
	"time"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func TestLoginRevocationIsOpenUntilItHasEndedForThePairThatIsStored(t *testing.T) {
	login := &Login{First: "first", At: now}
	if login.IsAsked() || login.IsOpen("access", "refresh") || (*Login)(nil).IsOpen("access", "refresh") {
		t.Error("it is open, and nobody has asked")
	}
	asked := login.Asked(now)
	if !asked.IsOpen("access", "refresh") || login.IsAsked() || !asked.At.Equal(now) {
		t.Errorf("after somebody has asked it is %+v, and was %+v", asked, login)
	}
	ended := asked.Ended("access", "refresh", true)
	if ended.IsOpen("access", "refresh") || !ended.IsAsked() || !asked.IsOpen("access", "refresh") {
		t.Errorf("in the end it is %+v", ended.Revocation)
	}
	if !ended.IsOpen("access", "later") || !ended.IsOpen("later", "refresh") {
		t.Error("a pair that was stored later lives on")
	}
	if ended.Revocation.GivenUp || !asked.Ended("access", "refresh", false).Revocation.GivenUp || !asked.Ended("access", "refresh", false).Ended("access", "later", true).Revocation.Done {
		t.Error("it does not say whether GitHub has ended the pair")
	}
	if ended.IsOpen("", "") {
		t.Error("it is open where nothing is left")
	}
}

// What is asked of one login is kept through its exchanges, and is nothing to another.
func TestLoginRevocationStaysWithItsLogin(t *testing.T) {
	login := &Login{First: "first", At: now}
	asked, other := login.Asked(now), &Login{First: "other"}
	for name, c := range map[string]struct {
		live, base *Login
		first      string
		asked      bool
	}{
		"nothing was known":                         {first: "first"},
		"nothing was asked":                         {live: login, base: login, first: "first"},
		"asked since the fence":                     {live: asked, base: login, first: "first", asked: true},
		"asked before the fence":                    {live: login, base: asked, first: "first", asked: true},
		"asked where nothing was known":             {live: asked, first: "first", asked: true},
		"asked of another, where nothing was known": {live: other.Asked(now), first: "first"},
		"somebody has put another there meanwhile":  {live: other.Asked(now), base: login, first: "first"},
		"asked, and somebody has put another there": {live: other, base: asked, first: "first", asked: true},
	} {
		got := After(c.live, c.base, "first")
		if got == nil || string(got.First) != c.first || got.IsAsked() != c.asked {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := other.Merged(asked); got != other {
		t.Errorf("what is asked of one login is taken for another's: %+v", got)
	}
	if got := (*Login)(nil).Merged(asked); got != nil {
		t.Errorf("what is asked of one login is taken for one that nobody knows: %+v", got)
	}
}

// A late commit of another login takes the place of one that is to end. What goes with that is not forgotten in silence.
func TestLoginThatTakesThePlaceOfOneThatIsToEndSaysSo(t *testing.T) {
	login := &Login{First: "first", At: now}
	asked := login.Asked(now)
	for name, c := range map[string]struct {
		before  *Login
		unended bool
	}{
		"nothing was there":            {nil, false},
		"nobody has asked":             {login, false},
		"its end was asked for":        {asked, true},
		"it has ended":                 {asked.Ended("access", "refresh", true), false},
		"another pair of it has ended": {asked.Ended("access", "former", true), true},
		"it was stored before so":      {&Login{First: "next", Unended: true}, true},
		"it was stored before":         {&Login{First: "next"}, false},
	} {
		next := c.before.ReplacedBy("next", now, "access", "refresh")
		if next.First != "next" || next.Unended != c.unended || next.IsAsked() {
			t.Errorf("%s: %+v", name, next)
		}
	}
	again := (&Login{First: "next"}).Asked(now)
	if got := again.ReplacedBy("next", now, "access", "refresh"); !got.IsAsked() {
		t.Errorf("what was asked of a login is forgotten when it is stored again: %+v", got)
	}
}
