package controllers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// healthy are the reasons that need no section in the runbook: nothing is wrong.
var healthy = []string{"TokenValid", "TokenDoesNotExpire", "RefreshTokenValid", "NoRefreshToken", "NotYetExchanged", "Exchanging", "Usable", "CredentialsAccepted", "NotYetChecked"}

// reasons are the values of all constants Reason… of the API.
func reasons(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../api/v1alpha1/conditions.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if ok && strings.HasPrefix(spec.Names[0].Name, "Reason") {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, value)
		}
		return true
	})
	if len(found) < 40 {
		t.Fatalf("%d reasons were found", len(found))
	}
	return found
}

func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestDocsEveryReasonIsDocumented(t *testing.T) {
	t.Parallel()
	conditions, runbook := document(t, "conditions.md"), document(t, "runbook.md")
	for _, reason := range reasons(t) {
		if !regexp.MustCompile(`(?m)^\|.*` + "`" + reason + "`" + `.*\|$`).MatchString(conditions) {
			t.Errorf("docs/conditions.md has no row for %s", reason)
		}
		section := regexp.MustCompile(`(?m)^## (.* )?` + reason + `( .*)?$`).MatchString(runbook)
		if !section && !slices.Contains(healthy, reason) {
			t.Errorf("docs/runbook.md has no section for %s", reason)
		}
	}
}

// Every section says what happened and what to do, and every link into the runbook leads somewhere.
func TestDocsRunbookIsComplete(t *testing.T) {
	t.Parallel()
	runbook := document(t, "runbook.md")
	anchors := map[string]bool{}
	for _, section := range strings.Split(runbook, "\n## ")[1:] {
		title, body, _ := strings.Cut(section, "\n")
		anchors[strings.ReplaceAll(strings.ToLower(title), " ", "-")] = true
		if title == "Logging in again" {
			continue
		}
		for _, part := range []string{"**What happened.**", "**What to do.**"} {
			if !strings.Contains(body, part) {
				t.Errorf("the section %s does not have %s", title, part)
			}
		}
	}
	for _, name := range []string{"conditions.md", "runbook.md", "operations.md", "consumers.md", "gitops.md", "tutorial.md", "reference.md", "../README.md", "../CONTRIBUTING.md"} {
		for _, link := range regexp.MustCompile(`\((?:docs/)?(?:runbook\.md)?#([a-z-]+)\)`).FindAllStringSubmatch(document(t, name), -1) {
			if (strings.Contains(link[0], "runbook.md") || name == "runbook.md") && !anchors[link[1]] {
				t.Errorf("%s links to the section %s of the runbook, which does not exist", name, link[1])
			}
		}
	}
}

// A resource that is being retried raises one alert, which says whether its token is refreshed meanwhile.
func TestDocsAlertIsAboutTheReasonsThatItsWordsFit(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../config/prometheus/prometheus_rule.yaml")
	if err != nil {
		t.Fatal(err)
	}
	selector := func(alert, operator string) *regexp.Regexp {
		_, rule, _ := strings.Cut(string(text), "- alert: "+alert+"\n")
		found := regexp.MustCompile(`type="Reconciling", status="True", reason` + operator + `"([A-Za-z|]+)"`).FindStringSubmatch(rule)
		if found == nil {
			t.Fatalf("the alert %s has no selector of reasons", alert)
		}
		return regexp.MustCompile("^(" + found[1] + ")$")
	}
	notFailing, beside := selector("GitHubUserTokenRefreshFailing", "!~"), selector("GitHubUserTokenNotHandedOn", "=~")
	rows := regexp.MustCompile("(?m)^\\| `([A-Za-z]+)` \\| [^|]*Reconciling[^|]* \\|").FindAllStringSubmatch(document(t, "conditions.md"), -1)
	if len(rows) < 15 {
		t.Fatalf("%d reasons of Reconciling were found", len(rows))
	}
	for _, row := range rows {
		harmless := slices.Contains([]string{
			v1alpha1.ReasonOutputNotWritten, v1alpha1.ReasonOutputNotRemoved, v1alpha1.ReasonHandoffIncomplete, v1alpha1.ReasonMetadataRefused, v1alpha1.ReasonContested,
			v1alpha1.ReasonScopedTokenNotMade, v1alpha1.ReasonScopedTokenLost, v1alpha1.ReasonScopedTokenNotRevoked,
		}, row[1])
		if beside.MatchString(row[1]) != harmless {
			t.Errorf("%s: refreshes go on: %t, and the alert GitHubUserTokenNotHandedOn says otherwise", row[1], harmless)
		}
		if waits := row[1] == v1alpha1.ReasonAuthorizationPending; notFailing.MatchString(row[1]) != (harmless || waits) {
			t.Errorf("%s: refreshes go on: %t, and the alert GitHubUserTokenRefreshFailing says otherwise", row[1], harmless)
		}
	}
}

func TestDocsEveryMetricIsDocumented(t *testing.T) {
	t.Parallel()
	operations := document(t, "operations.md")
	names := map[string]bool{}
	var files []string
	for _, pattern := range []string{"*.go", "*/*.go", "*/*/*.go", "../*.go", "../internal/*/*.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		code, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`"(githubusertoken_[a-z_]+)"`).FindAllStringSubmatch(string(code), -1) {
			names[match[1]] = true
		}
	}
	if len(names) < 20 {
		t.Fatalf("%d metrics were found", len(names))
	}
	for name := range names {
		if !strings.Contains(operations, "| `"+name+"` |") {
			t.Errorf("docs/operations.md does not list %s", name)
		}
	}
}
