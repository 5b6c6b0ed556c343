package binaries

import (
	"strings"
	"testing"
	"time"
)

func TestProgressSaysWhatIsBeingDone(t *testing.T) {
	b := goBuild{start: time.Now()}
	steps := []struct{ says, progress string }{
		{"", "looking at the packages"},
		{"go: downloading k8s.io/kubernetes v1.37.1\n", "1 modules downloaded, 0s, now k8s.io/kubernetes v1.37.1"},
		{"example.dev/a\n", "1 of 2 packages compiled, 0s, now example.dev/a"},
		{"example.dev/b\n", "all 2 packages compiled, linking"},
	}
	for i, step := range steps {
		if i == 2 { // the go command has said what is to be compiled
			b.stale = map[string]bool{"example.dev/a": true, "example.dev/b": true}
		}
		if rest := b.follow(strings.NewReader(step.says)); len(rest) > 0 {
			t.Errorf("%q was taken for an error", step.says)
		}
		if got := b.progress(); !strings.HasPrefix(got, step.progress) {
			t.Errorf("after %q: %q, want %q", step.says, got, step.progress)
		}
	}
	if rest := b.follow(strings.NewReader("main.go:3: undefined: x\n")); len(rest) != 1 {
		t.Errorf("a complaint of the compiler was lost: %v", rest)
	}
}
