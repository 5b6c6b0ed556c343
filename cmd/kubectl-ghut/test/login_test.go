package test

import (
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

var userCode = regexp.MustCompile(`enter the code\n\n {4}(\S+)\n`)

// code waits for a code other than the last.
func (r *run) code(last string) string {
	r.t.Helper()
	var code string
	suite.Eventually(r.t, patience, "it shows a code", func() (bool, string) {
		all := userCode.FindAllStringSubmatch(r.err.String(), -1)
		if len(all) == 0 {
			return false, r.out.String() + r.err.String()
		}
		code = all[len(all)-1][1]
		return code != last, r.err.String()
	})
	return code
}

func TestPluginLoginMakesTheResourceAndBringsAToken(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "login")
	r := begin(t, limited, "", "login", "monalisa", "-n", ns, "--create", "--app", clientID, "--account", "monalisa", "--secret", "monalisa-token")
	code := r.code("")
	contains(t, r.err.String(), "https://github.com/login/device, signed in as monalisa", "Created the GitHubUserToken monalisa", "No browser was opened")
	if r.out.String() != "" {
		t.Errorf("standard output has %q before the login", r.out.String())
	}
	atGitHub(t, "/devices/approve", url.Values{"code": {code}, "user": {"monalisa"}})
	if got := r.exit(); got != 0 {
		t.Fatalf("it exits with %d: %s", got, r.err.String())
	}
	contains(t, r.out.String(), "Logged in as monalisa", "Secret monalisa-token of namespace login")
	leaksNothing(t, "standard output", r.out.String())

	said := ghut(t, limited, 0, "login", "monalisa", "-n", ns)
	contains(t, said, "logged in already as monalisa")
	contains(t, ghut(t, limited, 1, "login", "monalisa", "-n", ns, "--create", "--app", "Iv23liOther"), "with another App")
}

func TestPluginLoginThatIsInterruptedSaysHowToGoOn(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "interrupted")
	r := begin(t, limited, "", "login", "mojang", "-n", ns, "--create", "--app", clientID, "--no-browser")
	code := r.code("")
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if got := r.exit(); got != 1 {
		t.Errorf("it exits with %d", got)
	}
	contains(t, r.err.String(), "error: interrupted. The code "+code+" is good until ", "To go on waiting: kubectl ghut login mojang -n interrupted\n")
	if again := begin(t, limited, "", "login", "mojang", "-n", ns, "--no-browser"); again.code("") != code {
		t.Error("the command that is named does not go on with that code")
	}
}

func TestPluginLoginOfSomebodyElseIsRefusedAndASecondTryWorks(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "wrong")
	r := begin(t, editor, "", "login", "hubot", "-n", ns, "--create", "--app", clientID, "--account", "hubot")
	first := r.code("")
	atGitHub(t, "/devices/approve", url.Values{"code": {first}, "user": {"defunkt"}})
	if got := r.exit(); got != 2 {
		t.Fatalf("it exits with %d: %s", got, r.err.String())
	}
	contains(t, r.err.String(), "signed in to GitHub as somebody else than hubot", "private window")

	// No code is offered any more, so that the next try has to ask for one.
	again := begin(t, editor, "", "login", "hubot", "-n", ns)
	code := again.code("")
	contains(t, again.err.String(), "Asked the operator for one")
	atGitHub(t, "/devices/deny", url.Values{"code": {code}})
	if got := again.exit(); got != 2 {
		t.Fatalf("it exits with %d: %s", got, again.err.String())
	}
	contains(t, again.err.String(), "cancelled at GitHub")
	contains(t, ghut(t, viewer, 2, "status", "hubot", "-n", ns), "NeedsPerson (AuthorizationDenied)", "kubectl ghut login hubot -n wrong")

	third := begin(t, editor, "", "login", "hubot", "-n", ns, "--no-browser")
	code = third.code("")
	if strings.Contains(third.err.String(), "No browser") {
		t.Error("it speaks of a browser that it was told not to open")
	}
	atGitHub(t, "/devices/approve", url.Values{"code": {code}, "user": {"hubot"}})
	if got := third.exit(); got != 0 {
		t.Fatalf("it exits with %d: %s", got, third.err.String())
	}
}

func TestPluginLoginSaysWhatIsInTheWay(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "in-the-way")
	seeded(t, ns, "octocat")
	contains(t, ghut(t, limited, 2, "login", "octocat", "-n", ns), "lets nobody log in by the device flow", "octocat-seed")
	contains(t, ghut(t, limited, 1, "login", "nobody", "-n", ns), "there is no GitHubUserToken nobody in namespace in-the-way")
	contains(t, ghut(t, viewer, 1, "login", "new", "-n", ns, "--create", "--app", clientID),
		`a permission is missing: you may not create githubusertokens (API group "githubusertoken.dev") in namespace in-the-way`)
	contains(t, ghut(t, limited, 1, "login", "new", "-n", ns, "--create"), "say by which App")
	contains(t, ghut(t, limited, 1, "login", "octocat", "-n", ns, "--app", clientID), "go with --create")

	contains(t, ghut(t, limited, 1, "login", "elsewhere", "-n", ns, "--create", "--app", clientID, "--host", "https://github.com"), "without https://")
	if said := ghut(t, limited, 3, "login", "not-allowed", "-n", ns, "--create", "--app", clientID, "--host", "github.example.com"); !strings.Contains(said, "allowed") {
		t.Errorf("of a host that is not allowed it says %s", said)
	}
	kubectl(t, "patch", "ghut", "not-allowed", "-n", ns, "--type=merge", "-p", `{"spec":{"suspend":true}}`)
	contains(t, ghut(t, limited, 2, "login", "not-allowed", "-n", ns), "kubectl ghut resume not-allowed -n in-the-way")
	until(t, ns, "octocat", "it is left alone", func(token *v1alpha1.GitHubUserToken) bool { return isReady(token) && token.Status.RefreshCount == 1 })
}
