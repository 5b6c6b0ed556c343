package main

import (
	"flag"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/client/internal/fakeserver"
)

func TestTokenIsPrintedToAPipe(t *testing.T) {
	w := newWorld(t, "github.com")
	if got := w.run("", "print"); got.code != 0 || got.out != tokenOf(1).AccessToken+"\n" || got.err != "" {
		t.Errorf("code %d: %s", got.code, got.err)
	}
	w.env["TERMINAL"], w.env["GHUT_SHOW"] = "yes", "true" // A variable is not somebody who looks at the terminal.
	if got := w.run("", "print"); got.code != codeUsage || got.out != "" || !strings.Contains(got.err, "add --show") {
		t.Errorf("at a terminal: code %d: %s", got.code, got.err)
	}
	if got := w.run("", "print", "--show"); got.code != 0 || got.out != tokenOf(1).AccessToken+"\n" {
		t.Errorf("at a terminal, with --show: code %d: %s", got.code, got.err)
	}
}

func TestTokenCommandsSayWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		edit func(*world)
		code int
		says string
	}{
		"nothing to do":      {nil, nil, codeUsage, "say what to do: print, credential, exec or install"},
		"an unknown command": {[]string{"get"}, nil, codeUsage, `"get" is none of print, credential, exec and install`},
		"an unknown flag":    {[]string{"print", "--no"}, nil, codeUsage, "flag provided but not defined: -no"},
		"an argument":        {[]string{"print", "octocat"}, nil, codeUsage, "arguments that it does not know"},
		"no server":          {[]string{"print"}, func(w *world) { delete(w.env, "GHUT_SERVER") }, codeFailed, "set --server or GHUT_SERVER"},
		"no name":            {[]string{"print"}, func(w *world) { delete(w.env, "GHUT_NAME") }, codeFailed, "set --name or GHUT_NAME"},
		"a bad variable":     {[]string{"print"}, func(w *world) { w.env["GHUT_TIMEOUT"] = "soon" }, codeUsage, `GHUT_TIMEOUT="soon" cannot be understood`},
		"another host": {[]string{"print", "--host", "octocorp.ghe.com"}, nil, codeFailed,
			"the token is for github.com, and --host says octocorp.ghe.com"},
		"forbidden": {[]string{"print"}, func(w *world) {
			w.server.Fail(fakeserver.Failure{Status: http.StatusForbidden, Code: "forbidden", Message: "You may not."})
		}, codeFailed, "the token server answered 403: You may not."},
		"a person must act": {[]string{"print"}, func(w *world) {
			w.server.Fail(fakeserver.Failure{Status: http.StatusConflict, Code: "no_token", Message: "Somebody must log in (LoginRequired)."})
		}, codeFailed, "Somebody must log in (LoginRequired)."},
		"no ServiceAccount token": {[]string{"print", "--token-file", "/nonexistent"}, nil, codeFailed, "mount a projected volume"},
		"no command":              {[]string{"exec"}, nil, 127, "there is no command"},
		"an unknown command to run": {[]string{"exec", "--", "no-such-command"}, nil, 127,
			"the command cannot be run"},
		"a variable that is none":    {[]string{"exec", "--env", "A=B", "--", "true"}, nil, 125, `"A=B" is no name of an environment variable`},
		"git's operation is missing": {[]string{"credential"}, nil, codeUsage, "git says get, store or erase here"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "github.com")
			if test.edit != nil {
				test.edit(w)
			}
			got := w.run("", test.args...)
			if got.code != test.code || !strings.Contains(got.err, test.says) || strings.Contains(got.out, "ghu_") {
				t.Errorf("code %d, says %q, want %d and %q", got.code, got.err, test.code, test.says)
			}
		})
	}
}

func TestTokenCommandTellsItsVersionAndHelp(t *testing.T) {
	w := newWorld(t, "github.com")
	if got := w.run("", "version"); got.code != 0 || got.out != version+"\n" {
		t.Errorf("code %d: %q", got.code, got.out)
	}
	if got := w.run("", "help"); got.code != 0 || !strings.Contains(got.out, "-server") || !strings.Contains(got.out, "ghut-token exec --") {
		t.Errorf("code %d: %q", got.code, got.out)
	}
}

// Each flag stands in the document, with its variable.
func TestDocsFlagsOfGhutTokenAreThoseOfTheDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../../docs/ghut-token.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `--([a-z-]+)` \\| (?:`([A-Z_]+)`|none) \\|").FindAllStringSubmatch(string(text), -1) {
		documented[row[1]] = row[2]
	}
	(&tool{}).newFlags("help", io.Discard).set.VisitAll(func(f *flag.Flag) {
		want := variableOf(f.Name)
		if f.Name == "show" {
			want = ""
		}
		if got, ok := documented[f.Name]; !ok || got != want {
			t.Errorf("docs/ghut-token.md has for --%s the variable %q (%t), want %q", f.Name, got, ok, want)
		}
		delete(documented, f.Name)
	})
	for name := range documented {
		t.Errorf("docs/ghut-token.md has a row for --%s, which is no flag", name)
	}
}
