package scope

import (
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestUserPinMatches(t *testing.T) {
	octocat := rotation.User{Login: "Octocat", ID: 1}
	for name, c := range map[string]struct {
		pin  rotation.UserPin
		want bool
	}{
		"the login, in whatever case":          {rotation.UserPin{Login: "octoCAT"}, true},
		"the id":                               {rotation.UserPin{ID: 1}, true},
		"both":                                 {rotation.UserPin{Login: "octocat", ID: 1}, true},
		"another login":                        {rotation.UserPin{Login: "hubot"}, false},
		"another id":                           {rotation.UserPin{ID: 2}, false},
		"the login of an account that is gone": {rotation.UserPin{Login: "octocat", ID: 2}, false},
		"the id under a former login":          {rotation.UserPin{Login: "hubot", ID: 1}, false},
		"no pin":                               {rotation.UserPin{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Matches(c.pin, octocat); got != c.want {
				t.Errorf("got %t, want %t", got, c.want)
			}
		})
	}
}
