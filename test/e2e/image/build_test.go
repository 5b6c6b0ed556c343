package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTheProjectsDockerfileIsUnderstood(t *testing.T) {
	text, err := os.ReadFile("../../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	stages, err := parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(stages) != 2 || stages[0].alias != "build" || !strings.HasPrefix(stages[1].base, "gcr.io/distroless/static:nonroot@sha256:") {
		t.Fatalf("stages: %+v", stages)
	}
	compiled := slices.ContainsFunc(stages[0].steps, func(step instruction) bool {
		return step.name == "RUN" && strings.Contains(step.rest, "go build -trimpath") && strings.HasSuffix(step.rest, "-o /manager .")
	})
	if !compiled {
		t.Errorf("no step of the first stage builds /manager: %+v", stages[0].steps)
	}
	b := builder{work: t.TempDir()}
	if err := os.WriteFile(filepath.Join(b.work, "manager"), []byte("program"), 0o755); err != nil {
		t.Fatal(err)
	}
	made, err := b.assemble(stages[1], "build")
	if err != nil {
		t.Fatal(err)
	}
	if made.User != "65532:65532" || !slices.Equal(made.Entrypoint, []string{"/manager"}) {
		t.Errorf("user %q, entrypoint %q", made.User, made.Entrypoint)
	}
	manager := made.Files[len(made.Files)-1]
	if manager.Path != "manager" || string(manager.Content) != "program" || manager.Mode != 0o755 {
		t.Errorf("the program's file: %+v", manager)
	}
}

// What the Dockerfile copies is all that the program is made of: a file that stands beside main.go, or a new
// folder of the module, is found missing here and not only where an image is built.
func TestTheProjectsDockerfileCopiesEveryPackage(t *testing.T) {
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	stages, err := parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	b := builder{context: root, work: t.TempDir(), directory: "/src"}
	if err := os.MkdirAll(b.inside("."), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, step := range stages[0].steps {
		if step.name == "COPY" {
			if err := b.copy(strings.Fields(step.rest)); err != nil {
				t.Fatal(err)
			}
		}
	}
	list := exec.CommandContext(t.Context(), "go", "list", "-deps",
		"-f", "{{if .Module}}{{if .Module.Main}}{{range .GoFiles}}{{$.Dir}}/{{.}}\n{{end}}{{end}}{{end}}", ".")
	list.Dir = root
	list.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0", "GOOS=linux")
	listed, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	files := strings.Fields(string(listed))
	if len(files) < 100 {
		t.Fatalf("only %d files were listed: %q", len(files), files)
	}
	for _, file := range files {
		name, err := filepath.Rel(root, file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(b.inside(name)); err != nil {
			t.Errorf("the Dockerfile does not copy %s, of which the program is made", name)
		}
	}
}

func TestAStepThatIsNotUnderstoodIsAnError(t *testing.T) {
	const base = "FROM docker.io/library/golang:1.26 AS build\n"
	const last = "FROM gcr.io/distroless/static:nonroot\nCOPY --from=build /manager /manager\n"
	for name, dockerfile := range map[string]string{
		"a third stage":             base + "FROM scratch\n" + last,
		"another base":              base + "FROM docker.io/library/debian:12\n",
		"a step of the build":       base + "VOLUME /x\n" + last,
		"a variable without value":  base + "ARG SECRET\n" + last,
		"a step of the last stage":  base + "RUN touch /manager\n" + last + "VOLUME /x\n",
		"another source than build": base + "FROM gcr.io/distroless/static:nonroot\nCOPY --from=other /x /x\n",
		"nothing":                   "# a comment\n",
		"a step before FROM":        "RUN true\n",
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			if err := os.WriteFile(filepath.Join(root, "Dockerfile"), []byte(dockerfile), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := Build(t.Context(), root, "registry.example.com/x:y", "test"); err == nil {
				t.Error("it was passed over")
			}
		})
	}
}

func TestAnArchiveHoldsTheImage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image.tar")
	made := Image{
		Reference:  "registry.example.com/a:b",
		User:       "1:2",
		Entrypoint: []string{"/program", "x"},
		Files: []File{
			{Path: "tmp/", Mode: 0o1777},
			{Path: "program", Mode: 0o755, Content: []byte("#!")},
			{Path: "bin", Link: "usr/bin"},
		},
	}
	if err := made.Write(path); err != nil {
		t.Fatal(err)
	}
	archive, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	entries := unpack(t, archive)
	var manifest []struct {
		RepoTags, Layers []string
		Config           string
	}
	if err := json.Unmarshal(entries["manifest.json"].content, &manifest); err != nil {
		t.Fatal(err)
	}
	if len(manifest) != 1 || !slices.Equal(manifest[0].RepoTags, []string{made.Reference}) {
		t.Fatalf("manifest: %+v", manifest)
	}
	var config struct{ Config struct{ User string } }
	if err := json.Unmarshal(entries[manifest[0].Config].content, &config); err != nil || config.Config.User != "1:2" {
		t.Errorf("config: %+v, %v", config, err)
	}
	layer := unpack(t, entries[manifest[0].Layers[0]].content)
	if layer["tmp/"].header.Mode != 0o1777 || layer["bin"].header.Linkname != "usr/bin" || string(layer["program"].content) != "#!" {
		t.Errorf("layer: %+v", layer)
	}
}

type entry struct {
	header  *tar.Header
	content []byte
}

func unpack(t *testing.T, archive []byte) map[string]entry {
	t.Helper()
	entries := map[string]entry{}
	reader := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		entries[header.Name] = entry{header, content}
	}
}
