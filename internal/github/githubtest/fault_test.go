package githubtest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestFaultBeforeTheCommitLeavesTheTokenAlone(t *testing.T) {
	reset := time.Now().Add(time.Hour)
	cases := map[string]struct {
		fault  Fault
		status int
		body   string // its beginning
		header string
		value  string
	}{
		"502 with a page":        {BadGateway(), 502, "<!DOCTYPE html>", "Content-Type", "text/html; charset=utf-8"},
		"503 with a page":        {Unavailable(), 503, "<!DOCTYPE html>", "", ""},
		"a page with 200":        {HTMLPage(200), 200, "<!DOCTYPE html>", "", ""},
		"Server Error":           {ServerError(), 500, "Server Error", "", ""},
		"nothing":                {EmptyBody(), 200, "", "Content-Length", "0"},
		"a body that isn't JSON": {NotJSON(), 200, "access_token:", "Content-Type", "application/json; charset=utf-8"},
		"301":                    {Redirect(301, "https://evil.example"), 301, "", "Location", "https://evil.example"},
		"308":                    {Redirect(308, "https://evil.example"), 308, "", "Location", "https://evil.example"},
		"an OAuth error":         {OAuthError("invalid_grant"), 200, `{"error":"invalid_grant"`, "", ""},
		"429 with Retry-After":   {RateLimited(429, 30*time.Second, time.Time{}), 429, `{"message":"API rate`, "Retry-After", "30"},
		"403 with a reset":       {RateLimited(403, 0, reset), 403, `{"message":"API rate`, "X-Ratelimit-Remaining", "0"},
		"a secondary rate limit": {SecondaryRateLimit(0), 403, `{"message":"You have exceeded a secondary`, "Retry-After", ""},
		"an error of the API":    {RESTError(404, "Not Found"), 404, `{"documentation_url":"https://docs.github.com/rest","message":"Not Found","status":"404"}`, "Content-Type", "application/json; charset=utf-8"},
		"anything else":          {Respond(418, "text/plain", "teapot").WithHeader("X-A", "b"), 418, "teapot", "X-A", "b"},
		"10 MB of nonsense":      {HugeBody(10 << 20).BeforeCommit(), 502, "xxxxxxxxxx", "Content-Length", "10485760"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			gh := newServer(t)
			seed := gh.Mint(clientID, "octocat")
			injection := gh.Inject(c.fault)
			got := refresh(t, gh, seed.RefreshToken)
			want(t, "status", got.status, c.status)
			want(t, "body begins as expected", strings.HasPrefix(got.body, c.body), true)
			want(t, c.header, got.header.Get(c.header), c.value)
			want(t, "alive", gh.Alive(seed.RefreshToken), true)
			want(t, "hits", injection.Hits(), 1)
			want(t, "outcome", gh.PresentationsOf(seed.RefreshToken)[0].Outcome, NotProcessed)
			want(t, "error of the next refresh", refresh(t, gh, seed.RefreshToken).text("error"), "")
			want(t, "double spends", len(gh.DoubleSpends()), 0)
		})
	}
}

func TestFaultAfterTheCommitCostsTheReply(t *testing.T) {
	for name, fault := range map[string]Fault{
		"502":          BadGateway().AfterCommit(),
		"Server Error": ServerError().AfterCommit(),
		"nothing":      EmptyBody().AfterCommit(),
		"a redirect":   Redirect(307, "https://evil.example").AfterCommit(),
	} {
		t.Run(name, func(t *testing.T) {
			gh := newServer(t)
			seed := gh.Mint(clientID, "octocat")
			gh.Inject(fault)
			got := refresh(t, gh, seed.RefreshToken)
			want(t, "access token in the reply", got.text("access_token"), "")
			want(t, "exchanges", gh.ExchangesOf(seed.RefreshToken), 1)
			next, found := gh.Successor(seed.RefreshToken)
			want(t, "successor known", found, true)
			want(t, "successor alive", gh.Alive(next.RefreshToken), true)
			want(t, "error of the next try", refresh(t, gh, seed.RefreshToken).text("error"), "bad_refresh_token")
			want(t, "double spends", len(gh.DoubleSpends()), 1)
		})
	}
}

