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
