package stage

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane"
)

// LoginPageHost is the host of the login page. No name server knows it.
const LoginPageHost = "login.example.com"

// LoginPageURL is where browsers that take an address for LoginPageHost reach the login page: what StartOperator is to be told by
// --login-page-url, and what the callback URL of an App begins with.
const LoginPageURL = "https://" + LoginPageHost

// LoginPageOptions configure StartLoginPage.
type LoginPageOptions struct {
	// URL is where browsers reach it. Default: LoginPageURL.
	URL string
	// Address is where it listens, HOST:PORT. Default: a free port.
	Address string
	// MyTokens is the App by which people prove whose account is theirs, at MyTokensHost, to see and end their tokens; without a client ID
	// the page does not offer that.
	MyTokens     App
	MyTokensHost string
}

// LoginPage is the login page as a process of its own.
type LoginPage struct {
	// Process is that process.
	Process *controlplane.Process
	// Address is where it listens, for a browser that takes that for LoginPageHost.
	Address string
	// CAFile is the certificate authority to trust.
	CAFile string
}

// StartLoginPage installs config/components/login-page and my-tokens, and starts the page under the identity of its ServiceAccount, so with the
// rights that the component gives it and no others, and waits until it is ready.
func (s *Stage) StartLoginPage(ctx context.Context, options LoginPageOptions) (*LoginPage, error) {
	home := s.Path("login-page")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, fmt.Errorf("make a folder for the login page: %w", err)
	}
	if err := s.installComponents(ctx, filepath.Join(home, "config"), "login-page", "my-tokens"); err != nil {
		return nil, err
	}
	identity, err := s.Plane.ServiceAccountConfig(ctx, Namespace, ServiceAccount+"-login-page")
	if err != nil {
		return nil, err
	}
	kubeconfig := filepath.Join(home, "kubeconfig")
	if err := s.Plane.WriteKubeconfig(kubeconfig, identity); err != nil {
		return nil, err
	}
	base, err := url.Parse(cmp.Or(options.URL, LoginPageURL))
	if err != nil {
		return nil, fmt.Errorf("where browsers reach the login page: %w", err)
	}
	page := &LoginPage{CAFile: filepath.Join(home, "ca.crt")}
	if err := writeCertificate(home, page.CAFile, base.Hostname()); err != nil {
		return nil, err
	}
	var addresses [2]string
	for i := range addresses {
		address, release, err := controlplane.ReserveAddress()
		if err != nil {
			return nil, err
		}
		s.closers = append(s.closers, release)
		addresses[i] = address
	}
	page.Address = cmp.Or(options.Address, addresses[0])
	arguments := []string{
		"login-page", "--base-url=" + base.String(), "--listen-address=" + page.Address, "--tls-cert-path=" + home,
		"--health-probe-bind-address=" + addresses[1],
	}
	if options.MyTokens.ClientID != "" {
		if err := s.offerMyTokens(ctx, options.MyTokens, options.MyTokensHost); err != nil {
			return nil, err
		}
		arguments = append(arguments, "--my-tokens-app=ClusterGitHubApp/"+MyTokensApp, "--my-tokens-namespace="+Namespace)
	}
	page.Process = controlplane.NewProcess(controlplane.Program{
		Name: "the login page", Path: s.Program,
		Args: arguments,
		Env:  []string{"HOME=" + home, "TMPDIR=" + home, "KUBECONFIG=" + kubeconfig},
		Dir:  home, LogPath: s.Path("login-page.log"),
		Ready: func(ctx context.Context) error { return probe(ctx, "http://"+addresses[1]+"/readyz") },
	})
	s.loginPage = page.Process
	return page, page.Process.Start(ctx)
}
