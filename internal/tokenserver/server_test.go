package tokenserver

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/boundedreply"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/callers"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/reading"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/release"
)

var (
	first  = string(credential.NewAccessToken(canaryAccess).Fingerprint())
	second = string(credential.NewAccessToken(canaryAccess2).Fingerprint())
)

func TestTokenServerGivesTheTokenToWhoeverMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		got := w.get("")
		w.expect(got, http.StatusOK, canaryAccess, 0)
		want := map[string]any{
			"accessToken": canaryAccess, "tokenType": "bearer", "host": "github.com", "fingerprint": first,
			"expiresAt": time.Now().Add(8 * time.Hour).UTC().Format(time.RFC3339), "nextRefreshAt": time.Now().Add(6 * time.Hour).UTC().Format(time.RFC3339),
			"account": map[string]any{"login": "octocat", "id": 583231.0},
		}
		if fmt.Sprint(got.body) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got.body, want)
		}
		if header := got.Header(); header.Get("Content-Type") != "application/json" || header.Get("Cache-Control") != "no-store" {
			t.Errorf("the headers are %v", header)
		}
	})
}

func TestTokenServerLeavesOutWhatIsNotKnown(t *testing.T) {
	w := newWorld(t)
	w.change(func(w *world) {
		w.pair.State.ExpiresAt, w.pair.State.User, w.pair.State.RefreshToken = time.Time{}, nil, ""
	})
	got := w.get("")
	for _, field := range []string{"expiresAt", "nextRefreshAt", "account"} {
		if _, has := got.body[field]; has || got.Code != http.StatusOK {
			t.Errorf("got %v", got.body)
		}
	}
}

// An output with a scope is asked for by its name, and handed over like the user's own token. One that there is not is answered as what is forbidden.
func TestTokenServerGivesTheTokenOfAnOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.watchChanges()
		scoped, next := credential.NewAccessToken("ghu_scoped"), credential.NewAccessToken("ghu_scopedNext")
		w.resource.Spec.Outputs = []v1alpha1.Output{{Name: "agent", Scope: &v1alpha1.OutputScope{}}}
		w.change(func(w *world) {
			w.output = &release.Output{Access: scoped, Parent: w.pair.State.AccessToken, App: w.pair.State.App, ExpiresAt: time.Now().Add(time.Hour)}
		})
		got := w.get("?output=agent")
		w.expect(got, http.StatusOK, "ghu_scoped", 0)
		if got.body["fingerprint"] != string(scoped.Fingerprint()) || got.body["expiresAt"] != time.Now().Add(time.Hour).UTC().Format(time.RFC3339) {
			t.Errorf("got %v", got.body)
		}
		w.expect(w.get(""), http.StatusOK, canaryAccess, 0)
		absent := w.get("?output=other")
		w.expect(absent, http.StatusForbidden, "forbidden", 0)
		answered := w.later("?output=agent&after=" + string(scoped.Fingerprint()))
		time.Sleep(20 * time.Second)
		w.commit(canaryAccess2, canaryRefresh2) // That of the output comes a while later, and nobody tells of it.
		time.Sleep(3 * time.Second)
		w.change(func(w *world) {
			w.output = &release.Output{Access: next, Parent: w.pair.State.AccessToken, App: w.pair.State.App}
		})
		late := <-answered
		w.expect(late, http.StatusOK, "ghu_scopedNext", late.after)
		if late.after > 23*time.Second+lookForAny {
			t.Errorf("it was handed over after %s", late.after)
		}
		w.change(func(w *world) { w.refusal = callers.Forbidden })
		if forbidden := w.get("?output=agent"); forbidden.Body.String() != absent.Body.String() {
			t.Errorf("of what is forbidden it says %s", forbidden.Body)
		}
		if !strings.Contains(w.audit.String(), `"output"="agent" "fingerprint"="`+string(scoped.Fingerprint())) {
			t.Errorf("the audit is %s", w.audit.String())
		}
	})
}

