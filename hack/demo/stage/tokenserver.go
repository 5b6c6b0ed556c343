package stage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane"
)

// Audience is that of the tokens which callers show the token server.
const Audience = "github-user-token.example.com"

// TokenServer is a replica of the token server, as a process of its own.
type TokenServer struct {
	// Process is that process.
	Process *controlplane.Process
	// URL is where it is, and MetricsURL where its metrics are.
	URL, MetricsURL string
	// CAFile is the certificate authority to trust.
	CAFile string
}

// StartTokenServer installs config/components/token-server and starts a replica of the server under the identity of its ServiceAccount, so with the
// rights that the component gives it and no others, and waits until it is ready. It may be called again, for another replica.
func (s *Stage) StartTokenServer(ctx context.Context, extra ...string) (*TokenServer, error) {
	name := fmt.Sprintf("token-server-%d", len(s.tokenServers))
	home := s.Path(name)
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, fmt.Errorf("make a folder for the token server: %w", err)
	}
	if err := s.installComponents(ctx, filepath.Join(home, "config"), "token-server"); err != nil {
		return nil, err
	}
	identity, err := s.Plane.ServiceAccountConfig(ctx, Namespace, ServiceAccount+"-token-server")
	if err != nil {
		return nil, err
	}
	kubeconfig := filepath.Join(home, "kubeconfig")
	if err := s.Plane.WriteKubeconfig(kubeconfig, identity); err != nil {
		return nil, err
	}
	server := &TokenServer{CAFile: filepath.Join(home, "ca.crt")}
	if err := writeCertificate(home, server.CAFile, "127.0.0.1"); err != nil {
		return nil, err
	}
	var addresses [3]string
	for i := range addresses {
		address, release, err := controlplane.ReserveAddress()
		if err != nil {
			return nil, err
		}
		s.closers = append(s.closers, release)
		addresses[i] = address
	}
	server.URL, server.MetricsURL = "https://"+addresses[0], "http://"+addresses[2]+"/metrics"
	server.Process = controlplane.NewProcess(controlplane.Program{
		Name: "the token server", Path: s.Program,
		Args: append([]string{
			"token-server", "--audience=" + Audience, "--listen-address=" + addresses[0], "--tls-cert-path=" + home,
			"--health-probe-bind-address=" + addresses[1], "--metrics-bind-address=" + addresses[2], "--metrics-secure=false",
		}, extra...),
		// Its pod has a limit of 192Mi, of which the program makes this; see memory.go.
		Env: []string{"HOME=" + home, "TMPDIR=" + home, "KUBECONFIG=" + kubeconfig, "GOMEMLIMIT=172MiB"},
		Dir: home, LogPath: s.Path(name + ".log"),
		Ready: func(ctx context.Context) error { return probe(ctx, "http://"+addresses[1]+"/readyz") },
	})
	s.tokenServers = append(s.tokenServers, server.Process)
	return server, server.Process.Start(ctx)
}
