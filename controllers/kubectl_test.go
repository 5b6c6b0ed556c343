package controllers

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// runs runs kubectl as a cluster's administrator and returns what it prints.
func (w *world) runs(args ...string) string {
	w.t.Helper()
	out, err := plane.Kubectl(w.ctx, append(args, "--namespace="+w.namespace)...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("kubectl %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestKubectlShowsWhatAPersonNeeds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.create(w.resource("waiting"))
	w.seed("octocat", "octocat")
	w.create(w.resource("octocat"))
	w.runs("wait", "--for=condition=Ready", "ghut/octocat", "--timeout=30s")
	w.runs("wait", "--for=condition=Stalled", "ghut/waiting", "--timeout=30s")
	w.runs("wait", "--for=jsonpath={.status.secretName}=octocat-token", "githubusertoken/octocat", "--timeout=30s")

	expires := w.get("octocat").Status.AccessTokenExpirationTime.UTC().Format(time.RFC3339)
	rows := table(w.runs("get", "ghut"))
	if want := []string{"NAME", "READY", "REASON", "EXPIRES", "REFRESHED", "CODE", "AGE"}; strings.Join(rows[0], " ") != strings.Join(want, " ") {
		t.Errorf("the columns are %v, want %v", rows[0], want)
	}
	for _, row := range rows[1:] {
		switch row[0] {
		case "octocat":
			if row[1] != "True" || row[2] != v1alpha1.ReasonTokenValid || row[3] != expires {
				t.Errorf("octocat is shown as %v", row)
			}
		case "waiting":
			if row[1] != "False" || row[2] != v1alpha1.ReasonRefreshTokenMissing {
				t.Errorf("waiting is shown as %v", row)
			}
		}
	}
	wide := w.runs("get", "githubusertokens.githubusertoken.dev", "-o", "wide")
	for _, want := range []string{"HOST", "USER", "SECRET", w.site.Host, "octocat-token"} {
		if !strings.Contains(wide, want) {
			t.Errorf("-o wide lacks %s:\n%s", want, wide)
		}
	}
	if category := w.runs("get", "github", "-o", "name"); !strings.Contains(category, "githubusertoken.githubusertoken.dev/octocat") {
		t.Errorf("the category github shows %s", category)
	}
	described := w.runs("describe", "ghut", "octocat")
	for _, want := range []string{"Type: Ready", "Reason: TokenValid", "Normal TokenValid"} {
		if !strings.Contains(strings.Join(strings.Fields(described), " "), want) {
			t.Errorf("describe lacks %q:\n%s", want, described)
		}
	}
	for _, canary := range []string{access(w.pair("octocat-token")), refresh(w.pair("octocat-token"))} {
		if strings.Contains(described, canary) {
			t.Error("describe shows a token")
		}
	}
}

func TestKubectlExplainsEveryField(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noOperator: true})
	for path, want := range map[string]string{
		"githubusertoken":                        "keeps a GitHub App's user access token fresh",
		"githubusertoken.spec.refreshBefore":     "how long before the access token's expiry",
		"githubusertoken.spec.app.host":          "--allowed-hosts",
		"githubusertoken.spec.refreshTokenRef":   "never modified",
		"githubusertoken.spec.deletionPolicy":    "Delete removes the Secret",
		"githubusertoken.spec.secret.name":       "By default the name of the resource",
		"githubusertoken.status.conditions":      "Ready, Authorized",
		"githubusertoken.status.refreshCount":    "how many pairs were stored since the login",
		"githubusertoken.spec.outputs.format":    "BasicAuth",
		"githubusertoken.spec.app.clientID":      "It is not the App ID",
		"githubusertoken.status.nextRefreshTime": "when the next exchange is due",
	} {
		text := strings.Join(strings.Fields(w.runs("explain", path)), " ")
		if !strings.Contains(text, want) {
			t.Errorf("kubectl explain %s does not say %q:\n%s", path, want, text)
		}
	}
	// No field is without a description.
	all := w.runs("explain", "githubusertoken", "--recursive", "--output=plaintext-openapiv2")
	if strings.Contains(all, "<no description>") {
		t.Errorf("a field has no description:\n%s", all)
	}
}

func TestKubectlEventsAreMadeOnTransitionsOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	events := func() string {
		return w.runs("get", "events.events.k8s.io", "-o", "jsonpath={range .items[*]}{.type} {.reason} {.regarding.name}{\"\\n\"}{end}")
	}
	count := func(line string) int { return strings.Count(events(), line+"\n") }
	w.create(w.resource("octocat"))
	w.condition("octocat", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRefreshTokenMissing)
	w.eventually("the warning", func() (bool, string) {
		return count("Warning RefreshTokenMissing octocat") == 1, events()
	})
	w.seed("octocat", "octocat")
	w.ready("octocat")
	w.eventually("the good news", func() (bool, string) { return count("Normal TokenValid octocat") == 1, events() })
	before := events()
	for i, value := range []string{"1", "2", "3"} {
		w.request("octocat", value)
		w.refreshed("octocat", int64(i)+2)
	}
	w.settle()
	if after := events(); after != before {
		t.Errorf("healthy rotations made events:\n%s\nbefore:\n%s", after, before)
	}
}

// table splits what kubectl get prints at its columns.
func table(text string) [][]string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	var starts []int
	for i := range lines[0] {
		if lines[0][i] != ' ' && (i == 0 || lines[0][i-1] == ' ') {
			starts = append(starts, i)
		}
	}
	var rows [][]string
	for _, line := range lines {
		var row []string
		for i, start := range starts {
			end := len(line)
			if i+1 < len(starts) {
				end = min(end, starts[i+1])
			}
			row = append(row, strings.TrimSpace(line[min(start, end):end]))
		}
		rows = append(rows, row)
	}
	return rows
}
