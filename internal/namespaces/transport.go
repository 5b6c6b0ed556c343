package namespaces

import (
	"net/http"
	"strings"
)

// informerKey is the key under which the context of a request knows the informer that makes it.
type informerKey struct{}

// Transport wraps that of the API server's clients. It changes no request.
func (w *Watched) Transport(next http.RoundTripper) http.RoundTripper { return transport{next} }

type transport struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if i, ok := request.Context().Value(informerKey{}).(*informer); ok {
		i.locate(namespaceIn(request.URL.Path))
	}
	return t.next.RoundTrip(request)
}

// namespaceIn is the namespace in the path of a list or a watch, such as /api/v1/namespaces/team-a/secrets.
func namespaceIn(path string) string {
	_, rest, found := strings.Cut(path, "/namespaces/")
	if !found {
		return All
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}
