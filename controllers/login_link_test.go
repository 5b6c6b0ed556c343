package controllers

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

const (
	pageURL      = "https://login.example.com/ghut"
	pageCallback = pageURL + "/callback"
)

// withPage says where the login page is.
func withPage(options *Options) { options.LoginPage = pageURL }

// link waits until a resource offers a link of the login page that is another than a former one.
func (w *world) link(name, former string) string {
	w.t.Helper()
	var link string
	w.eventually("a link for "+name, func() (bool, string) {
		token := w.get(name)
		if shown := token.Status.Authorization; shown != nil {
			link = shown.LoginURL
		}
		return link != "" && link != former, suite.Describe(token)
	})
	if !regexp.MustCompile("^" + regexp.QuoteMeta(pageURL+"/login/"+w.namespace+"/"+name+"?ticket=") + "[A-Za-z0-9_-]{43}$").MatchString(link) {
		w.t.Errorf("the link is %s", link)
	}
	return link
}

// noLink waits until a resource offers none.
func (w *world) noLink(name string) {
	w.t.Helper()
	w.eventually("no link for "+name, func() (bool, string) {
		token := w.get(name)
		return token.Status.Authorization == nil || token.Status.Authorization.LoginURL == "", suite.Describe(token)
	})
}

// pageAsks asks for a login as the login page does.
func (w *world) pageAsks(name, request string) {
	w.t.Helper()
	w.change(name, func(token *v1alpha1.GitHubUserToken) {
		metav1.SetMetaDataAnnotation(&token.ObjectMeta, v1alpha1.AnnotationWebLoginRequested, request+" "+pageCallback)
	})
}

// tellsNoTicket makes sure that nothing tells of a link but the field that is for it.
func (w *world) tellsNoTicket(name string, links ...string) {
	w.t.Helper()
	token := w.get(name)
	text := fmt.Sprint(token.Status.Conditions, token.Status.WebLogin, token.Annotations)
	for _, reason := range []string{v1alpha1.ReasonAuthorizationPending, v1alpha1.ReasonRefreshTokenRejected, v1alpha1.ReasonRefreshTokenMissing} {
		text += fmt.Sprint(w.eventsOf(name, reason))
	}
	for _, link := range links {
		if _, ticket, _ := strings.Cut(link, "ticket="); ticket == "" || strings.Contains(text, ticket) {
			w.t.Errorf("the ticket of %s is told: %s", link, text)
		}
	}
}

func TestLoginLinkLeadsFromNothingToATokenAndStaysMeanwhile(t *testing.T) {
	t.Parallel()
	w := withWeb(t, worldOptions{controller: withPage, spendsTwice: true})
	token := w.onTheWeb("octocat")
	token.Spec.User = &v1alpha1.UserSelector{Login: "octocat"}
	w.create(token)
	first := w.link("octocat", "")
	w.condition("octocat", v1alpha1.ConditionAuthorized, "False", v1alpha1.ReasonAuthorizationPending)
	w.says("octocat", v1alpha1.ConditionReady, "Open the link of status.authorization.loginURL in a browser, and log in as octocat.")
	w.eventually("the event", func() (bool, string) {
		notes := w.eventsOf("octocat", v1alpha1.ReasonAuthorizationPending)
		return len(notes) == 1 && strings.Contains(notes[0], "status.authorization.loginURL"), fmt.Sprint(notes)
	})
	w.touch("octocat")
	w.quiet()
	w.restart()
	w.touch("octocat")
	w.quiet()
	if again := w.link("octocat", ""); again != first {
		t.Error("after a restart it is another link")
	}

	// The page has asked with it: it is used, and the next one stays as well.
	w.pageAsks("octocat", "p-0123456789abcdef")
	login := w.offered("octocat", "p-0123456789abcdef")
	second := w.link("octocat", first)
	w.says("octocat", v1alpha1.ConditionAuthorized, "Somebody has opened the link of the login page")
	w.restart()
	w.touch("octocat")
	w.quiet()
	if again := w.link("octocat", ""); again != second {
		t.Error("after a restart it is another link")
	}
	if notes := w.eventsOf("octocat", v1alpha1.ReasonAuthorizationPending); len(notes) != 1 {
		t.Errorf("that somebody is needed was said %d times: %v", len(notes), notes)
	}

	w.bring(login, w.browse(login))
	w.ready("octocat")
	w.noLink("octocat")
	w.resulted("octocat", "p-0123456789abcdef", v1alpha1.WebLoginSucceeded)
	w.redemptions(1)

	// The chain has come to its end: another link, and the reason stays what it is.
	pair := w.pair("octocat-token")
	w.spend(refresh(pair))
	w.request("octocat", "now")
	w.condition("octocat", v1alpha1.ConditionAuthorized, "False", v1alpha1.ReasonRefreshTokenRejected)
	third := w.link("octocat", second)
	w.condition("octocat", v1alpha1.ConditionStalled, "True", v1alpha1.ReasonRefreshTokenRejected)
	w.says("octocat", v1alpha1.ConditionAuthorized, "Open the link of status.authorization.loginURL in a browser, and log in as octocat.")
	w.tellsNoTicket("octocat", first, second, third)
}

