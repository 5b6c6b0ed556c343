package controllers

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/apps"
	"github.com/githubusertoken/github-user-token-operator/controllers/appsource"
	"github.com/githubusertoken/github-user-token-operator/controllers/deviceflow"
	"github.com/githubusertoken/github-user-token-operator/controllers/explain"
	"github.com/githubusertoken/github-user-token-operator/controllers/handoff"
	"github.com/githubusertoken/github-user-token-operator/controllers/lifecycle"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/tokencount"
	"github.com/githubusertoken/github-user-token-operator/controllers/webflow"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/rules"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

var updateStatuses = flag.Bool("update-statuses", false, "write the files of the statuses anew")

var stageNow = time.Date(2026, 3, 4, 2, 0, 0, 0, time.UTC)

// stages are moments in the life of a resource. Their statuses stand in test/gitops/testdata/statuses, as the API server
// sends them, and are tried there with kstatus and Argo CD.
var stages = []struct {
	name   string
	change func(s *scope.Scope)
	// met is what an action met; nil when what Decide says is all.
	met func(s *scope.Scope) lifecycle.Result
	// aside is what else is not as it should be; nil when all is.
	aside func(s *scope.Scope) *problem.Problem
}{
	{"ready", nil, nil, nil},
	{"ready-never-expires", func(s *scope.Scope) {
		s.Pair.State.ExpiresAt, s.Pair.State.RefreshTokenExpiresAt, s.Pair.State.RefreshToken = time.Time{}, time.Time{}, ""
	}, nil, nil},
	{"ready-ends-for-good", func(s *scope.Scope) { s.Pair.State.RefreshToken = "" }, login, nil},
	{"ready-refresh-before-too-long", func(s *scope.Scope) { s.Input.Policy.RefreshBefore = 9 * time.Hour }, nil, nil},
	{"ready-github-down", func(s *scope.Scope) { dueNow(s); githubDown(s) }, nil, nil},
	{"ready-outcome-unknown", func(s *scope.Scope) {
		dueNow(s)
		githubDown(s)
		s.Failure.Ambiguous = true
	}, nil, nil},
	{"ready-committing", func(s *scope.Scope) { exchanging(s, s.Pair.State.RefreshToken) }, committing, nil},
	{"ready-committing-another-login", func(s *scope.Scope) { exchanging(s, "another") }, committing, nil},
	{"ready-client-secret-wrong", dueNow, meeting(problem.Problem{
		Reason: v1alpha1.ReasonIncorrectClientCredentials, Message: "GitHub knows no such client ID and secret.", Stalled: true,
	}), nil},
	{"ready-rejected", func(s *scope.Scope) { condemn(s, v1alpha1.ReasonRefreshTokenRejected) }, nil, nil},
	{"ready-revoked", func(s *scope.Scope) { condemn(s, v1alpha1.ReasonRevoked); endAccessToken(s) }, nil, nil},
	{"ready-access-token-ended", func(s *scope.Scope) { endAccessToken(s); s.Pair.State.RenewedAt = stageNow.Add(-time.Minute) }, nil, nil},
	{"ready-account-suspended", suspendAccount, nil, nil},
	{"ready-account-suspended-github-down", func(s *scope.Scope) { dueNow(s); githubDown(s); suspendAccount(s) }, nil, nil},
	{"ready-access-token-ended-github-down", func(s *scope.Scope) { endAccessToken(s); githubDown(s) }, nil, nil},
	{"ready-rejected-code-offered", func(s *scope.Scope) { condemn(s, v1alpha1.ReasonRefreshTokenRejected); offerCode(s) }, login, nil},
	{"ready-rejected-code-denied", func(s *scope.Scope) {
		condemn(s, v1alpha1.ReasonRefreshTokenRejected)
		offerCode(s)
		denyCode(s)
	}, login, nil},
	{"ready-suspended", func(s *scope.Scope) { suspend(s) }, nil, nil},
	{"ready-suspended-rejected", func(s *scope.Scope) { suspend(s); condemn(s, v1alpha1.ReasonRefreshTokenRejected) }, nil, nil},
	{"ready-output-not-owned", nil, nil, func(s *scope.Scope) *problem.Problem {
		return outputStage(s, apierrors.NewAlreadyExists(corev1.Resource("secrets"), "octocat-git"))
	}},
	{"ready-output-refused", nil, nil, func(s *scope.Scope) *problem.Problem {
		found := outputStage(s, apierrors.NewForbidden(corev1.Resource("secrets"), "octocat-git", errors.New("a policy says no")))
		found.RetryAt = s.Now.Add(time.Minute)
		return found
	}},
	{"ready-handoff-disabled", nil, nil, func(s *scope.Scope) *problem.Problem {
		s.Token.Spec.Handoff = &v1alpha1.Handoff{Pods: v1alpha1.PodHandoffSync}
		return (*handoff.Handoff)(nil).Sync(logr.Discard(), s).Problem
	}},
	{"ready-handoff-forbidden", nil, nil, func(*scope.Scope) *problem.Problem {
		return new(handoff.ProblemOf(&handoff.ForbiddenError{Verb: "patch", Resource: "pods", Namespace: "team-a"}))
	}},
	{"ready-many-tokens", manyTokens, nil, nil},
	{"ready-anybody-may-log-in", func(s *scope.Scope) {
		s.Token.Spec.RefreshTokenRef, s.Token.Spec.DeviceFlow = nil, &v1alpha1.DeviceFlow{}
	}, nil, nil},
	{"ready-user-required", nil, nil, func(s *scope.Scope) *problem.Problem {
		app, err := apps.New(apps.Options{Source: appsource.Source{}, RequireUser: true}).App(context.Background(), s.Token)
		if err != nil {
			panic(err)
		}
		s.App = app
		return asideOf(app.Problem)
	}},
	{"ready-state-format-too-new", func(s *scope.Scope) { s.Pair.State.Format = 99 }, nil, nil},
	{"restored-being-proven", func(s *scope.Scope) { s.Pair.State.Owner = "former"; githubDown(s) }, nil, nil},
	{"restored-unproven", func(s *scope.Scope) { s.Pair.State.Owner, s.Input.Proof = "former", rules.ProofDead }, nil, nil},
	{"expired-github-down", func(s *scope.Scope) { expire(s); githubDown(s) }, nil, nil},
	{"expired-rejected-code-offered", func(s *scope.Scope) {
		expire(s)
		condemn(s, v1alpha1.ReasonRefreshTokenRejected)
		offerCode(s)
	}, login, nil},
	{"expired-rejected", func(s *scope.Scope) { expire(s); condemn(s, v1alpha1.ReasonRefreshTokenRejected) }, nil, nil},
	{"expired-suspended", func(s *scope.Scope) { expire(s); suspend(s) }, nil, nil},
	{"new-pending", withoutPair, nil, nil},
	{"new-github-down", func(s *scope.Scope) { withoutPair(s); githubDown(s) }, nil, nil},
	{"new-committing", func(s *scope.Scope) {
		s.Pair.State = rotation.State{Owner: s.Owner.UID}
		exchanging(s, s.Seed.Fingerprint)
	}, committing, nil},
	{"new-suspended", func(s *scope.Scope) { withoutPair(s); suspend(s) }, nil, nil},
	{"new-code-offered", func(s *scope.Scope) { withoutLogin(s); offerCode(s) }, login, nil},
	{"new-code-denied", func(s *scope.Scope) { withoutLogin(s); offerCode(s); denyCode(s) }, login, nil},
	{"new-web-login-pending", func(s *scope.Scope) { withoutLogin(s); offerPage(s) }, loginInABrowser, nil},
	{"new-web-login-lost", func(s *scope.Scope) {
		withoutLogin(s)
		offerPage(s)
		s.Pair.State.Web = s.Pair.State.Web.With(v1alpha1.WebLoginLost, "")
	}, loginInABrowser, nil},
	{"new-login-link", func(s *scope.Scope) { withoutLogin(s); offerLink(s) }, loginInABrowser, nil},
	{"new-login-link-and-code", func(s *scope.Scope) { withoutLogin(s); offerCode(s); offerLink(s) }, login, nil},
	{"new-login-link-not-allowed", func(s *scope.Scope) {
		withoutLogin(s)
		offerLink(s)
		s.Link = scope.Link{Without: scope.App{LoginPage: &scope.Accounts{}}.ForbidsLoginPage(s.Token)}
	}, loginInABrowser, nil},
	{"new-login-link-used", func(s *scope.Scope) { withoutLogin(s); offerPage(s); useLink(s) }, loginInABrowser, nil},
	{"ready-rejected-login-link", func(s *scope.Scope) { offerLink(s); condemn(s, v1alpha1.ReasonRefreshTokenRejected) }, loginInABrowser, nil},
	{"new-device-flow-disabled", func(s *scope.Scope) { withoutLogin(s) }, login, nil},
	{"new-host-not-allowed", withoutPair, meeting(problem.Problem{
		Reason: v1alpha1.ReasonHostNotAllowed, Message: "The host is not allowed.", Stalled: true,
	}), nil},
	{"new-seed-missing", func(s *scope.Scope) {
		withoutPair(s)
		s.Seed, s.Input.Seed = scope.Seed{Problem: &problem.Problem{
			Reason: v1alpha1.ReasonRefreshTokenMissing, Message: "There is no Secret \"octocat-seed\".", Stalled: true, Unauthorized: true,
		}}, ""
	}, nil, nil},
	{"new-secret-not-owned", func(s *scope.Scope) { s.Pair.Controlled, s.Pair.State = false, rotation.State{} }, nil, nil},
}

