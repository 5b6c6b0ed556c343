package report

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"
)

// file is one of the archive.
type file struct {
	name string
	text []byte
}

// tokenLike is what no file may hold, whatever was done to it: GitHub's tokens, as they are and in base64.
var tokenLike = regexp.MustCompile(`(gh[a-z]|github_pat)_[A-Za-z0-9]{16,}|Z2h[0-9a-zA-Z+/]X[A-Za-z0-9+/]{20,}`)

// ErrToken: something that looks like a token was left in a file, so that there is no archive.
var ErrToken = errors.New("something that looks like a token was left in the report, so it was not written. Please report this, without it")

// write writes the files. None that holds what looks like a token is written, and then nothing is.
func write(out io.Writer, files []file, at time.Time) error {
	for _, f := range files {
		if tokenLike.Match(f.text) {
			return fmt.Errorf("%s: %w", f.name, ErrToken)
		}
	}
	slices.SortFunc(files, func(a, b file) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	zipped := gzip.NewWriter(out)
	archive := tar.NewWriter(zipped)
	for _, f := range files {
		header := &tar.Header{Name: "ghut-report/" + f.name, Mode: 0o600, Size: int64(len(f.text)), ModTime: at.Truncate(time.Second), Format: tar.FormatPAX}
		if err := archive.WriteHeader(header); err != nil {
			return fmt.Errorf("write the archive: %w", err)
		}
		if _, err := archive.Write(f.text); err != nil {
			return fmt.Errorf("write the archive: %w", err)
		}
	}
	if err := errors.Join(archive.Close(), zipped.Close()); err != nil {
		return fmt.Errorf("write the archive: %w", err)
	}
	return nil
}