func TestFaultsThatShapeTheReply(t *testing.T) {
	cases := map[string]struct {
		fault Fault
		check func(*testing.T, answer)
	}{
		"a field is missing": {WithoutFields("expires_in", "refresh_token"), func(t *testing.T, a answer) {
			_, has := a.fields["refresh_token"]
			want(t, "has a refresh token", has, false)
			want(t, "has an access token", a.text("access_token") != "", true)
		}},
		"a field has another value": {WithField("expires_in", 60), func(t *testing.T, a answer) {
			want(t, "expires_in", a.fields["expires_in"], any(60.0))
		}},
		"a field is unknown": {WithField("colour", "blue"), func(t *testing.T, a answer) {
			want(t, "colour", a.text("colour"), "blue")
		}},
		"the body is huge but valid": {HugeBody(10 << 20), func(t *testing.T, a answer) {
			want(t, "long", len(a.body) > 10<<20, true)
			want(t, "has an access token", a.text("access_token") != "", true)
		}},
		"the content type is wrong": {ContentType("text/html"), func(t *testing.T, a answer) {
			want(t, "Content-Type", a.header.Get("Content-Type"), "text/html")
			want(t, "valid", json.Valid([]byte(a.body)), true)
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			gh := newServer(t)
			seed := gh.Mint(clientID, "octocat")
			gh.Inject(c.fault)
			c.check(t, refresh(t, gh, seed.RefreshToken))
			want(t, "exchanges", gh.ExchangesOf(seed.RefreshToken), 1)
		})
	}
}

func TestFaultHitsWhatItIsMeantForOnly(t *testing.T) {
	gh := newServer(t)
	gh.AddApp(App{ClientID: "Iv23liOther", Secrets: []string{"other"}})
	one, two := gh.Mint(clientID, "octocat"), gh.Mint(clientID, "hubot")

	byToken := gh.Inject(BadGateway().ForRefreshToken(two.RefreshToken).Times(2))
	want(t, "another token", refresh(t, gh, one.RefreshToken).status, 200)
	want(t, "its token", refresh(t, gh, two.RefreshToken).status, 502)
	want(t, "its token again", refresh(t, gh, two.RefreshToken).status, 502)
	want(t, "once it is used up", refresh(t, gh, two.RefreshToken).status, 200)
	want(t, "hits", byToken.Hits(), 2)

	byPrefix := gh.Inject(BadGateway().ForFingerprint(Fingerprint("ghr_x")[:8]))
	want(t, "a token of that fingerprint", refresh(t, gh, "ghr_x").status, 502)
	want(t, "hits", byPrefix.Hits(), 1)

	gh.Inject(BadGateway().ForApp("Iv23liOther"))
	want(t, "another App", refresh(t, gh, "ghr_x").status, 200)
	gh.ClearFaults()

	forEver := gh.Inject(Unavailable().Always())
	for range 20 {
		want(t, "for ever", refresh(t, gh, "ghr_x").status, 503)
	}
	want(t, "another endpoint", deviceCode(t, gh).status, 200)
	forEver.Remove()
	want(t, "removed", refresh(t, gh, "ghr_x").status, 200)

	gh.Inject(Unavailable().At(UserEndpoint))
	want(t, "token endpoint", refresh(t, gh, "ghr_x").status, 200)
	want(t, "GET /user", getUser(t, gh, "ghu_x").status, 503)
	gh.Inject(Unavailable().At(AnyEndpoint).Times(2))
	want(t, "any endpoint", refresh(t, gh, "ghr_x").status, 503)
	want(t, "any endpoint", deviceCode(t, gh).status, 503)
	gh.Inject(Unavailable().At(DeleteTokenEndpoint).ForApp(clientID))
	want(t, "an App named in the path", appCall(t, gh, http.MethodDelete, "/token", "ghu_x").status, 503)
}

