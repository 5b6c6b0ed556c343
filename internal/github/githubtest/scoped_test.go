package githubtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func withInstallation(o *Options) {
	o.Apps[0].Installations = []Installation{{
		Account: "octo-org", AccountID: 9919,
		Repositories: []Repository{{ID: 1296269, Name: "hello-world"}, {ID: 1296270, Name: "spoon-knife"}},
		Permissions:  map[string]string{"contents": "write", "metadata": "read"},
	}}
}

func scoped(t *testing.T, gh *Server, token, rest string) answer {
	t.Helper()
	return send(t, gh, scopedCall(`{"access_token":"`+token+`"`+rest+`}`))
}

func scopedCall(content string) *http.Request {
	r := restRequest(http.MethodPost, "https://api.github.com/applications/"+clientID+"/token/scoped", json.RawMessage(content))
	r.SetBasicAuth(clientID, clientSecret)
	return r
}

func TestScopedTokenCanDoWhatWasAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gh := newServer(t, withInstallation)
		parent := gh.Mint(clientID, "octocat")
		time.Sleep(time.Hour)
		got := scoped(t, gh, parent.AccessToken, `,"target":"Octo-Org","repositories":["hello-world"],"permissions":{"contents":"read"}`)
		want(t, "status", got.status, 200)
		token := got.text("token")
		want(t, "another token", token != "" && token != parent.AccessToken, true)
		user, works := gh.Authenticate(token)
		want(t, "works", works, true)
		want(t, "whose", user.Login, "octocat")
		want(t, "expires with its parent", got.text("expires_at"), parent.AccessTokenExpiresAt.UTC().Format(time.RFC3339))
		limits, _ := gh.RestrictionOf(token)
		want(t, "limits", fmt.Sprint(limits), "{octo-org [hello-world] map[contents:read] true}")
		installation, _ := got.fields["installation"].(map[string]any)
		want(t, "selection", fmt.Sprintln(installation["repository_selection"], installation["permissions"]), "selected map[contents:read]\n")
		check := appCall(t, gh, http.MethodPost, "/token", token)
		want(t, "the App's check", check.status, 200)
		want(t, "no chain of its own", len(gh.Chains()), 1)
		newest, _ := gh.Newest(clientID, "octocat")
		want(t, "the newest pair is the parent", newest.AccessToken == parent.AccessToken, true)

		want(t, "all of them", fmt.Sprint(gh.ScopedTokens()), fmt.Sprint([]string{token}))

		byID := scoped(t, gh, parent.AccessToken, `,"target_id":9919,"repository_ids":[1296270]`)
		limits, _ = gh.RestrictionOf(byID.text("token"))
		want(t, "limits by number", fmt.Sprint(limits), "{octo-org [spoon-knife] map[] true}")

		want(t, "end one", appCall(t, gh, http.MethodDelete, "/token", token).status, 204)
		want(t, "it is dead", gh.Alive(token), false)
		want(t, "its parent and sister live", gh.Alive(parent.AccessToken) && gh.Alive(byID.text("token")), true)
	})
}

func TestScopedTokenIsRefused(t *testing.T) {
	cases := map[string]struct {
		rest   string
		status int
	}{
		"without a target":                 {``, 422},
		"for an account without the App":   {`,"target":"nobody"`, 422},
		"for a repository out of reach":    {`,"target":"octo-org","repositories":["hello-world","secret"]`, 422},
		"for a repository's number":        {`,"target":"octo-org","repository_ids":[1]`, 422},
		"by names and numbers at once":     {`,"target":"octo-org","repositories":["hello-world"],"repository_ids":[1296269]`, 422},
		"for more than the App may":        {`,"target":"octo-org","permissions":{"metadata":"write"}`, 422},
		"for a permission it has not got":  {`,"target":"octo-org","permissions":{"issues":"read"}`, 422},
		"for a level that does not exist":  {`,"target":"octo-org","permissions":{"contents":"all"}`, 422},
		"for what is no JSON of this form": {`,"target":1`, 400},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			gh := newServer(t, withInstallation)
			parent := gh.Mint(clientID, "octocat")
			want(t, "status", scoped(t, gh, parent.AccessToken, c.rest).status, c.status)
			want(t, "the parent lives", gh.Alive(parent.AccessToken), true)
		})
	}
	const good = `,"target":"octo-org"`
	gh := newServer(t, withInstallation)
	parent := gh.Mint(clientID, "octocat")
	again := scoped(t, gh, scoped(t, gh, parent.AccessToken, good).text("token"), good)
	want(t, "with a scoped token", again.status, 422)
	want(t, "violation", gh.Violations()[0].Rule, ScopedTokenScoped)
	want(t, "with a refresh token", scoped(t, gh, parent.RefreshToken, good).status, 404)
	gh.Revoke(parent.AccessToken)
	want(t, "with a dead token", scoped(t, gh, parent.AccessToken, good).status, 404)
	r := scopedCall(`{"access_token":"x"}`)
	r.SetBasicAuth(clientID, "wrong")
	want(t, "with a wrong secret", send(t, gh, r).status, 401)
	gh.UpdateApp(clientID, func(a *App) { a.Kind = OAuthApp })
	want(t, "of an OAuth App", scoped(t, gh, gh.Mint(clientID, "octocat").AccessToken, good).status, 404)
}

