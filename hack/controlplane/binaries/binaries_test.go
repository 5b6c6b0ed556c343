package binaries

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestAssetsAreHonoured(t *testing.T) {
	for name, tc := range map[string]struct {
		present []Name
		ask     Name
		found   bool
		err     string
	}{
		"a program that is there is taken": {
			present: []Name{Etcd, KubeAPIServer, Kubectl}, ask: KubeAPIServer, found: true,
		},
		"kube-controller-manager is built if it is not there": {
			present: []Name{Etcd, KubeAPIServer, Kubectl}, ask: KubeControllerManager,
		},
		"kube-controller-manager is taken if it is there": {
			present: []Name{KubeControllerManager}, ask: KubeControllerManager, found: true,
		},
		"a folder without etcd is a mistake, not a reason to build": {
			present: []Name{KubeAPIServer}, ask: Etcd, err: "which has no etcd",
		},
	} {
		t.Run(name, func(t *testing.T) {
			assets := t.TempDir()
			for _, program := range tc.present {
				if err := os.WriteFile(filepath.Join(assets, string(program)), nil, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv(assetsVariable, assets)
			path, err := fromAssets(tc.ask)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("error %v, want one that says %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := ""
			if tc.found {
				want = filepath.Join(assets, string(tc.ask))
			}
			if path != want {
				t.Errorf("path %q, want %q", path, want)
			}
		})
	}
}

func TestTheCacheBelongsToThePinnedVersion(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	seen := map[string]bool{}
	for _, h := range helpers {
		r, err := h.read()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(filepath.Base(r.cache), h.name+"-v") {
			t.Errorf("%s is kept in %s, which does not say its version", h.name, r.cache)
		}
		if seen[r.cache] {
			t.Errorf("%s shares its cache", h.name)
		}
		seen[r.cache] = true
	}
}

func TestBuildsAtOnceDoNotCollide(t *testing.T) {
	r := greeter(t, `package main

func main() { print("hello") }
`)
	// What a build that was killed has left.
	if err := os.MkdirAll(filepath.Join(r.cache, "building"), 0o755); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	logs := make([]bytes.Buffer, 3)
	for i := range logs {
		wg.Go(func() {
			if err := r.ensure(t.Context(), &logs[i], newDownloads(&logs[i], ""), []Name{"greet"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	built := 0
	for i := range logs {
		built += strings.Count(logs[i].String(), "built in")
	}
	if built != 1 {
		t.Errorf("it was built %d times, want once", built)
	}
	said, err := exec.CommandContext(t.Context(), r.path("greet")).CombinedOutput()
	if err != nil || string(said) != "hello" {
		t.Errorf("the built program says %q, %v", said, err)
	}
	left, err := os.ReadDir(r.cache)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range left {
		if name := entry.Name(); name != "bin" && name != "lock" {
			t.Errorf("the build left %s", name)
		}
	}
}

func TestAFailedBuildSaysWhatTheCompilerSays(t *testing.T) {
	r := greeter(t, "package main\n\nfunc main() { undefinedName() }\n")
	err := r.ensure(t.Context(), t.Output(), newDownloads(t.Output(), ""), []Name{"greet"})
	if err == nil || !strings.Contains(err.Error(), "undefined: undefinedName") {
		t.Errorf("error %v, want the compiler's", err)
	}
	if isExecutable(r.path("greet")) {
		t.Error("there is a program in the cache")
	}
}

func TestABuildEndsWithItsContext(t *testing.T) {
	r := greeter(t, "package main\n\nfunc main() {}\n")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.ensure(ctx, t.Output(), newDownloads(t.Output(), ""), []Name{"greet"}); err == nil {
		t.Error("it was built with a context that had ended")
	}
}

// greeter is a helper module of one file.
func greeter(t *testing.T, source string) release {
	t.Helper()
	dir := t.TempDir()
	for name, data := range map[string]string{"go.mod": "module example.dev/greet\n\ngo 1.26.0\n", "main.go": source} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return release{
		helper: helper{
			name:     "greeter",
			packages: map[Name]string{"greet": "example.dev/greet"},
			ldflags:  func(string) string { return "-s" },
		},
		source:  dir,
		version: "v1.0.0",
		cache:   filepath.Join(t.TempDir(), "cache"),
	}
}
