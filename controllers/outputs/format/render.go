package format

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// ErrNoToken reports that the pair holds no access token to derive anything from: there is none yet, or only
// the pair's metadata was read, or the Secret's data is not what its state describes.
var ErrNoToken = errors.New("the pair holds no access token that its state knows")

// Rendered is the content of an output.
type Rendered struct {
	// Type is the type of the Secret.
	Type string
	// Data is the whole of its data: a key that is not in it does not belong in the Secret.
	Data map[string][]byte
}

// Render derives the content of an output from a pair that was read with its data. Errors: ErrNoToken, or
// a sentence on what to change in the output's spec. Neither holds any token.
func Render(spec v1alpha1.Output, pair *rotation.Pair, defaults Defaults) (Rendered, error) {
	s := settingsOf(spec, defaults)
	data, err := s.render(pair)
	if err != nil {
		return Rendered{}, fmt.Errorf("output %q: %w", spec.Name, err)
	}
	return Rendered{Type: s.Type, Data: data}, nil
}

func (s settings) render(pair *rotation.Pair) (map[string][]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if pair.AccessToken.IsZero() || pair.AccessToken.Fingerprint() != pair.State.AccessToken {
		return nil, ErrNoToken
	}
	parts := partsOf(pair)
	if !isWord(parts[accessToken]) {
		return nil, errors.New("the access token has characters that no token of GitHub has")
	}
	data := map[string][]byte{}
	for _, v := range s.wantedValues() {
		text, ok := parts[v.of]
		if !ok {
			continue
		}
		rendered := []byte(text)
		if v.render != nil {
			var err error
			if rendered, err = v.render(s, text); err != nil {
				return nil, err
			}
		}
		data[v.keyIn(s)] = rendered
	}
	return data, nil
}

// partsOf are the parts that a pair has, read with its data.
func partsOf(pair *rotation.Pair) map[part]string {
	parts := map[part]string{accessToken: pair.AccessToken.Reveal()}
	if !pair.RefreshToken.IsZero() {
		parts[refreshToken] = pair.RefreshToken.Reveal()
	}
	if pair.State.Expires() {
		parts[expiry] = timestamp(pair.State.ExpiresAt)
	}
	return parts
}

// Keys are the keys of the data that Render would write, sorted. It needs no token, only the pair's state.
func Keys(spec v1alpha1.Output, pair *rotation.Pair, defaults Defaults) []string {
	s := settingsOf(spec, defaults)
	has := map[part]bool{accessToken: true, refreshToken: pair.State.RefreshToken != "", expiry: pair.State.Expires()}
	var keys []string
	for _, v := range s.wantedValues() {
		if has[v.of] {
			keys = append(keys, v.keyIn(s))
		}
	}
	slices.Sort(keys)
	return keys
}

// isWord reports whether a token is one word of printable ASCII.
func isWord(token string) bool {
	return !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}

func timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