// meeting is an action that met a problem.
func meeting(p problem.Problem) func(*scope.Scope) lifecycle.Result {
	return func(*scope.Scope) lifecycle.Result { return lifecycle.Result{State: lifecycle.Blocked, Problem: &p} }
}

// committing is what is told of an exchange whose pair is not stored yet.
var committing = meeting(problem.Problem{
	Reason: v1alpha1.ReasonCommitting, Message: "A new pair has been received and is kept safe.",
})

// exchanging is an exchange of a token that has begun.
func exchanging(s *scope.Scope, spends credential.Fingerprint) {
	s.Pair.Intent = &rotation.Intent{ID: "1", Spends: spends}
}

// withoutLogin is a resource with nothing but the device flow, and nobody has logged in yet.
func withoutLogin(s *scope.Scope) {
	s.Token.Spec.RefreshTokenRef, s.Token.Spec.Login = nil, suite.DeviceLogin()
	s.Seed, s.Input.Seed = scope.Seed{}, ""
	s.Pair.State = rotation.State{Owner: s.Owner.UID, OwnerName: s.Owner.Name, App: s.Input.App}
}

func offerCode(s *scope.Scope) {
	s.Token.Spec.Login = suite.DeviceLogin()
	s.Pair.State.Device = &rotation.DeviceAuthorization{
		UserCode: "WDJB-MJHT", VerificationURI: "https://github.com/login/device", App: s.Input.App,
		DeviceCode: credential.NewDeviceCode("device code").Fingerprint(), Interval: 5 * time.Second,
		OfferedAt: s.Input.Now, Since: s.Input.Now, ExpiresAt: s.Input.Now.Add(15 * time.Minute), Codes: 1,
	}
}

