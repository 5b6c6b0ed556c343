package stage

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

// Whoever plays with the demo may write anything into a pair Secret. That is told, and ends nothing.
func TestStageTokenThatWasNeverIssuedIsJudged(t *testing.T) {
	server := githubtest.New(githubtest.Options{Apps: []githubtest.App{{ClientID: "Iv1.0123456789abcdef"}}, Users: []githubtest.User{{Login: "octocat"}}})
	admin := httptest.NewServer(server.Admin())
	defer admin.Close()
	gh := &GitHub{client: admin.Client(), where: addresses{Admin: admin.URL}}
	issued, err := gh.Login(t.Context(), "Iv1.0123456789abcdef", "octocat")
	if err != nil {
		t.Fatal(err)
	}
	madeUp := credential.NewAccessToken("ghu_nobodyHasIssuedThis")
	for name, c := range map[string]struct {
		change Change
		madeUp bool
	}{
		"it is in the Secret":  {Change{Kind: Rotated, Access: madeUp, Refresh: issued, Spent: issued}, true},
		"both are":             {Change{Kind: Rotated, Access: madeUp, Refresh: credential.NewRefreshToken("ghr_nobodyHasIssuedThis")}, true},
		"it has been replaced": {Change{Kind: Rotated, Access: credential.NewAccessToken(issued.Reveal()), Refresh: issued, Replaced: madeUp, Spent: credential.NewRefreshToken("ghr_x")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			verdict, err := gh.Judge(t.Context(), c.change)
			if err != nil {
				t.Fatal(err)
			}
			problem := verdict.Problem()
			if verdict.IsMadeUp() != c.madeUp || strings.Contains(problem, "not issued by GitHub") != c.madeUp || !c.madeUp && problem != "" || verdict.DeadFor != 0 {
				t.Errorf("made up: %t; dead for %s; it says %q", verdict.IsMadeUp(), verdict.DeadFor, problem)
			}
		})
	}
	if _, err := gh.Login(t.Context(), "unknown", "octocat"); err == nil || strings.Contains(err.Error(), string(NeverIssued)) {
		t.Errorf("another request that fails: %v", err)
	}
}
