package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	testNamed   = regexp.MustCompile("`(Test[A-Z][A-Za-z0-9]*)`")
	testsIn     = regexp.MustCompile("`([a-z][a-z0-9/]*)` (`Test[A-Z][A-Za-z0-9]*`(?:(?:, | and )`Test[A-Z][A-Za-z0-9]*`)*)")
	testDefined = regexp.MustCompile(`(?m)^func (Test[A-Z]\w*)\(`)
)

// The documents say by which test each promise is shown. There must be such a test, and where they name
// its package, it must be there.
func TestDocsNameTestsThatThereAre(t *testing.T) {
	defined := map[string][]string{} // its packages
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
			defined[string(found[1])] = append(defined[string(found[1])], filepath.ToSlash(filepath.Dir(path)))
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
	named, placed := 0, 0
	for _, document := range append(documents, "README.md", "CONTRIBUTING.md", "SECURITY.md") {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range testNamed.FindAllSubmatch(text, -1) {
			named++
			if name := string(found[1]); len(defined[name]) == 0 {
				t.Errorf("%s names %s, and there is no such test", document, name)
			}
		}
		for _, found := range testsIn.FindAllSubmatch(text, -1) {
			place := string(found[1])
			for _, test := range testNamed.FindAllSubmatch(found[2], -1) {
				placed++
				if name := string(test[1]); !slices.Contains(defined[name], place) {
					t.Errorf("%s names %s in %s, and it is in %q", document, name, place, defined[name])
				}
			}
		}
	}
	if named == 0 || placed == 0 {
		t.Errorf("the documents name %d tests, and the packages of %d", named, placed)
	}
}
