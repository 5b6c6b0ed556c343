package webflow

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/logins"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/rules"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

var (
	epoch     = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	asked     = weblogin.Request{ID: "request-1", Callback: "http://127.0.0.1:8976/callback"}
	verifier  = credential.NewCodeVerifier("the verifier")
	webApp    = github.App{Host: "github.com", ClientID: "Iv23liEXAMPLE"}
	errNoRead = errors.New("the API server did not answer")
)

// waiting is a resource whose attempt waits for its code.
func waitingScope() *scope.Scope {
	token := &v1alpha1.GitHubUserToken{}
	token.Name, token.Namespace, token.UID = "octocat", "team-a", "uid"
	owner := scope.OwnerOf(token)
	pair := &rotation.Pair{
		Ref: scope.PairRefOf(token), Owner: owner, UID: "secret", Version: "1", Controlled: true,
		State: rotation.State{Owner: owner.UID, OwnerName: owner.Name, App: webApp.Key(), Web: &weblogin.Attempt{
			ID: "uid-random", Request: asked.ID, Callback: asked.Callback, App: webApp.Key(), State: "a state", Challenge: "a challenge",
			Verifier: verifier.Fingerprint(), BeganAt: epoch, ExpiresAt: epoch.Add(weblogin.Lifetime),
		}},
	}
	return &scope.Scope{
		Token: token, Owner: owner, Ref: pair.Ref, Pair: pair, App: scope.App{App: webApp, Secret: &scope.SecretKey{}}, Now: epoch,
		Web:   scope.WebLogin{Asked: asked},
		Input: rules.Input{Owner: owner, App: webApp.Key(), Pair: pair, Now: epoch, Web: rules.WebLogin{Request: asked}},
	}
}

// parts are what Logins call.
type parts struct {
	codes     map[string]string
	begun     weblogin.Attempt
	verifier  credential.CodeVerifier
	randoms   int
	err       error
	refused   *problem.Problem
	noSecrets bool
	// withoutSecret is why there is no client secret.
	withoutSecret *problem.Problem
}

func (p *parts) Begin(_ context.Context, job rotation.Job, attempt weblogin.Attempt, verifier credential.CodeVerifier) (*rotation.Pair, error) {
	p.begun, p.verifier = attempt, verifier
	next := job.Pair.Clone()
	next.State.Web = &attempt
	return next, p.err
}

func (p *parts) Verifier(context.Context, rotation.Owner, credential.Fingerprint) (credential.CodeVerifier, error) {
	if p.noSecrets {
		return credential.CodeVerifier{}, rotation.ErrNotFound
	}
	return verifier, nil
}

func (p *parts) Update(_ context.Context, _, next *rotation.Pair) (*rotation.Pair, error) {
	return next, p.err
}

func (p *parts) logins() *Logins {
	return New(Options{
		Offers: p, Verifiers: p, Pairs: p, CheckApp: func(scope.App) *problem.Problem { return p.refused }, Clock: rotation.SystemClock(),
		ReadCode: func(_ context.Context, name types.NamespacedName, key string) (string, bool, error) {
			code, found := p.codes[name.Namespace+"/"+name.Name+"/"+key]
			return code, found, p.err
		},
		ClientSecret: func(context.Context, scope.App) (credential.ClientSecret, *problem.Problem, error) {
			return credential.ClientSecret{}, p.withoutSecret, nil
		},
		Memory: memory.NewStore(),
		Random: func() string {
			p.randoms++
			return strings.Repeat("A", 25) + strconv.Itoa(p.randoms)
		},
	})
}

func TestWebLoginIsBoundBeforeItIsShown(t *testing.T) {
	p, s := &parts{}, waitingScope()
	begun, problem, err := p.logins().Begin(t.Context(), s)
	if err != nil || problem != nil {
		t.Fatal(problem, err)
	}
	a := p.begun
	if !strings.HasPrefix(a.ID, "uid-") || a.ID != strings.ToLower(a.ID) || weblogin.UIDOf(v1alpha1.LoginCodeSecretName(a.ID)) != "uid" {
		t.Errorf("the ID is %q", a.ID)
	}
	if a.Request != asked.ID || a.Callback != asked.Callback || a.App != webApp.Key() || a.ExpiresAt.Sub(a.BeganAt) != weblogin.Lifetime {
		t.Errorf("it is bound to %+v", a)
	}
	if len(p.verifier.Reveal()) < 43 || a.Challenge != github.Challenge(p.verifier) || a.Verifier != p.verifier.Fingerprint() || len(a.State) < 26 || p.randoms != 4 {
		t.Errorf("what nobody can guess is %+v", a)
	}
	if begun.State.Web.ID != a.ID {
		t.Error("another attempt is returned")
	}
	p.refused = &problem2
	if _, problem, _ := p.logins().Begin(t.Context(), s); problem != &problem2 {
		t.Error("an attempt is begun with an App that may not be used")
	}
}

