package binaries

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// program is what the server below has for a program of an official release.
const program = "#!/bin/sh\necho official\n"

// site is a server with the paths of the sites from which releases are downloaded.
type site struct {
	*httptest.Server
	mu    sync.Mutex
	paths []string
}

func newSite(t *testing.T, handle http.HandlerFunc) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.paths = append(s.paths, r.URL.Path)
		s.mu.Unlock()
		handle(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// asked lists the paths that were asked for.
func (s *site) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.paths)
}

// serve answers with the given files.
func serve(files map[string]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		content, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(content))
	}
}

// pinnedRelease is a release as this checkout has it, with an empty cache and the
// checksum of the given file for each program.
func pinnedRelease(t *testing.T, name string, file string) release {
	t.Helper()
	i := slices.IndexFunc(helpers, func(h helper) bool { return h.name == name })
	r, err := helpers[i].read()
	if err != nil {
		t.Fatal(err)
	}
	r.cache = t.TempDir()
	r.sums = map[string]string{}
	for program := range r.packages {
		r.sums[r.official(r.version, thisPlatform, program).key(r.version, thisPlatform)] = sumOf(file)
	}
	return r
}

func sumOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

func kubernetesPath(r release, name Name) string {
	return "/" + r.version + "/bin/" + thisPlatform + "/" + string(name)
}

// tarball makes a .tar.gz of one file.
func tarball(t *testing.T, name, content string) string {
	t.Helper()
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	archive := tar.NewWriter(zipped)
	header := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(content))}
	if err := archive.WriteHeader(header); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// holds demands that the cache has this program, and that nothing is left of the
// download.
func holds(t *testing.T, r release, name Name, content string) {
	t.Helper()
	path := r.path(name)
	got, err := os.ReadFile(path)
	if err != nil || string(got) != content || !isExecutable(path) {
		t.Errorf("%s: %q (executable: %t), %v", name, got, isExecutable(path), err)
	}
	if _, err := os.Stat(filepath.Join(r.cache, "downloading")); err == nil {
		t.Error("the download left its folder")
	}
}

