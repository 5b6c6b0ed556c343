package reading

import (
	"net/http"

	"github.com/githubusertoken/github-user-token-operator/internal/boundedreply"
)

// maxReply is how long what the API server answers may be. Pairs and resources are far shorter; tenants could make theirs a megabyte and more.
const maxReply = 1 << 20

// Bounded is a transport to the API server whose answers are bounded, but for watches, which go on for ever.
func Bounded(inner http.RoundTripper) http.RoundTripper {
	return boundedreply.Transport(inner, maxReply)
}
