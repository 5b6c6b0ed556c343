package controllers

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/internal/outbox"
	"github.com/githubusertoken/github-user-token-operator/internal/pairsecret"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// secretGate stands between an operator and the API server, and refuses writes of Secrets while it is shut, as an
// admission policy does.
type secretGate struct {
	shut    atomic.Bool
	refused atomic.Int64
}

func (g *secretGate) config(config *rest.Config) {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			if !g.shut.Load() || request.Method == http.MethodGet || !strings.Contains(request.URL.Path, "/secrets") {
				return next.RoundTrip(request)
			}
			g.refused.Add(1)
			if request.Body != nil {
				_ = request.Body.Close()
			}
			return &http.Response{
				StatusCode: http.StatusForbidden, Status: "403 Forbidden",
				Header: http.Header{"Content-Type": {"application/json"}}, Request: request,
				Body: io.NopCloser(strings.NewReader(
					`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"a policy says no","reason":"Forbidden","code":403}`)),
			}, nil
		})
	})
}

// gated is a world with the device flow and a gate before its Secrets.
func gated(t *testing.T) (*world, *secretGate) {
	t.Helper()
	gate := &secretGate{}
	return newWorld(t, worldOptions{app: deviceApp(), config: gate.config}), gate
}

func TestDeviceFlowNoCodeIsShownBeforeItIsStored(t *testing.T) {
	t.Parallel()
	w, gate := gated(t)
	gate.shut.Store(true)
	asked := w.gh.Inject(githubtest.Delay(0).At(githubtest.DeviceCodeEndpoint).Always())
	began := time.Now()
	w.create(w.withoutSeed("octocat"))
	w.refused("octocat", refusal{reason: v1alpha1.ReasonAPIServerUnavailable, says: "No code is shown", retried: true})
	w.settle()
	if shown := w.get("octocat").Status.Authorization; shown != nil {
		t.Errorf("the code %s is shown although it would not survive a restart", shown.UserCode)
	}
	if n := asked.Hits(); n > triesWithin(time.Since(began)) {
		t.Errorf("%d codes were asked for within %s while none could be stored", n, time.Since(began))
	}
	gate.shut.Store(false)
	w.enter(w.code("octocat"), "octocat")
	w.ready("octocat")
}

func TestDeviceFlowPairThatCannotBeStoredIsKeptUntilItCan(t *testing.T) {
	t.Parallel()
	w, gate := gated(t)
	w.create(w.withoutSeed("octocat"))
	code := w.code("octocat")
	gate.shut.Store(true)
	w.enter(code, "octocat")
	w.condition("octocat", v1alpha1.ConditionReconciling, "True", v1alpha1.ReasonCommitting)
	if secret := w.find("octocat-token"); secret != nil && access(secret) != "" {
		t.Fatal("the pair was stored through a gate that is shut")
	}
	gate.shut.Store(false)
	w.ready("octocat")
	w.noCode("octocat")
	w.quiet()
	w.presented(0)
}

func TestDeviceFlowPollThatFailsIsMadeAgainAndTheCodeStays(t *testing.T) {
	t.Parallel()
	each(t, map[string]githubtest.Fault{
		"502":                    githubtest.BadGateway(),
		"a reset":                githubtest.ResetConnection(),
		"HTML":                   githubtest.HTMLPage(200),
		"a rate limit":           githubtest.RateLimited(429, 2*time.Second, time.Time{}),
		"an error of the future": githubtest.OAuthError("quite_new_error"),
	}, func(t *testing.T, fault githubtest.Fault) {
		w := withDevice(t, 0)
		failing := w.gh.Inject(fault.Always())
		began := time.Now()
		w.create(w.withoutSeed("octocat"))
		code := w.code("octocat")
		w.says("octocat", v1alpha1.ConditionAuthorized, "the operator cannot see whether this was done")
		if now := w.code("octocat"); now != code {
			t.Errorf("the code %s was replaced by %s", code, now)
		}
		w.enter(code, "octocat")
		w.settle()
		if n := failing.Hits(); n > triesWithin(time.Since(began)) {
			t.Errorf("GitHub was polled %d times within %s while it failed", n, time.Since(began))
		}
		failing.Remove()
		w.ready("octocat")
		w.noCode("octocat")
	})
}

func TestDeviceFlowCodeThatGitHubDoesNotGiveOutIsAskedForAgain(t *testing.T) {
	t.Parallel()
	each(t, map[string]struct {
		fault  githubtest.Fault
		reason string
	}{
		"502":                {githubtest.BadGateway(), v1alpha1.ReasonGitHubUnavailable},
		"HTML":               {githubtest.HTMLPage(200), v1alpha1.ReasonUnreadableReply},
		"an unknown client":  {githubtest.Respond(404, "application/json", `{"error":"Not Found"}`), v1alpha1.ReasonIncorrectClientCredentials},
		"a page elsewhere":   {githubtest.WithField("verification_uri", "https://evil.example/login/device"), v1alpha1.ReasonRedirected},
		"markup in the code": {githubtest.WithField("user_code", "<b>x</b>"), v1alpha1.ReasonUnreadableReply},
	}, func(t *testing.T, c struct {
		fault  githubtest.Fault
		reason string
	},
	) {
		w := withDevice(t, 0)
		failing := w.gh.Inject(c.fault.At(githubtest.DeviceCodeEndpoint).Always())
		began := time.Now()
		w.create(w.withoutSeed("octocat"))
		w.condition("octocat", v1alpha1.ConditionReconciling, "True", c.reason)
		w.noCode("octocat")
		w.settle()
		if n := failing.Hits(); n > triesWithin(time.Since(began)) {
			t.Errorf("GitHub was asked for a code %d times within %s while it failed", n, time.Since(began))
		}
		failing.Remove()
		w.request("octocat", "now")
		w.enter(w.code("octocat"), "octocat")
		w.ready("octocat")
	})
}

