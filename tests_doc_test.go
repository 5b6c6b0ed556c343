package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testNamed   = regexp.MustCompile("`(Test[A-Z][A-Za-z0-9]*)`")
	testDefined = regexp.MustCompile(`(?m)^func (Test[A-Z]\w*)\(`)
)

// The documents say by which test each promise is shown. There must be such a test.
func TestDocsNameTestsThatThereAre(t *testing.T) {
	defined := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != "." && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		source, err := os.ReadFile(path)
		for _, found := range testDefined.FindAllSubmatch(source, -1) {
			defined[string(found[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	documents, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, document := range append(documents, "README.md", "CONTRIBUTING.md", "SECURITY.md") {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range testNamed.FindAllSubmatch(text, -1) {
			named++
			if name := string(found[1]); !defined[name] {
				t.Errorf("%s names %s, and there is no such test", document, name)
			}
		}
	}
	if named == 0 {
		t.Error("no document names a test")
	}
}