// Nothing is looked up for who may not, and what they are told is what is told of a resource that is not there.
func TestTokenServerSaysTheSameOfWhatIsForbiddenAndOfWhatIsNotThere(t *testing.T) {
	answer := func(change func(*world)) (string, *world) {
		w := newWorld(t)
		change(w)
		got := w.get("?wait=0")
		var text bytes.Buffer
		fmt.Fprintln(&text, got.Code, got.Body)
		if err := got.Header().Write(&text); err != nil {
			t.Fatal(err)
		}
		return text.String(), w
	}
	forbidden, w := answer(func(w *world) { w.refusal = callers.Forbidden })
	if reads, _ := w.counts(); reads != 0 || !strings.HasPrefix(forbidden, "403 ") {
		t.Errorf("the resource was read %d times, and the answer is %s", reads, forbidden)
	}
	absent, _ := answer(func(w *world) { w.resource = nil })
	if absent != forbidden {
		t.Errorf("of what is not there it says\n%s\nand of what is forbidden\n%s", absent, forbidden)
	}
}

func TestTokenServerRefusesWhomTheAPIServerDoesNotKnow(t *testing.T) {
	for why, sentence := range unauthorizedBy {
		if why == noToken {
			continue
		}
		w := newWorld(t)
		w.refusal = why
		got := w.get("")
		if got.Code != http.StatusUnauthorized || got.body["error"] != "invalid_token" || got.Header().Get("WWW-Authenticate") != "Bearer" || !strings.HasPrefix(fmt.Sprint(got.body["message"]), sentence) {
			t.Errorf("%s: got %d, %v", why, got.Code, got.body)
		}
		if reads, _ := w.counts(); reads != 0 {
			t.Errorf("%s: the resource was read", why)
		}
	}
}

func TestTokenServerSaysWhereSomebodyMustAct(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.change(func(w *world) { w.pair.State.Verdict = &rotation.Verdict{Reason: rotation.ReasonRevoked} })
		got := w.get("?wait=300")
		w.expect(got, http.StatusConflict, "no_token", 0)
		if !strings.Contains(fmt.Sprint(got.body["message"]), rotation.ReasonRevoked) {
			t.Errorf("it says %v", got.body["message"])
		}
		w.change(func(w *world) { w.withheld = "The App does not let it." })
		w.expect(w.get(""), http.StatusConflict, "no_token", 0)
	})
}

func TestTokenServerWaitsWhileNobodyKnowsWhichTokenWorks(t *testing.T) {
	standing := func(w *world) { w.pair.Intent = &rotation.Intent{ID: "i", Spends: w.pair.State.RefreshToken} }
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.watchChanges()
		w.change(standing)
		w.expect(w.get(""), http.StatusServiceUnavailable, "temporarily_unavailable", 5*time.Second)
		w.expect(w.get("?wait=0"), http.StatusServiceUnavailable, "temporarily_unavailable", 0)
		w.expect(w.get("?wait=30"), http.StatusServiceUnavailable, "temporarily_unavailable", 30*time.Second)
		answered := w.later("")
		time.Sleep(3 * time.Second)
		w.commit(canaryAccess2, canaryRefresh2)
		w.expect(<-answered, http.StatusOK, canaryAccess2, 3*time.Second)
		// One that is taken back changes the Secret alone, of which nobody tells.
		w.change(standing)
		answered = w.later("")
		time.Sleep(400 * time.Millisecond)
		w.change(func(w *world) { w.pair.Intent = nil })
		w.expect(<-answered, http.StatusOK, canaryAccess2, 500*time.Millisecond)
	})
}

func TestTokenServerHandsTheNextTokenOverTheMomentItIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.watchChanges()
		answered := w.later("?after=" + first)
		time.Sleep(45*time.Second + 123*time.Millisecond)
		w.commit(canaryAccess2, canaryRefresh2)
		w.expect(<-answered, http.StatusOK, canaryAccess2, 45*time.Second+123*time.Millisecond)
		w.expect(w.get("?after="+first), http.StatusOK, canaryAccess2, 0)
	})
}