func TestScopedTokenEndsWithItsParentOrOutlivesIt(t *testing.T) {
	ends := map[string]func(*testing.T, *Server, Pair){
		"exchanged": func(t *testing.T, gh *Server, p Pair) { refresh(t, gh, p.RefreshToken) },
		"revoked":   func(_ *testing.T, gh *Server, p Pair) { gh.Revoke(p.AccessToken) },
		"expired":   func(_ *testing.T, gh *Server, p Pair) { gh.Expire(p.AccessToken) },
		"deleted alone": func(t *testing.T, gh *Server, p Pair) {
			gh.Configure(func(o *Options) { o.DeleteSparesRefreshToken = true })
			appCall(t, gh, http.MethodDelete, "/token", p.AccessToken)
		},
	}
	for name, end := range ends {
		for _, outlives := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, outlives %v", name, outlives), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					gh := newServer(t, withInstallation, func(o *Options) { o.Apps[0].ScopedTokensOutliveParent = outlives })
					parent := gh.Mint(clientID, "octocat")
					token := scoped(t, gh, parent.AccessToken, `,"target":"octo-org"`).text("token")
					end(t, gh, parent)
					want(t, "parent alive", gh.Alive(parent.AccessToken), false)
					want(t, "scoped token alive", gh.Alive(token), outlives)
					gh.RevokeGrant(clientID, "octocat")
					want(t, "alive without the grant", gh.Alive(token), false)
				})
			})
		}
	}
}

func TestScopedTokenMayCountAndHaveALifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gh := newServer(t, withInstallation, func(o *Options) { o.Apps[0].MaxTokens, o.Apps[0].ScopedTokenLifetime = 2, time.Hour })
		parent := gh.Mint(clientID, "octocat")
		scope := func() string { return scoped(t, gh, parent.AccessToken, `,"target":"octo-org"`).text("token") }
		first, second := scope(), scope()
		want(t, "all live, for they do not count", gh.Alive(parent.AccessToken) && gh.Alive(first) && gh.Alive(second), true)
		time.Sleep(time.Hour)
		want(t, "after its lifetime", gh.Alive(first), false)

		gh.UpdateApp(clientID, func(a *App) { a.ScopedTokensCount = true })
		gh.Authenticate(parent.AccessToken)
		third := scope()
		time.Sleep(2 * time.Minute)
		fourth := scope()
		want(t, "the oldest unused dies", gh.Alive(third), false)
		want(t, "the parent, in use, lives", gh.Alive(parent.AccessToken) && gh.Alive(fourth), true)
	})
}

func TestScopedTokenOfLongTokensIsLong(t *testing.T) {
	gh := newServer(t, withInstallation, func(o *Options) { o.Apps[0].LongTokens = true })
	parent := gh.Mint(clientID, "octocat")
	for _, token := range []string{
		parent.AccessToken, parent.RefreshToken, scoped(t, gh, parent.AccessToken, `,"target":"octo-org"`).text("token"),
	} {
		want(t, "dots", strings.Count(token, "."), 2)
		want(t, "some 520 characters", len(token) > 500 && len(token) < 540, true)
	}
}
