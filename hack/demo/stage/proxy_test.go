package stage

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestStageProxyLeadsToTheStandInAndNowhereElse(t *testing.T) {
	standIn := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "the stand-in, asked as "+r.Host)
	}))
	defer standIn.Close()
	proxy := httptest.NewServer(tunnels{"example.com:443": standIn.Listener.Addr().String(), "down.example.com:443": "127.0.0.1:1"})
	defer proxy.Close()
	address, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := standIn.Client()
	client.Transport.(*http.Transport).Proxy = http.ProxyURL(address)

	response, err := client.Get("https://example.com/") // the certificate of httptest is for this name
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil || string(content) != "the stand-in, asked as example.com" {
		t.Errorf("the reply is %q, error %v", content, err)
	}
	for url, says := range map[string]string{
		"https://api.example.com/":  "Forbidden",
		"https://example.com:8443/": "Forbidden",
		"https://down.example.com/": "Bad Gateway",
	} {
		response, err := client.Get(url)
		if err == nil {
			response.Body.Close()
			t.Errorf("%s was let through", url)
		} else if !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", url, err)
		}
	}
	plain, err := client.Get("http://example.com/")
	if err != nil {
		t.Fatal(err)
	}
	plain.Body.Close()
	if plain.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("without TLS: %s", plain.Status)
	}
}
