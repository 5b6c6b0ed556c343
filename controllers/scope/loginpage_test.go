package scope

import (
	"strings"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

func TestLoginPageAccountsAreThoseOfThePolicy(t *testing.T) {
	octocat, both := &v1alpha1.UserSelector{Login: "octocat"}, &v1alpha1.UserSelector{Login: "octocat", ID: 7}
	byID := &v1alpha1.UserSelector{ID: 7}
	for name, c := range map[string]struct {
		allowed Accounts
		user    *v1alpha1.UserSelector
		want    bool
	}{
		"nobody":                              {nil, octocat, false},
		"a login":                             {Accounts{{Logins: []string{"octocat"}}}, octocat, true},
		"in whatever case":                    {Accounts{{Logins: []string{"OctoCat"}}}, octocat, true},
		"another login":                       {Accounts{{Logins: []string{"hubot"}}}, octocat, false},
		"one that begins so":                  {Accounts{{Logins: []string{"octo"}}}, octocat, false},
		"one of several entries":              {Accounts{{IDs: []int64{1}}, {Logins: []string{"hubot", "octocat"}}}, octocat, true},
		"an id":                               {Accounts{{IDs: []int64{7}}}, byID, true},
		"an id beside a login that is not":    {Accounts{{IDs: []int64{7}, Logins: []string{"hubot"}}}, both, true},
		"a login beside an id that is not":    {Accounts{{IDs: []int64{8}, Logins: []string{"octocat"}}}, both, true},
		"another id":                          {Accounts{{IDs: []int64{8}}}, byID, false},
		"a login is no id":                    {Accounts{{Logins: []string{"octocat"}}}, byID, false},
		"the end of a login":                  {Accounts{{Logins: []string{"*_corp"}}}, &v1alpha1.UserSelector{Login: "mona_CORP"}, true},
		"not of one that goes on":             {Accounts{{Logins: []string{"*_corp"}}}, &v1alpha1.UserSelector{Login: "mona_corp2"}, false},
		"the beginning of a login":            {Accounts{{Logins: []string{"bot-*"}}}, &v1alpha1.UserSelector{Login: "bot-7"}, true},
		"not of one that only has it":         {Accounts{{Logins: []string{"bot-*"}}}, &v1alpha1.UserSelector{Login: "a-bot-7"}, false},
		"a part of a login":                   {Accounts{{Logins: []string{"*bot*"}}}, &v1alpha1.UserSelector{Login: "a-bot-7"}, true},
		"a pattern, and an id alone":          {Accounts{{Logins: []string{"*_corp", "bot-*", "*bot*"}}}, byID, false},
		"everybody":                           {Accounts{{Logins: []string{"*"}}}, octocat, true},
		"everybody, also by an id alone":      {Accounts{{Logins: []string{"*"}}}, byID, true},
		"what the API does not take as such":  {Accounts{{Logins: []string{"**"}}}, octocat, false},
		"an entry that names no account":      {Accounts{{}}, octocat, false},
		"an entry that names none, and no id": {Accounts{{IDs: []int64{0}}}, octocat, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.allowed.Allow(c.user); got != c.want {
				t.Errorf("%+v: %t", *c.user, got)
			}
		})
	}
}

func TestLoginPageAsksForOneAccountAloneWhosoeverTheAppIs(t *testing.T) {
	token := &v1alpha1.GitHubUserToken{}
	for _, app := range []App{{}, {LoginPage: &Accounts{{Logins: []string{"*"}}}}} {
		if got := app.ForbidsLoginPage(token); !strings.Contains(got, "spec.user names none") {
			t.Errorf("without spec.user: %q", got)
		}
	}
	token.Spec.User = &v1alpha1.UserSelector{ID: 7}
	if got := (App{}).ForbidsLoginPage(token); got != "" {
		t.Errorf("of an App of one's own: %q", got)
	}
	if got := (App{LoginPage: &Accounts{}}).ForbidsLoginPage(token); !strings.Contains(got, "ask the account with the id 7 to log in") {
		t.Errorf("of an App that allows nobody: %q", got)
	}
}
