package boundedreply

import (
	"errors"
	"io"
	"net/http"
)

// ErrTooLarge is that of an answer which is longer than it may be.
var ErrTooLarge = errors.New("the API server's answer is too large")

// Transport is a transport to the API server whose answers have so many bytes at most, but for watches, which go on for ever.
func Transport(inner http.RoundTripper, most int) http.RoundTripper { return bounded{inner, most} }

type bounded struct {
	inner http.RoundTripper
	most  int
}

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := b.inner.RoundTrip(request)
	if err != nil || request.URL.Query().Has("watch") {
		return response, err
	}
	response.Body = &body{ReadCloser: response.Body, left: b.most}
	return response, nil
}

// WrappedRoundTripper is the one that is bounded; client-go asks for it.
func (b bounded) WrappedRoundTripper() http.RoundTripper { return b.inner }

type body struct {
	io.ReadCloser

	left int
}

// Read implements io.Reader.
func (b *body) Read(into []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrTooLarge
	}
	n, err := b.ReadCloser.Read(into[:min(len(into), b.left+1)]) // One more tells that there are more.
	if b.left -= n; b.left < 0 {
		return 0, ErrTooLarge
	}
	return n, err
}
