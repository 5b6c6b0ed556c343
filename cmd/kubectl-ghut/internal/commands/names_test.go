package commands

import (
	"strings"
	"testing"
)

// What is missing or too much is named, with how it is typed.
func TestCommandsSayWhichArgumentIsMissing(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"login"}, "error: the name of the resource is missing, such as: kubectl ghut login octocat -n team-a. kubectl ghut status lists those of the namespace\n"},
		{[]string{"hold", "--for", "2h"}, "error: the name of the resource is missing, such as: kubectl ghut hold octocat -n team-a --for 2h. kubectl ghut status lists"},
		{[]string{"hold", "octocat"}, "error: say one of --for, --until and --release, such as: kubectl ghut hold octocat -n team-a --for 2h\n"},
		{[]string{"revoke", "octocat", "hubot"}, "error: revoke takes one name, such as: kubectl ghut revoke octocat -n team-a. This is too much: hubot\n"},
		{[]string{"status", "octocat", "hubot"}, "error: status takes one name at most, such as: kubectl ghut status octocat -n team-a. This is too much: hubot\n"},
		{[]string{"tree", "octocat", "hubot"}, "error: tree takes one name at most"},
		{[]string{"check", "octocat"}, "error: check takes no name and no other argument, and there is: octocat. Its flags: kubectl ghut check --help\n"},
		{[]string{"install", "generate", "octocat"}, "error: generate takes no name and no other argument, and there is: octocat. Its flags: kubectl ghut install generate --help\n"},
		{[]string{"credential-helper"}, "error: the name of the resource is missing, such as: git config --global credential.https://github.com.helper '!kubectl ghut credential-helper octocat -n team-a'\n"},
		{[]string{"credential-helper", "octocat"}, "error: what to do is missing behind octocat: get, store or erase. git adds it itself: git config"},
		{[]string{"credential-helper", "octocat", "get", "more"}, "error: credential-helper takes a name and one of get, store and erase, and there is more: more\n"},
		{[]string{"lgoin", "octocat"}, "error: there is no command \"lgoin\". Perhaps: kubectl ghut login. All commands: kubectl ghut --help\n"},
		{[]string{"install", "now"}, "error: there is no command \"now\". All commands: kubectl ghut install --help\n"},
		{[]string{"login", "octocat", "--nonsense"}, "error: unknown flag: --nonsense. Its flags: kubectl ghut login --help\n"},
	} {
		w := newWorld(t, ready())
		if code := w.run(c.args...); code != 1 || !strings.Contains(w.err.String(), c.says) {
			t.Errorf("%q exits with %d, and says %q, want %q", c.args, code, w.err.String(), c.says)
		}
	}
}
