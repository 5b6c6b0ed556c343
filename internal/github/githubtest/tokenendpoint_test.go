package githubtest

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestTokenEndpointExchangeIssuesANewPairAndKillsBothOldTokens(t *testing.T) {
	gh := newServer(t)
	seed := gh.Mint(clientID, "octocat")
	got := refresh(t, gh, seed.RefreshToken)

	want(t, "status", got.status, 200)
	want(t, "token_type", got.text("token_type"), "bearer")
	want(t, "scope", got.text("scope"), "")
	want(t, "expires_in", got.fields["expires_in"], any(28800.0))
	want(t, "refresh_token_expires_in", got.fields["refresh_token_expires_in"], any(15897600.0))
	if !regexp.MustCompile(`^ghu_[A-Za-z0-9]{36}$`).MatchString(got.text("access_token")) {
		t.Error("the access token is not ghu_ and 36 characters")
	}
	if !regexp.MustCompile(`^ghr_[A-Za-z0-9]{76}$`).MatchString(got.text("refresh_token")) {
		t.Error("the refresh token is not ghr_ and 76 characters")
	}
	want(t, "old access token alive", gh.Alive(seed.AccessToken), false)
	want(t, "old refresh token alive", gh.Alive(seed.RefreshToken), false)
	want(t, "new access token alive", gh.Alive(got.text("access_token")), true)
	want(t, "new refresh token alive", gh.Alive(got.text("refresh_token")), true)

	next, found := gh.Successor(seed.RefreshToken)
	want(t, "successor found", found, true)
	want(t, "successor is what was sent", next.RefreshToken == got.text("refresh_token"), true)
	newest, _ := gh.Newest(clientID, "OctoCat")
	want(t, "newest is the successor", newest == next, true)
	last, _ := gh.Last(seed.AccessToken)
	want(t, "last of the chain is the successor", last == next, true)
	state, _ := gh.StateOf(seed.AccessToken)
	want(t, "cause of death", state.Cause, Exchanged)
}

func TestTokenEndpointParametersAreTakenFromWhereverTheyStand(t *testing.T) {
	asJSON := func(v url.Values) string {
		object := map[string]string{}
		for name := range v {
			object[name] = v.Get(name)
		}
		content, _ := json.Marshal(object)
		return string(content)
	}
	cases := map[string]func(url.Values) *http.Request{
		"in a form body": tokenRequest,
		"in the query string": func(v url.Values) *http.Request {
			return httptest.NewRequest(http.MethodPost, "https://github.com/login/oauth/access_token?"+v.Encode(), nil)
		},
		"in a JSON body": func(v url.Values) *http.Request {
			r := httptest.NewRequest(http.MethodPost, "https://github.com/login/oauth/access_token", strings.NewReader(asJSON(v)))
			r.Header.Set("Content-Type", "application/json; charset=utf-8")
			return r
		},
		"half in the query string and half in the body": func(v url.Values) *http.Request {
			r := tokenRequest(url.Values{"refresh_token": v["refresh_token"], "client_secret": v["client_secret"]})
			r.URL.RawQuery = url.Values{"client_id": v["client_id"], "grant_type": v["grant_type"]}.Encode()
			return r
		},
	}
	for name, request := range cases {
		t.Run(name, func(t *testing.T) {
			gh := newServer(t)
			seed := gh.Mint(clientID, "octocat")
			r := request(refreshing(seed.RefreshToken))
			r.Header.Set("Accept", "application/json")
			got := send(t, gh, r)
			want(t, "error", got.text("error"), "")
			want(t, "exchanges", gh.ExchangesOf(seed.RefreshToken), 1)
		})
	}
}

