package handoff

import (
	"slices"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestHandoffAnnouncementIsWrittenAs(t *testing.T) {
	for name, c := range map[string]struct {
		of   announcement
		want string
	}{
		"of a token that every output holds, its name alone": {announcement{token: "T"}, "T"},
		"with an output that is late":                        {announcement{"T", []string{"a"}}, "T without a"},
		"with several, as they are sorted":                   {announcement{"T", []string{"a", "b"}}, "T without a,b"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.of.String(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestHandoffAnnouncementCovers(t *testing.T) {
	for name, c := range map[string]struct {
		before, next announcement
		want         bool
	}{
		"the same once more":                         {announcement{token: "T"}, announcement{token: "T"}, true},
		"no other token":                             {announcement{token: "T"}, announcement{token: "U"}, false},
		"no token when nothing was announced yet":    {announcement{}, announcement{token: "T"}, false},
		"the same token with the same output late":   {announcement{"T", []string{"a"}}, announcement{"T", []string{"a"}}, true},
		"not an output that has caught up":           {announcement{"T", []string{"a"}}, announcement{token: "T"}, false},
		"not one of two that has":                    {announcement{"T", []string{"a", "b"}}, announcement{"T", []string{"b"}}, false},
		"an output that has fallen behind since":     {announcement{token: "T"}, announcement{"T", []string{"a"}}, true},
		"not one that caught up as another fell out": {announcement{"T", []string{"a"}}, announcement{"T", []string{"b"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.before.covers(c.next); got != c.want {
				t.Errorf("%q covers %q: %t, want %t", c.before, c.next, got, c.want)
			}
		})
	}
}

func TestHandoffAnnouncementIsComplete(t *testing.T) {
	for name, c := range map[string]struct {
		of   announcement
		want bool
	}{
		"when every output holds the token": {announcement{token: "T"}, true},
		"not while one is late":             {announcement{"T", []string{"a"}}, false},
		"not when it is of another token":   {announcement{token: "U"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.of.isComplete("T"); got != c.want {
				t.Errorf("%q: %t, want %t", c.of, got, c.want)
			}
		})
	}
}

func TestHandoffAnnouncementForgetsOutputsThatAreWantedNoLonger(t *testing.T) {
	late := []string{"a", "b", "c"}
	a := announcement{"T", late}
	a.keep([]v1alpha1.Output{{Name: "b"}, {Name: "new"}})
	if !slices.Equal(a.late, []string{"b"}) || a.token != "T" {
		t.Errorf("kept %q", a)
	}
	if !slices.Equal(late, []string{"a", "b", "c"}) {
		t.Error("the list of somebody else was changed")
	}
}

func TestHandoffAnnouncementIsForThoseWhoRead(t *testing.T) {
	for name, c := range map[string]struct {
		secrets []string
		want    string
	}{
		"nothing that is late": {[]string{"pair", "prompt"}, "T"},
		"one that is late":     {[]string{"a", "pair"}, "T without a"},
		"both that are late":   {[]string{"a", "b"}, "T without a,b"},
		"nothing at all":       {nil, "T"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (announcement{"T", []string{"a", "b"}}).among(c.secrets).String(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestHandoffNamesATokenByItsTime(t *testing.T) {
	state := &rotation.State{IssuedAt: time.Date(2026, 3, 4, 4, 5, 6, 123456789, time.FixedZone("", 7200))}
	if got, want := NameOf(state), "2026-03-04T02:05:06.123456Z"; got != want {
		t.Errorf("the name is %s, want %s", got, want)
	}
	if got := TimeOf(state); got.Nanosecond() != 123456000 || !got.Time.Equal(state.IssuedAt.Truncate(time.Microsecond)) {
		t.Errorf("the time is %s", got)
	}
}
