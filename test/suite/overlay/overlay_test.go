package overlay

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOverlayEachPatchMustFitOnce(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "a.go"), []byte("import (\n)\none\ntwo\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := Write(root, dir, []Patch{{File: "a.go", Find: "one", Replace: "probe.At(1)"}, {File: "a.go", Find: "At(1)", Replace: "At(3)"}})
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(overlay), filepath.Join(root, "a.go")) {
		t.Errorf("the overlay does not name the file: %s %v", overlay, err)
	}
	patched, err := os.ReadFile(filepath.Join(dir, "a.go"))
	if err != nil || !strings.Contains(string(patched), "probe.At(3)") || !strings.Contains(string(patched), "test/chaos/probe") {
		t.Errorf("the file is not patched: %s %v", patched, err)
	}
	for _, text := range []string{"two", "three"} {
		if _, err := Write(root, dir, []Patch{{File: "a.go", Find: text}}); err == nil {
			t.Errorf("a patch of %q is taken, which does not stand there once", text)
		}
	}
}