func TestTokenEndpointReplyIsEncodedAsAccepted(t *testing.T) {
	token := func(t *testing.T, body string, parse func(string) (string, error)) {
		t.Helper()
		got, err := parse(body)
		if err != nil || !strings.HasPrefix(got, "ghu_") {
			t.Errorf("no access token found in the reply (error %v)", err)
		}
	}
	fromForm := func(body string) (string, error) {
		v, err := url.ParseQuery(body)
		return v.Get("access_token"), err
	}
	fromJSON := func(body string) (string, error) {
		var v struct {
			AccessToken string `json:"access_token"`
		}
		err := json.Unmarshal([]byte(body), &v)
		return v.AccessToken, err
	}
	fromXML := func(body string) (string, error) {
		var v struct {
			XMLName     xml.Name `xml:"OAuth"`
			AccessToken string   `xml:"access_token"`
		}
		err := xml.Unmarshal([]byte(body), &v)
		return v.AccessToken, err
	}
	cases := map[string]struct {
		accept, kind string
		parse        func(string) (string, error)
	}{
		"a form when nothing is asked for":     {"", "application/x-www-form-urlencoded; charset=utf-8", fromForm},
		"a form when anything will do":         {"*/*", "application/x-www-form-urlencoded; charset=utf-8", fromForm},
		"XML when asked for":                   {"application/xml", "application/xml; charset=utf-8", fromXML},
		"JSON when asked for":                  {"application/json", "application/json; charset=utf-8", fromJSON},
		"the first known one of several kinds": {"text/html, application/xml;q=0.9, application/json", "application/xml; charset=utf-8", fromXML},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			gh := newServer(t)
			r := tokenRequest(refreshing(gh.Mint(clientID, "octocat").RefreshToken))
			r.Header.Set("Accept", c.accept)
			got := send(t, gh, r)
			want(t, "Content-Type", got.header.Get("Content-Type"), c.kind)
			token(t, got.body, c.parse)
		})
	}
}

func TestTokenEndpointRefusals(t *testing.T) {
	cases := map[string]struct {
		setUp  func(*Server, Pair, url.Values)
		status int
		error  string
		dead   bool // the refresh token was dead before
	}{
		"a token that was never issued": {
			func(_ *Server, _ Pair, v url.Values) { v.Set("refresh_token", "ghr_never") }, 200, "bad_refresh_token", false,
		},
		"an access token in place of a refresh token": {
			func(_ *Server, p Pair, v url.Values) { v.Set("refresh_token", p.AccessToken) }, 200, "bad_refresh_token", false,
		},
		"a revoked token": {
			func(gh *Server, p Pair, _ url.Values) { gh.Revoke(p.RefreshToken) }, 200, "bad_refresh_token", true,
		},
		"an expired token": {
			func(gh *Server, p Pair, _ url.Values) { gh.Expire(p.RefreshToken) }, 200, "bad_refresh_token", true,
		},
		"the token of another App": {
			func(gh *Server, _ Pair, v url.Values) {
				gh.AddApp(App{ClientID: "Iv23liOther", Secrets: []string{"other"}})
				v.Set("client_id", "Iv23liOther")
				v.Set("client_secret", "other")
			}, 200, "bad_refresh_token", false,
		},
		"a wrong client secret": {
			func(_ *Server, _ Pair, v url.Values) { v.Set("client_secret", "wrong") }, 200, "incorrect_client_credentials", false,
		},
		"no client secret for a token of the web flow": {
			func(_ *Server, _ Pair, v url.Values) { v.Del("client_secret") }, 200, "incorrect_client_credentials", false,
		},
		"a client secret that was rotated out": {
			func(gh *Server, _ Pair, _ url.Values) {
				gh.UpdateApp(clientID, func(a *App) { a.Secrets = []string{"new"} })
			}, 200, "incorrect_client_credentials", false,
		},
		"an unknown client id": {
			func(_ *Server, _ Pair, v url.Values) { v.Set("client_id", "Iv23liNobody") }, 404, "Not Found", false,
		},
		"an unknown client id where GitHub says so": {
			func(gh *Server, _ Pair, v url.Values) {
				gh.Configure(func(o *Options) { o.UnknownClientError = "incorrect_client_credentials" })
				v.Set("client_id", "Iv23liNobody")
			}, 200, "incorrect_client_credentials", false,
		},
		"a grant type that does not exist": {
			func(_ *Server, _ Pair, v url.Values) { v.Set("grant_type", "password") }, 200, "unsupported_grant_type", false,
		},
		"an account without a verified address": {
			func(gh *Server, _ Pair, _ url.Values) {
				gh.UpdateUser("octocat", func(u *User) { u.EmailUnverified = true })
			}, 200, "unverified_user_email", false,
		},
		"a suspended App": {
			func(gh *Server, _ Pair, _ url.Values) { gh.UpdateApp(clientID, func(a *App) { a.Suspended = true }) },
			200, "application_suspended", false,
		},
		"errors with a status of their own": {
			func(gh *Server, _ Pair, v url.Values) {
				gh.Configure(func(o *Options) { o.ErrorStatus = 400 })
				v.Set("client_secret", "wrong")
			}, 400, "incorrect_client_credentials", false,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			gh := newServer(t)
			seed := gh.Mint(clientID, "octocat")
			parameters := refreshing(seed.RefreshToken)
			c.setUp(gh, seed, parameters)
			got := send(t, gh, tokenRequest(parameters))
			want(t, "status", got.status, c.status)
			want(t, "error", got.text("error"), c.error)
			want(t, "access token in the refusal", got.text("access_token"), "")
			want(t, "refresh token still alive", gh.Alive(seed.RefreshToken), !c.dead)
			want(t, "exchanges", len(gh.Exchanges()), 0)
			if c.status != 404 {
				want(t, "described", got.text("error_description") != "", true)
				want(t, "error_uri is absolute", strings.HasPrefix(got.text("error_uri"), "https://docs.github.com/"), true)
			}
		})
	}
}