func TestTokenServerGivesTheTokenThatOneHasWhenThereIsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.watchChanges()
		w.expect(w.get("?after="+first), http.StatusOK, canaryAccess, time.Minute)
		w.expect(w.get("?after="+first+"&wait=7"), http.StatusOK, canaryAccess, 7*time.Second)
		w.expect(w.get("?after="+first+"&wait=0"), http.StatusOK, canaryAccess, 0)
		for _, seconds := range []int{8, 16} { // It ends when it is reviewed.
			w.expect(w.get(fmt.Sprintf("?after=%s&wait=%d", first, seconds)), http.StatusOK, canaryAccess, time.Duration(seconds)*time.Second)
		}
		w.change(func(w *world) { w.readTime = 400 * time.Millisecond })
		if got := w.get("?after=" + first + "&wait=300"); got.Code != http.StatusOK || got.after > 302*time.Second {
			t.Errorf("where reads take a while, as some of them do when it is time for a review: %d after %s", got.Code, got.after)
		}
		w.change(func(w *world) { w.readTime = 0 })
		if logs := w.logs.String(); logs != "" {
			t.Errorf("the log says %s", logs)
		}
		// An exchange has begun just then.
		answered := w.later("?after=" + first + "&wait=7")
		time.Sleep(6900 * time.Millisecond)
		w.change(func(w *world) { w.pair.Intent = &rotation.Intent{ID: "i", Spends: w.pair.State.RefreshToken} })
		w.expect(<-answered, http.StatusServiceUnavailable, "temporarily_unavailable", 7*time.Second)
	})
}

// Without a watch, or where nothing tells of a commit, somebody who waits looks by themselves.
func TestTokenServerSeesTheNextTokenWithoutBeingTold(t *testing.T) {
	for watched, within := range map[bool]time.Duration{false: lookOften, true: lookEvery} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			if watched {
				w.watchChanges()
			}
			answered := w.later("?after=" + first)
			time.Sleep(20*time.Second + time.Millisecond)
			w.store(canaryAccess2, canaryRefresh2)
			got := <-answered
			w.expect(got, http.StatusOK, canaryAccess2, got.after)
			if reads, _ := w.counts(); watched && reads > 18 {
				t.Errorf("it was read %d times", reads)
			}
			if late := got.after - 20*time.Second; late > within {
				t.Errorf("watched: %t, and it took %s", watched, late)
			}
		})
	}
}

func TestTokenServerNeverGivesWhatGitHubHasRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.watchChanges()
		w.expect(w.get("?stale="+first), http.StatusServiceUnavailable, "temporarily_unavailable", 5*time.Second)
		w.expect(w.get("?stale="+first+"&wait=0"), http.StatusServiceUnavailable, "temporarily_unavailable", 0)
		w.expect(w.get("?stale="+first+"&wait=100"), http.StatusServiceUnavailable, "temporarily_unavailable", 100*time.Second)
		w.expect(w.get("?stale="+first+"&after="+first+"&wait=9"), http.StatusServiceUnavailable, "temporarily_unavailable", 9*time.Second)
		w.expect(w.get("?stale="+second), http.StatusOK, canaryAccess, 0)
		answered := w.later("?stale=" + first)
		time.Sleep(time.Second)
		w.commit(canaryAccess2, canaryRefresh2)
		w.expect(<-answered, http.StatusOK, canaryAccess2, time.Second)
		w.change(func(w *world) { w.pair.State.Verdict = &rotation.Verdict{Reason: rotation.ReasonRefreshTokenExpired} })
		w.expect(w.get("?stale="+second), http.StatusConflict, "no_token", 0)
		w.expect(w.get(""), http.StatusOK, canaryAccess2, 0)
	})
}

