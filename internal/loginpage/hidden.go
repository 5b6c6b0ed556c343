package loginpage

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// hidden is a text that nobody may see or guess: a ticket, a state, what a cookie holds. It is not printed, whatever prints it,
// and the compiler refuses to compare it with ==.
type hidden struct {
	_    [0]func()
	text *string // fmt calls no methods on fields that are not exported; of a pointer it prints an address
}

func hide(text string) hidden { return hidden{text: &text} }

// reveal is the text itself.
func (h hidden) reveal() string {
	if h.text == nil {
		return ""
	}
	return *h.text
}

// isEmpty reports whether there is none.
func (h hidden) isEmpty() bool { return h.reveal() == "" }

// is compares in constant time. Nothing is the same as what is empty.
func (h hidden) is(candidate string) bool {
	return same(h.reveal(), candidate) && !h.isEmpty()
}

// Format implements fmt.Formatter, so that no verb shows it.
func (h hidden) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, credential.Redacted) }

// MarshalLog implements logr.Marshaler.
func (h hidden) MarshalLog() any { return credential.Redacted }

// same compares in a time that depends on neither of the two, not even on their lengths.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// secretLength is how long a secret of 32 bytes is in base64url.
const secretLength = 43

// newSecret makes one that nobody can guess.
func newSecret() hidden {
	var random [32]byte
	_, _ = rand.Read(random[:]) // It never fails.
	return hide(base64.RawURLEncoding.EncodeToString(random[:]))
}

// isSecret reports whether a text has the form of such a secret, in the one spelling that it has.
func isSecret(text string) bool {
	if len(text) != secretLength {
		return false
	}
	_, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return err == nil
}

// sealed is a code by which only who has the key can vouch for texts, for one purpose.
func sealed(key hidden, purpose string, texts ...string) string {
	mac := hmac.New(sha256.New, []byte(key.reveal()))
	for _, text := range append([]string{purpose}, texts...) {
		// With its length, so that no two lists of texts read the same.
		_, _ = fmt.Fprintf(mac, "%d:%s", len(text), text)
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