func TestTokenEndpointErrorURIMayBeRelative(t *testing.T) {
	gh := newServer(t, func(o *Options) { o.RelativeErrorURI = true })
	got := refresh(t, gh, "ghr_never")
	want(t, "error_uri is a path", strings.HasPrefix(got.text("error_uri"), "/apps/"), true)
}

func TestTokenEndpointAppDecidesWhatTheReplyHolds(t *testing.T) {
	t.Run("numbers as strings", func(t *testing.T) {
		gh := newServer(t, func(o *Options) { o.Apps[0].NumbersAsStrings = true })
		got := refresh(t, gh, gh.Mint(clientID, "octocat").RefreshToken)
		want(t, "expires_in", got.text("expires_in"), "28800")
		want(t, "refresh_token_expires_in", got.text("refresh_token_expires_in"), "15897600")
	})
	t.Run("an OAuth App keeps its scope and has gho_ tokens", func(t *testing.T) {
		gh := newServer(t, func(o *Options) { o.Apps[0].Kind, o.Apps[0].Scope = OAuthApp, "repo,gist" })
		got := refresh(t, gh, gh.Mint(clientID, "octocat").RefreshToken)
		want(t, "scope", got.text("scope"), "repo,gist")
		want(t, "prefix", strings.HasPrefix(got.text("access_token"), "gho_"), true)
	})
	t.Run("a lifetime of 30 seconds", func(t *testing.T) {
		gh := newServer(t, func(o *Options) { o.Apps[0].AccessTokenLifetime = 30 * time.Second })
		got := refresh(t, gh, gh.Mint(clientID, "octocat").RefreshToken)
		want(t, "expires_in", got.fields["expires_in"], any(30.0))
	})
	t.Run("expiry switched off leaves the refresh token and the lifetimes out", func(t *testing.T) {
		gh := newServer(t)
		seed := gh.Mint(clientID, "octocat")
		gh.UpdateApp(clientID, func(a *App) { a.NoExpiry = true })
		got := refresh(t, gh, seed.RefreshToken)
		want(t, "has an access token", got.text("access_token") != "", true)
		want(t, "number of fields", len(got.fields), 3)
		want(t, "alive", gh.Alive(got.text("access_token")), true)
	})
	t.Run("tokens of another make", func(t *testing.T) {
		gh := newServer(t, func(o *Options) {
			o.Apps[0].AccessTokenPrefix, o.Apps[0].AccessTokenLength = "ghx_", 200
			o.Apps[0].RefreshTokenPrefix, o.Apps[0].RefreshTokenLength = "", 12
		})
		got := refresh(t, gh, gh.Mint(clientID, "octocat").RefreshToken)
		want(t, "access token's length", len(got.text("access_token")), 204)
	})
	t.Run("several secrets are good at once", func(t *testing.T) {
		gh := newServer(t)
		gh.UpdateApp(clientID, func(a *App) { a.Secrets = append(a.Secrets, "second") })
		seed := gh.Mint(clientID, "octocat")
		parameters := refreshing(seed.RefreshToken)
		parameters.Set("client_secret", "second")
		want(t, "error with the second", send(t, gh, tokenRequest(parameters)).text("error"), "")
		next, _ := gh.Successor(seed.RefreshToken)
		want(t, "error with the first", refresh(t, gh, next.RefreshToken).text("error"), "")
	})
}

