package client

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"
)

// Folder is where the examples of the documentation mount what a pod needs: the ServiceAccount token and the authority of the server.
const Folder = "/var/run/secrets/githubusertoken.dev"

// DefaultTokenFile is where the ServiceAccount token is by default.
const DefaultTokenFile = Folder + "/token"

// DefaultPatience is for how long temporary failures are tried again by default.
const DefaultPatience = 30 * time.Second

// Options say where the server is, and which token is wanted.
type Options struct {
	// Server is the address of the token server: https, a host, perhaps a port, and no path.
	Server string
	// Namespace and Name are those of the GitHubUserToken.
	Namespace, Name string
	// Output is the name of a scoped output, when its token is wanted in place of the whole one.
	Output string
	// TokenFile is the file with the projected ServiceAccount token, by default DefaultTokenFile. It is read anew for each request, as the
	// kubelet replaces it.
	TokenFile string
	// CAFile is a file with the authorities of the server's certificate, by default those of the system. It is read anew for each
	// connection.
	CAFile string
	// Patience is for how long temporary failures are tried again, by default DefaultPatience. Negative: not at all.
	Patience time.Duration
	// UserAgent is what the server's log calls this client, by default ghut-client.
	UserAgent string

	// transport is that of tests.
	transport http.RoundTripper
}

var (
	labelPattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	namePattern  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)
)

// address checks the options and is the URL of the token.
func (o *Options) address() (*url.URL, error) {
	base, err := url.Parse(o.Server)
	switch {
	case o.Server == "":
		return nil, errors.New("the address of the token server is missing")
	case err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" || base.Path != "" && base.Path != "/":
		return nil, errors.New("the address of the token server must be like https://token-server.example.svc, with no path")
	case base.Scheme != "https":
		return nil, errors.New("the address of the token server must begin with https://: over anything else its answer could be read")
	case o.Namespace == "":
		return nil, errors.New("the namespace of the GitHubUserToken is missing")
	case !labelPattern.MatchString(o.Namespace):
		return nil, fmt.Errorf("%q is no name of a namespace", o.Namespace)
	case o.Name == "":
		return nil, errors.New("the name of the GitHubUserToken is missing")
	case !namePattern.MatchString(o.Name):
		return nil, fmt.Errorf("%q is no name of a GitHubUserToken", o.Name)
	case o.Output != "" && !namePattern.MatchString(o.Output):
		return nil, fmt.Errorf("%q is no name of an output", o.Output)
	}
	return base.JoinPath("v1", "namespaces", o.Namespace, "githubusertokens", o.Name, "token"), nil
}