// Whoever may no longer is sent away within ten seconds, also while they wait, and never given what they have waited for.
func TestTokenServerReviewsThoseWhoWait(t *testing.T) {
	for name, c := range map[string]struct {
		after  time.Duration
		status int
		code   string
		change func(*world)
	}{
		"RBAC no longer grants it":       {20 * time.Second, http.StatusForbidden, "forbidden", func(w *world) { w.refusal = callers.Forbidden }},
		"a moment after the beginning":   {time.Millisecond, http.StatusForbidden, "forbidden", func(w *world) { w.refusal = callers.Forbidden }},
		"the pod is gone":                {31 * time.Second, http.StatusUnauthorized, "invalid_token", func(w *world) { w.refusal = callers.NotAccepted }},
		"the API server cannot be asked": {31 * time.Second, http.StatusServiceUnavailable, "temporarily_unavailable", func(w *world) { w.err = errAway }},
		"a review takes long":            {16100 * time.Millisecond, http.StatusForbidden, "forbidden", func(w *world) { w.refusal, w.askTime = callers.Forbidden, 1800*time.Millisecond }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.watchChanges()
				answered := w.later("?after=" + first + "&wait=300")
				time.Sleep(c.after)
				w.change(c.change)
				got := <-answered
				w.expect(got, c.status, c.code, got.after)
				if late := got.after - c.after; late > 10*time.Second {
					t.Errorf("they were sent away %s later", late)
				}
			})
		})
	}
	t.Run("before the answer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.watchChanges()
			answered := w.later("?after=" + first)
			time.Sleep(9 * time.Second)
			w.change(func(w *world) { w.refusal = callers.Forbidden })
			w.commit(canaryAccess2, canaryRefresh2)
			w.expect(<-answered, http.StatusForbidden, "forbidden", 9*time.Second)
		})
	})
	t.Run("at the end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			answered := w.later("?after=" + first + "&wait=5")
			time.Sleep(time.Second)
			w.change(func(w *world) { w.refusal = callers.Forbidden })
			w.expect(<-answered, http.StatusForbidden, "forbidden", 5*time.Second)
		})
	})
}

// A wait that begins from a yes that is remembered ends no later than another one: ten seconds after that was asked for, whatever the API server
// does, and reads as well.
func TestTokenServerWaitFromARememberedYesEndsInTime(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*world)
		status int
	}{
		"it is forbidden":                         {func(w *world) { w.refusal = callers.Forbidden }, http.StatusForbidden},
		"it is forbidden, and a review is slow":   {func(w *world) { w.refusal, w.accessTime = callers.Forbidden, 1900*time.Millisecond }, http.StatusForbidden},
		"it is forbidden, and a read takes long":  {func(w *world) { w.refusal, w.readTime = callers.Forbidden, time.Minute }, http.StatusForbidden},
		"the API server does not answer a review": {func(w *world) { w.askTime = time.Hour }, http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			for _, age := range []time.Duration{0, 7900 * time.Millisecond, 9900 * time.Millisecond} {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					w.watchChanges()
					w.known, w.age = true, age
					answered := w.later("?after=" + first + "&wait=300")
					synctest.Wait()
					w.change(c.change)
					w.change(func(w *world) { w.known = false })
					got := <-answered
					w.expect(got, c.status, fmt.Sprint(got.body["error"]), got.after)
					since := age
					if age >= reviewEvery {
						since = 0 // It was asked anew.
					}
					if got.after > callers.AllowedFor-since {
						t.Errorf("it ends after %s, where the yes was %s old", got.after, age)
					}
					time.Sleep(time.Hour)
				})
			}
		})
	}
}

// What was committed before somebody asks is what they get, and what was read before is never given later than a second after.
func TestTokenServerGivesNothingThatWasReadLongAgo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.watchChanges()
		w.change(func(w *world) { w.readTime = 1001 * time.Millisecond })
		answered := w.later("")
		time.Sleep(500 * time.Millisecond)
		w.store(canaryAccess2, canaryRefresh2)
		w.change(func(w *world) { w.readTime = 0 })
		w.expect(<-answered, http.StatusOK, canaryAccess2, 1001*time.Millisecond)

		w.change(func(w *world) { w.readTime = 1001 * time.Millisecond })
		if got := w.get(""); got.Code != http.StatusServiceUnavailable {
			t.Errorf("an API server that is too slow: got %d", got.Code)
		}
		// It was the review that took long.
		w.change(func(w *world) { w.readTime = 0 })
		answered = w.later("?after=" + second + "&wait=300")
		time.Sleep(20 * time.Second)
		w.commit(canaryAccess, canaryRefresh)
		w.change(func(w *world) { w.askTime = 1500 * time.Millisecond })
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		time.Sleep(1300 * time.Millisecond)
		w.store("ghu_third", "ghr_third")
		got := <-answered
		w.expect(got, http.StatusOK, "ghu_third", got.after)
	})
}