func TestFaultChosenByAFunction(t *testing.T) {
	gh := newServer(t, func(o *Options) {
		o.ChooseFault = func(p Presentation) *Fault {
			if p.N%2 == 0 {
				return nil
			}
			fault := BadGateway()
			return &fault
		}
	})
	want(t, "first", refresh(t, gh, "ghr_x").status, 502)
	want(t, "second", refresh(t, gh, "ghr_x").status, 200)
	want(t, "third", refresh(t, gh, "ghr_x").status, 502)
	want(t, "label", gh.Presentations()[2].Fault, "502 before commit")
}

func TestFaultRequestIsHeldBeforeTheCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gh := newServer(t)
		seed := gh.Mint(clientID, "octocat")
		hold := gh.Inject(Hold())
		done := make(chan error, 1)
		go func() {
			response, err := overHTTP(inProcess(gh), "https://github.com", seed.RefreshToken)
			if err == nil {
				response.Body.Close()
			}
			done <- err
		}()
		<-hold.Arrived()
		synctest.Wait()
		want(t, "alive while held", gh.Alive(seed.RefreshToken), true)
		hold.Release()
		want(t, "error", <-done, nil)
		want(t, "exchanges", gh.ExchangesOf(seed.RefreshToken), 1)
	})
}

func TestFaultReplyIsHeldAfterTheCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gh := newServer(t)
		seed := gh.Mint(clientID, "octocat")
		gh.Inject(Delay(10 * time.Second).AfterCommit())
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		r := tokenRequest(refreshing(seed.RefreshToken)).WithContext(ctx)
		want(t, "timed out", errors.Is(failure(inProcess(gh), r), context.DeadlineExceeded), true)
		want(t, "exchanges", gh.ExchangesOf(seed.RefreshToken), 1)
		synctest.Wait()
	})
}

func TestFaultClientThatLeavesTakesItsHeldRequestWithIt(t *testing.T) {
	for name, c := range map[string]struct {
		fault     Fault
		exchanges int
	}{
		"as a rule":          {Delay(10 * time.Second), 0},
		"unless told not to": {Delay(10 * time.Second).WhetherOrNotTheClientWaits(), 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gh := newServer(t)
				seed := gh.Mint(clientID, "octocat")
				gh.Inject(c.fault)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				r := tokenRequest(refreshing(seed.RefreshToken)).WithContext(ctx)
				want(t, "timed out", errors.Is(failure(inProcess(gh), r), context.DeadlineExceeded), true)
				time.Sleep(time.Minute)
				want(t, "exchanges", gh.ExchangesOf(seed.RefreshToken), c.exchanges)
			})
		})
	}
}

func TestFaultTokenSpentWhileAnotherRequestWithItWasHeldIsADoubleSpend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gh := newServer(t)
		seed := gh.Mint(clientID, "octocat")
		hold := gh.Inject(Hold())
		done := make(chan answer, 1)
		go func() { done <- refresh(t, gh, seed.RefreshToken) }()
		<-hold.Arrived()
		want(t, "error of the second", refresh(t, gh, seed.RefreshToken).text("error"), "")
		hold.Release()
		want(t, "error of the first", (<-done).text("error"), "bad_refresh_token")
		want(t, "double spends", len(gh.DoubleSpends()), 1)
		want(t, "which one", gh.DoubleSpends()[0].N, 1)
	})
}

func TestFaultCloseReleasesWhatIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gh := newServer(t)
		hold := gh.Inject(Hold())
		done := make(chan struct{})
		go func() {
			defer close(done)
			refresh(t, gh, "ghr_x")
		}()
		<-hold.Arrived()
		gh.Close()
		<-done
		want(t, "outcome", gh.Presentations()[0].Outcome, RefusedToken)
	})
}