// GitHub gives the pair out once. When its reply is lost nothing can bring it back: another code is offered.
func TestDeviceFlowPairWhoseReplyWasLostIsAskedForByAnotherCode(t *testing.T) {
	t.Parallel()
	w := withDevice(t, 0)
	w.create(w.withoutSeed("octocat"))
	code := w.code("octocat")
	w.stop()
	w.enter(code, "octocat")
	lost := w.gh.Inject(githubtest.DropReply())
	w.startOperator(w.options)
	w.arrived(lost)
	w.enter(w.code("octocat", code), "octocat")
	w.ready("octocat")
	w.noCode("octocat")
	w.quiet()
}

// The process dies between GitHub's reply and the commit: the outbox has the pair, and the next process
// stores it, or refuses it if it is another account's.
func TestDeviceFlowPairInTheOutboxIsDealtWithAtTheNextStart(t *testing.T) {
	t.Parallel()
	each(t, map[string]struct {
		enters string
		pin    *v1alpha1.UserSelector
		reason string // of Authorized=False; empty when the pair is stored
	}{
		"any account":     {enters: "octocat"},
		"the account":     {enters: "octocat", pin: &v1alpha1.UserSelector{Login: "octocat"}},
		"another account": {enters: "hubot", pin: &v1alpha1.UserSelector{Login: "octocat"}, reason: v1alpha1.ReasonWrongUser},
	}, func(t *testing.T, c struct {
		enters string
		pin    *v1alpha1.UserSelector
		reason string
	},
	) {
		w := withDevice(t, 0)
		token := w.withoutSeed("octocat")
		token.Spec.User = c.pin
		w.create(token)
		code := w.code("octocat")
		w.stop()
		w.enter(code, c.enters)
		w.receive("octocat")
		w.startOperator(w.options)
		pair, known := w.gh.Newest(clientID, c.enters)
		if !known {
			t.Fatal("GitHub has given no pair out")
		}
		if c.reason == "" {
			if got := w.ready("octocat"); access(got) != pair.AccessToken {
				t.Error("the Secret does not hold the pair of the outbox")
			}
		} else {
			w.refused("octocat", refusal{reason: c.reason, says: v1alpha1.AnnotationRefreshRequestedAt, unauthorized: true})
			w.eventually("the pair to be ended", func() (bool, string) {
				return !w.gh.Alive(pair.AccessToken) && !w.gh.Alive(pair.RefreshToken), "it is alive"
			})
			if secret := w.find("octocat-token"); secret != nil && access(secret) != "" {
				t.Error("the pair of another account stands in the Secret")
			}
		}
		w.noCode("octocat")
		w.quiet()
		if records, err := w.reconciler.Outbox.List(); err != nil || len(records) != 0 {
			t.Errorf("the outbox holds %d records (%v)", len(records), err)
		}
	})
}

// receive polls with the code in the pair Secret and keeps GitHub's reply in the outbox, as a process does
// that is killed at that moment.
func (w *world) receive(name string) {
	w.t.Helper()
	box, err := outbox.Open(w.outboxDir, outbox.Options{AllowDisk: true})
	w.must(err)
	defer func() { w.check(box.Close()) }()
	client, err := github.New(github.Options{
		AllowedHosts: []string{w.site.Host}, RootCAs: w.site.CA.PEM,
		AllowedAddresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	})
	w.must(err)
	token, secret := w.get(name), w.pair(name+"-token")
	state, _ := pairsecret.FromMetadata(&secret.ObjectMeta)
	code := credential.NewDeviceCode(w.deviceCode(name))
	reply, err := client.PollDevice(w.ctx, scope.InlineApp(token).App, code)
	w.must(err)
	w.must(box.Keep(rotation.Record{
		ID: "received", Ref: state.Ref, Owner: scope.OwnerOf(token), App: scope.InlineApp(token).Key(), Spent: code.Fingerprint(),
		Login: true, Code: true, Base: state.State, User: scope.PinOf(token), Reply: reply,
	}))
}

// What the device flow handles is as secret as what it brings.
func TestDeviceFlowNothingOfADeviceFlowIsTold(t *testing.T) {
	t.Parallel()
	w, gate := gated(t)
	w.create(w.withoutSeed("octocat"))
	first := w.code("octocat")
	canaries := []string{w.deviceCode("octocat")}
	w.must(w.gh.DenyDevice(first))
	w.condition("octocat", v1alpha1.ConditionAuthorized, "False", v1alpha1.ReasonAuthorizationDenied)
	failing := w.gh.Inject(githubtest.NotJSON().Times(2))
	w.request("octocat", "again")
	second := w.code("octocat", first)
	canaries = append(canaries, w.deviceCode("octocat"))
	w.eventually("two polls that fail", func() (bool, string) { return failing.Hits() == 2, "" })
	gate.shut.Store(true)
	w.enter(second, "octocat")
	w.condition("octocat", v1alpha1.ConditionReconciling, "True", v1alpha1.ReasonCommitting)
	gate.shut.Store(false)
	secret := w.ready("octocat")
	canaries = append(canaries, access(secret), refresh(secret))
	w.restart()
	w.settle()
	told := w.told()
	for i, canary := range canaries {
		if len(canary) < 20 {
			t.Fatalf("canary %d is not there", i)
		}
		for _, form := range []string{canary, base64.StdEncoding.EncodeToString([]byte(canary))} {
			if strings.Contains(told, form) || logs.contains(form) {
				t.Errorf("canary %d stands in logs, metrics, events, statuses or annotations", i)
			}
		}
	}
}