func TestTokenServerSaysWhenTheAPIServerIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.change(func(w *world) { w.err = errAway })
		w.expect(w.get(""), http.StatusServiceUnavailable, "temporarily_unavailable", 0)
		w.change(func(w *world) { w.err, w.readErr = nil, errAway })
		w.expect(w.get(""), http.StatusServiceUnavailable, "temporarily_unavailable", 5*time.Second)
		answered := w.later("")
		time.Sleep(900 * time.Millisecond)
		w.change(func(w *world) { w.readErr = nil })
		w.expect(<-answered, http.StatusOK, canaryAccess, time.Second)
		if logs := w.logs.String(); !strings.Contains(logs, "NotReached") {
			t.Errorf("the log is %q", logs)
		}
	})
}

// What is not the API server's doing is not said to be: that this server has too much to read passes, and what is too large does not.
func TestTokenServerSaysWhyItDoesNotRead(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		status  int
		code    string
		after   time.Duration
		outcome string
		logged  string
	}{
		"the API server is away":     {errAway, http.StatusServiceUnavailable, "temporarily_unavailable", patience, "api_server", `"reason"="NotReached"`},
		"it does not let us":         {apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "x", errAway), http.StatusServiceUnavailable, "temporarily_unavailable", patience, "api_server", `"reason"="Forbidden"`},
		"too much at once":           {reading.ErrBusy, http.StatusServiceUnavailable, "temporarily_unavailable", patience, "busy", `"reason"="Busy"`},
		"an object of a megabyte":    {fmt.Errorf("read the body: %w", boundedreply.ErrTooLarge), http.StatusConflict, "no_token", 0, "too_large", `"reason"="TooLarge" "namespace"="team-a" "name"="octocat"`},
		"an end of the reader's":     {context.DeadlineExceeded, http.StatusServiceUnavailable, "temporarily_unavailable", patience, "api_server", `"reason"="Timeout"`},
		"a text that quotes a token": {fmt.Errorf("%s", canaryAccess), http.StatusServiceUnavailable, "temporarily_unavailable", patience, "api_server", `"reason"="NotReached"`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.change(func(w *world) { w.readErr = c.err })
				got := w.get("")
				w.expect(got, c.status, c.code, c.after)
				for outcome, n := range w.series() {
					if (n > 0) != (outcome == c.outcome) {
						t.Errorf("%s is counted %v times", outcome, n)
					}
				}
				if logs := w.logs.String(); !strings.Contains(logs, c.logged) || strings.Contains(logs+got.Body.String(), canaryAccess) {
					t.Errorf("the log is %q", logs)
				}
				w.change(func(w *world) { w.readErr = nil })
				w.expect(w.get(""), http.StatusOK, canaryAccess, 0)
			})
		})
	}
}

func TestTokenServerAnswersThoseWhoWaitWhenItStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		answered := w.later("?after=" + first)
		time.Sleep(30 * time.Second)
		w.server.Stop()
		w.server.Stop()
		got := <-answered
		w.expect(got, http.StatusServiceUnavailable, "temporarily_unavailable", 30*time.Second)
		if got.Header().Get("Retry-After") != "1" {
			t.Errorf("another replica is to be asked in %s seconds", got.Header().Get("Retry-After"))
		}
		w.expect(w.get("?after="+first), http.StatusServiceUnavailable, "temporarily_unavailable", 0)
		w.expect(w.get(""), http.StatusOK, canaryAccess, 0)
	})
}

func TestTokenServerGivesNothingToAClientThatHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.watchChanges()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			w.server.ServeHTTP(httptest.NewRecorder(), w.request("?after="+first).WithContext(ctx))
		}()
		time.Sleep(10 * time.Second)
		w.commit(canaryAccess2, canaryRefresh2)
		cancel()
		<-ended
		if w.server.waits.taken == 0 && w.count("client_gone")+w.count("released") != 1 {
			t.Error("it was not counted")
		}
		answered := w.later("?after=" + second)
		time.Sleep(time.Second)
		synctest.Wait()
		if n := w.gauge(); n != 1 {
			t.Errorf("%v wait", n)
		}
		w.commit(canaryAccess, canaryRefresh)
		<-answered
		if n := w.gauge(); n != 0 {
			t.Errorf("%v wait", n)
		}
	})
}

