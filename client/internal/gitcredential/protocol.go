// Package gitcredential speaks the protocol of git's credential helpers (gitcredentials(7), git-credential(1)).
//
// Git hands a helper nothing that it remembers, but what the helper has handed to git in the same command, where git can do that
// (2.46 and later: the capability "state"). By that a second question of one command tells which token was refused.
package gitcredential

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/githubusertoken/github-user-token-operator/client/internal/hostname"
)

// mostLine and mostLines bound what git may ask.
const (
	mostLine  = 64 << 10
	mostLines = 256
)

// User is the user name with which GitHub takes a token.
const User = "x-access-token"

// statePrefix marks what git keeps for this helper: others may keep something too.
const statePrefix = "ghut-token:"

// Request is what git asks for.
type Request struct {
	Protocol, Host, Username string
	// CanKeep reports whether git keeps a state for its helpers during a command.
	CanKeep bool
	// Refused is the fingerprint of the token that this command has had and the host has refused; empty for a first question.
	Refused string
}

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
			return request, errors.New("what was asked is no request of git for a credential")
		}
		switch key {
		case "protocol":
			request.Protocol = value
		case "host":
			request.Host = value
		case "username":
			request.Username = value
		case "capability[]":
			request.CanKeep = request.CanKeep || value == "state"
		case "state[]":
			if fingerprint, mine := strings.CutPrefix(value, statePrefix); mine && isWord(fingerprint) {
				request.Refused = fingerprint
			}
		}
	}
	if err := lines.Err(); err != nil {
		return request, fmt.Errorf("what git asks cannot be read: %w", err)
	}
	return request, nil
}

// IsFor reports whether the token of a host and an account answers the request: over TLS, for exactly this host, and for no other user.
func (r Request) IsFor(host, login string) bool {
	isUser := r.Username == "" || r.Username == User || login != "" && strings.EqualFold(r.Username, login)
	return r.Protocol == "https" && hostname.Equal(r.Host, host) && isUser
}

// Answer is what git gets.
type Answer struct {
	Token, Fingerprint string
	// Expires is when the token expires; zero if it does not.
	Expires time.Time
	// MayAskAgain has git come back in the same command when the host refuses the token, where git can keep a state.
	MayAskAgain bool
}

// Write answers with a token, for the user that git asked for. Git drops it when it expires.
func (r Request) Write(to io.Writer, answer Answer) error {
	user := r.Username
	if user == "" {
		user = User
	}
	if !isWord(answer.Token) || !isWord(answer.Fingerprint) || !isWord(user) {
		return errors.New("the token cannot be handed to git")
	}
	var text strings.Builder
	if r.CanKeep {
		fmt.Fprintf(&text, "capability[]=state\nstate[]=%s%s\n", statePrefix, answer.Fingerprint)
		if answer.MayAskAgain {
			text.WriteString("continue=1\n")
		}
	}
	fmt.Fprintf(&text, "username=%s\npassword=%s\n", user, answer.Token)
	if !answer.Expires.IsZero() {
		fmt.Fprintf(&text, "password_expiry_utc=%d\n", answer.Expires.Unix())
	}
	_, err := io.WriteString(to, text.String())
	return err
}

// WriteNone has git give up, and ask neither other helpers nor a person: the token is this helper's to give, and why there is none
// was said.
func WriteNone(to io.Writer) error {
	_, err := io.WriteString(to, "quit=1\n")
	return err
}

func isWord(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}
