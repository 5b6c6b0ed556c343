package client

import (
	"fmt"
	"io"
	"log/slog"
	"unique"
)

// redacted is what a token looks like wherever it is printed.
const redacted = "[REDACTED]"

// AccessToken is a user's access token. It cannot be printed: every way in which Go turns a value into text yields a placeholder. The
// only way to the token is Reveal.
//
// It stands behind a handle because fmt calls no methods on the unexported fields of a struct: a string would be printed there.
type AccessToken struct{ handle unique.Handle[string] }

func newAccessToken(text string) AccessToken { return AccessToken{unique.Make(text)} }

// Reveal is the token itself. Pass it to GitHub and to nothing else.
func (t AccessToken) Reveal() string {
	if t == (AccessToken{}) {
		return ""
	}
	return t.handle.Value()
}

// String implements fmt.Stringer.
func (t AccessToken) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (t AccessToken) GoString() string { return redacted }

// Format implements fmt.Formatter, so that no verb and no flag gets past the redaction.
func (t AccessToken) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements encoding.TextMarshaler, for JSON and others.
func (t AccessToken) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (t AccessToken) LogValue() slog.Value { return slog.StringValue(redacted) }
