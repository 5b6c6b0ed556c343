package format_test

import (
	"strings"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/format"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const (
	accessToken  = "ghu_abcdefghijklmnopqrstuvwxyz0123456789"
	refreshToken = "ghr_abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789"
)

var expiry = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// newPair is a pair as it is read from the API server, with its data.
func newPair(access, refresh string) *rotation.Pair {
	pair := &rotation.Pair{
		Owner:         rotation.Owner{Namespace: "team-a", Name: "octocat", UID: "uid-1"},
		AccessToken:   credential.NewAccessToken(access),
		RefreshToken:  credential.NewRefreshToken(refresh),
		NextRefreshAt: expiry.Add(-2 * time.Hour),
	}
	pair.State = rotation.State{
		AccessToken:  pair.AccessToken.Fingerprint(),
		RefreshToken: pair.RefreshToken.Fingerprint(),
		ExpiresAt:    expiry,
	}
	return pair
}

// metadataOnly is the pair as the cache holds it: without tokens.
func metadataOnly(pair *rotation.Pair) *rotation.Pair {
	bare := pair.Clone()
	bare.AccessToken, bare.RefreshToken = credential.AccessToken{}, credential.RefreshToken{}
	return bare
}

func render(t *testing.T, spec v1alpha1.Output, pair *rotation.Pair, defaults format.Defaults) format.Rendered {
	t.Helper()
	spec.Name = "out"
	rendered, err := format.Render(spec, pair, defaults)
	if err != nil {
		t.Fatalf("Render: %v", err)
	}
	return rendered
}

// wantData compares the whole of the data, without printing it.
func wantData(t *testing.T, rendered format.Rendered, want map[string]string) {
	t.Helper()
	for key, value := range want {
		if string(rendered.Data[key]) != value {
			t.Errorf("the value of the key %s is not the expected one", key)
		}
	}
	for key := range rendered.Data {
		if _, ok := want[key]; !ok {
			t.Errorf("there is a key %s, which is not wanted", key)
		}
	}
}

func wantNoToken(t *testing.T, text string, tokens ...string) {
	t.Helper()
	for _, token := range tokens {
		if token != "" && strings.Contains(text, token) {
			t.Error("a token stands in a text that people see")
		}
	}
}
