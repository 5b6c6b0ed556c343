package boundedreply

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

const most = 1000

type replies int

func (n replies) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{Body: io.NopCloser(strings.NewReader(strings.Repeat("x", int(n))))}, nil
}

func TestBoundedReplyIsNotReadBeyondItsBound(t *testing.T) {
	for name, c := range map[string]struct {
		size  int
		query string
		want  error
	}{
		"as large as may be": {size: most},
		"one byte more":      {size: most + 1, want: ErrTooLarge},
		"far more":           {size: 3 * most, want: ErrTooLarge},
		"a watch":            {size: 3 * most, query: "?watch=true"},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://api.test/x"+c.query, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			response, err := Transport(replies(c.size), most).RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if !errors.Is(err, c.want) || c.want == nil && len(content) != c.size || len(content) > most && c.query == "" {
				t.Errorf("got %d bytes, %v", len(content), err)
			}
		})
	}
}
