package cafile

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

// maxFile bounds what is read. A bundle of all public authorities is some 200 KiB.
const maxFile = 4 << 20

// File is a file with certificates. Make it with Open; it is safe for concurrent use.
type File struct {
	path string
	// changed is told of each change: nil when the certificates were read anew, otherwise why they could not be.
	changed func(error)

	mu    sync.Mutex
	found stamp
	good  []byte
	stale error
}

// stamp tells one content of the file from the next without reading it: a Secret or ConfigMap volume puts another file in
// its place.
type stamp struct {
	info     fs.FileInfo
	size     int64
	modified time.Time
}

func stampOf(info fs.FileInfo) stamp {
	if info == nil {
		return stamp{}
	}
	return stamp{info, info.Size(), info.ModTime()}
}

func (s stamp) isSame(other stamp) bool {
	if s.info == nil || other.info == nil {
		return s.info == other.info
	}
	return s.size == other.size && s.modified.Equal(other.modified) && os.SameFile(s.info, other.info)
}

// Open reads the file for the first time. It must hold a certificate then. changed may be nil; it is called by whoever
// asks for the certificates, and must not ask for them itself.
func Open(path string, changed func(error)) (*File, error) {
	f := &File{path: path, changed: changed}
	content, found, err := f.read()
	if err != nil {
		return nil, err
	}
	if f.good, f.stale = content, check(content); errors.Is(f.stale, errNoCertificate) {
		return nil, fmt.Errorf("%s: %w", path, f.stale)
	}
	f.found = found
	return f, nil
}

// PEM is the certificates as the file has them now, or had them when it was last good. stale is why the two differ; nil
// when they do not. The content must not be changed.
func (f *File) PEM() (content []byte, stale error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if info, err := os.Stat(f.path); err == nil && f.found.isSame(stampOf(info)) {
		return f.good, f.stale
	}
	content, found, err := f.read()
	if err == nil {
		err = check(content)
	}
	before := f.stale
	f.found, f.stale = found, err
	if err != nil {
		f.tell(before, err)
		return f.good, f.stale
	}
	if !bytes.Equal(f.good, content) || before != nil {
		f.good = content
		f.tell(before, nil)
	}
	return f.good, nil
}

// tell tells of a change, and of the same trouble once.
func (f *File) tell(before, now error) {
	if f.changed == nil || before != nil && now != nil && before.Error() == now.Error() {
		return
	}
	f.changed(now)
}

// read reads the file and says which one that was.
func (f *File) read() ([]byte, stamp, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, stamp{}, withoutPath(err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, stamp{}, withoutPath(err)
	}
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	switch {
	case err != nil:
		return nil, stampOf(info), withoutPath(err)
	case len(content) > maxFile:
		return nil, stampOf(info), fmt.Errorf("it is larger than %d MiB", maxFile>>20)
	}
	return content, stampOf(info), nil
}

// withoutPath leaves the path out of an error, which is said with the flag's name or not at all.
func withoutPath(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return failed.Err
	}
	return err
}

var (
	errNoCertificate = errors.New("there is no certificate in it")
	errCutOff        = errors.New("a certificate in it is cut off or garbled")
)

// check reports whether a content may take the place of the one before. What Go cannot parse is left out where it is used,
// as bundles have such certificates; but there must be one, and none may be cut off: the file is just being written.
func check(content []byte) error {
	certificates := 0
	rest := content
	for {
		block, after := pem.Decode(rest)
		if block == nil {
			break
		}
		rest = after
		if block.Type != "CERTIFICATE" {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err == nil {
			certificates++
		}
	}
	begun := bytes.Count(content, []byte("-----BEGIN "))
	ended := bytes.Count(content, []byte("-----END "))
	switch {
	case certificates == 0:
		return errNoCertificate
	case begun != ended, bytes.Contains(rest, []byte("-----BEGIN ")):
		return errCutOff
	default:
		return nil
	}
}
