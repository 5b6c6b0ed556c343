package client

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/githubusertoken/github-user-token-operator/client/internal/fakeserver"
)

func TestSourceAsksOnceUntilShortlyBeforeTheTokenIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		source := NewSource(t.Context(), w.client)
		begin := time.Now()
		for range 100 {
			token, err := source.Token()
			if err != nil || token.AccessToken != tokenOf(1, begin).AccessToken || !token.Valid() || !token.Expiry.Equal(begin.Add(6*time.Hour)) {
				t.Fatalf("%v", err)
			}
		}
		if w.asked() != 1 {
			t.Errorf("the server was asked %d times", w.asked())
		}
		time.Sleep(6*time.Hour - lead - time.Second)
		_, err := source.Token()
		if err != nil || w.asked() != 1 {
			t.Errorf("before it is time: %d questions, %v", w.asked(), err)
		}
		time.Sleep(2 * time.Second)
		w.server.Rotate(tokenOf(2, time.Now()))
		token, err := source.Token()
		if err != nil || token.AccessToken != tokenOf(2, begin).AccessToken || w.asked() != 2 {
			t.Errorf("when it is time: %d questions, %v", w.asked(), err)
		}
	})
}

// A token that should have been replaced goes on to work until it is: the server is asked each second, not each call.
func TestSourceOfATokenThatIsOverdueAsksOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		source := oauth2.ReuseTokenSource(nil, NewSource(t.Context(), w.client))
		if _, err := source.Token(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(7 * time.Hour)
		asked := w.asked()
		for range 100 {
			token, err := source.Token()
			if err != nil || !token.Valid() {
				t.Fatalf("valid %t, %v", token.Valid(), err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if more := w.asked() - asked; more < 1 || more > 12 {
			t.Errorf("the server was asked %d times in 10 s", more)
		}
	})
}

func TestSourceAsksOnceForAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.server.Fail(fakeserver.Failure{Status: 503, Code: "temporarily_unavailable", RetryAfter: "2"})
		source := NewSource(t.Context(), w.client)
		gone, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		var all sync.WaitGroup
		all.Go(func() { // It began, and does not wait for the end: the others do.
			if _, err := source.Current(gone); err == nil {
				t.Error("it did not give up")
			}
		})
		synctest.Wait()
		for range 50 {
			all.Go(func() {
				if _, err := source.Current(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if w.asked() != 2 {
			t.Errorf("the server was asked %d times", w.asked())
		}
	})
}

func TestSourceGivesAnotherTokenForOneThatGitHubRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		source := NewSource(t.Context(), w.client)
		first, err := source.Current(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(3 * time.Second)
			w.server.Rotate(tokenOf(2, time.Now()))
		}()
		begin := time.Now()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if second, err := source.Refused(t.Context(), first.Fingerprint); err != nil || second.Fingerprint == first.Fingerprint {
					t.Errorf("%v", err)
				}
			})
		}
		all.Wait()
		if took := time.Since(begin); took != 3*time.Second || w.asked() != 2 {
			t.Errorf("after %s and %d questions", took, w.asked())
		}
		if stale := w.server.Queries()[1].Get("stale"); stale != first.Fingerprint {
			t.Errorf("the server was told of %q", stale)
		}
		// Who comes late with the same refusal gets what there is by now.
		if _, err := source.Refused(t.Context(), first.Fingerprint); err != nil || w.asked() != 2 {
			t.Errorf("late: %d questions, %v", w.asked(), err)
		}
	})
}

func TestSourceGivesTheLastTokenWhileTheServerIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *Options) { o.Patience = -1 })
		source := NewSource(t.Context(), w.client)
		first, err := source.Current(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w.client.http.Transport = fakeserver.RoundTripper{Handler: handler(http.StatusBadGateway, "text/plain", "")}
		time.Sleep(7 * time.Hour)
		if token, err := source.Current(t.Context()); err != nil || token != first {
			t.Errorf("before it expires: %v", err)
		}
		time.Sleep(time.Hour)
		for range 3 {
			if _, err := source.Current(t.Context()); err == nil {
				t.Error("an expired token is given")
			}
		}
		// A no is no outage.
		w.client.http.Transport = fakeserver.RoundTripper{Handler: handler(http.StatusForbidden, "text/plain", "")}
		time.Sleep(time.Minute)
		if _, err := source.Current(t.Context()); !hasCode(err, http.StatusForbidden) {
			t.Errorf("err = %v", err)
		}
	})
}

// What the server asks for beyond the patience holds for all who ask meanwhile.
func TestSourceAsksNoServerThatWantsToBeLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.server.Fail(fakeserver.Failure{Status: 429, Code: "too_many_requests", RetryAfter: "50"})
		source := NewSource(t.Context(), w.client)
		for range 40 {
			if _, err := source.Current(t.Context()); !hasCode(err, http.StatusTooManyRequests) {
				t.Fatalf("err = %v", err)
			}
			time.Sleep(time.Second)
		}
		if w.asked() != 1 {
			t.Errorf("the server was asked %d times", w.asked())
		}
		time.Sleep(10 * time.Second)
		if _, err := source.Current(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestSourceFollowsAcrossAnOutageAndEndsByARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *Options) { o.Patience = -1 })
		source := NewSource(t.Context(), w.client)
		if _, err := source.Current(t.Context()); err != nil {
			t.Fatal(err)
		}
		away := fakeserver.Failure{Status: 503, Code: "temporarily_unavailable"}
		w.server.Fail(away, away, away, away)
		ended := make(chan error, 1)
		go func() { ended <- source.Follow(t.Context()) }()
		time.Sleep(time.Minute)
		w.server.Rotate(tokenOf(2, time.Now()))
		synctest.Wait()
		if token, err := source.Current(t.Context()); err != nil || token.Fingerprint != tokenOf(2, time.Now()).Fingerprint {
			t.Errorf("after the outage it has another token (%v)", err)
		}
		w.server.Fail(fakeserver.Failure{Status: 403, Code: "forbidden", Message: "No more."})
		w.server.Rotate(tokenOf(3, time.Now())) // Ends the wait, and the next question is refused.
		if err := <-ended; !hasCode(err, http.StatusForbidden) {
			t.Errorf("it ended by %v", err)
		}
	})
}

func TestSourceThatFollowsHasTheNextTokenWithoutARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		source := NewSource(t.Context(), w.client)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- source.Follow(ctx) }()
		synctest.Wait()
		for n := 2; n < 5; n++ {
			time.Sleep(17 * time.Minute)
			w.server.Rotate(tokenOf(n, time.Now()))
			synctest.Wait()
			asked := w.asked()
			if token, err := source.Current(t.Context()); err != nil || token.Fingerprint != tokenOf(n, time.Now()).Fingerprint || w.asked() != asked {
				t.Errorf("after rotation %d it has another token (%v)", n, err)
			}
		}
		stop()
		if err := <-ended; err == nil {
			t.Error("it ended without saying why")
		}
	})
}
