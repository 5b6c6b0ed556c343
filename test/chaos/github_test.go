package chaos

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

// TestChaosGitHubFails lets GitHub fail in every way that has been seen of it, once in a first exchange and once in a later
// one, each with an App of its own, since a rate limit holds up the whole App.
func TestChaosGitHubFails(t *testing.T) {
	t.Parallel()
	elsewhere, stolen := countingServer(t)
	var cases []*failure
	add := func(name string, presented int, fault githubtest.Fault) *failure {
		f := &failure{name: name, presented: presented, fault: fault}
		cases = append(cases, f)
		return f
	}
	// The outcome is unknown, and the next try tells: GitHub had not seen the first.
	add("bad-gateway", 2, githubtest.BadGateway())
	add("unavailable", 2, githubtest.Unavailable())
	add("server-error", 2, githubtest.ServerError())
	add("html-page", 2, githubtest.HTMLPage(http.StatusOK))
	add("empty-body", 2, githubtest.EmptyBody())
	add("not-json", 2, githubtest.NotJSON())
	add("reset", 2, githubtest.ResetConnection())
	add("closed", 2, githubtest.CloseConnection())
	add("huge-nonsense", 2, githubtest.HugeBody(10<<20).BeforeCommit())
	// Or GitHub had: the reply is lost, which is said.
	add("bad-gateway-late", 2, githubtest.BadGateway().AfterCommit()).lost = true
	add("html-page-late", 2, githubtest.HTMLPage(http.StatusOK).AfterCommit()).lost = true
	add("reset-late", 2, githubtest.ResetConnection().AfterCommit()).lost = true
	add("dropped", 2, githubtest.DropReply()).lost = true
	add("cut-early", 2, githubtest.CutBody(10)).lost = true
	// Odd replies that hold the pair.
	add("cut-late", 1, githubtest.CutBody(-1))
	add("slow", 1, githubtest.SlowBody(10*time.Millisecond))
	add("late", 1, githubtest.Delay(4*time.Second).AfterCommit())
	add("huge", 1, githubtest.HugeBody(10<<20))
	add("mislabelled", 1, githubtest.ContentType("text/html; charset=utf-8"))
	// Refusals that leave the token untouched.
	add("limited", 2, githubtest.RateLimited(http.StatusTooManyRequests, 2*time.Second, time.Time{}))
	add("limited-403", 2, githubtest.RateLimited(http.StatusForbidden, 2*time.Second, time.Time{}))
	add("limited-until", 2, githubtest.RateLimited(http.StatusForbidden, 0, time.Now().Add(10*time.Second))).once = true
	add("redirected-307", 2, githubtest.Redirect(http.StatusTemporaryRedirect, elsewhere))
	add("redirected-308", 2, githubtest.Redirect(http.StatusPermanentRedirect, elsewhere))
	// Without a word about when, a minute is waited; the short form does not.
	if unsaid := add("limited-unsaid", 2, githubtest.SecondaryRateLimit(0)); !long {
		unsaid.presented, unsaid.reason = 1, v1alpha1.ReasonRateLimited
	}

	w := newWorld(t, worldOptions{gh: githubtest.Options{FreshTokenRefusedFor: 3 * time.Second}})
	totals.fault("GitHub: fresh token refused")
	var first, later []*subject
	for i, f := range cases {
		app := fmt.Sprintf("%s%d", clientID, i)
		w.gh.AddApp(githubtest.App{ClientID: app, Secrets: []string{clientSecret}})
		later = append(later, w.prepare(f.name+"-refresh", w.namespaces[0], app))
		if f.again() {
			first = append(first, w.prepare(f.name+"-import", w.namespaces[0], app))
		}
	}
	r := w.replica()
	r.start()
	w.each(later, (*subject).apply)
	for _, s := range later {
		s.awaitReady()
	}
	for i, s := range later {
		w.gh.Inject(cases[i].fault.ForRefreshToken(s.holds()))
		s.due, s.lost, s.reason = s.due+cases[i].presented, cases[i].lost, cases[i].reason
	}
	w.each(later, (*subject).annotate)
	w.settleThese(later, time.Time{})
	for i, s := range later {
		if cases[i].reason != "" { // Its minute may be over before all others have settled.
			s.due, s.most, s.reason = -1, s.due+1, anyReason
		}
	}

	n := 0
	for _, f := range cases {
		if f.again() {
			w.gh.Inject(f.fault.ForRefreshToken(first[n].logins[0]))
			first[n].due = f.presented
			n++
		}
	}
	w.each(first, (*subject).apply)
	w.judge()
	if stolen.Load() != 0 {
		t.Error("a redirect was followed with the token")
	}
}

// failure is one way in which GitHub fails.
type failure struct {
	name  string
	fault githubtest.Fault
	// presented is how often the token is presented in all.
	presented int
	lost      bool
	reason    string
	// once says that it is not tried in a first exchange as well.
	once bool
}

func (f *failure) again() bool { return !f.lost && f.reason == "" && !f.once }

// countingServer is where redirects lead.
func countingServer(t *testing.T) (string, *atomic.Int64) {
	t.Helper()
	requests := &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	t.Cleanup(server.Close)
	return server.URL, requests
}

func TestChaosRotatedClientSecretCostsNoToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	_, s := w.running("octocat")
	const renewed = "0ddba115ca1ab1e0ddba115ca1ab1e0ddba115ca"
	w.secrets = append(w.secrets, renewed)
	w.gh.UpdateApp(clientID, func(app *githubtest.App) { app.Secrets = []string{renewed} })
	totals.fault("GitHub: client secret rotated")
	s.request()
	s.awaitReason(v1alpha1.ConditionReconciling, v1alpha1.ReasonIncorrectClientCredentials)
	s.due = -1
	s.most = 10 // Each try tells that the secret is still wrong, and touches no token.
	w.secret(s.namespace, "github-app", "client_secret", renewed)
	s.awaitReady()
	w.judge()
}
