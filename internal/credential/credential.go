// Package credential holds the types of the secrets that this operator handles. They cannot be
// printed: every way in which Go turns a value into text (the verbs of fmt, JSON, text encoding,
// slog, logr) yields a placeholder. The only way to the value is Reveal, so a reviewer finds each
// place where a secret leaves the type by searching for that one word.
package credential

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"unique"
)

// Redacted is what a secret looks like wherever it is printed.
const Redacted = "[REDACTED]"

// AccessToken is a user access token (ghu_…, gho_… for an OAuth App): what workloads send to GitHub.
type AccessToken struct{ secret }

// RefreshToken is a refresh token (ghr_…): good for exactly one exchange.
type RefreshToken struct{ secret }

// ClientSecret is the secret of a GitHub App or OAuth App.
type ClientSecret struct{ secret }

// DeviceCode is the secret half of a device authorization; the user code is the public half.
type DeviceCode struct{ secret }

// AuthorizationCode is the code of the web flow, with which GitHub sends the browser back: good for one redemption.
type AuthorizationCode struct{ secret }

// CodeVerifier is what proves that a code of the web flow was asked for by whoever redeems it.
type CodeVerifier struct{ secret }

// Raw is a whole reply that may hold tokens: what is kept before anybody looks into it.
type Raw struct{ secret }

// NewRaw wraps the bytes of a reply.
func NewRaw(value []byte) Raw { return Raw{newSecret(string(value))} }

// NewAccessToken wraps the text of an access token as GitHub sent it.
func NewAccessToken(value string) AccessToken { return AccessToken{newSecret(value)} }

// NewRefreshToken wraps the text of a refresh token as GitHub sent it.
func NewRefreshToken(value string) RefreshToken { return RefreshToken{newSecret(value)} }

// NewClientSecret wraps the text of a client secret.
func NewClientSecret(value string) ClientSecret { return ClientSecret{newSecret(value)} }

// NewDeviceCode wraps the text of a device code.
func NewDeviceCode(value string) DeviceCode { return DeviceCode{newSecret(value)} }

// NewAuthorizationCode wraps the text of a code of the web flow.
func NewAuthorizationCode(value string) AuthorizationCode {
	return AuthorizationCode{newSecret(value)}
}

// NewCodeVerifier wraps the text of a code verifier.
func NewCodeVerifier(value string) CodeVerifier { return CodeVerifier{newSecret(value)} }

// Fingerprint names a secret without telling it: the first 16 bytes of its SHA-256, in hex. GitHub's
// tokens hold far more entropy than could be guessed, so a fingerprint may stand in annotations and
// logs. The empty string is the fingerprint of no secret.
type Fingerprint string

// Short is the start of the fingerprint, enough to recognise it in a log line.
func (f Fingerprint) Short() string {
	if len(f) > 8 {
		return string(f[:8])
	}
	return string(f)
}

// secret is what the exported types share. It is embedded, so each of them has its methods but none
// can be passed for another.
//
// The text sits behind a unique.Handle and not in a plain string because fmt calls no methods on the
// unexported fields of a struct: a string would be printed there, a handle prints as an address.
// Handles of equal text are equal, so the types compare with ==.
type secret struct{ handle unique.Handle[string] }

func newSecret(value string) secret {
	if value == "" {
		return secret{}
	}
	return secret{unique.Make(value)}
}

// Reveal returns the secret itself. Pass it to the wire or to storage and to nothing else.
func (s secret) Reveal() string {
	if s.IsZero() {
		return ""
	}
	return s.handle.Value()
}

// IsZero reports whether there is no secret.
func (s secret) IsZero() bool { return s == secret{} }

// Fingerprint names the secret without telling it; it is empty when there is no secret.
func (s secret) Fingerprint() Fingerprint {
	if s.IsZero() {
		return ""
	}
	sum := sha256.Sum256([]byte(s.Reveal()))
	return Fingerprint(hex.EncodeToString(sum[:16]))
}

// Matches compares with a candidate in constant time.
func (s secret) Matches(candidate string) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(candidate)) == 1
}

// String implements fmt.Stringer.
func (s secret) String() string { return Redacted }

// GoString implements fmt.GoStringer.
func (s secret) GoString() string { return Redacted }

// Format implements fmt.Formatter, so that no verb or flag gets past the redaction.
func (s secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Redacted) }

// MarshalText implements encoding.TextMarshaler; JSON, YAML and XML encoders use it.
func (s secret) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// MarshalJSON implements json.Marshaler.
func (s secret) MarshalJSON() ([]byte, error) { return []byte(`"` + Redacted + `"`), nil }

// LogValue implements slog.LogValuer.
func (s secret) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalLog implements logr.Marshaler.
func (s secret) MarshalLog() any { return Redacted }
