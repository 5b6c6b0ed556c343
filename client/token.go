package client

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/githubusertoken/github-user-token-operator/client/internal/hostname"
)

// Token is what the server gives.
type Token struct {
	// AccessToken is what GitHub is shown.
	AccessToken AccessToken
	// Type is bearer.
	Type string
	// ExpiresAt is when it ends by itself; zero if it does not.
	ExpiresAt time.Time
	// NextRefreshAt is when the operator will replace it, which ends it at once; zero if it will not. It may be replaced earlier, when
	// somebody asks for it.
	NextRefreshAt time.Time
	// Host is the GitHub that it is for: github.com, SUBDOMAIN.ghe.com, or that of an Enterprise Server.
	Host string
	// Account is whose it is.
	Account Account
	// Fingerprint names it without telling it, and has no other meaning.
	Fingerprint string
}

// Account is an account at GitHub. Both fields are empty where it is not known.
type Account struct {
	Login string `json:"login"`
	ID    int64  `json:"id"`
}

// Deadline is when the token is to be asked for again: when it will be replaced or expires, whichever is first; zero if neither is known.
func (t *Token) Deadline() time.Time {
	if t.NextRefreshAt.IsZero() || !t.ExpiresAt.IsZero() && t.ExpiresAt.Before(t.NextRefreshAt) {
		return t.ExpiresAt
	}
	return t.NextRefreshAt
}

// isExpired reports whether it has ended by itself.
func (t *Token) isExpired(now time.Time) bool {
	return !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt)
}

// mostFingerprint bounds what is sent back as a fingerprint.
const mostFingerprint = 128

// decode reads the body of an answer. Fields that it does not know are of a later version.
func decode(body []byte) (*Token, error) {
	var answer struct {
		AccessToken   string    `json:"accessToken"`
		TokenType     string    `json:"tokenType"`
		ExpiresAt     time.Time `json:"expiresAt"`
		NextRefreshAt time.Time `json:"nextRefreshAt"`
		Host          string    `json:"host"`
		Account       Account   `json:"account"`
		Fingerprint   string    `json:"fingerprint"`
	}
	switch err := json.Unmarshal(body, &answer); {
	case err != nil: // Its text would quote the body.
		return nil, errors.New("the answer is not the JSON of a token")
	case !isWord(answer.AccessToken):
		return nil, errors.New("the answer has no access token, or one that cannot be sent in a header")
	case !strings.EqualFold(answer.TokenType, "bearer"):
		return nil, errors.New("the answer has a token of another type than bearer")
	case !isWord(answer.Fingerprint) || len(answer.Fingerprint) > mostFingerprint:
		return nil, errors.New("the answer has no fingerprint")
	case !isHost(answer.Host):
		return nil, errors.New("the answer does not say for which host the token is")
	}
	return &Token{
		AccessToken: newAccessToken(answer.AccessToken), Type: answer.TokenType, ExpiresAt: answer.ExpiresAt, NextRefreshAt: answer.NextRefreshAt,
		Host: hostname.Normal(answer.Host), Account: answer.Account, Fingerprint: answer.Fingerprint,
	}, nil
}

// isWord reports whether a text is one word of printable ASCII.
func isWord(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}
