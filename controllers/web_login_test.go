package controllers

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

const webCallback = "http://127.0.0.1:8976/callback"

// withWeb is a world whose App has a callback URL, and people who agree at once.
func withWeb(t *testing.T, options worldOptions) *world {
	t.Helper()
	options.app.CallbackURLs, options.app.AutoApprove, options.app.ReplayEndsTokens = []string{webCallback, pageCallback}, true, true
	return newWorld(t, options)
}

// onTheWeb is a resource that has nothing but the web flow.
func (w *world) onTheWeb(name string) *v1alpha1.GitHubUserToken {
	token := w.resource(name)
	token.Spec.RefreshTokenRef = nil
	token.Spec.Login = &v1alpha1.Login{Methods: []v1alpha1.LoginMethod{v1alpha1.LoginMethodWebFlow}}
	return token
}

// asks asks for a login of a resource.
func (w *world) asks(name, request string) {
	w.t.Helper()
	w.change(name, func(token *v1alpha1.GitHubUserToken) {
		metav1.SetMetaDataAnnotation(&token.ObjectMeta, v1alpha1.AnnotationWebLoginRequested, request+" "+webCallback)
	})
}

// webLogin waits until what is told of a request is as it should be, and returns it.
func (w *world) webLogin(name, request string, holds func(*v1alpha1.WebLogin) bool) *v1alpha1.WebLogin {
	w.t.Helper()
	var login *v1alpha1.WebLogin
	w.eventually("the login "+request+" of "+name, func() (bool, string) {
		token := w.get(name)
		login = token.Status.WebLogin
		return login != nil && login.RequestID == request && holds(login), fmt.Sprintf("%+v; %s", login, suite.Describe(token))
	})
	return login
}

// offered waits until there is a page for a request.
func (w *world) offered(name, request string) *v1alpha1.WebLogin {
	w.t.Helper()
	return w.webLogin(name, request, func(login *v1alpha1.WebLogin) bool { return login.AuthorizeURL != "" })
}

// resulted waits until a login has ended, and returns what is said of it.
func (w *world) resulted(name, request string, result v1alpha1.WebLoginResult) string {
	w.t.Helper()
	return w.webLogin(name, request, func(login *v1alpha1.WebLogin) bool { return login.Result == result }).Message
}

// browse opens the page as whoever it names, who agrees. It returns the code.
func (w *world) browse(login *v1alpha1.WebLogin) string {
	w.t.Helper()
	browser := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := browser.Get(login.AuthorizeURL)
	w.must(err)
	_ = response.Body.Close()
	page, err := url.Parse(login.AuthorizeURL)
	w.must(err)
	back, err := url.Parse(response.Header.Get("Location"))
	w.must(err)
	if !strings.HasPrefix(back.String(), page.Query().Get("redirect_uri")+"?") || back.Query().Get("state") != page.Query().Get("state") || back.Query().Get("code") == "" {
		w.t.Fatalf("the browser was sent to %s with status %d", back.Host+back.Path, response.StatusCode)
	}
	return back.Query().Get("code")
}

// bring puts a code into the Secret in which the operator looks for it.
func (w *world) bring(login *v1alpha1.WebLogin, code string) {
	w.t.Helper()
	w.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.namespace, Name: v1alpha1.LoginCodeSecretName(login.AttemptID), Labels: map[string]string{v1alpha1.LabelRole: v1alpha1.RoleLoginCode},
		},
		StringData: map[string]string{v1alpha1.KeyCode: code},
	})
}

// cleared waits until nothing is left of logins.
func (w *world) cleared() {
	w.t.Helper()
	for _, role := range []string{v1alpha1.RoleLogin, v1alpha1.RoleLoginCode} {
		w.eventually("the Secrets of logins to be removed", func() (bool, string) {
			var list corev1.SecretList
			w.must(admin.List(w.ctx, &list, inNamespace(w.namespace), client.MatchingLabels{v1alpha1.LabelRole: role}))
			return len(list.Items) == 0, fmt.Sprintf("%d of the role %s", len(list.Items), role)
		})
	}
}

