package tokenserver

import (
	"net/http"
	"strings"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

func TestTokenServerTakesNoOtherRequests(t *testing.T) {
	fingerprint := string(credential.NewAccessToken(canaryAccess).Fingerprint())
	for name, c := range map[string]struct {
		change func(*http.Request)
		status int
		code   string
	}{
		"another path":                   {func(r *http.Request) { r.URL.Path = "/" }, 404, "not_found"},
		"a path with a slash more":       {func(r *http.Request) { r.URL.Path += "/" }, 404, "not_found"},
		"a path that leads elsewhere":    {func(r *http.Request) { r.URL.Path = strings.Replace(address, "octocat", "..", 1) }, 404, "not_found"},
		"a name with two dots":           {func(r *http.Request) { r.URL.Path = strings.Replace(address, "octocat", "o..o", 1) }, 404, "not_found"},
		"a path in escapes":              {func(r *http.Request) { r.URL.RawPath = strings.Replace(address, "octocat", "%6fctocat", 1) }, 404, "not_found"},
		"a name in capitals":             {func(r *http.Request) { r.URL.Path = strings.Replace(address, "octocat", "Octocat", 1) }, 404, "not_found"},
		"no name":                        {func(r *http.Request) { r.URL.Path = strings.Replace(address, "octocat", "", 1) }, 404, "not_found"},
		"a long name of a namespace":     {func(r *http.Request) { r.URL.Path = strings.Replace(address, "team-a", strings.Repeat("a", 64), 1) }, 404, "not_found"},
		"an address of kilobytes":        {func(r *http.Request) { r.URL.RawQuery = "wait=" + strings.Repeat("0", maxURL) }, 400, "invalid_request"},
		"POST":                           {func(r *http.Request) { r.Method = http.MethodPost }, 405, "method_not_allowed"},
		"HEAD":                           {func(r *http.Request) { r.Method = http.MethodHead }, 405, "method_not_allowed"},
		"a body":                         {func(r *http.Request) { r.ContentLength = 1 }, 400, "invalid_request"},
		"a body of unknown length":       {func(r *http.Request) { r.ContentLength = -1 }, 400, "invalid_request"},
		"a parameter that is none":       {func(r *http.Request) { r.URL.RawQuery = "refresh=true" }, 400, "invalid_request"},
		"a parameter twice":              {func(r *http.Request) { r.URL.RawQuery = "wait=1&wait=2" }, 400, "invalid_request"},
		"a query that cannot be read":    {func(r *http.Request) { r.URL.RawQuery = "wait=%zz" }, 400, "invalid_request"},
		"a fingerprint that is none":     {func(r *http.Request) { r.URL.RawQuery = "after=1234" }, 400, "invalid_request"},
		"no fingerprint":                 {func(r *http.Request) { r.URL.RawQuery = "stale=" }, 400, "invalid_request"},
		"a fingerprint in capitals":      {func(r *http.Request) { r.URL.RawQuery = "after=" + strings.ToUpper(fingerprint) }, 400, "invalid_request"},
		"too long a wait":                {func(r *http.Request) { r.URL.RawQuery = "wait=301" }, 400, "invalid_request"},
		"a wait that is no number":       {func(r *http.Request) { r.URL.RawQuery = "wait=1m" }, 400, "invalid_request"},
		"a wait of less than nothing":    {func(r *http.Request) { r.URL.RawQuery = "wait=-1" }, 400, "invalid_request"},
		"an output that can be none":     {func(r *http.Request) { r.URL.RawQuery = "output=../x" }, 400, "invalid_request"},
		"no token":                       {func(r *http.Request) { r.Header.Del("Authorization") }, 401, "invalid_token"},
		"a password":                     {func(r *http.Request) { r.SetBasicAuth("x", shownToken) }, 401, "invalid_token"},
		"two tokens":                     {func(r *http.Request) { r.Header.Add("Authorization", "Bearer x") }, 401, "invalid_token"},
		"a token of kilobytes":           {func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+strings.Repeat("x", maxToken+1)) }, 401, "invalid_token"},
		"a token in the place of a name": {func(r *http.Request) { r.Header.Set("Authorization", shownToken) }, 401, "invalid_token"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := w.request("")
			c.change(r)
			got := w.ask(r)
			if got.Code != c.status || got.body["error"] != c.code || got.body["message"] == "" {
				t.Errorf("got %d, %v", got.Code, got.body)
			}
			if challenge := got.Header().Get("WWW-Authenticate"); (challenge == "Bearer") != (c.status == http.StatusUnauthorized) {
				t.Errorf("it asks for %q", challenge)
			}
			if reads, asked := w.counts(); reads != 0 || asked != 0 {
				t.Errorf("the API server was asked %d times for the resource and %d times who it is", reads, asked)
			}
		})
	}
}
