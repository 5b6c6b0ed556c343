package restlimit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
)

var (
	errInvalid = &github.Error{Reason: github.TokenInvalid, Status: 401}
	errSecret  = &github.Error{Reason: github.IncorrectClientCredentials, Status: 401}
)

// gitHub knows good tokens and secrets, and counts the bad ones.
type gitHub struct {
	good map[string]bool
	bad  int
	all  int
	// err is what it answers to everything.
	err error
}

func (g *gitHub) takes(credential string, refusal error) error {
	g.all++
	switch {
	case g.err != nil:
		return g.err
	case !g.good[credential]:
		g.bad++
		return refusal
	}
	return nil
}

func (g *gitHub) CheckToken(_ context.Context, app github.App, token credential.AccessToken) (github.Check, error) {
	if !app.ClientSecret.IsZero() {
		return github.Check{Alive: g.good[token.Reveal()]}, g.takes(app.ClientSecret.Reveal(), errSecret)
	}
	err := g.takes(token.Reveal(), errInvalid)
	if isReason(err, github.TokenInvalid) {
		return github.Check{}, nil
	}
	return github.Check{Alive: err == nil}, err
}

func (g *gitHub) User(_ context.Context, _ string, token credential.AccessToken) (github.User, error) {
	return github.User{Login: "octocat", ID: 1}, g.takes(token.Reveal(), errInvalid)
}

func (g *gitHub) RevokeToken(_ context.Context, app github.App, token credential.AccessToken) error {
	if err := g.takes(app.ClientSecret.Reveal(), errSecret); err != nil || g.good[token.Reveal()] {
		return err
	}
	return &github.Error{Reason: github.TokenInvalid, Status: 404}
}

func (*gitHub) CheckHost(string) error { return nil }

// world is a Client with a real limiter in front of that GitHub.
type world struct {
	*Client
	gh     *gitHub
	memory *memory.Store
	woken  chan string
}

func newWorld() *world {
	w := &world{gh: &gitHub{good: map[string]bool{}}, memory: memory.NewStore(), woken: make(chan string, 1<<16)}
	limiter := ratelimit.New(ratelimit.Options{PerHour: PerHour, Wake: func(id string) { w.woken <- id }})
	w.Client = New(Options{GitHub: w.gh, Limiter: limiter, Memory: w.memory})
	return w
}

// caller is the n-th resource of a namespace.
func (w *world) caller(namespace string, n int) Caller {
	who := Caller{UID: types.UID(fmt.Sprintf("%s/%d", namespace, n)), Namespace: namespace}
	w.memory.Learn(who.UID, types.NamespacedName{Namespace: namespace, Name: fmt.Sprint(n)})
	return who
}

// asked asks whose a token is, and reports whether there was a turn.
func (w *world) asked(who Caller, token string) bool {
	_, err := w.User(context.Background(), who, "github.com", credential.NewAccessToken(token))
	_, waits := errors.AsType[*WaitingError](err)
	return !waits
}

// flood has a namespace ask about made-up tokens for a time, as fast as it may; each is another one.
func (w *world) flood(namespace string, resources int, d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(5 * time.Second) {
		for n := range resources {
			w.asked(w.caller(namespace, n), fmt.Sprint("forged ", n, time.Now().UnixNano()))
		}
	}
}

// This is what a tenant does who forges pairs: the number of bad credentials that GitHub sees from our address is bounded.
func TestRESTLimitForgedTokensShareASmallOneOfTheHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.flood("hostile", 100, time.Hour)
		if w.gh.bad > PerHour || w.gh.bad < PerHour-20 {
			t.Errorf("GitHub has seen %d bad credentials in an hour, want %d at most", w.gh.bad, PerHour)
		}
	})
}

func TestRESTLimitHostHasOneHoweverItIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		who := w.caller("hostile", 1)
		ask := func(host string) error {
			_, err := w.User(t.Context(), who, host, credential.NewAccessToken("forged"))
			return err
		}
		for range PerHour {
			_ = ask("github.com")
		}
		before := w.gh.bad
		for _, host := range []string{"github.com:443", "github.com/api/v3", "GitHub.com"} {
			waiting, waits := errors.AsType[*WaitingError](ask(host))
			if !waits || waiting.Host != "github.com" || w.gh.bad != before {
				t.Errorf("%s has turns of its own", host)
			}
			if _, waits := w.Waits(host, who.UID); !waits {
				t.Errorf("who waits for %s is not known to", host)
			}
		}
	})
}