// offerPage is an attempt to log in by the web flow that waits.
func offerPage(s *scope.Scope) {
	s.Token.Spec.Login = &v1alpha1.Login{Methods: []v1alpha1.LoginMethod{v1alpha1.LoginMethodWebFlow}}
	s.App.App = github.App{Host: "github.com", ClientID: s.Token.Spec.App.ClientID}
	s.Web.Asked = weblogin.Request{ID: "request-1", Callback: "http://127.0.0.1:8976/callback"}
	s.Pair.State.Web = &weblogin.Attempt{
		ID: s.Owner.UID + "-random", Request: s.Web.Asked.ID, Callback: s.Web.Asked.Callback, App: s.Input.App, State: "STATE", Challenge: "CHALLENGE",
		Verifier: credential.NewCodeVerifier("verifier").Fingerprint(), BeganAt: s.Input.Now, ExpiresAt: s.Input.Now.Add(weblogin.Lifetime),
	}
	s.Input.Web.Request = s.Web.Asked
}

// offerLink offers a link of the login page, beside other ways to log in.
func offerLink(s *scope.Scope) {
	if s.Token.Spec.Login == nil || s.Pair.State.Device == nil {
		s.Token.Spec.Login = &v1alpha1.Login{}
	}
	s.Token.Spec.Login.Methods = append(s.Token.Spec.Login.Methods, v1alpha1.LoginMethodWebFlow)
	s.Token.Spec.User = &v1alpha1.UserSelector{Login: "octocat"}
	s.Link = scope.Link{URL: "https://login.example.com/login/team-a/octocat?ticket=" + strings.Repeat("x", 43), ExpiresAt: s.Now.Add(24 * time.Hour)}
}

