package reading

import (
	"errors"
	"io"
	"net/http"
)

// maxReply is how long what the API server answers may be. Pairs and resources are far shorter; tenants could make theirs a megabyte and more.
const maxReply = 1 << 20

// errTooLarge is that of an answer which is longer.
var errTooLarge = errors.New("the API server's answer is too large")

// Bounded is a transport to the API server whose answers are bounded, but for watches, which go on for ever.
func Bounded(inner http.RoundTripper) http.RoundTripper { return bounded{inner} }

type bounded struct{ inner http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := b.inner.RoundTrip(request)
	if err != nil || request.URL.Query().Has("watch") {
		return response, err
	}
	response.Body = &boundedBody{ReadCloser: response.Body, left: maxReply}
	return response, nil
}

// WrappedRoundTripper is the one that is bounded; client-go asks for it.
func (b bounded) WrappedRoundTripper() http.RoundTripper { return b.inner }

type boundedBody struct {
	io.ReadCloser

	left int
}

// Read implements io.Reader.
func (b *boundedBody) Read(into []byte) (int, error) {
	if b.left < 0 {
		return 0, errTooLarge
	}
	n, err := b.ReadCloser.Read(into[:min(len(into), b.left+1)]) // One more tells that there are more.
	if b.left -= n; b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}
