package binaries

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// mirrorVariable names the environment variable with the URL of a server that has
// the paths of dl.k8s.io and of github.com. "off" is for: download nothing.
const mirrorVariable = "CONTROL_PLANE_MIRROR"

const (
	// patience is for how long, in all, it is waited in vain for a network.
	patience = 3 * time.Second
	// longestDownload is about what it takes to build one program from source.
	longestDownload = 4 * time.Minute
	// largestFile is more than any program is large.
	largestFile = 1 << 30
)

var (
	errSilent = errors.New("no answer")
	errSlow   = errors.New("the download would take longer than a build")
)

// downloads fetches programs of official releases. It is no harm if it cannot:
// then they are built.
type downloads struct {
	mirror string
	log    io.Writer
	client *http.Client
	// patience is what is left of the time that may be waited in vain. Once it
	// is used up nothing more is tried.
	patience time.Duration
	// longest is how long one file may take.
	longest time.Duration
	// refused are the hosts that could not be reached.
	refused map[string]error
}

func newDownloads(log io.Writer, mirror string) *downloads {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true // the checksum is that of the file as it is published
	return &downloads{
		mirror:   mirror,
		log:      log,
		client:   &http.Client{Transport: transport},
		patience: patience,
		longest:  longestDownload,
		refused:  map[string]error{},
	}
}

// download fetches those of the named programs whose official file has a pinned
// checksum, and returns the others. The caller holds the lock of the cache.
func (r release) download(ctx context.Context, d *downloads, names []Name) (absent []Name) {
	var unpinned []Name
	for _, name := range names {
		what := fmt.Sprintf("%s %s (%s)", r.name, r.version, name)
		file, sum, ok := r.pinned(name)
		switch {
		case !ok:
			unpinned = append(unpinned, name)
		case d.mirror == "off" || ctx.Err() != nil:
			absent = append(absent, name)
		default:
			if err := r.fetch(ctx, d, what, name, file, sum); err != nil {
				fmt.Fprintf(d.log, "%s: %v; it is built from source instead\n", what, err)
				absent = append(absent, name)
			}
		}
	}
	if len(unpinned) > 0 && r.official != nil {
		fmt.Fprintf(d.log, "%s %s (%s): not downloaded, because %s has no checksum of the official release\n",
			r.name, r.version, join(unpinned), ChecksumsFile)
	}
	return append(absent, unpinned...)
}

// fetch puts one program into the cache. Nothing is made executable, or gets a
// name under which it is looked for, before its checksum was found right.
func (r release) fetch(ctx context.Context, d *downloads, what string, name Name, file official, sum string) error {
	work := filepath.Join(r.cache, "downloading")
	if err := os.RemoveAll(work); err != nil { // of a process that was killed
		return fmt.Errorf("clear %s: %w", work, err)
	}
	target := r.officialPath(sum, name)
	for _, folder := range []string{work, filepath.Dir(target)} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return fmt.Errorf("make %s: %w", folder, err)
		}
	}
	defer os.RemoveAll(work)

	from := file.url(d.mirror)
	begin := time.Now()
	saved := filepath.Join(work, "file")
	got, err := d.save(ctx, what, from, saved)
	if err != nil {
		return fmt.Errorf("not downloaded: %w", err)
	}
	if got != sum {
		return fmt.Errorf("NOT USED: %s has the SHA-256 %s, but %s pins %s. "+
			"Either the pin is wrong or the file is not what it was: find out which", from, got, ChecksumsFile, sum)
	}
	if file.member != "" {
		unpacked := filepath.Join(work, "program")
		if err := unpack(saved, file.member, unpacked); err != nil {
			return fmt.Errorf("unpack %s: %w", from, err)
		}
		saved = unpacked
	}
	if err := os.Chmod(saved, 0o755); err != nil {
		return fmt.Errorf("make %s executable: %w", name, err)
	}
	if err := os.Rename(saved, target); err != nil {
		return fmt.Errorf("put %s into the cache: %w", name, err)
	}
	fmt.Fprintf(d.log, "%s: downloaded in %s, with the SHA-256 that is pinned; it is kept in %s\n",
		what, time.Since(begin).Round(time.Second), filepath.Dir(target))
	return nil
}

