package login

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

var now = time.Date(2027, 2, 3, 12, 0, 0, 0, time.UTC)

// seen is what a resource says at one time: the reasons of Authorized and Stalled, and the code.
type seen struct {
	authorized string // "" is True
	stalled    string
	code       string
	after      time.Duration
	change     func(*v1alpha1.GitHubUserToken)
}

func (s seen) token() *v1alpha1.GitHubUserToken {
	token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat"}}
	token.Spec.User = &v1alpha1.UserSelector{Login: "octocat"}
	add := func(kind, status, reason string) {
		token.Status.Conditions = append(token.Status.Conditions, metav1.Condition{Type: kind, Status: metav1.ConditionStatus(status), Reason: reason, Message: "message of " + reason})
	}
	switch s.authorized {
	case "":
		add("Authorized", "True", "RefreshTokenValid")
		add("Ready", "True", "TokenValid")
		token.Status.User = &v1alpha1.User{Login: "octocat", ID: 7}
		token.Status.LastRefreshTime = &metav1.Time{Time: now}
	case "none":
	default:
		add("Authorized", "False", s.authorized)
		add("Ready", "False", s.authorized)
	}
	if s.stalled != "" {
		add("Stalled", "True", s.stalled)
	}
	if s.code != "" {
		token.Status.Authorization = &v1alpha1.Authorization{UserCode: s.code, VerificationURI: "https://github.com/login/device", ExpirationTime: &metav1.Time{Time: now.Add(15 * time.Minute)}}
	}
	if s.change != nil {
		s.change(token)
	}
	return token
}

// link has a resource offer a link of the login page as well.
func link(token *v1alpha1.GitHubUserToken) {
	if token.Status.Authorization == nil {
		token.Status.Authorization = &v1alpha1.Authorization{}
	}
	token.Status.Authorization.LoginURL = "https://login.example.com/login/team-a/octocat?ticket=x"
}

func TestLoginByTheDeviceFlow(t *testing.T) {
	pending := v1alpha1.ReasonAuthorizationPending
	for _, c := range []struct {
		name  string
		seen  []seen
		steps []Step
		says  string // of the last
	}{
		{"a code is shown once, and then there is a token", []seen{{authorized: "none"}, {authorized: pending, code: "A"}, {authorized: pending, code: "A"}, {}},
			[]Step{Wait, Show, Wait, Done}, "Logged in as octocat (id 7)"},
		{"the next code of the series is shown too", []seen{{authorized: pending, code: "A"}, {authorized: pending}, {authorized: pending, code: "B"}},
			[]Step{Show, Wait, Show}, ""},
		{"a code that has expired is not shown", []seen{{authorized: pending, code: "A", after: time.Hour}}, []Step{Wait}, ""},
		{"who is logged in has nothing to do", []seen{{}}, []Step{Done}, "There is nothing to do: logged in already as octocat"},
		{"a series that has ended is begun anew", []seen{{authorized: v1alpha1.ReasonAuthorizationExpired}, {authorized: v1alpha1.ReasonAuthorizationExpired}, {authorized: pending, code: "A"}, {}},
			[]Step{Ask, Wait, Show, Done}, "Logged in"},
		{"what was denied before is no answer to this login", []seen{{authorized: v1alpha1.ReasonAuthorizationDenied}, {authorized: v1alpha1.ReasonAuthorizationDenied}}, []Step{Ask, Wait}, ""},
		{"the person cancels", []seen{{authorized: pending, code: "A"}, {authorized: v1alpha1.ReasonAuthorizationDenied}}, []Step{Show, Fail}, "cancelled at GitHub"},
		{"nobody enters the code", []seen{{authorized: pending, code: "A"}, {authorized: v1alpha1.ReasonAuthorizationExpired}}, []Step{Show, Fail}, "nobody entered a code"},
		{"somebody else logs in", []seen{{authorized: pending, code: "A"}, {authorized: v1alpha1.ReasonWrongUser}}, []Step{Show, Fail}, "somebody else than octocat"},
		{"beside a link of the login page a series is begun anew", []seen{{authorized: v1alpha1.ReasonAuthorizationExpired, change: link}, {authorized: pending, code: "A", change: link}, {}}, []Step{Ask, Show, Done}, "Logged in"},
		{"the App has no device flow", []seen{{authorized: v1alpha1.ReasonDeviceFlowDisabled}}, []Step{Fail}, "message of DeviceFlowDisabled"},
		{"the App may not be used", []seen{{authorized: v1alpha1.ReasonRefreshTokenMissing, stalled: v1alpha1.ReasonAppNotUsable}}, []Step{Fail}, "message of AppNotUsable"},
		{"a login is needed, and no code comes", []seen{{authorized: v1alpha1.ReasonRefreshTokenRejected}, {authorized: v1alpha1.ReasonRefreshTokenRejected, after: 16 * time.Second}, {authorized: v1alpha1.ReasonRefreshTokenRejected, after: time.Minute}},
			[]Step{Wait, Ask, Wait}, ""},
		{"the resource is suspended", []seen{{authorized: pending, change: func(token *v1alpha1.GitHubUserToken) { token.Spec.Suspend = true }}}, []Step{Fail}, "kubectl ghut resume octocat -n team-a"},
		{"the resource is deleted meanwhile", []seen{{authorized: pending, code: "A"}, {change: func(token *v1alpha1.GitHubUserToken) { token.DeletionTimestamp = &metav1.Time{Time: now} }}}, []Step{Show, Fail}, "being deleted"},
		{"a status of the spec of before says nothing", []seen{{change: func(token *v1alpha1.GitHubUserToken) { token.Generation = 2 }}}, []Step{Wait}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			flow := &Device{}
			var text string
			for i, s := range c.seen {
				var step Step
				if step, text = flow.Next(s.token(), now.Add(s.after)); step != c.steps[i] {
					t.Fatalf("step %d is %d (%s), want %d", i, step, text, c.steps[i])
				}
			}
			if !strings.Contains(text, c.says) {
				t.Errorf("it says %q, want %q", text, c.says)
			}
		})
	}
}

