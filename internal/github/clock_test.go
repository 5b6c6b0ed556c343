package github

import (
	"testing"
	"time"
)

// A Date shortens the expiry of what was sent by a clock that was ahead, to a quarter of the lifetime at the least, and
// lengthens none.
func TestClockDateShortensAnExpiryAndNeverLengthensIt(t *testing.T) {
	const lifetime = 8 * time.Hour
	for name, c := range map[string]struct {
		date time.Time
		want time.Duration
	}{
		"none":                                   {time.Time{}, lifetime},
		"the same":                               {sentAt, lifetime},
		"whole seconds of the same":              {sentAt.Add(-999 * time.Millisecond), lifetime},
		"as long later as the answer took":       {sentAt.Add(20 * time.Second), lifetime},
		"six hours earlier: the clock was ahead": {sentAt.Add(-6 * time.Hour), 2 * time.Hour},
		"a minute earlier":                       {sentAt.Add(-time.Minute), lifetime - time.Minute},
		"a week earlier":                         {sentAt.Add(-7 * 24 * time.Hour), lifetime / 4},
		"1970":                                   {time.Unix(0, 0), lifetime / 4},
		"six hours later: the clock was behind":  {sentAt.Add(6 * time.Hour), lifetime},
		"the far future":                         {time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), lifetime},
	} {
		t.Run(name, func(t *testing.T) {
			reply := replyOf(200, "application/json", pairAsJSON)
			reply.Date = c.date
			tokens, err := reply.Tokens()
			if err != nil {
				t.Fatal(err)
			}
			if !tokens.ExpiresAt.Equal(sentAt.Add(c.want)) || tokens.Shortened != lifetime-c.want {
				t.Errorf("it lives for %s, shortened by %s; want %s", tokens.ExpiresAt.Sub(sentAt), tokens.Shortened, c.want)
			}
			const refreshLifetime = 184 * 24 * time.Hour
			if end := tokens.RefreshTokenExpiresAt; end.After(sentAt.Add(refreshLifetime)) || end.Before(sentAt.Add(refreshLifetime/4)) {
				t.Errorf("the refresh token lives for %s", end.Sub(sentAt))
			}
			cut := replyOf(200, "application/json", pairAsJSON[:60])
			cut.Date = c.date
			if half, _ := cut.Tokens(); half.Half && !half.ExpiresAt.Equal(sentAt.Add(c.want)) {
				t.Errorf("half a reply's token lives for %s, want %s", half.ExpiresAt.Sub(sentAt), c.want)
			}
		})
	}
}

// A device code's end is by the node's clock alone: a clock that stays ahead must not take three quarters of its time from the
// person who enters it, and GitHub's own answer ends it where the clock is set.
func TestClockDateDoesNotShortenADeviceCode(t *testing.T) {
	reply := replyOf(200, "application/json", `{"device_code":"d","user_code":"WDJB-MJHT","verification_uri":"https://github.com/login/device","expires_in":900,"interval":5}`)
	reply.Date = sentAt.Add(-6 * time.Hour)
	h, problem := parseHost("github.com")
	if problem != "" {
		t.Fatal(problem)
	}
	code, err := reply.deviceAuthorization(h)
	if err != nil {
		t.Fatal(err)
	}
	if !code.ExpiresAt.Equal(sentAt.Add(15 * time.Minute)) {
		t.Errorf("the code ends after %s", code.ExpiresAt.Sub(sentAt))
	}
}

func TestClockHowFarTheClockIsAheadOfADate(t *testing.T) {
	received := sentAt.Add(10 * time.Second)
	for name, c := range map[string]struct {
		date time.Time
		want time.Duration
	}{
		"no Date":                           {time.Time{}, 0},
		"a Date between the two":            {sentAt.Add(5 * time.Second), 0},
		"a Date cut to whole seconds":       {sentAt.Add(-900 * time.Millisecond), 0},
		"a clock that is an hour ahead":     {sentAt.Add(-time.Hour), time.Hour},
		"a clock that is an hour behind":    {received.Add(time.Hour), -time.Hour},
		"a clock that is two seconds ahead": {sentAt.Add(-2 * time.Second), 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			reply := &Reply{SentAt: sentAt, Date: c.date}
			if got := reply.ahead(received); got != c.want {
				t.Errorf("%s ahead, want %s", got, c.want)
			}
		})
	}
}
