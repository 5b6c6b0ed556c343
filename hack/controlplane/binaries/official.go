package binaries

import (
	_ "embed" // checksums.txt
	"encoding/hex"
	"fmt"
	"path"
	"path/filepath"
	"runtime"
	"strings"
)

// ChecksumsFile is where the checksums of official releases are pinned, in the
// checkout.
const ChecksumsFile = "hack/controlplane/binaries/checksums.txt"

//go:embed checksums.txt
var checksumsText string

// official is one file of a project's own release.
type official struct {
	site      string // such as https://dl.k8s.io, which a mirror replaces
	path      string // on the site
	member    string // the program's path in the file, which is a .tar.gz; "" if the file is the program
	published string // the path of the sum that the project publishes, for Pin
}

func kubernetesOfficial(version, platform string, name Name) official {
	file := fmt.Sprintf("%s/bin/%s/%s", version, platform, name)
	return official{site: "https://dl.k8s.io", path: file, published: file + ".sha256"}
}

func etcdOfficial(version, platform string, name Name) official {
	folder := "etcd-io/etcd/releases/download/" + version
	archive := fmt.Sprintf("etcd-%s-%s", version, strings.ReplaceAll(platform, "/", "-"))
	return official{
		site:      "https://github.com",
		path:      folder + "/" + archive + ".tar.gz",
		member:    archive + "/" + string(name),
		published: folder + "/SHA256SUMS",
	}
}

// thisPlatform is what the programs have to run on.
const thisPlatform = runtime.GOOS + "/" + runtime.GOARCH

// key is what checksums.txt calls the file.
func (o official) key(version, platform string) string {
	return version + "/" + platform + "/" + path.Base(o.path)
}

func (o official) url(mirror string) string {
	if mirror == "" {
		mirror = o.site
	}
	return strings.TrimSuffix(mirror, "/") + "/" + o.path
}

// pinned returns the official file that holds a program, and its checksum. Without
// a checksum there is none to be used.
func (r release) pinned(name Name) (file official, sum string, ok bool) {
	if r.official == nil {
		return official{}, "", false
	}
	file = r.official(r.version, thisPlatform, name)
	sum, ok = r.sums[file.key(r.version, thisPlatform)]
	return file, sum, ok
}

// officialPath is where an official program is kept. The folder's name holds the
// checksum, so that another pin never finds it.
func (r release) officialPath(sum string, name Name) string {
	return filepath.Join(r.cache, "official-"+sum[:12], string(name))
}

// parseChecksums reads checksums.txt.
func parseChecksums(text string) (map[string]string, error) {
	sums := map[string]string{}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) != 2 || !isSHA256(fields[0]) || strings.Count(fields[1], "/") != 3 {
			return nil, fmt.Errorf("%s:%d: want a SHA-256 in lower case and version/os/arch/file, not %q", ChecksumsFile, number, line)
		}
		if _, again := sums[fields[1]]; again {
			return nil, fmt.Errorf("%s:%d: %s has a checksum already", ChecksumsFile, number, fields[1])
		}
		sums[fields[1]] = fields[0]
	}
	return sums, nil
}

func isSHA256(s string) bool {
	sum, err := hex.DecodeString(s)
	return err == nil && len(sum) == 32 && s == strings.ToLower(s)
}
