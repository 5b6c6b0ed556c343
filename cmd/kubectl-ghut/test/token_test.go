package test

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestPluginTokenIsTheAccessTokenAlone(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "token")
	seeded(t, ns, "helper")
	want := accessToken(t, ns, "helper-token")
	r := begin(t, editor, "", "token", "helper", "-n", ns)
	if code := r.exit(); code != 0 || r.out.String() != want+"\n" || r.err.String() != "" {
		t.Errorf("it exits with %d and does not print the access token alone: %s", code, r.err.String())
	}
	contains(t, ghut(t, limited, 1, "token", "helper", "-n", ns), `a permission is missing: you may not get secrets (API group "") in namespace token`)
	contains(t, ghut(t, editor, 1, "token", "nobody", "-n", ns), "there is no GitHubUserToken nobody")

	// A Secret that somebody else has put in the place of the pair.
	kubectl(t, "create", "secret", "generic", "mine", "-n", ns, "--from-literal=access_token=made-up")
	apply(t, `
apiVersion: githubusertoken.dev/v1alpha1
kind: GitHubUserToken
metadata: {namespace: token, name: mine}
spec: {app: {clientID: `+clientID+`}, login: {methods: [DeviceFlow]}}
`)
	contains(t, ghut(t, editor, 1, "token", "mine", "-n", ns), "is not the operator's")

	// A terminal is refused, and --show gives in.
	script, err := exec.LookPath("script")
	if err != nil {
		t.Fatal("there is no script(1), which makes a terminal; on Debian: apt-get install bsdutils")
	}
	for command, shows := range map[string]bool{
		"kubectl ghut token helper -n " + ns:                          false,
		"kubectl ghut token helper --show -n " + ns:                   true,
		"kubectl ghut credential-helper helper get -n " + ns + " <&-": false,
	} {
		cmd := exec.CommandContext(t.Context(), script, "-qec", command, "/dev/null")
		cmd.Env = []string{"PATH=" + path, "KUBECONFIG=" + kubeconfigs[editor], "HOME=" + t.TempDir(), "SHELL=/bin/sh"}
		out, _ := cmd.CombinedOutput() // The exit code is that of the command, and tells the same.
		if strings.Contains(string(out), want) != shows {
			t.Errorf("%q on a terminal prints the token: %v, want %v", command, !shows, shows)
		}
	}
}

func TestPluginCredentialHelperServesGit(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "git")
	seeded(t, ns, "holder")
	token := accessToken(t, ns, "holder-token")
	fill := func(person, ask string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "git", "-c", "credential.helper=",
			"-c", "credential.helper=!kubectl ghut credential-helper holder -n "+ns, "credential", "fill")
		cmd.Env = []string{"PATH=" + path, "KUBECONFIG=" + kubeconfigs[person], "HOME=" + t.TempDir(), "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1"}
		cmd.Stdin = strings.NewReader(ask)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	answer, err := fill(editor, "protocol=https\nhost=github.com\n\n")
	if err != nil {
		t.Fatalf("git credential fill: %v", err)
	}
	if !strings.Contains(answer, "username=x-access-token\n") || !strings.Contains(answer, "password="+token+"\n") {
		t.Error("git does not get the token")
	}
	// Git before 2.40 does not tell on when it expires.
	r := begin(t, editor, "protocol=https\nhost=github.com\n\n", "credential-helper", "holder", "get", "-n", ns)
	code := r.exit()
	_, until, _ := strings.Cut(r.out.String(), "password_expiry_utc=")
	expiry, err := strconv.ParseInt(strings.TrimSpace(until), 10, 64)
	if left := time.Until(time.Unix(expiry, 0)); code != 0 || err != nil || left < 7*time.Hour || left > 8*time.Hour {
		t.Errorf("it exits with %d, and git is told that the token expires in %s (%v)", code, left, err)
	}
	for _, other := range []string{"protocol=https\nhost=example.com\n\n", "protocol=http\nhost=github.com\n\n", "protocol=https\nhost=github.com\nusername=hubot\n\n"} {
		if answer, _ := fill(editor, other); strings.Contains(answer, token) {
			t.Errorf("git gets the token for %q", other)
		}
	}
	if answer, err := fill(limited, "protocol=https\nhost=github.com\n\n"); err == nil || !strings.Contains(answer, "you may not get secrets") {
		t.Errorf("without Secrets git gets: %v", err)
	}
	for _, action := range []string{"store", "erase"} {
		if r := begin(t, editor, "protocol=https\nhost=github.com\n\n", "credential-helper", "holder", action, "-n", ns); r.exit() != 0 || r.out.String()+r.err.String() != "" {
			t.Errorf("%s says %q", action, r.err.String())
		}
	}
}
