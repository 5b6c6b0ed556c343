package webflow

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

// linkScope is a resource for an account of its own App, of which nobody has asked anything yet.
func linkScope() *scope.Scope {
	s := waitingScope()
	s.Token.Spec.Login = &v1alpha1.Login{Methods: []v1alpha1.LoginMethod{v1alpha1.LoginMethodWebFlow}}
	s.Token.Spec.User = &v1alpha1.UserSelector{Login: "octocat"}
	s.Pair.State.Web, s.Web = nil, scope.WebLogin{}
	return s
}

// linking are Logins of an operator that has a login page.
func linking(refused *problem.Problem) *Logins {
	return New(Options{CheckApp: func(scope.App) *problem.Problem { return refused }, Page: loginPage + "/", Memory: memory.NewStore()})
}

// ofThePage is what the page asks for.
func ofThePage(id string) weblogin.Request {
	return weblogin.Request{ID: "p-" + id, Callback: loginPage + "/callback"}
}

func TestLoginLinkIsOfferedWhereALoginIsNeededAndTheAccountMayBeAsked(t *testing.T) {
	own := &scope.Accounts{{Logins: []string{"octocat"}}}
	for name, c := range map[string]struct {
		change  func(*scope.Scope)
		page    string
		unasked bool
		refused *problem.Problem
		offered bool
		without string
	}{
		"an App of one's own":              {offered: true},
		"an account by its id":             {change: func(s *scope.Scope) { s.Token.Spec.User = &v1alpha1.UserSelector{ID: 1} }, offered: true},
		"a shared App that allows it":      {change: func(s *scope.Scope) { s.App.LoginPage = own }, offered: true},
		"a shared App that allows nobody":  {change: func(s *scope.Scope) { s.App.LoginPage = &scope.Accounts{} }, without: "does not let this namespace ask octocat"},
		"a shared App that allows another": {change: func(s *scope.Scope) { s.App.LoginPage, s.Token.Spec.User.Login = own, "hubot" }, without: "does not let this namespace ask hubot"},
		"no account":                       {change: func(s *scope.Scope) { s.Token.Spec.User = nil }, without: "spec.user names none"},
		"no account, and an App for anyone": {change: func(s *scope.Scope) {
			s.Token.Spec.User, s.App.LoginPage = nil, &scope.Accounts{{Logins: []string{"*"}}}
		}, without: "spec.user names none"},
		"no client secret":            {change: func(s *scope.Scope) { s.App.Secret = nil }, without: "no client secret"},
		"an App that may not be used": {refused: &problem2},
		"another method alone":        {change: func(s *scope.Scope) { s.Token.Spec.Login.Methods[0] = v1alpha1.LoginMethodDeviceFlow }},
		"nobody is needed":            {unasked: true},
		"there is no page":            {page: "none"},
	} {
		t.Run(name, func(t *testing.T) {
			s, logins := linkScope(), linking(c.refused)
			if c.change != nil {
				c.change(s)
			}
			if c.page != "" {
				logins.options.Page = ""
			}
			got := logins.Link(s, !c.unasked)
			if (got.URL != "") != c.offered || (got.Without != "") != (c.without != "") || !strings.Contains(got.Without, c.without) {
				t.Errorf("got %+v", got)
			}
			if !c.offered {
				return
			}
			ticket, found := strings.CutPrefix(got.URL, loginPage+"/login/"+s.Token.Namespace+"/"+s.Token.Name+"?ticket=")
			if !found || !tickets.MatchString(ticket) || !got.ExpiresAt.Equal(epoch.Add(24*time.Hour)) {
				t.Errorf("the link is %s, until %s", got.URL, got.ExpiresAt)
			}
		})
	}
}

