package controllers

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// A proxy in between refuses to connect. That is said of the proxy, nothing was sent, and the chain goes on.
func TestProxyThatRefusesIsNamedInTheStatus(t *testing.T) {
	t.Parallel()
	var refuses atomic.Bool
	refuses.Store(true)
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Proxy-Authenticate", `Basic realm="somewhere"`)
		rw.WriteHeader(http.StatusProxyAuthRequired)
	}))
	t.Cleanup(proxy.Close)
	address, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, worldOptions{client: func(options *github.Options) {
		options.Proxy = func(*http.Request) (*url.URL, error) {
			if refuses.Load() {
				return address, nil
			}
			return nil, nil
		}
	}})
	w.seed("octocat", "octocat")
	w.create(w.resource("octocat"))
	w.refused("octocat", refusal{
		reason: v1alpha1.ReasonHostUnreachable, retried: true,
		says: "the operator's proxy (HTTPS_PROXY) answered 407 Proxy Authentication Required: it wants to know who the operator is, by Basic",
	})
	w.presented(0)
	refuses.Store(false)
	w.request("octocat", "1")
	w.ready("octocat")
	w.presented(1)
}