// useLink has the page ask for the login that waits, and another link be offered.
func useLink(s *scope.Scope) {
	offerLink(s)
	s.Web.Asked = weblogin.Request{ID: "p-" + strings.Repeat("0", 40), Callback: "https://login.example.com/callback"}
	s.Pair.State.Web.Request, s.Pair.State.Web.Callback = s.Web.Asked.ID, s.Web.Asked.Callback
	s.Input.Web.Request = s.Web.Asked
}

// loginInABrowser is what is in the way of a resource that has nothing but the web flow.
func loginInABrowser(s *scope.Scope) lifecycle.Result {
	decision := rules.Decide(s.Input)
	return lifecycle.Result{State: lifecycle.Blocked, Problem: webflow.Explain(s, explain.Decision(s, decision))}
}

// denyCode ends the series of the code that is offered.
func denyCode(s *scope.Scope) {
	need := "NoSeed"
	if verdict := s.Pair.State.Verdict; verdict != nil {
		need = "Verdict/" + verdict.Reason + "/" + string(verdict.Fingerprint)
	}
	s.Pair.State.Device.For = s.Input.App + " anybody " + need
	s.Pair.State.Device.Ended = v1alpha1.ReasonAuthorizationDenied
}

// noCodes is a GitHub whose App has no device flow.
type noCodes struct{}

func (noCodes) RequestDeviceCode(context.Context, github.App) (github.DeviceAuthorization, error) {
	return github.DeviceAuthorization{}, &github.Error{Class: github.Misconfigured, Reason: github.DeviceFlowDisabled, Host: "github.com"}
}

// manyPlaces is an outbox that always has one.
type manyPlaces struct{}

func (manyPlaces) Take(rotation.Owner) error { return nil }
func (manyPlaces) Unwanted(string)           {}
func (manyPlaces) Release(rotation.Owner)    {}

// login is what the device flow finds in the way. When there is no code yet GitHub gives out none.
func login(s *scope.Scope) lifecycle.Result {
	var works []func()
	flow := deviceflow.New(deviceflow.Options{
		GitHub: noCodes{}, Outbox: manyPlaces{}, Memory: memory.NewStore(), Clock: rotation.SystemClock(), Pause: func(github.App, rotation.Result) {},
		Acquire: func(string, ratelimit.Request) (bool, time.Time) { return true, time.Time{} },
		Runner:  runner.New(runner.Options{Limit: 1, Go: func(_ types.UID, work func()) { works = append(works, work) }}),
	})
	decision := rules.Decide(s.Input)
	step := flow.Advance(logr.Discard(), s, decision, explain.Decision(s, decision))
	if step.Started {
		works[0]()
		step = flow.Advance(logr.Discard(), s, decision, explain.Decision(s, decision))
	}
	return lifecycle.Result{Problem: webflow.Explain(s, step.Problem), Offered: step.Offered}
}