func TestRESTLimitMadeUpClientSecretsShareItToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		for n := range 5000 {
			who := w.caller("hostile", n%500)
			app := github.App{Host: "github.com", ClientID: "Iv23li", ClientSecret: credential.NewClientSecret(fmt.Sprint("secret ", n))}
			if n%2 == 0 {
				_, _ = w.CheckToken(t.Context(), who, app, credential.NewAccessToken("any"))
			} else {
				_ = w.RevokeToken(t.Context(), who, app, credential.NewAccessToken("any"))
			}
			time.Sleep(time.Second / 2)
		}
		if w.gh.bad > PerHour {
			t.Errorf("GitHub has seen %d bad credentials in 42 minutes, want %d at most", w.gh.bad, PerHour)
		}
	})
}

// Nothing that others do may hold up a token that GitHub has just issued.
func TestRESTLimitReceivedTokenNeedsNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.flood("hostile", 100, 10*time.Minute)
		who := w.caller("victim", 1)
		w.Received(who.UID, github.App{}, credential.NewAccessToken("new").Fingerprint())
		for range maxRefusals - 1 { // GitHub does not know it for a moment.
			if !w.asked(who, "new") {
				t.Fatal("a token that was received waits for a turn")
			}
		}
		w.gh.good["new"] = true
		if !w.asked(who, "new") {
			t.Fatal("a token that was received waits for a turn")
		}
		if left := w.doubts[place{"victim", "github.com"}].Tokens(); left < doubtsAtOnce {
			t.Errorf("the refusals of a good token have cost the namespace %g of its refusals", doubtsAtOnce-left)
		}
	})
}

// GitHub has issued a token for a client secret only if it has taken that.
func TestRESTLimitClientSecretForWhichATokenWasIssuedNeedsNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.flood("hostile", 100, 10*time.Minute)
		who := w.caller("victim", 1)
		app := github.App{Host: "github.com", ClientID: "Iv23li", ClientSecret: credential.NewClientSecret("issued for")}
		w.Received(who.UID, app, credential.NewAccessToken("new").Fingerprint())
		waits := func() bool {
			_, err := w.CheckToken(t.Context(), who, app, credential.NewAccessToken("new"))
			_, waits := errors.AsType[*WaitingError](err)
			return waits
		}
		for range maxRefusals {
			if waits() {
				t.Fatal("the client secret for which a token was issued waits for a turn")
			}
		}
		for n := range 100 {
			app.ClientSecret = credential.NewClientSecret(fmt.Sprint("changed since ", n))
			if waits() {
				return
			}
		}
		t.Error("no other client secret has to wait")
	})
}

// After a restart no token is trusted, and each is tried once.
func TestRESTLimitGoodTokensAreProvenAsFastAsGitHubAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		for n := range 1000 {
			w.gh.good[fmt.Sprint("good ", n)] = true
		}
		w.flood("hostile", 100, 10*time.Minute) // Its part of what there is at once is used up.
		for n := range 1000 {
			if !w.asked(w.caller("victim", n), fmt.Sprint("good ", n)) {
				t.Fatalf("the good token %d waits for a turn", n)
			}
			time.Sleep(100 * time.Millisecond)
		}
		for n := range 1000 { // They are trusted now.
			if !w.asked(w.caller("victim", n), fmt.Sprint("good ", n)) {
				t.Fatalf("the good token %d waits for a turn", n)
			}
		}
	})
}

func TestRESTLimitNamespacesTakeTurnsWithTokensThatAreNotTrusted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.flood("hostile", 100, 30*time.Minute)
		victim := w.caller("victim", 1)
		for n := range 10 { // Each of them is bad, too.
			began := time.Now()
			for !w.asked(victim, fmt.Sprint("bad ", n)) {
				w.flood("hostile", 100, PollEvery)
			}
			if took := time.Since(began); took > 5*time.Minute {
				t.Errorf("request %d had its turn after %s", n, took)
			}
		}
	})
}