// save downloads a file and returns its SHA-256.
func (d *downloads) save(ctx context.Context, what, from, to string) (string, error) {
	parsed, err := url.Parse(from)
	if err != nil {
		return "", err
	}
	if refusal := d.refused[parsed.Host]; refusal != nil {
		return "", fmt.Errorf("%s is not asked again: %w", parsed.Host, refusal)
	}
	if d.patience <= 0 {
		return "", fmt.Errorf("%s is not asked, because the network did not answer", parsed.Host)
	}
	fmt.Fprintf(d.log, "%s: downloading %s\n", what, from)
	v := d.watch(ctx)
	defer v.end(nil)
	response, err := d.open(v, from)
	if err != nil {
		d.refused[parsed.Host] = d.vain(v, err)
		return "", d.refused[parsed.Host]
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", from, response.Status)
	}
	sum, err := d.receive(v, what, response, to)
	if err != nil {
		return "", fmt.Errorf("%s: %w", from, d.vain(v, err))
	}
	return sum, nil
}

// vigil ends a request when nothing was heard for as long as the patience lasts.
type vigil struct {
	ctx   context.Context
	end   context.CancelCauseFunc
	timer *time.Timer
	since time.Time
}

func (d *downloads) watch(ctx context.Context) *vigil {
	ctx, cancel := context.WithCancelCause(ctx)
	v := &vigil{ctx: ctx, since: time.Now(), timer: time.AfterFunc(d.patience, func() { cancel(errSilent) })}
	v.end = func(cause error) { v.timer.Stop(); cancel(cause) }
	return v
}

// vain takes what was waited in vain from the patience, and says why it was. A wait
// that ends with an answer costs nothing.
func (d *downloads) vain(v *vigil, err error) error {
	if cause := context.Cause(v.ctx); cause != nil {
		err = cause
	}
	waited := time.Since(v.since)
	d.patience -= waited
	if errors.Is(err, errSilent) {
		return fmt.Errorf("%w for %s", err, waited.Round(100*time.Millisecond))
	}
	return err
}

func (d *downloads) open(v *vigil, from string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(v.ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	return d.client.Do(request)
}

// receive writes the body of a response to a file and returns its SHA-256.
func (d *downloads) receive(v *vigil, what string, response *http.Response, to string) (string, error) {
	file, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	defer file.Close()
	var got atomic.Int64
	stop := every(progressInterval, func(elapsed time.Duration) {
		fmt.Fprintf(d.log, "%s: %s, %s\n", what, amount(got.Load(), response.ContentLength), elapsed.Round(time.Second))
		if tooSlow(got.Load(), response.ContentLength, elapsed, d.longest) {
			v.end(errSlow)
		}
	})
	defer stop()
	hash := sha256.New()
	body := io.LimitReader(response.Body, largestFile)
	_, err = io.Copy(io.MultiWriter(file, hash), readerFunc(func(p []byte) (int, error) {
		v.since = time.Now()
		v.timer.Reset(d.patience)
		n, err := body.Read(p)
		got.Add(int64(n))
		return n, err
	}))
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), file.Close()
}

// tooSlow says, once there is something to go by, whether a download will take
// longer than it may.
func tooSlow(got, size int64, elapsed, longest time.Duration) bool {
	if elapsed < 2*progressInterval || size <= 0 || got <= 0 {
		return elapsed > longest
	}
	return time.Duration(float64(elapsed)*float64(size)/float64(got)) > longest
}

func amount(read, size int64) string {
	const mega = 1 << 20
	if size <= 0 {
		return fmt.Sprintf("%d MB", read/mega)
	}
	return fmt.Sprintf("%d of %d MB", read/mega, size/mega)
}

// unpack copies one file of a .tar.gz.
func unpack(archive, member, to string) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	entries := tar.NewReader(unzipped)
	for {
		entry, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("there is no %s in it", member)
		}
		if err != nil {
			return err
		}
		if entry.Name != member || entry.Typeflag != tar.TypeReg {
			continue
		}
		out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		if _, err := io.Copy(out, entries); err != nil {
			out.Close()
			return err
		}
		return out.Close()
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
