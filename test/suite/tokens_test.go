package suite

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

func TestSuiteFindsTheTokensOfTheStandIn(t *testing.T) {
	gh := githubtest.New(githubtest.Options{Apps: []githubtest.App{
		{ClientID: "short"}, {ClientID: "long", LongTokens: true}, {ClientID: "oauth", Kind: githubtest.OAuthApp},
	}})
	for _, app := range []string{"short", "long", "oauth"} {
		pair := gh.Mint(app, "octocat")
		for _, token := range []string{pair.AccessToken, pair.RefreshToken} {
			for _, text := range []string{token, "a token (" + token + ") in brackets", "and at the end " + token + ".", `"` + token + `"`} {
				if !slices.Contains(FindTokens([]byte(text)), token) {
					t.Errorf("a token of the App %q is not found in %q", app, strings.ReplaceAll(text, token, "…"))
				}
			}
			if !EncodedTokens.MatchString(base64.StdEncoding.EncodeToString([]byte(token))) {
				t.Errorf("a token of the App %q is not found in base64", app)
			}
		}
	}
	if found := FindTokens([]byte("ghr_short and gha_0123456789012345678901234567890123456789")); found != nil {
		t.Errorf("found in a text without tokens: %d", len(found))
	}
}