// outputStage is what stands in the way of an output when the API server answers to its creation with an error.
func outputStage(s *scope.Scope, err error) *problem.Problem {
	server := interceptor.NewClient(nil, interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return nil },
		Get: func(_ context.Context, _ client.WithWatch, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
			return apierrors.NewNotFound(corev1.Resource("secrets"), key.Name)
		},
		Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return err },
	})
	// Past the cache there is a Secret without any mark.
	live := interceptor.NewClient(nil, interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return nil
		},
	})
	token := s.Token.DeepCopy()
	token.Spec.Outputs = []v1alpha1.Output{{Name: "octocat-git", Format: v1alpha1.OutputFormatOpaque}}
	with := *s
	with.Token = token
	found, _, failed := outputs.New(outputs.Options{
		Client: server, Live: live, Store: storedPair{s.Pair}, Clock: rotation.SystemClock(), Memory: memory.NewStore(),
	}).Sync(context.Background(), &with, nil)
	if failed != nil {
		panic(failed)
	}
	found.RetryAt = time.Time{}
	return found
}

// storedPair is the pair Secret as it is stored.
type storedPair struct{ pair *rotation.Pair }

func (s storedPair) Get(context.Context, rotation.Ref) (*rotation.Pair, error) {
	pair := s.pair.Clone()
	pair.AccessToken, pair.RefreshToken = credential.NewAccessToken("access"), credential.NewRefreshToken("refresh")
	return pair, nil
}

func dueNow(s *scope.Scope) {
	s.Input.Now = s.Pair.State.ExpiresAt.Add(-time.Hour)
	s.Now = s.Input.Now
}

func expire(s *scope.Scope) {
	s.Input.Now = s.Pair.State.ExpiresAt.Add(time.Minute)
	s.Now = s.Input.Now
}

func suspend(s *scope.Scope) { s.Token.Spec.Suspend, s.Input.Suspended = true, true }

func withoutPair(s *scope.Scope) { s.Pair, s.Input.Pair = nil, nil }

func condemn(s *scope.Scope, reason string) {
	s.Pair.State.Verdict = &rotation.Verdict{Reason: reason, Fingerprint: s.Pair.State.RefreshToken, Time: stageNow}
}

func endAccessToken(s *scope.Scope) { s.Pair.State.AccessTokenEnded = true }

// suspendAccount is what a check has found.
func suspendAccount(s *scope.Scope) {
	s.Standing = scope.Standing{
		Reason:  v1alpha1.ReasonAccountSuspended,
		Message: words.Barred(&github.Error{Reason: github.AccountSuspended, Host: "github.com"}),
	}
}

func githubDown(s *scope.Scope) {
	s.Failure = &problem.Problem{
		Reason: v1alpha1.ReasonGitHubUnavailable, Message: "GitHub answered with an error of its own.", RetryAt: s.Now.Add(time.Minute),
	}
	s.Input.Failure = s.Failure
}

// stageScope is a resource with a good pair, an eighth of whose life is over.
func stageScope() *scope.Scope {
	token := &v1alpha1.GitHubUserToken{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "GitHubUserToken"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat", UID: "8b1c7f2e-0000-4000-8000-000000000001", Generation: 3},
		Spec: v1alpha1.GitHubUserTokenSpec{
			App:             v1alpha1.App{Host: "github.com", ClientID: "Iv23liEXAMPLE"},
			RefreshTokenRef: &v1alpha1.RefreshTokenReference{Name: "octocat-seed", Key: "refresh_token"},
		},
	}
	seedPrint := credential.NewRefreshToken("the seed").Fingerprint()
	pair := &rotation.Pair{
		Ref: rotation.Ref{Namespace: "team-a", Name: "octocat"}, Owner: scope.OwnerOf(token), UID: "secret", Version: "7", Controlled: true,
		State: rotation.State{
			Owner: string(token.UID), App: scope.InlineApp(token).Key(), RefreshCount: 4,
			AccessToken: credential.NewAccessToken("access").Fingerprint(), RefreshToken: credential.NewRefreshToken("refresh").Fingerprint(),
			IssuedAt: stageNow.Add(-time.Hour), ExpiresAt: stageNow.Add(7 * time.Hour), RefreshTokenExpiresAt: stageNow.Add(4000 * time.Hour),
			Seeds: []rotation.SeedRecord{{Fingerprint: seedPrint}}, User: &rotation.User{Login: "octocat", ID: 583231},
		},
	}
	s := &scope.Scope{
		Token: token, Owner: scope.OwnerOf(token), Ref: pair.Ref, Pair: pair, Seed: scope.Seed{Fingerprint: seedPrint, Version: "1"}, Now: stageNow,
	}
	s.Input = rules.Input{Owner: s.Owner, App: scope.InlineApp(token).Key(), Pair: pair, Seed: seedPrint, Now: stageNow}
	return s
}