// Without the client secret GitHub redeems no code: whoever is sent there would authorize the App in vain.
func TestWebLoginIsNotBegunWithoutTheClientSecret(t *testing.T) {
	missing := &problem.Problem{Reason: v1alpha1.ReasonClientSecretMissing}
	p := &parts{withoutSecret: missing}
	if begun, problem, err := p.logins().Begin(t.Context(), waitingScope()); begun != nil || problem != missing || err != nil || p.begun.ID != "" {
		t.Errorf("begun is %+v (%v, %v)", begun, problem, err)
	}
	p.withoutSecret = nil
	if begun, problem, err := p.logins().Begin(t.Context(), waitingScope()); begun == nil || problem != nil || err != nil {
		t.Errorf("with it begun is %+v (%v, %v)", begun, problem, err)
	}
}

// Where people can log in without it, what is missing stops none but the login that needs it, and is told there.
func TestWebLoginWithoutTheClientSecretIsRefusedWhereThereIsAnotherWay(t *testing.T) {
	missing := &problem.Problem{Reason: v1alpha1.ReasonClientSecretMissing, Message: "Put it there.", Stalled: true, OfApp: true}
	for name, c := range map[string]struct {
		methods []v1alpha1.LoginMethod
		veiled  bool
		refused string
	}{
		"with both":                         {[]v1alpha1.LoginMethod{v1alpha1.LoginMethodDeviceFlow, v1alpha1.LoginMethodWebFlow}, false, "Put it there."},
		"with both, of somebody else's App": {[]v1alpha1.LoginMethod{v1alpha1.LoginMethodDeviceFlow, v1alpha1.LoginMethodWebFlow}, true, scope.AppNotUsable},
		"by the web flow alone":             {[]v1alpha1.LoginMethod{v1alpha1.LoginMethodWebFlow}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, s := &parts{withoutSecret: missing}, waitingScope()
			s.Token.Spec.Login, s.App.Veiled = &v1alpha1.Login{Methods: c.methods}, c.veiled
			s.Web.Asked.ID = "request-2"
			s.Input.Web.Request = s.Web.Asked
			if _, problem, err := p.logins().Begin(t.Context(), s); problem != missing || err != nil {
				t.Fatal(problem, err)
			}
			if s.Web.Refused != c.refused || (s.Input.Web.Request.ID == "") != (c.refused != "") {
				t.Errorf("it is refused with %q, and Decide sees %+v", s.Web.Refused, s.Input.Web)
			}
			told := Report(s)
			if refused := told.Result == v1alpha1.WebLoginRefused && strings.HasSuffix(told.Message, ": "+c.refused); refused != (c.refused != "") {
				t.Errorf("it is told %+v", told)
			}
		})
	}
	// With it nothing is refused.
	p, s := &parts{}, waitingScope()
	s.Token.Spec.Login = &v1alpha1.Login{Methods: []v1alpha1.LoginMethod{v1alpha1.LoginMethodDeviceFlow, v1alpha1.LoginMethodWebFlow}}
	if _, _, err := p.logins().Begin(t.Context(), s); err != nil || s.Web.Refused != "" {
		t.Errorf("it is refused with %q (%v)", s.Web.Refused, err)
	}
}

var problem2 = problem.Problem{Reason: v1alpha1.ReasonAppNotUsable}