func TestLoginLinkStaysUntilItWasUsedOrHasExpired(t *testing.T) {
	s, logins := linkScope(), linking(nil)
	last := logins.Link(s, true)
	is := func(what string, same bool) {
		t.Helper()
		got := logins.Link(s, true)
		if (got == last) != same {
			t.Errorf("%s: it stays: %t", what, got == last)
		}
		last = got
	}
	for range 3 {
		is("at each look", true)
	}
	s.Now = epoch.Add(24*time.Hour - 1)
	is("to the last moment", true)
	s.Now = epoch.Add(24 * time.Hour)
	is("after a day", false)
	if !last.ExpiresAt.Equal(epoch.Add(48 * time.Hour)) {
		t.Errorf("the next one is good until %s", last.ExpiresAt)
	}
	s.Web.Asked = weblogin.Request{ID: "p-1", Callback: asked.Callback}
	is("a request of somebody's own machine", true)
	s.Web.Asked = ofThePage("1")
	is("a request of the page", false)
	is("the same request", true)
	s.Web.Asked = weblogin.Request{}
	is("the end of that", true)
	s.Web.Asked = ofThePage("2")
	is("another request of the page", false)
	logins.Link(s, false)
	is("a login was not needed meanwhile", false)
	s.Now = s.Now.Add(-2 * time.Hour)
	is("a clock that was set back by hours", false)
}

// A process that starts takes up what the status tells, if it can be a link of the page, and no longer good than one is.
func TestLoginLinkIsTakenUpFromTheStatusAfterAStart(t *testing.T) {
	const url = loginPage + "/login/team-a/octocat?ticket=0123456789012345678901234567890123456789_-A"
	for name, c := range map[string]struct {
		url     string
		expires time.Duration
		told    string
		asked   weblogin.Request
		stays   bool
	}{
		"as it is":                                {url: url, expires: time.Hour, stays: true},
		"beside the request that was known":       {url: url, expires: time.Hour, told: "p-1", asked: ofThePage("1"), stays: true},
		"beside a request of somebody's own":      {url: url, expires: time.Hour, told: "request-1", asked: asked, stays: true},
		"used meanwhile":                          {url: url, expires: time.Hour, asked: ofThePage("1")},
		"used meanwhile, after another":           {url: url, expires: time.Hour, told: "p-0", asked: ofThePage("1")},
		"expired":                                 {url: url, expires: 0},
		"good for longer than any":                {url: url, expires: 25 * time.Hour},
		"of another page":                         {url: strings.Replace(url, "login.", "evil.", 1), expires: time.Hour},
		"of another resource":                     {url: strings.Replace(url, "octocat", "hubot", 1), expires: time.Hour},
		"with a ticket that is none":              {url: url + "A", expires: time.Hour},
		"with a ticket that leads somewhere else": {url: url[:len(url)-1] + "&", expires: time.Hour},
		"none": {},
	} {
		t.Run(name, func(t *testing.T) {
			s := linkScope()
			s.Token.Status.Authorization = &v1alpha1.Authorization{LoginURL: c.url, LoginURLExpirationTime: new(metav1.NewTime(epoch.Add(c.expires)))}
			if c.told != "" {
				s.Token.Status.WebLogin = &v1alpha1.WebLogin{RequestID: c.told}
			}
			s.Web.Asked = c.asked
			logins := linking(nil)
			got := logins.Link(s, true)
			if (got.URL == c.url) != c.stays {
				t.Errorf("it is %+v", got)
			}
			// What was taken up, or made, goes before a status that comes late.
			s.Token.Status.Authorization.LoginURL = url[:len(url)-1] + "B"
			if again := logins.Link(s, true); again != got {
				t.Errorf("and then %+v", again)
			}
		})
	}
}