// manyTokens has the account have eight tokens, of which the resource's is the newest.
func manyTokens(s *scope.Scope) {
	counter := tokencount.New()
	for n := range tokencount.WarnFrom {
		pair := s.Pair.Clone()
		if n > 0 {
			pair.UID, pair.State.AccessToken = fmt.Sprint(n), credential.NewAccessToken(fmt.Sprint(n)).Fingerprint()
		}
		counter.Seen(pair, stageNow.Add(-time.Duration(n)*time.Hour), 0)
	}
	s.Advice = counter.Advice(types.UID(s.Pair.UID))
}

func TestStatusOfEachStageOfLifeIsAsWrittenDown(t *testing.T) {
	const folder = "../test/gitops/testdata/statuses"
	known := map[string]bool{}
	for _, stage := range stages {
		t.Run(stage.name, func(t *testing.T) {
			s := stageScope()
			if stage.change != nil {
				stage.change(s)
			}
			decision := rules.Decide(s.Input)
			result := lifecycle.Result{Problem: explain.Decision(s, decision)}
			if stage.met != nil {
				result = stage.met(s)
			}
			var aside *problem.Problem
			if stage.aside != nil {
				aside = stage.aside(s)
			}
			s.Token.Status = *statusOf(s, decision, result, aside, nil)
			text, err := yaml.Marshal(s.Token)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(folder, stage.name+".yaml")
			if *updateStatuses {
				if err := os.WriteFile(file, text, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if string(text) != string(want) {
				t.Errorf("the status is another than in %s; if that is right, run: go test ./controllers -run %s -update-statuses\n%s", file, t.Name(), text)
			}
		})
		known[stage.name+".yaml"] = true
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !known[file.Name()] || !strings.HasSuffix(file.Name(), ".yaml") {
			t.Errorf("%s belongs to no stage", file.Name())
		}
	}
}

// A clock that was ahead at the exchange, or was set back since, is told where the status says how long the token works.
func TestStatusTellsOfAWrongClock(t *testing.T) {
	stage := func(change func(*scope.Scope)) (*v1alpha1.GitHubUserTokenStatus, string) {
		s := stageScope()
		change(s)
		decision := rules.Decide(s.Input)
		status := statusOf(s, decision, lifecycle.Result{}, nil, nil)
		return status, meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady).Message
	}
	_, told := stage(func(*scope.Scope) {})
	if strings.Contains(told, "clock") {
		t.Errorf("a clock that is right is told of: %s", told)
	}
	_, told = stage(func(s *scope.Scope) { s.Pair.State.Shortened = 6*time.Hour + time.Millisecond })
	if !strings.Contains(told, "at least 6h ahead of GitHub's") {
		t.Errorf("a clock that was ahead at the exchange: %s", told)
	}
	_, told = stage(func(s *scope.Scope) {
		s.Pair.State.Shortened, s.Input.Policy.RefreshBefore = 4*time.Hour, 7*time.Hour+30*time.Minute
		s.Input.Pair = s.Pair
	})
	if strings.Contains(told, "refreshBefore") {
		t.Errorf("spec.refreshBefore is blamed for a wrong clock: %s", told)
	}
	status, told := stage(func(s *scope.Scope) { s.Input.ExpiresIn = new(4 * time.Hour) })
	if want := stageNow.Add(4 * time.Hour); !status.AccessTokenExpirationTime.Time.Equal(want) || !strings.Contains(told, words.Time(want)) || !strings.Contains(told, "set the clock") {
		t.Errorf("a clock that was set back: it expires at %s; %s", status.AccessTokenExpirationTime, told)
	}
	if next := status.NextRefreshTime; next == nil || !next.Time.Before(stageNow.Add(4*time.Hour)) {
		t.Errorf("the next refresh is said to be at %s", next)
	}
}

// From the moment on in which GitHub's answer is told of as not stored nothing says that the token works which it has replaced, nor
// that the answer did not arrive, however else the resource stands.
func TestStatusOfAReceivedPairThatIsNotStored(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*scope.Scope)
		ready  metav1.ConditionStatus
		reason string
	}{
		"the stored token is spent":         {func(*scope.Scope) {}, metav1.ConditionFalse, v1alpha1.ReasonCommitting},
		"and was refused once before":       {func(s *scope.Scope) { condemn(s, v1alpha1.ReasonRevoked); endAccessToken(s) }, metav1.ConditionFalse, v1alpha1.ReasonCommitting},
		"and its access token had ended":    {endAccessToken, metav1.ConditionFalse, v1alpha1.ReasonCommitting},
		"and its account had been barred":   {suspendAccount, metav1.ConditionFalse, v1alpha1.ReasonCommitting},
		"and has expired meanwhile":         {expire, metav1.ConditionFalse, v1alpha1.ReasonCommitting},
		"the token of another login is":     {func(s *scope.Scope) { exchanging(s, "another") }, metav1.ConditionTrue, v1alpha1.ReasonTokenValid},
		"the pair has just been stored":     {func(s *scope.Scope) { s.Pair.Intent = nil }, metav1.ConditionTrue, v1alpha1.ReasonTokenValid},
		"a login of which there is no pair": {withoutPair, metav1.ConditionFalse, v1alpha1.ReasonCommitting},
	} {
		t.Run(name, func(t *testing.T) {
			s := stageScope()
			exchanging(s, s.Pair.State.RefreshToken)
			c.change(s)
			status := statusOf(s, rotation.Decision{}, committing(s), nil, nil)
			ready, authorized := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady), meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionAuthorized)
			if ready.Status != c.ready || ready.Reason != c.reason || (c.ready == metav1.ConditionFalse) != strings.Contains(ready.Message, "A new pair has been received") {
				t.Errorf("Ready is %+v", ready)
			}
			if authorized.Status != metav1.ConditionUnknown || authorized.Reason != v1alpha1.ReasonCommitting || !strings.Contains(authorized.Message, "A new pair has been received") {
				t.Errorf("Authorized is %+v", authorized)
			}
		})
	}
}

