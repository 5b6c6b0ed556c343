package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

const (
	mostTokenFile = 64 << 10
	mostCAFile    = 4 << 20
)

// newTransport connects to the server and to nothing in its place: a proxy of the environment is for other hosts.
func newTransport(caFile string) *http.Transport {
	return &http.Transport{
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			config := &tls.Config{MinVersion: tls.VersionTLS12}
			if caFile != "" {
				authorities, err := readAuthorities(caFile)
				if err != nil {
					return nil, err
				}
				config.RootCAs = authorities
			}
			dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: config}
			return dialer.DialContext(ctx, network, address)
		},
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     time.Minute,
	}
}

// errSetUp marks what waiting does not mend.
type errSetUp struct{ error }

func (e errSetUp) Unwrap() error { return e.error }

func readAuthorities(path string) (*x509.CertPool, error) {
	content, err := readFile(path, mostCAFile)
	if err != nil {
		return nil, errSetUp{fmt.Errorf("the file with the server's authority, %s, cannot be read: %w", path, err)}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, errSetUp{fmt.Errorf("the file with the server's authority, %s, has no certificate in it", path)}
	}
	return pool, nil
}

// readServiceAccountToken reads the token by which the server knows the pod.
func readServiceAccountToken(path string) (string, error) {
	content, err := readFile(path, mostTokenFile)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("there is no ServiceAccount token at %s: mount a projected volume with a serviceAccountToken there, whose audience is that "+
			"of the token server, or say where it is", path)
	case err != nil:
		return "", fmt.Errorf("the ServiceAccount token at %s cannot be read: %w", path, err)
	}
	token := strings.TrimSpace(string(content))
	if !isWord(token) {
		return "", fmt.Errorf("the file %s has no ServiceAccount token in it", path)
	}
	return token, nil
}

func readFile(path string, most int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return nil, withoutPath(err)
	}
	if int64(len(content)) > most {
		return nil, fmt.Errorf("it is larger than %d bytes", most)
	}
	return content, nil
}

// withoutPath is the error alone: whoever says it names the file.
func withoutPath(err error) error {
	if named, ok := errors.AsType[*os.PathError](err); ok {
		return named.Err
	}
	return err
}

// judge says of a failure to connect what is wrong, and whether waiting may mend it.
func judge(err error) error {
	if setUp, ok := errors.AsType[errSetUp](err); ok {
		return setUp.error
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("the certificate of the token server is not to be trusted: give the file with its authority, and the address under which "+
			"the certificate knows it: %w", innermost(err))
	}
	return &unreachable{innermost(err)}
}

// innermost leaves out the method and the URL that net/http puts before an error.
func innermost(err error) error {
	if unwrapped := errors.Unwrap(err); unwrapped != nil && strings.HasPrefix(err.Error(), "Get ") {
		return unwrapped
	}
	return err
}
