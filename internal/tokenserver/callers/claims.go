package callers

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// claims are what a token says of itself. Nobody has checked them here.
type claims struct {
	Audience audiences `json:"aud"`
	Expires  float64   `json:"exp"`
}

// audiences are one or several.
type audiences []string

// UnmarshalJSON implements json.Unmarshaler.
func (a *audiences) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = audiences{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}

// claimsOf reads them; nil when it is no token of a ServiceAccount: those are signed JSON, in three parts.
func claimsOf(token string) *claims {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	var read claims
	if json.Unmarshal(text, &read) != nil {
		return nil
	}
	return &read
}

// expiry is when the token expires; zero when it does not say so.
func (c *claims) expiry() time.Time {
	if c == nil || c.Expires <= 0 || c.Expires > 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(c.Expires), 0)
}

// Audiences are those that a token says it is for; nil when it is no token of a ServiceAccount.
func Audiences(token string) []string {
	if read := claimsOf(strings.TrimSpace(token)); read != nil {
		return read.Audience
	}
	return nil
}