// redemptions makes sure how often a code was presented, and that nothing is held against the operator.
func (w *world) redemptions(want int) {
	w.t.Helper()
	if got := w.gh.CodePresentations(); len(got) != want {
		w.t.Errorf("%d codes were presented, want %d: %+v", len(got), want, got)
	}
	if found := w.gh.Violations(); len(found) > 0 {
		w.t.Errorf("the stand-in holds against the operator: %+v", found)
	}
}

func TestWebLoginPersonAuthorizesInABrowser(t *testing.T) {
	t.Parallel()
	w := withWeb(t, worldOptions{})
	token := w.onTheWeb("octocat")
	token.Spec.User = &v1alpha1.UserSelector{Login: "octocat"}
	w.create(token)
	w.condition("octocat", v1alpha1.ConditionAuthorized, "False", v1alpha1.ReasonRefreshTokenMissing)
	w.says("octocat", v1alpha1.ConditionAuthorized, v1alpha1.AnnotationWebLoginRequested)
	w.asks("octocat", "request-1")
	login := w.offered("octocat", "request-1")
	w.condition("octocat", v1alpha1.ConditionAuthorized, "False", v1alpha1.ReasonAuthorizationPending)
	code := w.browse(login)
	w.restart() // The attempt outlives the process.
	w.bring(login, code)
	pair := w.ready("octocat")
	if !w.gh.Alive(access(pair)) {
		t.Error("the token is dead")
	}
	if said := w.resulted("octocat", "request-1", v1alpha1.WebLoginSucceeded); !strings.Contains(said, "is stored") {
		t.Errorf("it is said: %s", said)
	}
	w.cleared()
	w.redemptions(1)
	// The chain goes on, with the client secret, and one request is honoured once.
	w.request("octocat", "now")
	w.eventually("a refresh", func() (bool, string) {
		now := w.pair("octocat-token")
		return access(now) != access(pair) && w.gh.Alive(access(now)), suite.Describe(w.get("octocat"))
	})
	w.restart()
	w.observed("octocat")
	if login := w.get("octocat").Status.WebLogin; login == nil || login.Result != v1alpha1.WebLoginSucceeded || login.AuthorizeURL != "" {
		t.Errorf("after a restart it is told of %+v", login)
	}
	w.redemptions(1)
}

func TestWebLoginCodeOfUnknownOutcomeIsNeverSentAgain(t *testing.T) {
	t.Parallel()
	each(t, map[string]bool{"without a chain": false, "beside a chain": true}, func(t *testing.T, beside bool) {
		w := withWeb(t, worldOptions{})
		token := w.onTheWeb("octocat")
		if beside {
			w.seed("octocat", "octocat")
			token.Spec.RefreshTokenRef = w.resource("octocat").Spec.RefreshTokenRef
		}
		w.create(token)
		var before *corev1.Secret
		if beside {
			before = w.ready("octocat")
		}
		w.asks("octocat", "request-1")
		login := w.offered("octocat", "request-1")
		code := w.browse(login)
		w.gh.Inject(githubtest.DropReply())
		w.bring(login, code)
		w.resulted("octocat", "request-1", v1alpha1.WebLoginLost)
		w.cleared()
		w.bring(login, code) // Somebody tries it again.
		w.cleared()
		w.settle()
		if beside {
			w.samePair(before, w.pair("octocat-token"))
			w.says("octocat", v1alpha1.ConditionAuthorized, "A newer login came to nothing")
			w.condition("octocat", v1alpha1.ConditionAuthorized, "True", v1alpha1.ReasonRefreshTokenValid)
		} else {
			w.condition("octocat", v1alpha1.ConditionAuthorized, "False", v1alpha1.ReasonLoginLost)
		}
		w.redemptions(1)
		w.asks("octocat", "request-2")
		again := w.offered("octocat", "request-2")
		w.bring(again, w.browse(again))
		w.resulted("octocat", "request-2", v1alpha1.WebLoginSucceeded)
		w.alive("octocat-token")
		w.redemptions(2)
	})
}

func TestWebLoginCodeIsTriedAgainWhereGitHubHasNotLookedAtIt(t *testing.T) {
	t.Parallel()
	w := withWeb(t, worldOptions{})
	w.secret("github-app", map[string]string{"client_secret": "wrong"})
	w.create(w.onTheWeb("octocat"))
	w.asks("octocat", "request-1")
	login := w.offered("octocat", "request-1")
	w.bring(login, w.browse(login))
	w.webLogin("octocat", "request-1", func(login *v1alpha1.WebLogin) bool {
		return strings.Contains(login.Message, "could not be redeemed yet") && strings.Contains(login.Message, "client secret")
	})
	w.secret("github-app", map[string]string{"client_secret": clientSecret})
	w.resulted("octocat", "request-1", v1alpha1.WebLoginSucceeded)
	w.cleared()
}

func TestWebLoginThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	w := withWeb(t, worldOptions{})
	w.create(w.onTheWeb("octocat"))
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
		metav1.SetMetaDataAnnotation(&token.ObjectMeta, v1alpha1.AnnotationWebLoginRequested, "request-1 https://evil.example/callback")
	})
	if said := w.resulted("octocat", "request-1", v1alpha1.WebLoginRefused); !strings.Contains(said, "http://127.0.0.1:PORT/PATH") {
		t.Errorf("it is said: %s", said)
	}
	// The operator allows it, and GitHub does not know it: the code was given out for another.
	w.asks("octocat", "request-2")
	first := w.offered("octocat", "request-2")
	code := w.browse(first)
	w.asks("octocat", "request-3")
	w.bring(w.offered("octocat", "request-3"), code)
	if said := w.resulted("octocat", "request-3", v1alpha1.WebLoginRejected); !strings.Contains(said, "begin the login anew") {
		t.Errorf("it is said of the code of another attempt: %s", said)
	}
	w.bring(first, code)
	w.cleared()
	w.redemptions(1)
	w.condition("octocat", v1alpha1.ConditionAuthorized, "False", v1alpha1.ReasonLoginCodeRejected)
}

func TestWebLoginOfAnotherAccountIsRefused(t *testing.T) {
	t.Parallel()
	w := withWeb(t, worldOptions{})
	token := w.onTheWeb("octocat")
	token.Spec.User = &v1alpha1.UserSelector{ID: 4711}
	w.create(token)
	w.asks("octocat", "request-1")
	login := w.offered("octocat", "request-1")
	w.bring(login, w.browse(login))
	w.resulted("octocat", "request-1", v1alpha1.WebLoginWrongUser)
	w.cleared()
	w.redemptions(1)
	if secret := w.find("octocat-token"); secret != nil && access(secret) != "" {
		t.Error("its pair was stored")
	}
}

// What a login by the web flow lacks is no affair of the device flow, which needs no client secret.
func TestWebLoginWithoutAClientSecretStopsNoDeviceFlow(t *testing.T) {
	t.Parallel()
	each(t, map[string]bool{"the App names none": false, "its Secret is missing": true}, func(t *testing.T, named bool) {
		w := withWeb(t, worldOptions{app: deviceApp()})
		token := w.withoutSeed("octocat")
		token.Spec.Login.Methods = append(token.Spec.Login.Methods, v1alpha1.LoginMethodWebFlow)
		w.own("without", func(spec *v1alpha1.GitHubAppSpec) { spec.ClientSecretRef = nil })
		why := "has no client secret"
		if !named {
			token.Spec.App = v1alpha1.App{Ref: &v1alpha1.AppReference{Kind: v1alpha1.KindGitHubApp, Name: "without"}}
		} else {
			token.Spec.App.ClientSecretRef, why = &v1alpha1.ClientSecretReference{Name: "absent", Key: "client_secret"}, `Secret "absent"`
		}
		metav1.SetMetaDataAnnotation(&token.ObjectMeta, v1alpha1.AnnotationWebLoginRequested, "request-1 "+webCallback)
		w.create(token)
		if said := w.resulted("octocat", "request-1", v1alpha1.WebLoginRefused); !strings.Contains(said, why) {
			t.Errorf("it is said: %s", said)
		}
		code := w.code("octocat")
		w.refused("octocat", refusal{reason: v1alpha1.ReasonAuthorizationPending, says: "enter the code " + code, unauthorized: true, retried: true})
		w.enter(code, "octocat")
		w.ready("octocat")
		if !named {
			return
		}
		w.secret("absent", map[string]string{"client_secret": clientSecret}) // What is asked for begins as soon as it can.
		login := w.offered("octocat", "request-1")
		w.bring(login, w.browse(login))
		w.resulted("octocat", "request-1", v1alpha1.WebLoginSucceeded)
		w.redemptions(1)
	})
}
