package reading

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/boundedreply"
)

type replies int

func (n replies) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{Body: io.NopCloser(strings.NewReader(strings.Repeat("x", int(n))))}, nil
}

func TestTokenServerReadsNoAnswerThatIsTooLarge(t *testing.T) {
	for name, c := range map[string]struct {
		size  int
		query string
		want  error
	}{
		"as large as may be": {size: maxReply},
		"one byte more":      {size: maxReply + 1, want: boundedreply.ErrTooLarge},
		"far more":           {size: 3 * maxReply, want: boundedreply.ErrTooLarge},
		"a watch":            {size: 3 * maxReply, query: "?watch=true"},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://api.test/x"+c.query, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			response, err := Bounded(replies(c.size)).RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if !errors.Is(err, c.want) || c.want == nil && len(content) != c.size || len(content) > maxReply && c.query == "" {
				t.Errorf("got %d bytes, %v", len(content), err)
			}
		})
	}
}