// A token that works once could otherwise be used to have any number of bad ones sent.
func TestRESTLimitTrustIsOfOneCredentialAndEndsWhenItIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.flood("hostile", 100, 10*time.Minute)
		before := w.gh.bad
		w.gh.good["good"] = true
		who := w.caller("hostile", 0)
		w.Received(who.UID, github.App{}, credential.NewAccessToken("good").Fingerprint())
		if w.asked(who, "another"); w.gh.bad != before {
			t.Error("another token of the same resource needs no turn")
		}
		w.gh.good["good"] = false
		for range 20 {
			w.asked(who, "good")
		}
		if refusals := w.gh.bad - before; refusals > maxRefusals {
			t.Errorf("a token that GitHub refuses was sent %d times, want %d at most", refusals, maxRefusals)
		}
	})
}

// Pairs that a tenant gets and ends at once are received each time.
func TestRESTLimitNamespaceHasOnlySoManyRefusalsOfTrustedTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		for n := range 2000 {
			who := w.caller("hostile", n%500)
			token := fmt.Sprint("ended ", n)
			w.Received(who.UID, github.App{}, credential.NewAccessToken(token).Fingerprint())
			for range maxRefusals {
				w.asked(who, token)
			}
			time.Sleep(time.Hour / 2000)
		}
		if most := doubtsAtOnce + doubtsPerHour + PerHour; w.gh.bad > most {
			t.Errorf("GitHub has seen %d bad credentials in an hour, want %d at most", w.gh.bad, most)
		}
		w.gh.good["new"] = true
		victim := w.caller("victim", 1)
		w.Received(victim.UID, github.App{}, credential.NewAccessToken("new").Fingerprint())
		if !w.asked(victim, "new") {
			t.Error("another namespace waits for it")
		}
	})
}

func TestRESTLimitHostRestsForAllThatIsNotTrustedWhenGitHubCountsTooMany(t *testing.T) {
	for name, c := range map[string]struct {
		err  *github.Error
		rest time.Duration
	}{
		"too many bad credentials":          {&github.Error{Reason: github.LoginAttemptsExceeded, Status: 403}, leastPause},
		"a limit of the address":            {&github.Error{Reason: github.RateLimited, Status: 403, RetryAfter: 10 * time.Minute}, 10 * time.Minute},
		"one that would last for ever":      {&github.Error{Reason: github.RateLimited, Status: 403, RetryAfter: 24 * time.Hour}, mostPause},
		"that of a token that GitHub knows": {&github.Error{Reason: github.RateLimited, Status: 403, RetryAfter: 10 * time.Minute, KnowsCredential: true}, 0},
		"an outage":                         {&github.Error{Reason: github.ServerError, Status: 502}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				trusted, other := w.caller("victim", 1), w.caller("victim", 2)
				w.Received(trusted.UID, github.App{}, credential.NewAccessToken("new").Fingerprint())
				w.gh.good["new"], w.gh.good["stored"] = true, true
				w.gh.err = c.err
				w.asked(w.caller("hostile", 1), "forged")
				w.gh.err = nil
				if !w.asked(trusted, "new") {
					t.Error("a trusted token waits")
				}
				began := time.Now()
				for !w.asked(other, "stored") {
					time.Sleep(time.Second)
				}
				if took := time.Since(began); took < c.rest || took > c.rest+2*time.Second {
					t.Errorf("what is not trusted has rested for %s, want %s", took, c.rest)
				}
			})
		})
	}
}

// Who has a credential that works can use up what GitHub allows for it, and must not have others wait for that.
func TestRESTLimitOfATrustedTokenRestsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		hostile := w.caller("hostile", 1)
		w.Received(hostile.UID, github.App{}, credential.NewAccessToken("busy").Fingerprint())
		w.gh.err = &github.Error{Reason: github.RateLimited, Status: 429, RetryAfter: time.Hour}
		w.asked(hostile, "busy")
		w.gh.err, w.gh.good["stored"] = nil, true
		if !w.asked(w.caller("victim", 1), "stored") {
			t.Error("another namespace waits")
		}
		w.gh.err = &github.Error{Reason: github.LoginAttemptsExceeded, Status: 403}
		w.asked(hostile, "busy")
		w.gh.err = nil
		if w.asked(w.caller("victim", 2), "stored") {
			t.Error("GitHub refuses everything, and is asked all the same")
		}
	})
}

