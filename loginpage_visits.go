package main

import (
	"cmp"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/loginpage"
)

// visitsOf is how people prove whose account is theirs, by the flags; nil when they cannot.
func visitsOf(f *pageFlags) (*loginpage.Visits, error) {
	if f.visitsApp == "" {
		return nil, nil //nolint:nilnil // it is not offered, which is no error
	}
	kind, name, _ := strings.Cut(f.visitsApp, "/")
	namespace := cmp.Or(f.visitsNamespace, ownNamespace())
	switch {
	case kind != v1alpha1.KindClusterGitHubApp && kind != v1alpha1.KindGitHubApp, name == "":
		return nil, fmt.Errorf("--my-tokens-app: %q must be ClusterGitHubApp/NAME or GitHubApp/NAME", f.visitsApp)
	case namespace == "":
		return nil, errors.New("--my-tokens-namespace: it is not known in which namespace this runs; name the operator's")
	case f.visitsPerClient < 1, f.visits < 1:
		return nil, errors.New("--my-tokens-visits and --my-tokens-visits-per-client: at least 1")
	}
	return &loginpage.Visits{
		Namespace: namespace, App: v1alpha1.AppReference{Kind: kind, Name: name}, Key: sealKey(f.certPath),
		PerClient: f.visitsPerClient, InAll: f.visits,
	}, nil
}

// sealKey is the key by which the page seals what it says of a browser to itself. It follows from the key of its certificate, which all replicas
// have and nobody else, and changes with that; where a proxy ends TLS each process has one of its own.
func sealKey(certPath string) func() ([]byte, error) {
	if certPath == "" {
		own := make([]byte, sha256.Size)
		_, _ = rand.Read(own) // It never fails.
		return func() ([]byte, error) { return own, nil }
	}
	return func() ([]byte, error) {
		private, err := os.ReadFile(filepath.Join(certPath, "tls.key"))
		if err != nil {
			return nil, fmt.Errorf("read the key of the certificate: %w", err)
		}
		return hkdf.Key(sha256.New, private, nil, "github-user-token login page, who a browser is", sha256.Size)
	}
}
