package controllers

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// An admission webhook sees the whole Secret also where only its labels are written. The tokens are ones that only
// who knows them can take out of a text, or GitHub's longest.
func TestRedactionRefusedWriteOfMetadataIsReportedWithoutTheTokensThatItQuotes(t *testing.T) {
	t.Parallel()
	each(t, map[string]githubtest.App{
		"short tokens":     {AccessTokenPrefix: "a-", AccessTokenLength: 12, RefreshTokenPrefix: "r-", RefreshTokenLength: 12},
		"tokens with dots": {LongTokens: true},
	}, func(t *testing.T, app githubtest.App) {
		w := newWorld(t, worldOptions{app: app, noOperator: true})
		var quoting quotingRefusal
		w.options.config = func(config *rest.Config) { config.Wrap(quoting.wrap) }
		w.startOperator(w.options)
		pair := w.startWith("octocat", v1alpha1.Output{Name: "octocat-out", Format: v1alpha1.OutputFormatGitCredentials}, v1alpha1.Output{Name: "octocat-surplus", Format: v1alpha1.OutputFormatOpaque})
		canaries := []string{access(pair), refresh(pair)}
		quoting.quote(strings.Join(canaries, " and "))
		w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
			token.Spec.Secret.Labels = v1alpha1.Labels{"team": "a"}
			token.Spec.Outputs = token.Spec.Outputs[:1]
			token.Spec.Outputs[0].Labels = v1alpha1.Labels{"team": "a"}
		})
		w.eventually("the refusal to be reported", func() (bool, string) {
			text := suite.Describe(w.get("octocat"))
			return strings.Contains(text, "policy says no to"), text
		})
		w.eventually("all three writes to be refused", func() (bool, string) {
			return quoting.refused("octocat-token", "octocat-out", "octocat-surplus"), "not all were"
		})
		told := w.told()
		for _, canary := range canaries {
			for _, form := range append(partsOf(canary), canary) {
				if strings.Contains(told, form) || logs.contains(form) {
					t.Error("a token is told of, as the admission webhook did")
				}
			}
		}
	})
}

// quotingRefusal answers writes of metadata, and deletions, as an admission webhook might that quotes the Secret.
type quotingRefusal struct {
	writeRefusal

	hits map[string]bool
}

func (f *quotingRefusal) quote(text string) { f.set(text) }

func (f *quotingRefusal) refused(names ...string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range names {
		if !f.hits[name] {
			return false
		}
	}
	return true
}

func (f *quotingRefusal) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		_, name, isSecret := strings.Cut(request.URL.Path, "/secrets/")
		isWrite := request.Method == http.MethodPatch || request.Method == http.MethodDelete
		text := f.hit(name, isSecret && isWrite)
		if text == "" {
			return next.RoundTrip(request)
		}
		if request.Body != nil {
			_, _ = io.Copy(io.Discard, request.Body)
		}
		return forbidden("admission webhook denied the request: policy says no to " + text), nil
	})
}

// hit is the text of a refusal; empty when there is none.
func (f *quotingRefusal) hit(name string, isWrite bool) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.name == "" || !isWrite {
		return ""
	}
	if f.hits == nil {
		f.hits = map[string]bool{}
	}
	f.hits[name] = true
	return f.name
}