func TestTokenEndpointChainOfTheDeviceFlowNeedsNoClientSecret(t *testing.T) {
	gh := newServer(t)
	token := gh.MintFromDevice(clientID, "octocat").RefreshToken
	for range 2 {
		parameters := refreshing(token)
		parameters.Del("client_secret")
		got := send(t, gh, tokenRequest(parameters))
		want(t, "error", got.text("error"), "")
		token = got.text("refresh_token")
	}
	wrong := refreshing(token)
	wrong.Set("client_secret", "wrong")
	want(t, "error with a wrong secret", send(t, gh, tokenRequest(wrong)).text("error"), "incorrect_client_credentials")
	want(t, "violations", len(gh.Violations()), 0)
}

func TestTokenEndpointOfTenConcurrentExchangesOneWins(t *testing.T) {
	gh := newServer(t)
	seed := gh.Mint(clientID, "octocat")
	answers := make([]answer, 10)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() { answers[i] = refresh(t, gh, seed.RefreshToken) })
	}
	group.Wait()
	winners := 0
	for _, a := range answers {
		if a.text("error") == "" {
			winners++
			want(t, "winner's access token alive", gh.Alive(a.text("access_token")), true)
			want(t, "winner's refresh token alive", gh.Alive(a.text("refresh_token")), true)
		} else {
			want(t, "loser's error", a.text("error"), "bad_refresh_token")
		}
	}
	want(t, "winners", winners, 1)
	want(t, "presentations", len(gh.PresentationsOf(seed.RefreshToken)), 10)
	want(t, "double spends", len(gh.DoubleSpends()), 9)
}

func TestTokenLimitOfTenForAUserAndApp(t *testing.T) {
	gh := newServer(t)
	var pairs []Pair
	for range 12 {
		pairs = append(pairs, gh.Mint(clientID, "octocat"))
	}
	other := gh.Mint(clientID, "hubot")
	for i, p := range pairs {
		want(t, fmt.Sprintf("access token %d alive", i), gh.Alive(p.AccessToken), i >= 2)
		want(t, fmt.Sprintf("refresh token %d alive", i), gh.Alive(p.RefreshToken), i >= 2)
	}
	state, _ := gh.StateOf(pairs[0].RefreshToken)
	want(t, "cause", state.Cause, Evicted)
	want(t, "another user's token alive", gh.Alive(other.AccessToken), true)
	refresh(t, gh, pairs[2].RefreshToken)
	want(t, "an exchange costs no other chain its token", gh.Alive(pairs[3].AccessToken), true)

	unlimited := newServer(t, func(o *Options) { o.Apps[0].MaxTokens = -1 })
	first := unlimited.Mint(clientID, "octocat")
	for range 50 {
		unlimited.Mint(clientID, "octocat")
	}
	want(t, "first of 51 without a limit alive", unlimited.Alive(first.AccessToken), true)
}