func TestWebLoginCodeIsLookedAtBeforeItIsSent(t *testing.T) {
	const secret = "team-a/github-user-token-code-uid-random/code"
	code := credential.NewAuthorizationCode("the code")
	for name, c := range map[string]struct {
		codes  map[string]string
		change func(*scope.Scope, *parts)
		why    string
		err    error
	}{
		"a code":                 {codes: map[string]string{secret: " the code\n"}},
		"none":                   {err: rotation.ErrNotFound},
		"one of another attempt": {codes: map[string]string{"team-a/github-user-token-code-uid-other/code": "the code"}, err: rotation.ErrNotFound},
		"an empty one":           {codes: map[string]string{secret: " "}, why: WhyMalformed},
		"a megabyte":             {codes: map[string]string{secret: strings.Repeat("x", 1<<20)}, why: WhyMalformed},
		"one that was sent before": {codes: map[string]string{secret: "the code"}, change: func(s *scope.Scope, _ *parts) {
			s.Pair.State.Unanswered = s.Pair.State.Unanswered.With(code.Fingerprint())
		}, why: WhyUsed},
		"one that was redeemed before": {codes: map[string]string{secret: "the code"}, change: func(s *scope.Scope, _ *parts) {
			s.Pair.State.Seeds = []rotation.SeedRecord{{Fingerprint: code.Fingerprint()}}
		}, why: WhyUsed},
		"one whose verifier is gone": {codes: map[string]string{secret: "the code"}, change: func(_ *scope.Scope, p *parts) { p.noSecrets = true }, why: WhyNoVerifier},
		"one that cannot be read":    {change: func(_ *scope.Scope, p *parts) { p.err = errNoRead }, err: errNoRead},
	} {
		t.Run(name, func(t *testing.T) {
			p, s, job := &parts{codes: c.codes}, waitingScope(), rotation.Job{}
			if c.change != nil {
				c.change(s, p)
			}
			ended, err := p.logins().Prepare(t.Context(), s, &job)
			if !errors.Is(err, c.err) {
				t.Fatal(err)
			}
			if c.why != "" && (ended == nil || ended.State.Web.Ended != v1alpha1.WebLoginRejected || ended.State.Web.Why != c.why) || c.why == "" && ended != nil {
				t.Errorf("it has ended as %+v", ended)
			}
			if ready := c.why == "" && c.err == nil; ready != (job.Attempt == "uid-random") || ready && (job.Code.Code != code || job.Code.Verifier != verifier ||
				job.Code.RedirectURI != asked.Callback || job.Decision.Spends != code.Fingerprint()) {
				t.Errorf("what is to be sent is of %q, for %q", job.Attempt, job.Code.RedirectURI)
			}
		})
	}
}

