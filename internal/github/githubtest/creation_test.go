package githubtest

import (
	"fmt"
	"net/url"
	"testing"
	"testing/synctest"
	"time"
)

func TestTokenLimitEndsUnusedTokensFirst(t *testing.T) {
	cases := map[string]struct {
		use  func(gh *Server, pairs []Pair) // a minute after the logins and later
		dies []int                          // of the first ten, by the eleventh to thirteenth login
	}{
		"the oldest, where none is used": {func(*Server, []Pair) {}, []int{0, 1, 2}},
		"the oldest that is not used": {func(gh *Server, pairs []Pair) {
			for _, used := range []int{0, 1, 3} {
				gh.Authenticate(pairs[used].AccessToken)
			}
		}, []int{2, 4, 5}},
		"the least recently used, where all are used": {func(gh *Server, pairs []Pair) {
			for _, used := range []int{9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 9} {
				gh.Authenticate(pairs[used].AccessToken)
				time.Sleep(time.Second)
			}
		}, []int{8, 7, 6}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gh := newServer(t)
				var pairs []Pair
				for range DefaultMaxTokens {
					pairs = append(pairs, gh.Mint(clientID, "octocat"))
				}
				time.Sleep(time.Minute + 1)
				c.use(gh, pairs)
				for i, dead := range c.dies {
					last := gh.Mint(clientID, "octocat")
					state, _ := gh.StateOf(pairs[dead].AccessToken)
					want(t, fmt.Sprintf("what ended token %d", dead), state.Cause, Evicted)
					want(t, "alive beside the new one", alive(gh, pairs), DefaultMaxTokens-1-i)
					want(t, "the new one is alive", gh.Alive(last.RefreshToken), true)
				}
			})
		})
	}
}

// A token younger than a minute is spared, so that a used one goes.
func TestTokenLimitSparesUnusedTokensForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gh := newServer(t)
		var pairs []Pair
		for range DefaultMaxTokens {
			pairs = append(pairs, gh.Mint(clientID, "octocat"))
		}
		gh.Authenticate(pairs[4].AccessToken)
		time.Sleep(time.Minute)
		young := gh.Mint(clientID, "octocat")
		want(t, "the used one lives", gh.Alive(pairs[4].AccessToken), false)
		want(t, "the others live", alive(gh, pairs), DefaultMaxTokens-1)
		time.Sleep(time.Nanosecond)
		gh.Mint(clientID, "octocat")
		want(t, "the oldest lives a moment later", gh.Alive(pairs[0].AccessToken), false)
		want(t, "the young one lives", gh.Alive(young.AccessToken), true)
	})
}

func alive(gh *Server, pairs []Pair) int {
	count := 0
	for _, p := range pairs {
		if gh.Alive(p.AccessToken) {
			count++
		}
	}
	return count
}

// The App's own check of a token is no use of it.
func TestTokenLimitCountsWhatUserAndGitDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gh := newServer(t, func(o *Options) { o.Apps[0].MaxTokens = 2 })
		checked, used := gh.Mint(clientID, "octocat"), gh.Mint(clientID, "octocat")
		time.Sleep(2 * time.Minute)
		want(t, "check", appCall(t, gh, "POST", "/token", checked.AccessToken).status, 200)
		want(t, "GET /user", getUser(t, gh, used.AccessToken).status, 200)
		gh.Mint(clientID, "octocat")
		want(t, "the one that was only checked lives", gh.Alive(checked.AccessToken), false)
		want(t, "the one that was used lives", gh.Alive(used.AccessToken), true)
	})
}

func TestCreationLimitAsksThePersonAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gh := newServer(t, withCallback)
		for range DefaultMaxCreations - 1 {
			gh.Mint(clientID, "octocat")
		}
		kept, _ := gh.Newest(clientID, "octocat")
		for range 5 {
			kept, _ = gh.Successor(keepRefreshing(t, gh, kept))
		}
		b := newBrowser(t, gh)
		b.open(authorizePath(nil))
		b.signIn("octocat")
		want(t, "the tenth needs no consent, for exchanges do not count", b.landed().Get("code") != "", true)
		redeem(t, gh, b.landed().Get("code"), nil)
		b.open(authorizePath(nil))
		b.shows("Authorize " + clientID)
		want(t, "nothing was revoked", gh.Alive(kept.RefreshToken), true)
		b.submit(url.Values{"decision": {"authorize"}})
		want(t, "with consent it goes on", redeem(t, gh, b.landed().Get("code"), nil).text("error"), "")

		other := newBrowser(t, gh)
		other.open(authorizePath(nil))
		other.signIn("hubot")
		other.shows("Authorize " + clientID)
		other.submit(url.Values{"decision": {"authorize"}})
		redeem(t, gh, other.landed().Get("code"), nil)
		other.open(authorizePath(nil))
		want(t, "another user is not asked again", other.landed().Get("code") != "", true)

		time.Sleep(time.Hour)
		b.open(authorizePath(nil))
		want(t, "an hour later nobody is asked", b.landed().Get("code") != "", true)
	})
}

// keepRefreshing exchanges a pair's refresh token and returns it.
func keepRefreshing(t *testing.T, gh *Server, pair Pair) string {
	t.Helper()
	want(t, "exchange", refresh(t, gh, pair.RefreshToken).text("error"), "")
	return pair.RefreshToken
}

func TestCreationLimitMayRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gh := newServer(t, withCallback, func(o *Options) {
			o.Apps[0].AutoApprove, o.Apps[0].CreationError, o.Apps[0].RefreshesCreate = true, "access_denied", true
		})
		seed := gh.Mint(clientID, "octocat")
		for range DefaultMaxCreations - 1 {
			keepRefreshing(t, gh, seed)
			seed, _ = gh.Successor(seed.RefreshToken)
		}
		want(t, "an exchange", refresh(t, gh, seed.RefreshToken).text("error"), "access_denied")
		want(t, "the token lives", gh.Alive(seed.RefreshToken) && gh.Alive(seed.AccessToken), true)

		b := newBrowser(t, gh)
		b.open(authorizePath(nil))
		code := b.landed().Get("code")
		want(t, "a code", redeem(t, gh, code, nil).text("error"), "access_denied")

		start := deviceCode(t, gh)
		want(t, "approve", gh.ApproveDevice(start.text("user_code"), "octocat"), nil)
		want(t, "a device code", poll(t, gh, start.text("device_code")).text("error"), "access_denied")

		gh.UpdateApp(clientID, func(a *App) { a.MaxCreations = -1 })
		want(t, "the code without a limit", redeem(t, gh, code, nil).text("error"), "")
		want(t, "the exchange without a limit", refresh(t, gh, seed.RefreshToken).text("error"), "")
	})
}