// One namespace leaves room to others, among those who are answered and among those who wait.
func TestTokenServerIsFairToNamespaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.namespaces["other"] = "others"
		replies := make(chan reply, 2*maxWaits)
		for i := range maxWaits {
			go func() { replies <- w.get("?after=" + first + "&wait=6") }()
			if i%64 == 63 {
				synctest.Wait() // They wait, and take no place of those who are answered.
			}
		}
		time.Sleep(time.Second)
		if n := w.gauge(); n != maxWaits {
			t.Errorf("%v of one namespace wait", n)
		}
		w.expect(w.get("?after="+first), http.StatusTooManyRequests, "too_many_requests", 0)
		w.expect(w.get(""), http.StatusOK, canaryAccess, 0) // Those who wait take no place of those who do not.
		w.expect(w.get("?after="+first+"&wait=2"), http.StatusOK, canaryAccess, 2*time.Second)
		ended := len(replies)
		w.expect(w.askAs("other", "?after="+first+"&wait=6"), http.StatusOK, canaryAccess, 6*time.Second)
		if ended != 0 {
			t.Errorf("%d were answered early before there was need", ended)
		}
		if got := <-replies; got.Code != http.StatusOK || got.after != 3*time.Second {
			t.Errorf("the oldest was answered with %d after %s", got.Code, got.after)
		}
		time.Sleep(time.Minute)
		w.change(func(w *world) { w.readTime = 500 * time.Millisecond })
		for range maxRequests {
			go func() { replies <- w.get("") }()
		}
		synctest.Wait()
		w.expect(w.get(""), http.StatusTooManyRequests, "too_many_requests", 0)
		if got := w.askAs("other", ""); got.Code != http.StatusOK {
			t.Errorf("another namespace gets %d", got.Code)
		}
		time.Sleep(time.Minute)
	})
}

// Anybody can make tokens up; the API server is not asked about all of them.
func TestTokenServerBoundsWhatStrangersCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.refusal = callers.NotAccepted
		for range 1000 {
			w.get("")
		}
		if _, asked := w.counts(); asked != badAtOnce {
			t.Errorf("the API server was asked %d times", asked)
		}
		w.expect(w.get(""), http.StatusTooManyRequests, "too_many_requests", 0)
		w.change(func(w *world) { w.refusal = "" })
		elsewhere := w.request("")
		elsewhere.RemoteAddr = "[2001:db8::1]:1234"
		w.expect(w.ask(elsewhere), http.StatusOK, canaryAccess, 0)
		w.change(func(w *world) { w.known = true })
		w.expect(w.get(""), http.StatusOK, canaryAccess, 0)
		w.change(func(w *world) { w.known = false })
		time.Sleep(time.Second)
		w.expect(w.get(""), http.StatusOK, canaryAccess, 0)
		for i := range 3 * maxBuckets {
			w.server.reviews.strangers.take(fmt.Sprint(i))
		}
		if n := len(w.server.reviews.strangers.current) + len(w.server.reviews.strangers.former); n > 2*maxBuckets {
			t.Errorf("%d addresses are remembered", n)
		}
	})
}

// A pod that may nothing can ask for names: the API server is asked about few of them, and whoever may something is answered meanwhile.
func TestTokenServerBoundsWhatThoseCostWhoMayNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.refusal = callers.Forbidden
		w.namespaces["other"] = "others"
		forbidden := 0
		for range 1000 {
			if got := w.get(""); got.Code == http.StatusForbidden {
				forbidden++
			} else if got.Code != http.StatusTooManyRequests {
				t.Fatalf("got %d", got.Code)
			}
		}
		if w.authorized != forbiddenAtOnce || forbidden != forbiddenAtOnce {
			t.Errorf("the API server was asked %d times, and %d were told that it is forbidden", w.authorized, forbidden)
		}
		w.change(func(w *world) { w.refusal = "" })
		w.expect(w.askAs("other", ""), http.StatusOK, canaryAccess, 0)
		w.change(func(w *world) { w.known = true })
		w.expect(w.get(""), http.StatusOK, canaryAccess, 0) // Whom it knows it need not ask about.
		w.change(func(w *world) { w.known = false })
		time.Sleep(time.Second)
		w.expect(w.get(""), http.StatusOK, canaryAccess, 0)
		for i := range forbiddenOfAll {
			w.server.reviews.forbiddenOf.take("agents")
			w.server.reviews.forbidden.take(fmt.Sprint(i))
		}
		w.expect(w.get(""), http.StatusTooManyRequests, "too_many_requests", 0)
		w.expect(w.askAs("other", ""), http.StatusOK, canaryAccess, 0)
	})
}