func TestTokenEndpointTokensDieWhenTheirTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gh := newServer(t)
		seed := gh.Mint(clientID, "octocat")
		issued := time.Now()
		time.Sleep(DefaultAccessTokenLifetime - time.Nanosecond)
		want(t, "access token alive before its end", gh.Alive(seed.AccessToken), true)
		time.Sleep(time.Nanosecond)
		want(t, "access token alive at its end", gh.Alive(seed.AccessToken), false)
		diedAt, dead := gh.DiedAt(seed.AccessToken)
		want(t, "dead", dead, true)
		want(t, "died at its end", diedAt.Equal(issued.Add(DefaultAccessTokenLifetime)), true)
		want(t, "refresh token alive", gh.Alive(seed.RefreshToken), true)
		got := refresh(t, gh, seed.RefreshToken)
		want(t, "exchange after the access token's end", got.text("error"), "")
		diedAt, _ = gh.DiedAt(seed.AccessToken)
		want(t, "time of death stays", diedAt.Equal(issued.Add(DefaultAccessTokenLifetime)), true)
		time.Sleep(DefaultRefreshTokenLifetime)
		want(t, "error half a year later", refresh(t, gh, got.text("refresh_token")).text("error"), "bad_refresh_token")
	})
}

func TestTokenEndpointOverTheRateLimitTheTokenIsUntouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gh := newServer(t, func(o *Options) { o.Apps[0].RateLimit = RateLimit{Limit: 2} })
		seed := gh.Mint(clientID, "octocat")
		want(t, "left after the first", refresh(t, gh, "ghr_never").header.Get("X-Ratelimit-Remaining"), "1")
		want(t, "left after the second", refresh(t, gh, "ghr_never").header.Get("X-Ratelimit-Remaining"), "0")
		time.Sleep(20 * time.Minute)
		got := refresh(t, gh, seed.RefreshToken)
		want(t, "status", got.status, 403)
		want(t, "Retry-After", got.header.Get("Retry-After"), "2400")
		want(t, "remaining", got.header.Get("X-Ratelimit-Remaining"), "0")
		want(t, "reset", got.header.Get("X-Ratelimit-Reset"), fmt.Sprint(time.Now().Add(40*time.Minute).Unix()))
		want(t, "alive", gh.Alive(seed.RefreshToken), true)
		want(t, "outcome", gh.PresentationsOf(seed.RefreshToken)[0].Outcome, RateLimitExceeded)

		gh.UpdateApp(clientID, func(a *App) { a.RateLimit.Status, a.RateLimit.NoRetryAfter, a.RateLimit.NoReset = 429, true, true })
		got = refresh(t, gh, seed.RefreshToken)
		want(t, "status", got.status, 429)
		want(t, "Retry-After", got.header.Get("Retry-After"), "")
		want(t, "reset", got.header.Get("X-Ratelimit-Reset"), "")

		time.Sleep(40 * time.Minute)
		want(t, "error in the next window", refresh(t, gh, seed.RefreshToken).text("error"), "")
	})
}