// holdsNothing demands that there is no file in the cache that could be run, or
// that anybody would look for.
func holdsNothing(t *testing.T, r release) {
	t.Helper()
	err := filepath.WalkDir(r.cache, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			t.Errorf("%s is in the cache", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAnOfficialKubernetesIsUsedIfItsChecksumIsPinned(t *testing.T) {
	r := pinnedRelease(t, "kubernetes", program)
	wanted := []Name{KubeAPIServer, KubeControllerManager, Kubectl}
	files := map[string]string{}
	for _, name := range wanted {
		files[kubernetesPath(r, name)] = program
	}
	s := newSite(t, serve(files))
	if err := r.ensure(t.Context(), t.Output(), newDownloads(t.Output(), s.URL), wanted); err != nil {
		t.Fatal(err)
	}
	for _, name := range wanted {
		holds(t, r, name, program)
	}

	if err := r.ensure(t.Context(), t.Output(), newDownloads(t.Output(), s.URL), wanted); err != nil {
		t.Fatal(err)
	}
	if asked := s.asked(); len(asked) != len(wanted) {
		t.Errorf("asked for %q, want each once", asked)
	}

	// What the cache holds is what was pinned. Under another pin it is another.
	r.sums[r.official(r.version, thisPlatform, Kubectl).key(r.version, thisPlatform)] = sumOf("another")
	if path := r.path(Kubectl); isExecutable(path) {
		t.Errorf("with another checksum %s is still found", path)
	}
}

func TestAnOfficialEtcdIsTakenOutOfItsArchive(t *testing.T) {
	r := pinnedRelease(t, "etcd", "")
	folder := "etcd-" + r.version + "-" + strings.ReplaceAll(thisPlatform, "/", "-")
	archive := tarball(t, folder+"/etcd", program)
	for key := range r.sums {
		r.sums[key] = sumOf(archive)
	}
	s := newSite(t, serve(map[string]string{
		"/etcd-io/etcd/releases/download/" + r.version + "/" + folder + ".tar.gz": archive,
	}))
	if absent := r.download(t.Context(), newDownloads(t.Output(), s.URL), []Name{Etcd}); len(absent) > 0 {
		t.Fatalf("%v is absent", absent)
	}
	holds(t, r, Etcd, program)
}

func TestReleasesMayBeServedFromElsewhere(t *testing.T) {
	r := pinnedRelease(t, "kubernetes", program)
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		if path, moved := strings.CutPrefix(r.URL.Path, "/elsewhere"); moved && strings.HasPrefix(path, "/v") {
			_, _ = w.Write([]byte(program))
			return
		}
		http.Redirect(w, r, "/elsewhere"+r.URL.Path, http.StatusFound)
	})
	if absent := r.download(t.Context(), newDownloads(t.Output(), s.URL+"/"), []Name{Kubectl}); len(absent) > 0 {
		t.Fatalf("%v is absent", absent)
	}
	holds(t, r, Kubectl, program)
}

// TestWhatIsNotAsPinnedIsNotUsed goes through all that may come instead of a program.
// Each time the program has to be built, and the log says why.
func TestWhatIsNotAsPinnedIsNotUsed(t *testing.T) {
	for name, tc := range map[string]struct {
		handle http.HandlerFunc
		says   []string
	}{
		"another file": {
			func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("#!/bin/sh\necho evil\n")) },
			[]string{"NOT USED", sumOf("#!/bin/sh\necho evil\n"), sumOf(program), ChecksumsFile},
		},
		"more than the file": {
			func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(program + "\n")) },
			[]string{"NOT USED"},
		},
		"nothing": {
			func(http.ResponseWriter, *http.Request) {},
			[]string{"NOT USED"},
		},
		"a page that asks for a login": {
			func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
			[]string{"NOT USED"},
		},
		"half of the file": {
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "1000")
				_, _ = w.Write([]byte(program))
			},
			[]string{"unexpected EOF"},
		},
		"the file is not there": {http.NotFound, []string{"404 Not Found"}},
		"a server that is out of order": {
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
			[]string{"503 Service Unavailable"},
		},
		"a redirect without an end": {
			func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) },
			[]string{"stopped after 10 redirects"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := pinnedRelease(t, "kubernetes", program)
			s := newSite(t, tc.handle)
			var log bytes.Buffer
			absent := r.download(t.Context(), newDownloads(&log, s.URL), []Name{Kubectl})
			if !slices.Equal(absent, []Name{Kubectl}) {
				t.Errorf("%v is absent, want kubectl", absent)
			}
			holdsNothing(t, r)
			for _, words := range append(tc.says, "built from source instead") {
				if !strings.Contains(log.String(), words) {
					t.Errorf("the log does not say %q:\n%s", words, log.String())
				}
			}
		})
	}
}

func TestAnArchiveWithoutTheProgramIsNotUsed(t *testing.T) {
	for name, archive := range map[string]string{
		"it holds another": tarball(t, "etcdctl", program),
		"it is none":       program,
	} {
		t.Run(name, func(t *testing.T) {
			r := pinnedRelease(t, "etcd", archive)
			s := newSite(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(archive)) })
			var log bytes.Buffer
			if absent := r.download(t.Context(), newDownloads(&log, s.URL), []Name{Etcd}); len(absent) != 1 {
				t.Errorf("%v is absent", absent)
			}
			holdsNothing(t, r)
			if !strings.Contains(log.String(), "unpack "+s.URL) {
				t.Errorf("the log does not say what is wrong: %s", log.String())
			}
		})
	}
}

func TestANetworkThatRefusesIsAskedOnce(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close() // nobody listens there now
	r := pinnedRelease(t, "kubernetes", program)
	var log bytes.Buffer
	d := newDownloads(&log, "http://"+listener.Addr().String())
	absent := r.download(t.Context(), d, []Name{KubeAPIServer, Kubectl})
	if len(absent) != 2 {
		t.Errorf("%v is absent", absent)
	}
	holdsNothing(t, r)
	if strings.Count(log.String(), "connection refused") != 2 || strings.Count(log.String(), "downloading") != 1 {
		t.Errorf("it was not asked once:\n%s", log.String())
	}
}

