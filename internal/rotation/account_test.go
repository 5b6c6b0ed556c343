package rotation

import "testing"

func TestUserPinMatches(t *testing.T) {
	octocat := User{Login: "Octocat", ID: 1}
	for name, c := range map[string]struct {
		pin  UserPin
		want bool
	}{
		"the login, in whatever case":          {UserPin{Login: "octoCAT"}, true},
		"the id":                               {UserPin{ID: 1}, true},
		"both":                                 {UserPin{Login: "octocat", ID: 1}, true},
		"another login":                        {UserPin{Login: "hubot"}, false},
		"another id":                           {UserPin{ID: 2}, false},
		"the login of an account that is gone": {UserPin{Login: "octocat", ID: 2}, false},
		"the id under a former login":          {UserPin{Login: "hubot", ID: 1}, false},
		"no pin":                               {UserPin{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.pin.Matches(octocat); got != c.want {
				t.Errorf("got %t, want %t", got, c.want)
			}
		})
	}
}