// At most so many reviews are asked for at once, and neither one address nor one namespace takes them all; those who wait have theirs.
func TestTokenServerBoundsReviewsAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		slow  func(*world)
		asked func(*world) int
		// other changes a request to one that has a share of its own.
		other func(*http.Request)
	}{
		"who they are": {
			func(w *world) { w.askTime = 10 * time.Second }, func(w *world) int { return w.asked },
			func(r *http.Request) { r.RemoteAddr = "[2001:db8::1]:1234" },
		},
		"what they may": {
			func(w *world) { w.accessTime = 10 * time.Second }, func(w *world) int { return w.authorized },
			func(r *http.Request) { r.Header.Set("Authorization", "Bearer other") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.watchChanges()
				w.namespaces["other"] = "others"
				waits := w.later("?after=" + first + "&wait=300")
				synctest.Wait()
				w.change(c.slow)
				for range 3 * maxReviews {
					go func() { w.get("?wait=0") }()
				}
				synctest.Wait()
				w.mu.Lock()
				asked := c.asked(w) - 1
				w.mu.Unlock()
				if asked > maxReviews || asked < maxReviews/2 {
					t.Errorf("%d were asked for", asked)
				}
				w.expect(w.get(""), http.StatusServiceUnavailable, "temporarily_unavailable", reviewTurn)
				if w.count("busy") == 0 || w.count("api_server") > 0 {
					t.Errorf("the answers are counted as %v", w.series())
				}
				w.change(func(w *world) { w.askTime, w.accessTime = 0, 0 })
				r := w.request("")
				c.other(r)
				w.expect(w.ask(r), http.StatusOK, canaryAccess, 0)
				w.commit(canaryAccess2, canaryRefresh2)
				got := <-waits
				w.expect(got, http.StatusOK, canaryAccess2, got.after)
				time.Sleep(time.Minute)
			})
		})
	}
}

func TestTokenServerWritesDownWhatItGives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.get("")
		w.get("?after=" + first + "&wait=1")
		w.change(func(w *world) { w.refusal = callers.Forbidden })
		w.get("")
		lines := strings.Split(strings.TrimSpace(w.audit.String()), "\n")
		if len(lines) != 2 {
			t.Fatalf("the audit is %q", lines)
		}
		for _, part := range []string{`"namespace"="team-a"`, `"name"="octocat"`, `"uid"="` + uid + `"`, `"fingerprint"="` + first + `"`, `"user"="system:serviceaccount:agents:runner"`, `"userNamespace"="agents"`, `"pod"="runner-1"`, `"podUID"="pod-uid"`, `"node"="node-1"`, `"waited"=false`} {
			if !strings.Contains(lines[0], part) {
				t.Errorf("the audit lacks %s: %s", part, lines[0])
			}
		}
		if !strings.Contains(lines[1], `"waited"=true`) {
			t.Errorf("the audit is %s", lines[1])
		}
		if len(w.events) != 1 || !strings.HasPrefix(w.events[0], "TokenReleased: ") || !strings.Contains(w.events[0], "system:serviceaccount:agents:runner") || !strings.Contains(w.events[0], "runner-1") {
			t.Errorf("the events are %q", w.events)
		}
		if released, forbidden := w.count("released"), w.count("forbidden"); released != 2 || forbidden != 1 {
			t.Errorf("counted %v and %v", released, forbidden)
		}
	})
}