func TestWebLoginReport(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*scope.Scope)
		want    v1alpha1.WebLogin // without its message, and with the page reduced to whether there is one
		message string
	}{
		"while it waits": {func(*scope.Scope) {}, v1alpha1.WebLogin{AttemptID: "uid-random", AuthorizeURL: "yes"}, "Open the page"},
		"with the account that is meant": {func(s *scope.Scope) {
			s.Token.Spec.User = &v1alpha1.UserSelector{Login: "octocat"}
		}, v1alpha1.WebLogin{AttemptID: "uid-random", AuthorizeURL: "yes"}, "sign in as octocat"},
		"before it was begun":    {func(s *scope.Scope) { s.Pair.State.Web = nil }, v1alpha1.WebLogin{}, "about to begin"},
		"when it was refused":    {func(s *scope.Scope) { s.Web.Refused = "No." }, v1alpha1.WebLogin{Result: v1alpha1.WebLoginRefused}, "No."},
		"when another was begun": {func(s *scope.Scope) { s.Pair.State.Web.Request = "request-0" }, v1alpha1.WebLogin{}, "about to begin"},
		"of another resource":    {func(s *scope.Scope) { s.Pair.State.Web.ID = "other-random" }, v1alpha1.WebLogin{Result: v1alpha1.WebLoginSuperseded}, "none is begun for it again"},
		"when it was honoured before": {func(s *scope.Scope) {
			s.Pair.State.Web = (&weblogin.Attempt{ID: "uid-other", Request: "request-2"}).After(s.Pair.State.Web)
		}, v1alpha1.WebLogin{Result: v1alpha1.WebLoginSuperseded}, "none is begun for it again"},
		"when its pair came back from elsewhere": {func(s *scope.Scope) { s.Pair.State.Web = s.Pair.State.Web.Forgotten() }, v1alpha1.WebLogin{Result: v1alpha1.WebLoginSuperseded}, "came back from elsewhere"},
		"while it is suspended":                  {func(s *scope.Scope) { s.Token.Spec.Suspend = true }, v1alpha1.WebLogin{AttemptID: "uid-random"}, "spec.suspend"},
		"while its App may not be used": {func(s *scope.Scope) {
			s.App.Problem = &problem.Problem{Reason: v1alpha1.ReasonAppNotUsable, Message: "Ask somebody."}
		}, v1alpha1.WebLogin{AttemptID: "uid-random"}, "Ask somebody."},
		"while its App is not known": {func(s *scope.Scope) { s.App = scope.App{} }, v1alpha1.WebLogin{AttemptID: "uid-random"}, "not known"},
		"beside a newer version":     {func(s *scope.Scope) { s.Pair.State.Format = rotation.StateFormat + 1 }, v1alpha1.WebLogin{AttemptID: "uid-random"}, "a newer version"},
		"where a newer version has written none": {func(s *scope.Scope) {
			s.Pair.State.Format, s.Pair.State.Web = rotation.StateFormat+1, nil
		}, v1alpha1.WebLogin{}, "a newer version"},
		"where somebody else's Secret is": {func(s *scope.Scope) { s.Pair.Controlled, s.Pair.State.Web = false, nil }, v1alpha1.WebLogin{}, "belongs to somebody else"},
		"while it is redeemed": {func(s *scope.Scope) {
			s.Pair.State.Web.Sent = "code"
			s.Pair.Intent = &rotation.Intent{Attempt: "uid-random"}
		}, v1alpha1.WebLogin{AttemptID: "uid-random"}, "being redeemed"},
		"when the intent is gone": {func(s *scope.Scope) { s.Pair.State.Web.Sent = "code" }, v1alpha1.WebLogin{Result: v1alpha1.WebLoginLost}, "not sent again"},
		"when it has expired":     {func(s *scope.Scope) { s.Now = epoch.Add(weblogin.Lifetime) }, v1alpha1.WebLogin{Result: v1alpha1.WebLoginExpired}, "ten minutes"},
		"when it has expired since it could not be redeemed": {func(s *scope.Scope) {
			s.Now, s.Failure = epoch.Add(weblogin.Lifetime), &problem.Problem{Message: "Wrong secret."}
		}, v1alpha1.WebLogin{Result: v1alpha1.WebLoginExpired}, "ten minutes. What failed last: Wrong secret. To begin"},
		"when an older version has stored its pair": {func(s *scope.Scope) {
			s.Pair.State.Web.Sent, s.Pair.State.Seeds = "code", []rotation.SeedRecord{{Fingerprint: "code"}}
		}, v1alpha1.WebLogin{Result: v1alpha1.WebLoginSucceeded}, "is stored"},
		"when half a pair came": {func(s *scope.Scope) { s.Pair.State.Web = s.Pair.State.Web.AfterLogin("uid-random", true) }, v1alpha1.WebLogin{Result: v1alpha1.WebLoginLost}, "the access token is stored"},
		"when its pair was revoked": {func(s *scope.Scope) {
			s.Pair.State.Web = s.Pair.State.Web.With(v1alpha1.WebLoginRejected, rotation.ReasonRevoked)
		}, v1alpha1.WebLogin{Result: v1alpha1.WebLoginRejected}, "were revoked before they could be stored"},
		"when it has succeeded":   {func(s *scope.Scope) { s.Pair.State.Web = s.Pair.State.Web.AfterLogin("uid-random", false) }, v1alpha1.WebLogin{Result: v1alpha1.WebLoginSucceeded}, "is stored"},
		"when another login came": {func(s *scope.Scope) { s.Pair.State.Web = s.Pair.State.Web.AfterLogin("", false) }, v1alpha1.WebLogin{Result: v1alpha1.WebLoginSuperseded}, "Another login"},
		"when spec.app changed":   {func(s *scope.Scope) { s.Input.App = "github.com/other" }, v1alpha1.WebLogin{Result: v1alpha1.WebLoginSuperseded}, "spec.app"},
		"when GitHub refused it": {func(s *scope.Scope) {
			s.Pair.State.Web = s.Pair.State.Web.With(v1alpha1.WebLoginRejected, string(github.RedirectMismatch))
		}, v1alpha1.WebLogin{Result: v1alpha1.WebLoginRejected}, "the callback URL is not one of the App's"},
		"when somebody has edited the reason": {func(s *scope.Scope) {
			s.Pair.State.Web = s.Pair.State.Web.With(v1alpha1.WebLoginRejected, "<b>")
		}, v1alpha1.WebLogin{Result: v1alpha1.WebLoginRejected}, "GitHub did not redeem the code. "},
		"when it is another account's": {func(s *scope.Scope) {
			s.Pair.State.Web = s.Pair.State.Web.With(v1alpha1.WebLoginWrongUser, rotation.ReasonWrongUser)
		}, v1alpha1.WebLogin{Result: v1alpha1.WebLoginWrongUser}, "another account"},
		"when the client secret is wrong": {func(s *scope.Scope) {
			s.Input.Web.HasCode, s.Failure = true, &problem.Problem{Message: "Wrong secret."}
		}, v1alpha1.WebLogin{AttemptID: "uid-random", AuthorizeURL: "yes"}, "Wrong secret."},
	} {
		t.Run(name, func(t *testing.T) {
			s := waitingScope()
			c.change(s)
			got := *Report(s)
			if page := got.AuthorizeURL; page != "" {
				if !strings.Contains(page, "state=a+state") || !strings.Contains(page, "code_challenge=a+challenge") || !strings.Contains(page, "prompt=select_account") {
					t.Errorf("the page is %s", page)
				}
				got.AuthorizeURL = "yes"
			}
			// What waits has an end, and what is being redeemed, or has ended, has none.
			if waits := c.want.AttemptID != "" && !strings.Contains(got.Message, "being redeemed"); (got.ExpirationTime != nil) != waits {
				t.Errorf("it ends at %v", got.ExpirationTime)
			}
			message := got.Message
			got.Message, got.ExpirationTime, c.want.RequestID = "", nil, asked.ID
			if got != c.want || !strings.Contains(message, c.message) {
				t.Errorf("got %+v, %q", got, message)
			}
		})
	}
	if s := waitingScope(); true {
		s.Web = scope.WebLogin{}
		if Report(s) != nil {
			t.Error("a login is reported that nobody asks for")
		}
	}
}