func TestLoginLinkOfASharedAppIsForAccountsThatItsAdministratorAllows(t *testing.T) {
	t.Parallel()
	options := worldOptions{controller: withPage}
	options.app.CallbackURLs, options.app.AutoApprove = []string{pageCallback}, true
	w := newAppWorld(t, options)
	app := w.offer("shared", nil)
	token := w.usingShared("octocat", app)
	token.Spec.RefreshTokenRef = nil
	token.Spec.Login = &v1alpha1.Login{Methods: []v1alpha1.LoginMethod{v1alpha1.LoginMethodWebFlow}}
	w.create(token)
	w.says("octocat", v1alpha1.ConditionAuthorized, "There is no link of the login page. The login page asks for one account alone, and spec.user names none.")
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.User = &v1alpha1.UserSelector{Login: "octocat"} })
	w.says("octocat", v1alpha1.ConditionAuthorized, "The App does not let this namespace ask octocat to log in by the login page.")
	w.pageAsks("octocat", "p-0123456789abcdef")
	if said := w.resulted("octocat", "p-0123456789abcdef", v1alpha1.WebLoginRefused); !strings.Contains(said, "does not let this namespace ask octocat") {
		t.Errorf("it is said: %s", said)
	}
	w.noLink("octocat")

	w.changeApp(app, func(spec *v1alpha1.ClusterGitHubAppSpec) {
		spec.LoginPage.AllowedAccounts = []v1alpha1.AllowedAccounts{{Namespaces: w.only(w.namespace), Logins: []string{"octo*"}}}
	})
	link := w.link("octocat", "")
	w.pageAsks("octocat", "p-1123456789abcdef")
	login := w.offered("octocat", "p-1123456789abcdef")
	w.link("octocat", link)
	code := w.browse(login)

	// Whoever asks for somebody else in the meantime gets nobody's token.
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.User = &v1alpha1.UserSelector{Login: "hubot"} })
	w.resulted("octocat", "p-1123456789abcdef", v1alpha1.WebLoginRefused)
	w.noLink("octocat")
	w.bring(login, code)
	w.settle()
	w.redemptions(0)
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.User = &v1alpha1.UserSelector{Login: "octocat"} })
	w.resulted("octocat", "p-1123456789abcdef", v1alpha1.WebLoginSucceeded)
	w.alive("octocat-token")

	// What is forbidden later ends nothing that there is.
	w.changeApp(app, func(spec *v1alpha1.ClusterGitHubAppSpec) { spec.LoginPage = v1alpha1.LoginPage{} })
	w.settle()
	w.condition("octocat", v1alpha1.ConditionReady, "True", v1alpha1.ReasonTokenValid)
	w.redemptions(1)
}
