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

// visitsPerClient is how many visits of one client address may be under way at once, unless a flag says so.
const visitsPerClient = 4

// visitsOf is how people prove whose account is theirs, by the flags; nil when they cannot. own is the namespace of this pod; empty when it is
// not known.
func visitsOf(f *pageFlags, own string) (*loginpage.Visits, error) {
	if f.visitsApp == "" {
		return nil, nil //nolint:nilnil // it is not offered, which is no error
	}
	kind, name, _ := strings.Cut(f.visitsApp, "/")
	namespace := cmp.Or(f.visitsNamespace, own)
	switch {
	case kind != v1alpha1.KindClusterGitHubApp, name == "": // Of no other the operator knows to whom it is offered.
		return nil, fmt.Errorf("--my-tokens-app: %q must be ClusterGitHubApp/NAME", f.visitsApp)
	case namespace == "":
		return nil, errors.New("--my-tokens-namespace: it is not known in which namespace this runs; name the operator's")
	case own != "" && namespace != own:
		return nil, fmt.Errorf("--my-tokens-namespace: %q must be the operator's, in which the page runs: %s", namespace, own)
	case f.visitsPerClient < 0, f.visits < 1:
		return nil, errors.New("--my-tokens-visits: at least 1, and --my-tokens-visits-per-client: not less than 0")
	}
	perClient := f.visitsPerClient
	if perClient == 0 {
		if perClient = visitsPerClient; f.certPath == "" { // There is a proxy, and all clients have its address.
			perClient = f.visits
		}
	}
	return &loginpage.Visits{
		Namespace: namespace, App: v1alpha1.AppReference{Kind: kind, Name: name}, Key: sealKey(f.certPath),
		PerClient: perClient, InAll: f.visits,
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
