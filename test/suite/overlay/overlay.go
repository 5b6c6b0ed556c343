// Package overlay changes the operator's source for one build, so that a test can seize the operator at a place that
// cannot be reached from outside, or break one of its rules and see that this is noticed.
package overlay

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const module = "github.com/githubusertoken/github-user-token-operator"

// Patch changes one file. The text must stand there exactly once, so that a patch that fits no more is noticed.
type Patch struct{ File, Find, Replace string }

// Write patches copies of the source below root, puts them into the folder dir, and returns the file that
// go build -overlay takes. All patches must fit. A patch that calls probe.At gets the import that it needs.
func Write(root, dir string, patches []Patch) (string, error) {
	sources := map[string]string{}
	for _, p := range patches {
		path := filepath.Join(root, p.File)
		source, known := sources[path]
		if !known {
			content, err := os.ReadFile(path)
			if err != nil {
				return "", fmt.Errorf("read what is to be patched: %w", err)
			}
			source = string(content)
		}
		// An earlier patch may have put more lines around the text of a later one, never changed it.
		if n := strings.Count(source, p.Find); n != 1 {
			return "", fmt.Errorf("%s holds this text %d times, want once: the patch must follow the source: %q", p.File, n, p.Find)
		}
		source = strings.Replace(source, p.Find, p.Replace, 1)
		const imported = `"` + module + `/test/chaos/probe"`
		if strings.Contains(p.Replace, "probe.At") && !strings.Contains(source, imported) {
			source = strings.Replace(source, "import (\n", "import (\n\t"+imported+"\n", 1)
		}
		sources[path] = source
	}
	overlay := map[string]map[string]string{"Replace": {}}
	for path, source := range sources {
		file := filepath.Join(dir, strings.ReplaceAll(strings.TrimPrefix(path, root+"/"), "/", "_"))
		if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
			return "", fmt.Errorf("write a patched file: %w", err)
		}
		overlay["Replace"][path] = file
	}
	content, err := json.Marshal(overlay)
	if err != nil {
		return "", fmt.Errorf("encode the overlay: %w", err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		return "", fmt.Errorf("write the overlay: %w", err)
	}
	return file, nil
}
