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

// installComponents applies components beside what is installed. kustomize takes components by relative paths only.
func (s *Stage) installComponents(ctx context.Context, folder string, components ...string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("make a folder for a component: %w", err)
	}
	installed, err := filepath.Rel(folder, filepath.Join(s.Root, "config"))
	if err != nil {
		return fmt.Errorf("install a component: %w", err)
	}
	installed = filepath.ToSlash(installed)
	var text strings.Builder
	fmt.Fprintf(&text, "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [%q]\ncomponents:\n", installed+"/default")
	for _, component := range components {
		fmt.Fprintf(&text, "- %q\n", installed+"/components/"+component)
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
