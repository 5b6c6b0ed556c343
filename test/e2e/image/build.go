package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Build carries out the steps of the Dockerfile in root on this machine and returns the image. What cannot
// be had without a registry is replaced: the golang base of the first stage by this machine's Go, and the
// distroless static base of the last by the same few files (accounts, CA certificates, /tmp).
// A step of another kind than the Dockerfile's of today is an error and not passed over.
func Build(ctx context.Context, root, reference, version string) (Image, error) {
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		return Image{}, fmt.Errorf("read the Dockerfile: %w", err)
	}
	stages, err := parse(string(text))
	if err != nil {
		return Image{}, fmt.Errorf("read the Dockerfile: %w", err)
	}
	if len(stages) != 2 {
		return Image{}, fmt.Errorf("the Dockerfile has %d stages, not 2", len(stages))
	}
	work, err := os.MkdirTemp("", "image-")
	if err != nil {
		return Image{}, err
	}
	defer os.RemoveAll(work)
	b := &builder{
		context: root,
		work:    work,
		variables: map[string]string{
			"TARGETOS": "linux", "TARGETARCH": runtime.GOARCH, "VERSION": version,
		},
	}
	if err := b.compile(ctx, stages[0]); err != nil {
		return Image{}, fmt.Errorf("stage %s of the Dockerfile: %w", stages[0].alias, err)
	}
	made, err := b.assemble(stages[1], stages[0].alias)
	if err != nil {
		return Image{}, fmt.Errorf("last stage of the Dockerfile: %w", err)
	}
	made.Reference = reference
	return made, nil
}

type builder struct {
	context   string            // the folder that COPY copies from
	work      string            // stands for the build stage's root folder
	variables map[string]string // what ARG may ask for
	directory string            // WORKDIR
}

// inside is where a path of the build stage is on this machine.
func (b *builder) inside(name string) string {
	if !path.IsAbs(name) {
		name = path.Join(b.directory, name)
	}
	return filepath.Join(b.work, name)
}

// compile carries out the first stage.
func (b *builder) compile(ctx context.Context, s stage) error {
	if !strings.HasPrefix(s.base, "docker.io/library/golang:") {
		return fmt.Errorf("its base %s is not Go", s.base)
	}
	var env []string
	for _, step := range s.steps {
		switch step.name {
		case "WORKDIR":
			b.directory = step.rest
			if err := os.MkdirAll(b.inside("."), 0o755); err != nil {
				return err
			}
		case "ARG":
			name, _, _ := strings.Cut(step.rest, "=")
			value, ok := b.variables[name]
			if !ok {
				return fmt.Errorf("ARG %s has no value", name)
			}
			env = append(env, name+"="+value)
		case "COPY":
			if err := b.copy(strings.Fields(step.rest)); err != nil {
				return err
			}
		case "RUN":
			if err := b.run(ctx, env, step.rest); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s is not understood", step.name)
		}
	}
	return nil
}

// copy copies files of the context, and folders by their content, as COPY does.
func (b *builder) copy(words []string) error {
	if len(words) < 2 {
		return errors.New("COPY takes a source and a destination")
	}
	patterns, destination := words[:len(words)-1], words[len(words)-1]
	for _, pattern := range patterns {
		sources, err := b.match(pattern)
		if err != nil {
			return fmt.Errorf("COPY %s: %w", pattern, err)
		}
		for _, source := range sources {
			if err := b.copyOne(source, destination); err != nil {
				return fmt.Errorf("COPY %s: %w", pattern, err)
			}
		}
	}
	return nil
}

// match is what a source of COPY names in the context. As .dockerignore keeps them out, a pattern such as
// *.go names no tests.
func (b *builder) match(pattern string) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(b.context, pattern))
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
	if len(found) == 0 {
		return nil, fs.ErrNotExist
	}
	return found, nil
}

func (b *builder) copyOne(from, destination string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	to := b.inside(destination)
	if info.IsDir() {
		return os.CopyFS(to, os.DirFS(from))
	}
	if strings.HasSuffix(destination, "/") {
		to = filepath.Join(to, filepath.Base(from))
	}
	return copyFile(from, to)
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o644)
}

// run runs a command, on this machine: what it writes to the root folder (-o /manager) goes to that of
// the stage.
func (b *builder) run(ctx context.Context, env []string, command string) error {
	words := strings.Split(command, " ")
	for i, word := range words {
		if i > 0 && words[i-1] == "-o" && path.IsAbs(word) {
			words[i] = b.inside(word)
		}
	}
	cmd := exec.CommandContext(ctx, "/bin/sh", "-euc", strings.Join(words, " "))
	cmd.Dir = b.inside(".")
	cmd.Env = append(append(os.Environ(), "GOFLAGS=", "GOWORK=off"), env...)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("RUN %s: %w\n%s", command, err, output)
	}
	return nil
}

// assemble carries out the last stage.
func (b *builder) assemble(s stage, first string) (Image, error) {
	// By digest it is the same image, as of one day.
	if name, _, _ := strings.Cut(s.base, "@"); name != "gcr.io/distroless/static:nonroot" {
		return Image{}, fmt.Errorf("its base %s is not known", s.base)
	}
	made := Image{User: "65532:65532", Env: []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
	}}
	var err error
	if made.Files, err = distroless(); err != nil {
		return Image{}, err
	}
	for _, step := range s.steps {
		switch step.name {
		case "COPY":
			words := strings.Fields(step.rest)
			if step.flags["from"] != first || len(words) != 2 {
				return Image{}, fmt.Errorf("COPY %s is not understood", step.rest)
			}
			content, err := os.ReadFile(b.inside(words[0]))
			if err != nil {
				return Image{}, err
			}
			made.Files = append(made.Files, File{Path: strings.TrimPrefix(words[1], "/"), Mode: 0o755, Content: content})
		case "USER":
			made.User = step.rest
		case "ENTRYPOINT":
			if made.Entrypoint, err = list(step.rest); err != nil {
				return Image{}, err
			}
		default:
			return Image{}, fmt.Errorf("%s is not understood", step.name)
		}
	}
	return made, nil
}

// distroless is what gcr.io/distroless/static:nonroot holds and the operator may look for.
func distroless() ([]File, error) {
	files := []File{
		{Path: "etc/passwd", Mode: 0o644, Content: []byte("root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n")},
		{Path: "etc/group", Mode: 0o644, Content: []byte("root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n")},
		{Path: "home/nonroot/", Mode: 0o755},
		{Path: "tmp/", Mode: 0o1777},
	}
	authorities, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	if err != nil {
		return nil, fmt.Errorf("read this machine's CA certificates (Debian: ca-certificates): %w", err)
	}
	files = append(files, File{Path: "etc/ssl/certs/ca-certificates.crt", Mode: 0o644, Content: authorities})
	return files, nil
}