func TestLoginMakesTheResourceThatWasAskedFor(t *testing.T) {
	for app, want := range map[string]string{
		"Iv23liX": "Iv23liX", "githubapp/mine": "GitHubApp mine", "ClusterGitHubApp/platform": "ClusterGitHubApp platform", "cgha/platform": "ClusterGitHubApp platform",
	} {
		n := &New{Namespace: "team-a", Name: "octocat", App: app, Account: "octocat", Secret: "s", Method: v1alpha1.LoginMethodDeviceFlow}
		token, err := n.Resource()
		if err != nil {
			t.Fatal(err)
		}
		got := token.Spec.App.ClientID
		if ref := token.Spec.App.Ref; ref != nil {
			got = ref.Kind + " " + ref.Name
		}
		if got != want || Wanted(token) != "octocat" || token.PairSecretName() != "s" || !token.Spec.HasLoginMethod(v1alpha1.LoginMethodDeviceFlow) {
			t.Errorf("of %s it makes %+v", app, token.Spec)
		}
		if differs := n.Differs(token, token.DeepCopy()); differs != "" {
			t.Errorf("what it makes differs from itself by %s", differs)
		}
		other := token.DeepCopy()
		other.Spec.User = nil
		if n.Differs(token, other) == "" {
			t.Error("any account will do for it")
		}
		other = token.DeepCopy()
		other.Spec.App = v1alpha1.App{ClientID: "Iv23liOther"}
		if n.Differs(token, other) == "" {
			t.Error("any App will do for it")
		}
	}
	for _, bad := range []New{{}, {App: "secret/x"}, {App: "githubapp/x", Host: "github.example.com"}, {App: "githubapp/x", ClientSecret: "s"}} {
		if _, err := bad.Resource(); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// trying has the operator try again by itself, and say why.
func trying(reason string) func(*v1alpha1.GitHubUserToken) {
	return func(token *v1alpha1.GitHubUserToken) {
		token.Status.Conditions = append(token.Status.Conditions, metav1.Condition{Type: "Reconciling", Status: metav1.ConditionTrue, Reason: reason, Message: "message of " + reason + "."})
	}
}

// The operator goes on trying, since it may be mended at GitHub; whoever waits for a code waits in vain until then.
func TestLoginByTheDeviceFlowEndsWhereSomebodyHasToMendSomething(t *testing.T) {
	wrong := v1alpha1.ReasonIncorrectClientCredentials
	for _, c := range []struct {
		reason string
		after  []time.Duration
		steps  []Step
		says   string
	}{
		{wrong, []time.Duration{0, 29 * time.Second, 31 * time.Second}, []Step{Ask, Wait, Fail}, "message of " + wrong + ". No code comes before that is mended."},
		{v1alpha1.ReasonGitHubUnavailable, []time.Duration{0, 16 * time.Second, time.Minute}, []Step{Wait, Wait, Wait}, ""},
	} {
		flow := &Device{}
		for i, after := range c.after {
			s := seen{authorized: "none", change: func(token *v1alpha1.GitHubUserToken) {
				token.Status.Conditions = append(token.Status.Conditions, metav1.Condition{Type: "Authorized", Status: metav1.ConditionUnknown, Reason: "NotYetExchanged"})
				trying(c.reason)(token)
			}}
			step, text := flow.Next(s.token(), now.Add(after))
			if step != c.steps[i] || i == len(c.after)-1 && !strings.Contains(text, c.says) {
				t.Errorf("%s, after %s: step %d, %q", c.reason, after, step, text)
			}
		}
	}
}

func TestLoginByTheDeviceFlowSaysOnceWhatTheOperatorSaysBesides(t *testing.T) {
	flow := &Device{}
	unavailable := seen{authorized: "none", change: trying(v1alpha1.ReasonGitHubUnavailable)}.token()
	if got := flow.Aside(unavailable); got != "message of GitHubUnavailable." || flow.Aside(unavailable) != "" {
		t.Errorf("it says %q, or says it twice", got)
	}
	pending := seen{authorized: v1alpha1.ReasonAuthorizationPending, code: "A"}.token()
	if got := flow.Aside(pending); got != "" {
		t.Errorf("of a code that is shown it says %q", got)
	}
	pending.Status.Conditions[0].Message = "Open it and enter the code A. Many logins are waited for, so the operator may take 2 minutes to see that this was done."
	if got := flow.Aside(pending); got != "Many logins are waited for, so the operator may take 2 minutes to see that this was done." {
		t.Errorf("of a wait it says %q", got)
	}
}
