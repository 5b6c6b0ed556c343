package release

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// offline is how cosign is told to ask no service for a certificate, a time or an entry in a log. A release does ask.
var offline = []string{"--use-signing-config=false", "--tlog-upload=false"}

// A key of the test stands for the identity of the workflow. All else is as in a release: what is signed, and by which commands.
func TestReleaseSignaturesAreThoseOfWhoMadeIt(t *testing.T) {
	w := released(t)
	password := []string{"COSIGN_PASSWORD="}
	ours, theirs := w.key(t, "ours"), w.key(t, "theirs")
	if _, err := w.make(w.checkout, password, "release-sign", "SIGN_ARGS=--key "+ours+".key "+strings.Join(offline, " ")); err != nil {
		t.Fatal(err)
	}
	verify := func(key string, command string, args ...string) error {
		_, err := w.tool(t, "cosign", password, append([]string{command, "--key", key + ".pub", "--insecure-ignore-tlog"}, args...)...)
		return err
	}
	images := slices.Concat([]string{w.image, w.client}, w.each, w.eachClient)
	signed := append([]string{w.chart}, images...)
	for _, ref := range signed {
		if err := verify(ours, "verify", ref); err != nil {
			t.Error(err)
		}
		if err := verify(theirs, "verify", ref); err == nil {
			t.Errorf("%s passes for signed by somebody else", ref)
		}
	}
	for _, ref := range images {
		if err := verify(ours, "verify-attestation", "--type", "spdxjson", ref); err != nil {
			t.Error(err)
		}
		if err := verify(theirs, "verify-attestation", "--type", "spdxjson", ref); err == nil {
			t.Errorf("the SBOM of %s passes for one of somebody else", ref)
		}
	}
	if err := verify(ours, "verify-attestation", "--type", "spdxjson", w.chart); err == nil {
		t.Error("an SBOM of the chart passes, and there is none")
	}
	if err := verify(ours, "verify", w.pushOther(t)); err == nil {
		t.Error("an image that nobody has signed passes")
	}

	// cosign takes an attestation by the same key for a signature, too.
	both := []string{"https://sigstore.dev/cosign/sign/v1", "https://spdx.dev/Document"}
	for ref, want := range map[string][]string{w.image: both, w.each[0]: both, w.each[1]: both, w.client: both, w.eachClient[0]: both, w.eachClient[1]: both, w.chart: both[:1]} {
		if got := predicates(t, ref); !slices.Equal(got, want) {
			t.Errorf("what is said of %s is %q and not %q", ref, got, want)
		}
	}

	sums := filepath.Join(w.checkout, "dist", "release", "checksums.txt")
	bundle := sums + ".sigstore.json"
	if err := verify(ours, "verify-blob", "--bundle", bundle, sums); err != nil {
		t.Error(err)
	}
	content, err := os.ReadFile(sums)
	if err != nil {
		t.Fatal(err)
	}
	changed := filepath.Join(t.TempDir(), "checksums.txt")
	if err := os.WriteFile(changed, append(content, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := verify(ours, "verify-blob", "--bundle", bundle, changed); err == nil {
		t.Error("checksums that were changed pass")
	}
}

// predicates are what bundles beside an artifact say of it: that it is signed, or what its SBOM is.
func predicates(t *testing.T, ref string) []string {
	t.Helper()
	digest, err := name.NewDigest(ref)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Referrers(digest)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, each := range manifest.Manifests {
		found = append(found, each.Annotations["dev.sigstore.bundle.predicateType"])
	}
	slices.Sort(found)
	return found
}

// key makes a key pair and returns its path, without the .key and .pub.
func (w *world) key(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if _, err := w.tool(t, "cosign", []string{"COSIGN_PASSWORD="}, "generate-key-pair", "--output-key-prefix", path); err != nil {
		t.Fatal(err)
	}
	return path
}

// pushOther pushes an image of nobody's to the repository of the release.
func (w *world) pushOther(t *testing.T) string {
	t.Helper()
	image, err := random.Image(16, 1)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewDigest(w.registry + "/" + product + "@" + hash.String())
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
	return ref.String()
}