func TestWebLoginIsExplainedWhereAPersonIsNeeded(t *testing.T) {
	missing := &problem.Problem{Reason: v1alpha1.ReasonRefreshTokenMissing, Message: "Log in.", Stalled: true, Unauthorized: true}
	s := waitingScope()
	if got := Explain(s, missing); got.Reason != v1alpha1.ReasonAuthorizationPending || got.Stalled || !strings.HasSuffix(got.Message, "05:16:07Z.") {
		t.Errorf("while it waits: %+v", got)
	}
	for result, reason := range reasons {
		if result == v1alpha1.WebLoginExpired {
			s.Now = epoch.Add(time.Hour)
		} else {
			s.Pair.State.Web.Ended = result
		}
		if got := Explain(s, missing); got.Reason != reason || !got.Stalled {
			t.Errorf("%s: %+v", result, got)
		}
		s = waitingScope()
	}
	s.Token.Spec.RefreshTokenRef = &v1alpha1.RefreshTokenReference{Name: "seed"}
	if got := Explain(s, missing); !strings.HasSuffix(got.Message, " Log in.") {
		t.Errorf("where there is another way: %q", got.Message)
	}
	if got := Explain(s, nil); got != nil {
		t.Errorf("where nobody is needed: %+v", got)
	}
	s.Pair.State.Web.Ended = v1alpha1.WebLoginLost
	if got := Explain(s, &problem.Problem{Reason: v1alpha1.ReasonReplyLost, Unauthorized: true}); got.Reason != v1alpha1.ReasonReplyLost {
		t.Errorf("where the chain has come to its end: %+v", got)
	}
	if got := Beside(s); !strings.Contains(got, "the chain before it goes on") {
		t.Errorf("beside a chain: %q", got)
	}
}

