package main

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
)

// What an operator can set stands in docs/operations.md, and nothing else does.
func TestDocsFlagsAreThoseOfTheDocumentation(t *testing.T) {
	text, err := os.ReadFile("docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		for _, found := range regexp.MustCompile("`--([a-z-]+)`").FindAllStringSubmatch(cells[1], -1) {
			documented[found[1]] = true
		}
	}
	set := flag.NewFlagSet("manager", flag.ContinueOnError)
	newFlags(set)
	set.VisitAll(func(f *flag.Flag) {
		// Those of the logger are controller-runtime's; the table names the two that matter.
		if !documented[f.Name] && !strings.HasPrefix(f.Name, "zap-") {
			t.Errorf("docs/operations.md has no row for --%s", f.Name)
		}
		delete(documented, f.Name)
	})
	for name := range documented {
		t.Errorf("docs/operations.md has a row for --%s, which is no flag", name)
	}
}

// What the login page can be told stands in its own document.
func TestDocsFlagsOfTheLoginPageAreThoseOfTheDocumentation(t *testing.T) {
	text, err := os.ReadFile("docs/login-page.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rows, _ := strings.Cut(string(text), "\n## Flags\n")
	rows, _, _ = strings.Cut(rows, "\n## ")
	documented := map[string]bool{}
	for _, found := range regexp.MustCompile("(?m)^\\| `--([a-z-]+)` \\|").FindAllStringSubmatch(rows, -1) {
		documented[found[1]] = true
	}
	set := flag.NewFlagSet(loginPageCommand, flag.ContinueOnError)
	newPageFlags(set)
	set.VisitAll(func(f *flag.Flag) {
		if !documented[f.Name] && !strings.HasPrefix(f.Name, "zap-") {
			t.Errorf("docs/login-page.md has no row for --%s", f.Name)
		}
		delete(documented, f.Name)
	})
	for name := range documented {
		t.Errorf("docs/login-page.md has a row for --%s, which is no flag of the page", name)
	}
}

// What the token server can be told stands in its own document.
func TestDocsFlagsOfTheTokenServerAreThoseOfTheDocumentation(t *testing.T) {
	text, err := os.ReadFile("docs/serving.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rows, _ := strings.Cut(string(text), "\n## Flags\n")
	rows, _, _ = strings.Cut(rows, "\n## ")
	documented := map[string]bool{}
	for _, found := range regexp.MustCompile("(?m)^\\| `--([a-z-]+)` \\|").FindAllStringSubmatch(rows, -1) {
		documented[found[1]] = true
	}
	set := flag.NewFlagSet(tokenServerCommand, flag.ContinueOnError)
	newTokenServerFlags(set)
	set.VisitAll(func(f *flag.Flag) {
		if !documented[f.Name] && !strings.HasPrefix(f.Name, "zap-") {
			t.Errorf("docs/serving.md has no row for --%s", f.Name)
		}
		delete(documented, f.Name)
	})
	for name := range documented {
		t.Errorf("docs/serving.md has a row for --%s, which is no flag of the server", name)
	}
}

// Each misuse that the documents tell of has a test.
func TestDocsMisuseIsTried(t *testing.T) {
	for document, least := range map[string]int{"docs/login-page.md": 30, "docs/serving.md": 20} {
		misuseIsTried(t, document, least)
	}
}

func misuseIsTried(t *testing.T, document string, least int) {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	_, rows, _ := strings.Cut(string(text), "\n## Misuse\n")
	count := 0
	for line := range strings.Lines(rows) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || strings.HasPrefix(cells[1], "---") || strings.HasPrefix(cells[1], " **") || cells[1] == " what is tried " {
			continue
		}
		count++
		if !strings.Contains(cells[3], "`Test") {
			t.Errorf("no test is named: %s", line)
		}
	}
	if count < least {
		t.Errorf("%s has %d rows", document, count)
	}
}