func TestRESTLimitWhoWaitsIsWokenForItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		who := w.caller("a", 0)
		for n := 0; w.asked(who, fmt.Sprint("forged ", n)); n++ { // until there is no turn
		}
		if _, waits := w.Waits("github.com", who.UID); !waits {
			t.Fatal("it does not wait")
		}
		select {
		case id := <-w.woken:
			if _, waits := w.Waits("github.com", who.UID); id != string(who.UID) || waits || !w.asked(who, "stored") {
				t.Errorf("%s was woken, and has no turn", id)
			}
		case <-time.After(time.Hour):
			t.Error("nobody was woken")
		}
	})
}

// What a resource waited to ask may need no turn once GitHub has issued it something, or has taken what it was sent.
func TestRESTLimitTrustEndsTheWaitOfTheResource(t *testing.T) {
	for name, trust := range map[string]func(*world, Caller){
		"by an exchange": func(w *world, who Caller) {
			w.Received(who.UID, github.App{}, credential.NewAccessToken("new").Fingerprint())
		},
		"by an answer": func(w *world, who Caller) {
			w.gh.good["new"] = true
			who.QueueID, who.Namespace = "work of its own", "another" // There are turns left for another.
			if !w.asked(who, "new") {
				t.Fatal("there is no turn")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				who := w.caller("a", 0)
				for n := 0; w.asked(who, fmt.Sprint("forged ", n)); n++ { // until there is no turn
				}
				trust(w, who)
				if _, waits := w.Waits("github.com", who.UID); waits {
					t.Error("it waits for a turn that it does not need")
				}
				w.gh.good["new"] = true
				if !w.asked(who, "new") {
					t.Error("it has no turn")
				}
				for n := 0; w.asked(who, fmt.Sprint("forged again ", n)); n++ {
				}
				w.asked(who, "new")
				if _, waits := w.Waits("github.com", who.UID); !waits {
					t.Error("what is no news has ended the wait")
				}
			})
		})
	}
}

// A resource that is gone is forgotten, and its last answer comes after that.
func TestRESTLimitWhatIsGoneIsNotRememberedAnew(t *testing.T) {
	w := newWorld()
	w.gh.good["good"] = true
	w.asked(Caller{UID: "gone", Namespace: "a"}, "good")
	if n := w.memory.Len(); n != 0 {
		t.Errorf("%d resources are remembered", n)
	}
}

func TestRESTLimitOfNoneSendsEverything(t *testing.T) {
	gh := &gitHub{good: map[string]bool{}}
	c := New(Options{GitHub: gh, Memory: memory.NewStore()})
	for range 200 {
		_, _ = c.User(t.Context(), Caller{UID: "u"}, "github.com", credential.NewAccessToken("bad"))
	}
	if gh.bad != 200 {
		t.Errorf("%d were sent", gh.bad)
	}
}

// A deployment that shares the limit with others sends fewer, so no more is told.
func TestRESTLimitErrorTellsNoMoreThanAShare(t *testing.T) {
	if text := (&WaitingError{Host: "github.com"}).Error(); !strings.Contains(text, "at most 60 such requests an hour") {
		t.Error(text)
	}
}

// Apps are checked by a client of their own, whose memory is of Apps. What it sends counts with the rest, however the host is
// written.
func TestRESTLimitIsSharedByAllWhoAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		apps := memory.NewStore()
		checks := New(Options{GitHub: w.gh, Limiter: w.options.Limiter, Memory: apps})
		for n := range 3600 {
			who := Caller{UID: types.UID(fmt.Sprint("app ", n%300)), Namespace: "hostile"}
			apps.Learn(who.UID, types.NamespacedName{Namespace: "hostile", Name: string(who.UID)})
			host := []string{"github.com", "github.com:443", "github.com/api/v3"}[n%3]
			_, _ = checks.CheckToken(t.Context(), who, github.App{Host: host, ClientID: "Iv23li", ClientSecret: credential.NewClientSecret(fmt.Sprint(n))}, credential.NewAccessToken("made up"))
			w.asked(w.caller("hostile", n%300), fmt.Sprint("forged ", n))
			time.Sleep(time.Second)
		}
		if w.gh.bad > PerHour || w.gh.bad < PerHour/2 {
			t.Errorf("GitHub has seen %d bad credentials in an hour, want %d at most", w.gh.bad, PerHour)
		}
	})
}
