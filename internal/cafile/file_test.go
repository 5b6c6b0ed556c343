package cafile

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// authority is a certificate in PEM.
func authority(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// volume is a folder as the kubelet mounts it: the file is a link into a folder that is replaced as a whole.
type volume struct {
	t        *testing.T
	root     string
	versions int
}

func (v *volume) path() string { return filepath.Join(v.root, "ca.crt") }

// put puts a content in the place of the one before; nil removes the file.
func (v *volume) put(content []byte) {
	v.t.Helper()
	v.versions++
	folder := filepath.Join(v.root, fmt.Sprintf("..%d", v.versions))
	v.must(os.Mkdir(folder, 0o700))
	if content != nil {
		v.must(os.WriteFile(filepath.Join(folder, "ca.crt"), content, 0o600))
	}
	v.must(os.Symlink(filepath.Base(folder), filepath.Join(v.root, "..tmp")))
	v.must(os.Rename(filepath.Join(v.root, "..tmp"), filepath.Join(v.root, "..data")))
	if v.versions == 1 {
		v.must(os.Symlink("..data/ca.crt", v.path()))
	}
}

func (v *volume) must(err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
}

func TestCAFileIsReadAnewAndABrokenOneKeepsWhatWasRead(t *testing.T) {
	first, second := authority(t), authority(t)
	for name, c := range map[string]struct {
		content []byte
		want    []byte
		stale   string // Empty when the content is taken.
	}{
		"another certificate":           {second, second, ""},
		"both, as while one is rotated": {slices.Concat(first, second), slices.Concat(first, second), ""},
		"with remarks between them":     {slices.Concat([]byte("# old\n"), first, []byte("\n# new\n"), second), slices.Concat([]byte("# old\n"), first, []byte("\n# new\n"), second), ""},
		"no file":                       {nil, first, "no such file"},
		"an empty file":                 {[]byte{}, first, "no certificate"},
		"something else":                {[]byte("<html>not found</html>"), first, "no certificate"},
		"a key":                         {pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}), first, "no certificate"},
		"a certificate that is none":    {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), first, "no certificate"},
		"half of one":                   {second[:len(second)/2], first, "no certificate"},
		"one and a half":                {slices.Concat(second, first[:len(first)/2]), first, "cut off"},
		"one after a half":              {slices.Concat(first[:len(first)/2], []byte("\n"), second), first, "cut off"},
		"far too much":                  {bytes.Repeat([]byte("x"), maxFile+1), first, "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			v := &volume{t: t, root: t.TempDir()}
			v.put(first)
			var told []string
			f, err := Open(v.path(), func(err error) { told = append(told, fmt.Sprint(err)) })
			v.must(err)
			want := func(content []byte, stale string, tellings int) {
				t.Helper()
				for range 3 { // To look again changes nothing.
					got, err := f.PEM()
					if !bytes.Equal(got, content) {
						t.Error("the certificates are not the expected ones")
					}
					if (err == nil) != (stale == "") || err != nil && !strings.Contains(err.Error(), stale) {
						t.Errorf("stale is %v, want %q", err, stale)
					}
					if err != nil && strings.Contains(err.Error(), v.root) {
						t.Errorf("the path is told: %v", err)
					}
				}
				if len(told) != tellings {
					t.Errorf("told %q, want %d", told, tellings)
				}
			}
			want(first, "", 0)
			v.put(c.content)
			want(c.want, c.stale, 1)
			v.put(c.content)
			want(c.want, c.stale, 1)
			v.put(second)
			after := 2
			if bytes.Equal(c.want, second) {
				after = 1 // Nothing has changed.
			}
			want(second, "", after)
		})
	}
}

// A file that is written in its place, and not replaced.
func TestCAFileThatIsOverwrittenIsReadAnew(t *testing.T) {
	first, second := authority(t), authority(t)
	path := filepath.Join(t.TempDir(), "ca.crt")
	write := func(content []byte, modified time.Time) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
	write(first, time.Unix(1, 0))
	f, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	write(second, time.Unix(2, 0))
	if got, stale := f.PEM(); !bytes.Equal(got, second) || stale != nil {
		t.Errorf("it is not read anew: %v", stale)
	}
}

func TestCAFileMustHoldACertificateAtFirst(t *testing.T) {
	good := authority(t)
	path := filepath.Join(t.TempDir(), "ca.crt")
	if _, err := Open(path, nil); err == nil {
		t.Error("a file that does not exist is taken")
	}
	for name, c := range map[string]struct {
		content      []byte
		taken, stale bool
	}{
		"nothing":         {[]byte("x"), false, false},
		"one":             {good, true, false},
		"one, and a half": {slices.Concat(good, good[:100]), true, true}, // There is none before that could count.
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, c.content, 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := Open(path, nil)
			if (err == nil) != c.taken {
				t.Fatalf("err = %v", err)
			}
			if err != nil {
				return
			}
			if _, stale := f.PEM(); (stale != nil) != c.stale {
				t.Errorf("stale is %v", stale)
			}
		})
	}
}