// TestANetworkThatHangsCostsThePatienceOnce has servers that fall silent before or
// within their answer.
func TestANetworkThatHangsCostsThePatienceOnce(t *testing.T) {
	if patience != 3*time.Second {
		t.Errorf("the patience is %s, but 3s are promised", patience)
	}
	for name, begin := range map[string]func(http.ResponseWriter){
		"before the answer": func(http.ResponseWriter) {},
		"within the answer": func(w http.ResponseWriter) {
			_, _ = w.Write([]byte(program[:5]))
			w.(http.Flusher).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
				begin(w)
				<-r.Context().Done() // until the other side gives up
			})
			var log bytes.Buffer
			d := newDownloads(&log, s.URL)
			d.patience = 50 * time.Millisecond
			kubernetes := pinnedRelease(t, "kubernetes", program)
			if absent := kubernetes.download(t.Context(), d, []Name{KubeAPIServer, Kubectl}); len(absent) != 2 {
				t.Errorf("%v is absent", absent)
			}
			// Nor is another site asked, which would cost as much again.
			d.mirror = newSite(t, http.NotFound).URL
			etcd := pinnedRelease(t, "etcd", program)
			if absent := etcd.download(t.Context(), d, []Name{Etcd}); len(absent) != 1 {
				t.Errorf("%v is absent", absent)
			}
			holdsNothing(t, kubernetes)
			holdsNothing(t, etcd)
			if strings.Count(log.String(), "downloading") != 1 || !strings.Contains(log.String(), "no answer for ") {
				t.Errorf("it was not asked once:\n%s", log.String())
			}
		})
	}
}

// TestAnAnswerCostsNoPatience has a server that answers in small pieces.
func TestAnAnswerCostsNoPatience(t *testing.T) {
	r := pinnedRelease(t, "kubernetes", program)
	s := newSite(t, func(w http.ResponseWriter, _ *http.Request) {
		for _, piece := range strings.SplitAfter(program, "") {
			_, _ = w.Write([]byte(piece))
			w.(http.Flusher).Flush()
		}
	})
	d := newDownloads(t.Output(), s.URL)
	if absent := r.download(t.Context(), d, []Name{KubeAPIServer, Kubectl}); len(absent) > 0 {
		t.Errorf("%v is absent", absent)
	}
	if d.patience != patience {
		t.Errorf("%s are left of the patience, want all", d.patience)
	}
}

func TestADownloadIsGivenUpIfABuildWouldBeFaster(t *testing.T) {
	for _, tc := range []struct {
		got, size int64
		elapsed   time.Duration
		slow      bool
	}{
		{got: 1, size: 1000, elapsed: progressInterval, slow: false}, // too early to tell
		{got: 10, size: 1000, elapsed: 10 * time.Second, slow: true},
		{got: 100, size: 1000, elapsed: 10 * time.Second, slow: false},
		{got: 100, size: -1, elapsed: 10 * time.Second, slow: false}, // of unknown size
		{got: 100, size: -1, elapsed: longestDownload + 1, slow: true},
	} {
		if slow := tooSlow(tc.got, tc.size, tc.elapsed, longestDownload); slow != tc.slow {
			t.Errorf("%d of %d bytes after %s: %t", tc.got, tc.size, tc.elapsed, slow)
		}
	}
}

func TestWithoutAChecksumNothingIsDownloaded(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(program)) })
	r := pinnedRelease(t, "kubernetes", program)
	r.sums = nil
	var log bytes.Buffer
	if absent := r.download(t.Context(), newDownloads(&log, s.URL), []Name{Kubectl}); len(absent) != 1 || len(s.asked()) > 0 {
		t.Errorf("%v is absent, asked for %q", absent, s.asked())
	}
	if !strings.Contains(log.String(), ChecksumsFile+" has no checksum") {
		t.Errorf("the log does not say why: %s", log.String())
	}
}

func TestDownloadsCanBeTurnedOff(t *testing.T) {
	r := pinnedRelease(t, "kubernetes", program)
	if absent := r.download(t.Context(), newDownloads(t.Output(), "off"), []Name{Kubectl}); len(absent) != 1 {
		t.Errorf("%v is absent", absent)
	}
	holdsNothing(t, r)
}