// Of a resource whose pair was removed with it nothing says that no exchange was made.
func TestStatusOfADeletionThatWaits(t *testing.T) {
	s := stageScope()
	withoutPair(s)
	s.Token.DeletionTimestamp = &metav1.Time{Time: stageNow}
	for name, met := range map[string]*problem.Problem{"refused": words.Unreleased(errors.New("a policy says no")), "under way": nil} {
		status := statusOf(s, rotation.Decision{}, lifecycle.Result{Problem: met}, nil, nil)
		for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionAuthorized} {
			found := meta.FindStatusCondition(status.Conditions, kind)
			if !strings.Contains(found.Message, "The resource is being deleted") || found.Reason == v1alpha1.ReasonNotYetExchanged {
				t.Errorf("%s: %s is %+v", name, kind, found)
			}
		}
	}
}

// An intent under which nothing was sent is no sign that an answer is missing.
func TestStatusOfAnIntentThatNothingCameOf(t *testing.T) {
	for untouched, want := range map[bool]string{true: v1alpha1.ReasonRefreshTokenValid, false: v1alpha1.ReasonOutcomeUnknown} {
		s := stageScope()
		s.Pair.Intent, s.IntentUntouched = &rotation.Intent{ID: "1", Spends: s.Pair.State.RefreshToken}, untouched
		status := statusOf(s, rotation.Decision{}, lifecycle.Result{}, nil, nil)
		if found := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionAuthorized); found.Reason != want {
			t.Errorf("untouched: %t, and the reason is %s", untouched, found.Reason)
		}
	}
}