// Tokens stand in the answer to whoever may have them, and nowhere else.
func TestTokenServerTellsNoToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.watchChanges()
		var errors strings.Builder
		say := func(got reply) {
			if got.Code != http.StatusOK {
				fmt.Fprintln(&errors, got.Body, got.Header())
			} else if strings.Contains(got.Body.String(), canaryRefresh) {
				t.Error("a refresh token is given out")
			}
		}
		for _, change := range []func(*world){
			func(*world) {}, func(w *world) { w.refusal = callers.Forbidden }, func(w *world) { w.refusal = callers.NotAccepted }, func(w *world) { w.err = errAway },
			func(w *world) { w.readErr = errAway }, func(w *world) { w.panics = true }, func(w *world) { w.pair.StateLost = true },
			func(w *world) { w.pair.State.Verdict = &rotation.Verdict{Reason: rotation.ReasonReplyLost} }, func(w *world) { w.pair.AccessToken = credential.NewAccessToken(canaryAccess2) },
		} {
			w.change(change)
			for _, query := range []string{"", "?stale=" + first, "?after=" + first + "&wait=10", "?wait=" + canaryAccess, "?" + canaryAccess + "=1"} {
				say(w.get(query))
			}
			w.change(func(w *world) {
				w.refusal, w.err, w.readErr, w.panics, w.pair.StateLost, w.pair.State.Verdict = "", nil, nil, false, false, nil
			})
		}
		everything := errors.String() + w.logs.String() + w.audit.String() + strings.Join(w.events, "\n") + w.gathered()
		for _, canary := range []string{canaryAccess, canaryAccess2, canaryRefresh, canaryRefresh2, shownToken, "canary"} {
			if strings.Contains(everything, canary) {
				t.Errorf("%s is told in %s", canary, everything)
			}
		}
		if !strings.Contains(w.audit.String(), first) {
			t.Error("the audit does not say which token it was")
		}
	})
}

func TestTokenServerOutlivesAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.panics = true
		if got := w.get("?wait=0"); got.Code != http.StatusInternalServerError || got.body["error"] != "internal" || got.Header().Get("Retry-After") != "5" {
			t.Errorf("got %d, %v", got.Code, got.body)
		}
		if logs := w.logs.String(); !strings.Contains(logs, `"reason"="Failed"`) || strings.Contains(logs, canaryAccess) {
			t.Errorf("the log is %q", logs)
		}
		w.panics = false
		w.server.options.Events = nil
		if got := w.get(""); got.Code != http.StatusInternalServerError || got.body["error"] != "internal" {
			t.Errorf("got %d, %v", got.Code, got.body)
		}
		w.server.options.Events = w
		w.expect(w.get(""), http.StatusOK, canaryAccess, 0)
		if !w.server.requests.Fits(fairKey("agents")) {
			t.Error("a place is lost")
		}
	})
}

// The words of the metrics are a fixed number, whatever is asked.
func TestTokenServerMetricsAreBounded(t *testing.T) {
	w := newWorld(t)
	before := maps.Collect(maps.All(w.series()))
	for _, query := range []string{"", "?x=1", "?output=a", "?after=" + second, "?stale=" + first + "&wait=0"} {
		w.get(query)
	}
	for range 3 {
		r := w.request("")
		r.URL.Path = "/nothing"
		w.ask(r)
	}
	if after := w.series(); len(after) != len(before) {
		t.Errorf("the series are %v, and were %v", after, before)
	}
}

func (w *world) metrics() (families []*dto.MetricFamily) {
	registry := prometheus.NewRegistry()
	for _, collector := range w.server.Metrics() {
		registry.MustRegister(collector)
	}
	families, err := registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	return families
}

func (w *world) gathered() string { return fmt.Sprint(w.metrics()) }

// series are the values by outcome.
func (w *world) series() map[string]float64 {
	values := map[string]float64{}
	for _, family := range w.metrics() {
		for _, metric := range family.GetMetric() {
			if counter := metric.GetCounter(); counter != nil {
				values[metric.GetLabel()[0].GetValue()] = counter.GetValue()
			}
		}
	}
	return values
}

func (w *world) count(outcome string) float64 { return w.series()[outcome] }

func (w *world) gauge() float64 {
	for _, family := range w.metrics() {
		if family.GetName() == "githubusertoken_token_server_waiting" {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return -1
}