// TestWhatCannotBeDownloadedIsBuilt has one program of two on the server, and the
// other for building.
func TestWhatCannotBeDownloadedIsBuilt(t *testing.T) {
	r := greeter(t, "package main\n\nfunc main() {}\n")
	r.official = func(version, platform string, name Name) official {
		return official{path: version + "/" + platform + "/" + string(name)}
	}
	r.packages["served"] = ""
	r.sums = map[string]string{}
	for name := range r.packages {
		r.sums[r.official(r.version, thisPlatform, name).key(r.version, thisPlatform)] = sumOf(program)
	}
	s := newSite(t, serve(map[string]string{"/" + r.official(r.version, thisPlatform, "served").path: program}))
	var log bytes.Buffer
	if err := r.ensure(t.Context(), &log, newDownloads(&log, s.URL), []Name{"served", "greet"}); err != nil {
		t.Fatal(err)
	}
	holds(t, r, "served", program)
	if path := r.path("greet"); path != r.builtPath("greet") || !isExecutable(path) {
		t.Errorf("%s was not built", path)
	}
	for _, line := range []string{"(served): downloaded in ", "(greet): built in "} {
		if !strings.Contains(log.String(), line) {
			t.Errorf("the log does not say %q:\n%s", line, log.String())
		}
	}
}

func TestThePinnedChecksumsAreOfTheVersionsInUse(t *testing.T) {
	sums, err := parseChecksums(checksumsText)
	if err != nil {
		t.Fatal(err)
	}
	err = eachOfficial(func(r release, _ Name, platform string, file official) error {
		delete(sums, file.key(r.version, platform))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for key := range sums {
		t.Errorf("%s has a checksum for %s, which is no file of the versions that hack/tools pins: go run ./hack/controlplane/cmd/pin, or delete it",
			ChecksumsFile, key)
	}
}

func TestChecksumsAreReadStrictly(t *testing.T) {
	good := sumOf("") + "  v1.0.0/linux/amd64/kubectl\n"
	sums, err := parseChecksums("# comment\n\n" + good)
	if err != nil || sums["v1.0.0/linux/amd64/kubectl"] != sumOf("") {
		t.Errorf("%v, %v", sums, err)
	}
	for name, text := range map[string]string{
		"too short":  good[1:],
		"upper case": strings.ToUpper(good[:64]) + good[64:],
		"no path":    sumOf("") + "\n",
		"no version": sumOf("") + "  linux/amd64/kubectl\n",
		"twice":      good + good,
	} {
		if _, err := parseChecksums(text); err == nil || !strings.Contains(err.Error(), ChecksumsFile+":") {
			t.Errorf("%s: error %v, want one that names the line", name, err)
		}
	}
}

// TestPin runs against a site that has all files and publishes their checksums.
func TestPin(t *testing.T) {
	files := map[string]string{}
	err := eachOfficial(func(_ release, name Name, platform string, file official) error {
		content := string(name) + " for " + platform
		files["/"+file.path] = content
		if file.member == "" {
			files["/"+file.published] = sumOf(content) + "\n"
		} else {
			files["/"+file.published] += sumOf(content) + "  " + filepath.Base(file.path) + "\n"
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, serve(files))
	lines, err := pin(t.Context(), newDownloads(t.Output(), s.URL))
	if err != nil {
		t.Fatal(err)
	}
	sums, err := parseChecksums(strings.Join(lines, "\n"))
	if err != nil || len(sums) != len(ControlPlane)*len(pinnedPlatforms) {
		t.Errorf("%q, %v", lines, err)
	}

	for path := range files {
		if strings.HasSuffix(path, "/kubectl.sha256") {
			files[path] = sumOf("another") + "\n"
		}
	}
	if _, err := pin(t.Context(), newDownloads(t.Output(), s.URL)); err == nil || !strings.Contains(err.Error(), sumOf("another")) {
		t.Errorf("error %v, want one that says what is published", err)
	}
}
