package stage

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

// installComponent applies a component beside what is installed. kustomize takes components by relative paths only.
func (s *Stage) installComponent(ctx context.Context, folder, component string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("make a folder for a component: %w", err)
	}
	var text strings.Builder
	text.WriteString("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n")
	for field, path := range map[string]string{"resources": "config/default", "components": "config/components/" + component} {
		relative, err := filepath.Rel(folder, filepath.Join(s.Root, path))
		if err != nil {
			return fmt.Errorf("install a component: %w", err)
		}
		fmt.Fprintf(&text, "%s: [%q]\n", field, filepath.ToSlash(relative))
	}
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("install a component: %w", err)
	}
	return s.Plane.Apply(ctx, folder)
}

// writeCertificate makes an authority, and a certificate of it for a host, in a folder as a server wants it.
func writeCertificate(folder, caFile, host string) error {
	authority, err := githubtest.NewCA("Stage")
	if err != nil {
		return err
	}
	if err := authority.WriteFile(caFile); err != nil {
		return err
	}
	issued, err := authority.Issue(host)
	if err != nil {
		return err
	}
	key, err := x509.MarshalPKCS8PrivateKey(issued.PrivateKey)
	if err != nil {
		return fmt.Errorf("write the key of a server: %w", err)
	}
	for name, block := range map[string]*pem.Block{
		"tls.crt": {Type: "CERTIFICATE", Bytes: issued.Certificate[0]}, "tls.key": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o600); err != nil {
			return fmt.Errorf("write the certificate of a server: %w", err)
		}
	}
	return nil
}