func TestTokenEndpointStrictServerHoldsItAgainstTheClient(t *testing.T) {
	cases := map[string]struct {
		change func(*http.Request)
		rule   Rule
	}{
		"HTTP Basic":         {func(r *http.Request) { r.SetBasicAuth(clientID, clientSecret) }, BasicAuth},
		"an Idempotency-Key": {func(r *http.Request) { r.Header.Set("Idempotency-Key", "1") }, UnexpectedHeader},
		"a bearer token":     {func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, UnexpectedHeader},
		"a body of no kind":  {func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, WrongContentType},
		"a token in the URL": {func(r *http.Request) { r.URL.RawQuery = "refresh_token=ghr_never" }, SecretInURL},
		"a parameter twice":  {func(r *http.Request) { r.URL.RawQuery = "grant_type=refresh_token" }, RepeatedParameter},
		"no client secret": {func(r *http.Request) {
			*r = *tokenRequest(url.Values{"grant_type": {"refresh_token"}, "client_id": {clientID}, "refresh_token": {"ghr_never"}})
		}, MissingClientSecret},
		"nothing, if all well": {func(*http.Request) {}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			gh := newServer(t)
			r := tokenRequest(refreshing("ghr_never"))
			c.change(r)
			send(t, gh, r)
			found := c.rule == "" && len(gh.Violations()) == 0
			for _, v := range gh.Violations() {
				found = found || v.Rule == c.rule
			}
			want(t, "violation noted", found, true)
		})
	}
}

func TestTokenEndpointBodyThatIsNotWhatItClaimsToBeIsRefused(t *testing.T) {
	gh := newServer(t)
	for kind, body := range map[string]string{
		"application/json":                  `{"grant_type":`,
		"application/x-www-form-urlencoded": `%zz`,
	} {
		r := httptest.NewRequest(http.MethodPost, "https://github.com/login/oauth/access_token", strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		want(t, kind, send(t, gh, r).status, 400)
	}
}

func TestTokenEndpointOtherMethodsAndMissingHosts(t *testing.T) {
	gh := newServer(t)
	get := httptest.NewRequest(http.MethodGet, "https://github.com/login/oauth/access_token?refresh_token=x", nil)
	want(t, "GET", send(t, gh, get).status, 405)
	nowhere := tokenRequest(refreshing("ghr_never"))
	nowhere.Host = ""
	want(t, "no Host", send(t, gh, nowhere).status, 400)
}

func TestTokenEndpointSameRandomSourceMakesTheSameTokens(t *testing.T) {
	mint := func() Pair {
		return newServer(t, func(o *Options) { o.Random = rand.NewChaCha8([32]byte{1}) }).Mint(clientID, "octocat")
	}
	first, second := mint(), mint()
	want(t, "same refresh token", first.RefreshToken == second.RefreshToken, true)
	want(t, "same access token", first.AccessToken == second.AccessToken, true)
}

func TestTokenEndpointPairPrintsNoToken(t *testing.T) {
	pair := newServer(t).Mint(clientID, "octocat")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		text := fmt.Sprintf(verb, pair) + fmt.Sprintf(verb, &pair) + fmt.Sprintf(verb, []Pair{pair})
		if strings.Contains(text, pair.AccessToken) || strings.Contains(text, pair.RefreshToken) {
			t.Errorf("%s prints a token", verb)
		}
	}
	want(t, "names it", strings.Contains(fmt.Sprint(pair), Fingerprint(pair.RefreshToken)), true)
}

func BenchmarkExchange(b *testing.B) {
	gh := New(Options{Apps: []App{{ClientID: clientID, Secrets: []string{clientSecret}}}})
	token := gh.Mint(clientID, "octocat").RefreshToken
	for b.Loop() {
		recorder := httptest.NewRecorder()
		gh.ServeHTTP(recorder, tokenRequest(refreshing(token)))
		next, _ := gh.Successor(token)
		token = next.RefreshToken
	}
}

func BenchmarkExchangeThroughTheRoundTripper(b *testing.B) {
	gh := New(Options{Apps: []App{{ClientID: clientID, Secrets: []string{clientSecret}}}})
	client := &http.Client{Transport: gh.RoundTripper()}
	token := gh.Mint(clientID, "octocat").RefreshToken
	for b.Loop() {
		response, err := overHTTP(client, "https://github.com", token)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		next, _ := gh.Successor(token)
		token = next.RefreshToken
	}
}
