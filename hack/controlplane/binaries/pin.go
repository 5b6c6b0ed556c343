package binaries

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// pinnedPlatforms are those whose official files are used.
var pinnedPlatforms = []string{"linux/amd64", "linux/arm64"}

// Pin writes checksums.txt anew, for the versions that hack/tools pins now. It
// downloads every file and fails unless its checksum is the one that the project
// publishes.
func Pin(ctx context.Context, log io.Writer) error {
	root, err := repositoryRoot()
	if err != nil {
		return err
	}
	d := newDownloads(log, "") // no mirror: what counts is what the projects publish
	d.patience, d.longest = time.Minute, time.Hour
	lines, err := pin(ctx, d)
	if err != nil {
		return err
	}
	var text strings.Builder
	for line := range strings.Lines(checksumsText) {
		if strings.HasPrefix(line, "#") {
			text.WriteString(line)
		}
	}
	for _, line := range lines {
		text.WriteString(line + "\n")
	}
	return os.WriteFile(filepath.Join(root, ChecksumsFile), []byte(text.String()), 0o644)
}

func pin(ctx context.Context, d *downloads) (lines []string, err error) {
	work, err := os.MkdirTemp("", "pin-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	saved := filepath.Join(work, "file")
	save := func(what, from string) (sum string, err error) {
		if err := os.RemoveAll(saved); err != nil {
			return "", err
		}
		return d.save(ctx, what, from, saved)
	}
	err = eachOfficial(func(r release, name Name, platform string, file official) error {
		what := fmt.Sprintf("%s %s (%s, %s)", r.name, r.version, name, platform)
		sum, err := save(what, file.url(d.mirror))
		if err != nil {
			return err
		}
		beside := official{site: file.site, path: file.published}.url(d.mirror)
		if _, err := save(what, beside); err != nil {
			return err
		}
		text, err := os.ReadFile(saved)
		if err != nil {
			return err
		}
		if says := publishedSum(text, path.Base(file.path)); says != sum {
			return fmt.Errorf("%s has the SHA-256 %s, but %s says %q", file.url(d.mirror), sum, beside, says)
		}
		lines = append(lines, sum+"  "+file.key(r.version, platform))
		return nil
	})
	return lines, err
}

// eachOfficial goes through all files that may be pinned.
func eachOfficial(do func(r release, name Name, platform string, file official) error) error {
	for _, h := range helpers {
		if h.official == nil {
			continue
		}
		r, err := h.read()
		if err != nil {
			return err
		}
		for _, name := range ControlPlane {
			if _, ok := h.packages[name]; !ok {
				continue
			}
			for _, platform := range pinnedPlatforms {
				if err := do(r, name, platform, h.official(r.version, platform, name)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// publishedSum finds a file's checksum in what a project publishes: the sum
// alone, or the output of sha256sum.
func publishedSum(text []byte, file string) string {
	for line := range bytes.Lines(text) {
		fields := strings.Fields(string(line))
		if len(fields) == 1 || len(fields) == 2 && strings.TrimPrefix(fields[1], "*") == file {
			return fields[0]
		}
	}
	return ""
}