// Whatever link there is, the message leads to it and does not hold it.
func TestLoginLinkIsExplainedWhereAPersonIsNeeded(t *testing.T) {
	onlyWeb := &problem.Problem{
		Reason: v1alpha1.ReasonRefreshTokenMissing, Stalled: true, Unauthorized: true,
		Message: "The pair Secret holds no refresh token. Log in with a browser: set the annotation githubusertoken.dev/web-login-requested, and open the page of status.webLogin.",
	}
	verdict := &problem.Problem{Reason: v1alpha1.ReasonRefreshTokenRejected, Stalled: true, Unauthorized: true, Message: "GitHub refused it."}
	for name, c := range map[string]struct {
		of      *problem.Problem
		change  func(*scope.Scope)
		reason  string
		stalled bool
		message string
	}{
		"before there was ever a token": {onlyWeb, func(*scope.Scope) {}, v1alpha1.ReasonAuthorizationPending, false, "The pair Secret holds no refresh token. Open the link of status.authorization.loginURL in a browser, and log in as octocat."},
		"before there is a pair Secret": {onlyWeb, func(s *scope.Scope) { s.Pair = nil }, v1alpha1.ReasonAuthorizationPending, false, "Open the link"},
		"beside a token that ends":      {onlyWeb, func(s *scope.Scope) { s.Pair.State.AccessToken = "access" }, v1alpha1.ReasonRefreshTokenMissing, true, "Open the link"},
		"where a chain has ended":       {verdict, func(*scope.Scope) {}, v1alpha1.ReasonRefreshTokenRejected, true, "GitHub refused it. Or open the link of status.authorization.loginURL in a browser, and log in as octocat."},
		"an account by its id":          {verdict, func(s *scope.Scope) { s.Token.Spec.User = &v1alpha1.UserSelector{ID: 7} }, v1alpha1.ReasonRefreshTokenRejected, true, "log in as the account with the id 7."},
		"while somebody uses it": {onlyWeb, func(s *scope.Scope) {
			s.Web.Asked = ofThePage("1")
			s.Pair.State.Web = waitingScope().Pair.State.Web
			s.Pair.State.Web.Request, s.Pair.State.Web.Callback = s.Web.Asked.ID, s.Web.Asked.Callback
		}, v1alpha1.ReasonAuthorizationPending, false, "Somebody has opened the link of the login page, and has until 2026-03-04T05:16:07Z to log in at GitHub. Or open the link"},
		"where there is none": {verdict, func(s *scope.Scope) { s.Link = scope.Link{Without: "No."} }, v1alpha1.ReasonRefreshTokenRejected, true, "GitHub refused it. There is no link of the login page. No."},
		"where none is meant": {verdict, func(s *scope.Scope) { s.Link = scope.Link{} }, v1alpha1.ReasonRefreshTokenRejected, true, "GitHub refused it."},
	} {
		t.Run(name, func(t *testing.T) {
			s := linkScope()
			s.Pair.State = rotation.State{Owner: s.Owner.UID}
			s.Link = scope.Link{URL: loginPage + "/login/team-a/octocat?ticket=secret", ExpiresAt: epoch.Add(time.Hour)}
			c.change(s)
			got := Explain(s, c.of)
			if got.Reason != c.reason || got.Stalled != c.stalled || !strings.Contains(got.Message, c.message) {
				t.Errorf("%s, %t: %s", got.Reason, got.Stalled, got.Message)
			}
			if strings.Contains(got.Message, "secret") || c.of.Message == got.Message && s.Link != (scope.Link{}) {
				t.Errorf("it says %s", got.Message)
			}
			if s.Link.URL != "" && !LookAt(s).Equal(epoch.Add(time.Hour)) && s.Web.Asked.ID == "" {
				t.Errorf("it is looked at at %s", LookAt(s))
			}
		})
	}
}

// A request of the page is honoured as long as the account may be asked, whoever has written the annotation.
func TestLoginLinkPolicyHoldsForTheRequestsOfThePage(t *testing.T) {
	nobody := &scope.Accounts{}
	for name, c := range map[string]struct {
		callback string
		user     *v1alpha1.UserSelector
		allowed  *scope.Accounts
		refused  string
	}{
		"of an App of one's own":               {loginPage + "/callback", &v1alpha1.UserSelector{Login: "octocat"}, nil, ""},
		"without an account":                   {loginPage + "/callback", nil, nil, "spec.user names none"},
		"of a shared App that allows nobody":   {loginPage + "/callback", &v1alpha1.UserSelector{Login: "octocat"}, nobody, "does not let this namespace ask octocat"},
		"of a shared App that allows it":       {loginPage + "/callback", &v1alpha1.UserSelector{Login: "OctoCat"}, &scope.Accounts{{Logins: []string{"octocat"}}}, ""},
		"from one's own machine it is not its": {asked.Callback, nil, nobody, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := linkScope()
			s.Token.Spec.User, s.App.LoginPage = c.user, c.allowed
			s.Token.Annotations = map[string]string{v1alpha1.AnnotationWebLoginRequested: "p-0123456789 " + c.callback}
			got := RequestOf(s.Token, s.App, loginPage)
			if (got.Refused == "") != (c.refused == "") || !strings.Contains(got.Refused, c.refused) {
				t.Errorf("it is refused: %q", got.Refused)
			}
		})
	}
}
