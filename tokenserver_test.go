package main

import (
	"bytes"
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// Each token that is given out is written down, however many there are in a second and whatever level is asked for.
func TestTokenServerAuditIsWhole(t *testing.T) {
	for _, arguments := range [][]string{nil, {"--zap-log-level=error"}, {"--zap-log-level=3"}} {
		set := flag.NewFlagSet("", flag.ContinueOnError)
		f := newTokenServerFlags(set)
		if err := set.Parse(arguments); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		zap.WriteTo(&out)(&f.zap)
		log := auditLog(f.zap)
		for i := range 1000 {
			log.Info("A token is given out", "n", i)
		}
		if lines := strings.Count(out.String(), "\n"); lines != 1000 {
			t.Errorf("%q: %d of a thousand lines", arguments, lines)
		}
	}
}

func TestTokenServerWantsAnAudienceOfItsOwn(t *testing.T) {
	own := "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"aud":["https://kubernetes.default.svc"]}`)) + ".c2ln"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(own+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, config := range []*rest.Config{{BearerToken: own}, {BearerTokenFile: file}} {
		if err := checkAudience("https://kubernetes.default.svc", config); err == nil {
			t.Error("it takes the audience of the API server")
		}
		if err := checkAudience("", config); err == nil {
			t.Error("it takes none")
		}
		if err := checkAudience("tokens.example.com", config); err != nil {
			t.Error(err)
		}
	}
	if err := checkAudience("tokens.example.com", &rest.Config{}); err != nil {
		t.Errorf("by a certificate: %v", err)
	}
}

func TestTokenServerServesNoPlainTextButOnLoopback(t *testing.T) {
	for arguments, want := range map[string]bool{
		"":                                false,
		"--listen-address=127.0.0.1:8080": false,
		"--tls-cert-path=somewhere":       true,
		"--plain-http-on-loopback":        false,
		"--plain-http-on-loopback --listen-address=0.0.0.0:8080":   false,
		"--plain-http-on-loopback --listen-address=localhost:8080": false,
		"--plain-http-on-loopback --listen-address=127.0.0.1:8080": true,
		"--plain-http-on-loopback --listen-address=[::1]:8080":     true,
	} {
		set := flag.NewFlagSet("", flag.ContinueOnError)
		f := newTokenServerFlags(set)
		if err := set.Parse(strings.Fields(arguments)); err != nil {
			t.Fatal(err)
		}
		if err := f.checkEncryption(); (err == nil) != want {
			t.Errorf("%q: %v", arguments, fmt.Sprint(err))
		}
	}
}
