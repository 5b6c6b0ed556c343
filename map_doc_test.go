package main

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The map in CONTRIBUTING.md names a folder by its path, or after another of the same row by its last part.
var mapRow = regexp.MustCompile(`(?m)^\| (` + "`[^|]*`" + `) \|`)

func TestDocsMapHasEveryPackage(t *testing.T) {
	text, err := os.ReadFile("CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ = bytes.Cut(text, []byte("\n## Map\n"))
	text, _, ok := bytes.Cut(text, []byte("\n## "))
	if !ok {
		t.Fatal("there is no map")
	}
	mapped := map[string]bool{}
	for _, row := range mapRow.FindAllStringSubmatch(string(text), -1) {
		folder := ""
		for name := range strings.SplitSeq(row[1], ", ") {
			name = strings.Trim(name, "`")
			if !strings.Contains(name, "/") && folder != "" {
				name = path.Join(path.Dir(folder), name)
			}
			folder = name
			mapped[name] = true
			if info, err := os.Stat(name); err != nil || !info.IsDir() && !strings.Contains(name, ".") {
				t.Errorf("the map has %s, which does not exist", name)
			}
		}
	}
	for _, root := range []string{"controllers", "internal"} {
		err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || path.Base(file) != "doc.go" {
				return err
			}
			// What stands below a folder of the map may be told of in its row.
			if folder := path.Dir(file); !mapped[folder] && !strings.Contains(string(text), "`"+path.Base(folder)+"`") {
				t.Errorf("the map lacks %s", folder)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