// A pair of a former App is believed to be good for nothing by the App of spec.app, whatever keeps that one from a login.
func TestStatusOfAPairOfAFormerAppWhateverIsInTheWayOfALogin(t *testing.T) {
	refused := &problem.Problem{Reason: v1alpha1.ReasonIncorrectClientCredentials, Message: "GitHub does not know the client ID."}
	for name, c := range map[string]struct {
		change func(*scope.Scope)
		stop   *problem.Problem
		reason string
		says   string
	}{
		"GitHub does not know the App":       {func(*scope.Scope) {}, refused, v1alpha1.ReasonAppChanged, "Nothing refreshes it. In the way of a login by the App of spec.app: GitHub does not know the client ID."},
		"nothing is in the way":              {func(*scope.Scope) {}, nil, v1alpha1.ReasonAppChanged, "Authorize the App again"},
		"a verdict is of the former App too": {func(s *scope.Scope) { condemn(s, v1alpha1.ReasonRevoked) }, refused, v1alpha1.ReasonAppChanged, "another App"},
		"a login by it has no answer":        {func(s *scope.Scope) { exchanging(s, "another") }, nil, v1alpha1.ReasonOutcomeUnknown, "did not arrive"},
		"it is not known which App it is":    {func(s *scope.Scope) { s.Input.App = s.Pair.State.App }, refused, v1alpha1.ReasonRefreshTokenValid, "believed to be good"},
	} {
		t.Run(name, func(t *testing.T) {
			s := stageScope()
			s.Input.App = "github.com/Iv23liANOTHER"
			c.change(s)
			status := statusOf(s, rotation.Decision{}, lifecycle.Result{Problem: c.stop}, nil, nil)
			if found := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionAuthorized); found.Reason != c.reason || !strings.Contains(found.Message, c.says) {
				t.Errorf("Authorized is %+v", found)
			}
			if ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady); c.reason == v1alpha1.ReasonAppChanged && name == "GitHub does not know the App" && ready.Status != metav1.ConditionTrue {
				t.Errorf("the token works, and Ready is %+v", ready)
			}
		})
	}
}

// When it cannot be found out how a resource stands, what its status tells stays, but for a token that has expired.
func TestStatusOfAResourceOfWhichNothingCanBeFoundOut(t *testing.T) {
	s := stageScope()
	s.Token.Status = *statusOf(s, rotation.Decision{}, lifecycle.Result{}, nil, nil)
	p := words.Unknown(errors.New("secrets is forbidden"))
	for name, c := range map[string]struct {
		now    time.Time
		status v1alpha1.GitHubUserTokenStatus
		ready  metav1.ConditionStatus
		says   string
	}{
		"while the token works":     {stageNow, s.Token.Status, metav1.ConditionTrue, "works until"},
		"when it has expired":       {s.Pair.State.ExpiresAt, s.Token.Status, metav1.ConditionFalse, "secrets is forbidden"},
		"when nothing was told yet": {stageNow, v1alpha1.GitHubUserTokenStatus{}, metav1.ConditionFalse, "secrets is forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			token := s.Token.DeepCopy()
			token.Status = c.status
			status := statusUnknown(token, p, c.now)
			ready, reconciling := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady), meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReconciling)
			if ready == nil || ready.Status != c.ready || !strings.Contains(ready.Message, c.says) {
				t.Errorf("Ready is %+v", ready)
			}
			if reconciling == nil || !strings.Contains(reconciling.Message, "secrets is forbidden") {
				t.Errorf("Reconciling is %+v", reconciling)
			}
		})
	}
}