func TestWebLoginIsLookedAtInTime(t *testing.T) {
	s := waitingScope()
	if got := LookAt(s); !got.Equal(epoch.Add(weblogin.Lifetime)) {
		t.Errorf("while it waits: %v", got)
	}
	s.Input.Web.Request.ID = "request-2"
	if got := LookAt(s); !got.Equal(epoch.Add(rules.OfferPause)) {
		t.Errorf("before the next: %v", got)
	}
	s.Input.Web = rules.WebLogin{}
	s.Pair.State.Web.Ended = v1alpha1.WebLoginLost
	if got := LookAt(s); !got.IsZero() {
		t.Errorf("when it has ended: %v", got)
	}
}

// What came of a login before the chain that is there is nobody's concern any more.
func TestWebLoginBeforeALaterOneIsNotExplained(t *testing.T) {
	s := waitingScope()
	s.Pair.State.Web = s.Pair.State.Web.With(v1alpha1.WebLoginLost, "").AfterLogin("", false)
	if got := Beside(s); got != "" {
		t.Errorf("beside the chain of the later login it is said:%s", got)
	}
	dead := &problem.Problem{Reason: v1alpha1.ReasonRefreshTokenMissing, Message: "Log in.", Unauthorized: true}
	if got := Explain(s, dead); got.Reason != dead.Reason || got.Message != dead.Message {
		t.Errorf("where that has come to its end: %+v", got)
	}
}

func TestWebLoginNobodyIsSentToAPageThatIsNotShown(t *testing.T) {
	s := waitingScope()
	s.App.Problem = &problem.Problem{Reason: v1alpha1.ReasonAppNotUsable, Message: "No."}
	missing := &problem.Problem{Reason: v1alpha1.ReasonRefreshTokenMissing, Message: "Log in.", Unauthorized: true}
	if got := Explain(s, missing); got.Reason != missing.Reason || got.Message != missing.Message {
		t.Errorf("Authorized says %+v", got)
	}
}

func TestWebLoginMessageIsCutBetweenCharacters(t *testing.T) {
	s := waitingScope()
	s.Input.Web.HasCode, s.Failure = true, &problem.Problem{Message: strings.Repeat("ä", maxMessage)}
	for range 2 {
		if got := Report(s).Message; !utf8.ValidString(got) || len(got) > maxMessage || len(got) < maxMessage-1 {
			t.Errorf("%d bytes, valid: %t", len(got), utf8.ValidString(got))
		}
		s.Failure = &problem.Problem{Message: "x" + s.Failure.Message}
	}
}

func TestWebLoginThatComesToNothingIsCountedOnce(t *testing.T) {
	ended := func() float64 {
		families, err := gathered()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			for _, metric := range family.GetMetric() {
				if values := labels(metric); values["method"] == "web" && values["outcome"] == "code_ended" {
					return metric.GetCounter().GetValue()
				}
			}
		}
		t.Fatal("there is no such metric")
		return 0
	}
	p, s := &parts{codes: map[string]string{"team-a/github-user-token-code-uid-random/code": " "}}, waitingScope()
	l := p.logins()
	for _, step := range []struct {
		name string
		do   func()
		want float64
	}{
		{"while it waits", func() { l.CountExpired(s) }, 0},
		{"when its time is over", func() { s.Now = epoch.Add(weblogin.Lifetime); l.CountExpired(s) }, 1},
		{"the next time", func() { l.CountExpired(s) }, 0},
		{"long after, in a process that has just begun", func() { s.Now = epoch.Add(24 * time.Hour); p.logins().CountExpired(s) }, 0},
		{"when nobody asks any more", func() { s.Now, s.Web = epoch.Add(weblogin.Lifetime), scope.WebLogin{}; p.logins().CountExpired(s) }, 0},
		{"when what was brought is no code", func() { _, _ = l.Prepare(t.Context(), waitingScope(), &rotation.Job{}) }, 1},
		{"when that could not be written down", func() {
			p.err = errNoRead
			_, _ = l.Prepare(t.Context(), waitingScope(), &rotation.Job{})
		}, 0},
	} {
		before := ended()
		if step.do(); ended()-before != step.want {
			t.Errorf("%s: %v are counted", step.name, ended()-before)
		}
	}
}

func gathered() ([]*dto.MetricFamily, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(logins.Metrics()...)
	return registry.Gather()
}

func labels(metric *dto.Metric) map[string]string {
	values := map[string]string{}
	for _, pair := range metric.GetLabel() {
		values[pair.GetName()] = pair.GetValue()
	}
	return values
}