func TestFaultHooksRunBetweenTheCommitAndTheReply(t *testing.T) {
	var calls []string
	gh := newServer(t)
	seed := gh.Mint(clientID, "octocat")
	gh.Configure(func(o *Options) {
		o.OnPresentation = func(p Presentation) { calls = append(calls, "presented "+string(p.Outcome)) }
		o.OnExchange = func(p Presentation) {
			calls = append(calls, "exchanged")
			want(t, "dead by now", gh.Alive(seed.RefreshToken), false) // no lock is held
			want(t, "new token's fingerprint", p.NewRefresh != "", true)
		}
	})
	refresh(t, gh, seed.RefreshToken)
	refresh(t, gh, seed.RefreshToken)
	gh.Inject(BadGateway())
	refresh(t, gh, seed.RefreshToken)
	want(t, "calls", slices.Equal(calls, []string{
		"presented exchanged", "exchanged", "presented bad_refresh_token", "presented not_processed",
	}), true)
}

// brokenConnections are the faults that a client sees as an error of its own.
func brokenConnections() map[string]struct {
	fault     Fault
	exchanges int
	inBody    bool
} {
	return map[string]struct {
		fault     Fault
		exchanges int
		inBody    bool
	}{
		"reset before the commit":  {ResetConnection(), 0, false},
		"reset after the commit":   {ResetConnection().AfterCommit(), 1, false},
		"closed before the commit": {CloseConnection(), 0, false},
		"the reply is dropped":     {DropReply(), 1, false},
		"the body is cut":          {CutBody(20), 1, true},
		"the body lacks its end":   {CutBody(-1), 1, true},
		"cut before the commit":    {CutBody(5).BeforeCommit(), 0, true},
	}
}

func checkBroken(t *testing.T, gh *Server, client *http.Client, base string) {
	t.Helper()
	for name, c := range brokenConnections() {
		t.Run(name, func(t *testing.T) {
			seed := gh.Mint(clientID, "octocat")
			gh.Inject(c.fault)
			response, err := overHTTP(client, base, seed.RefreshToken)
			if err == nil {
				_, err = io.ReadAll(response.Body)
				response.Body.Close()
				want(t, "broke in the body", c.inBody, true)
			}
			want(t, "failed", err != nil, true)
			if c.inBody && response.ProtoMajor == 1 { // HTTP/2 has an error of its own for a stream that breaks
				want(t, "unexpected end", errors.Is(err, io.ErrUnexpectedEOF), true)
			}
			want(t, "exchanges", gh.ExchangesOf(seed.RefreshToken), c.exchanges)
			want(t, "presentations", len(gh.PresentationsOf(seed.RefreshToken)), 1)
		})
	}
}

func TestFaultConnectionsBreakInProcess(t *testing.T) {
	gh := newServer(t)
	checkBroken(t, gh, inProcess(gh), "https://github.com")
	gh.Inject(ResetConnection())
	err := failure(inProcess(gh), refreshRequest("https://github.com", "ghr_x"))
	want(t, "is a reset", errors.Is(err, syscall.ECONNRESET), true)
}

func TestFaultSlowBodyTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gh := newServer(t)
		seed := gh.Mint(clientID, "octocat")
		gh.Inject(SlowBody(time.Second))
		begin := time.Now()
		response, err := overHTTP(inProcess(gh), "https://github.com", seed.RefreshToken)
		if err != nil {
			t.Fatalf("refresh: %v", err)
		}
		want(t, "seconds until the header", time.Since(begin), 0)
		content := body(t, response)
		want(t, "seconds for the body", time.Since(begin), time.Duration(len(content)-1)*time.Second)
		want(t, "valid", json.Valid([]byte(content)), true)

		next, _ := gh.Successor(seed.RefreshToken)
		gh.Inject(SlowBody(time.Second))
		response, err = overHTTP(inProcess(gh), "https://github.com", next.RefreshToken)
		if err != nil {
			t.Fatalf("refresh: %v", err)
		}
		response.Body.Close() // the handler must not go on for ever: synctest would find it
	})
}
