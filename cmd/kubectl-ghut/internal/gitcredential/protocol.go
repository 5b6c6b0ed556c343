// Package gitcredential speaks the protocol of git's credential helpers (gitcredentials(7), git-credential(1)).
package gitcredential

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// mostLine and mostLines bound what git may ask.
const (
	mostLine  = 64 << 10
	mostLines = 256
)

// Request is what git asks for.
type Request struct{ Protocol, Host, Username, Path string }

// Read reads a request up to the empty line that ends it.
func Read(from io.Reader) (Request, error) {
	var request Request
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, mostLine)
	for n := 0; lines.Scan(); n++ {
		line := strings.TrimSuffix(lines.Text(), "\r")
		if line == "" {
			return request, nil
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || n == mostLines {
			return request, errors.New("what git asks is no request for a credential")
		}
		switch key {
		case "protocol":
			request.Protocol = value
		case "host":
			request.Host = value
		case "username":
			request.Username = value
		case "path":
			request.Path = value
		}
	}
	if err := lines.Err(); err != nil {
		return request, fmt.Errorf("read what git asks: %w", err)
	}
	return request, nil
}

// User is the user name with which GitHub takes a token.
const User = "x-access-token"

// IsFor reports whether a credential of a host answers the request: over TLS, for exactly this host, and for no other user.
func (r Request) IsFor(host string) bool {
	return r.Protocol == "https" && host != "" && strings.EqualFold(r.Host, host) && (r.Username == "" || r.Username == User)
}

// Write answers with a token. Git drops it when it expires, and does not store it.
func Write(to io.Writer, token string, expires time.Time) error {
	if strings.ContainsAny(token, "\r\n\x00") {
		return errors.New("the token cannot be handed to git")
	}
	text := fmt.Sprintf("username=%s\npassword=%s\n", User, token)
	if !expires.IsZero() {
		text += fmt.Sprintf("password_expiry_utc=%d\n", expires.Unix())
	}
	_, err := io.WriteString(to, text)
	return err
}
