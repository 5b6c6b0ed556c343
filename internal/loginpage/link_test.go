package loginpage

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// Whatever is wrong with a link, the answer is the same, so that nobody learns which resources there are.
func TestLoginPageLinkThatDoesNotWorkTellsNothing(t *testing.T) {
	var page string
	for name, c := range map[string]struct {
		path   string
		change func(*v1alpha1.GitHubUserToken)
		after  time.Duration
	}{
		"another ticket": {path: linkPath + "?ticket=" + ticketB},
		"a ticket that was replaced": {change: func(token *v1alpha1.GitHubUserToken) {
			token.Status.Authorization.LoginURL = baseURL + linkPath + "?ticket=" + ticketB
		}},
		"no ticket":                         {path: linkPath},
		"an empty ticket":                   {path: linkPath + "?ticket="},
		"two tickets":                       {path: linkPath + "?ticket=" + ticketA + "&ticket=" + ticketA},
		"a ticket and what ends it":         {path: linkPath + "?ticket=" + ticketA + "%00"},
		"another spelling of the ticket":    {path: linkPath + "?ticket=" + ticketA[:42] + "B"},
		"a query that is none":              {path: linkPath + "?ticket=%zz"},
		"no such resource":                  {path: "/login/team-a/nobody?ticket=" + ticketA},
		"no such namespace":                 {path: "/login/team-b/octocat?ticket=" + ticketA},
		"names that are none":               {path: "/login/TEAM-A/../octocat?ticket=" + ticketA},
		"a name in another spelling":        {path: "/login/team-a/octoca%74?ticket=" + ticketA},
		"a namespace alone":                 {path: "/login/team-a?ticket=" + ticketA},
		"something behind the name":         {path: linkPath + "/x?ticket=" + ticketA},
		"an empty status":                   {change: func(token *v1alpha1.GitHubUserToken) { token.Status.Authorization = nil }},
		"a status with a device code alone": {change: func(token *v1alpha1.GitHubUserToken) { token.Status.Authorization.LoginURL = "" }},
		"a link that has expired":           {after: 24 * time.Hour},
		"a link without an end": {change: func(token *v1alpha1.GitHubUserToken) {
			token.Status.Authorization.LoginURLExpirationTime = nil
		}},
		"a link of another page": {change: func(token *v1alpha1.GitHubUserToken) {
			token.Status.Authorization.LoginURL = "https://other.example.com" + linkPath + "?ticket=" + ticketA
		}},
		"a resource that is being deleted": {change: func(token *v1alpha1.GitHubUserToken) { token.DeletionTimestamp = &metav1.Time{Time: epoch} }},
		"the link of another resource's name": {change: func(token *v1alpha1.GitHubUserToken) {
			token.Status.Authorization.LoginURL = baseURL + "/login/team-a/hubot?ticket=" + ticketA
		}},
	} {
		token := aToken()
		token.Finalizers = []string{v1alpha1.Finalizer}
		if c.change != nil {
			c.change(token)
		}
		w := newWorld(t, token)
		w.now = w.now.Add(c.after)
		if c.path == "" {
			c.path = linkPath + "?ticket=" + ticketA
		}
		v := w.visitor()
		v.get(c.path)
		v.stoppedWith(whyLink)
		if page == "" {
			page = v.body
		}
		if v.body != page || len(v.cookies) != 0 {
			t.Errorf("%s: the answer differs: %s", name, v.body)
		}
		w.wrote()
	}
}

func TestLoginPageLinkIsSaidNotToBeUsable(t *testing.T) {
	for reason, change := range map[why]func(*v1alpha1.GitHubUserToken){
		whySuspended: func(token *v1alpha1.GitHubUserToken) { token.Spec.Suspend = true },
		whyNoAccount: func(token *v1alpha1.GitHubUserToken) { token.Spec.User = nil },
	} {
		token := aToken()
		change(token)
		v := newWorld(t, token).visitor()
		v.open()
		v.stoppedWith(reason)
	}
}

// Mail programs, chats, virus scanners and browsers open links before people do, and again after them.
func TestLoginPageLookingChangesNothing(t *testing.T) {
	for name, header := range map[string]http.Header{
		"a scanner":      {"User-Agent": {"Mozilla/5.0 (compatible; LinkScanner)"}},
		"a prefetch":     {"Sec-Purpose": {"prefetch"}, "Purpose": {"prefetch"}},
		"a prerendering": {"Sec-Purpose": {"prefetch;prerender"}},
		"a preview":      {"User-Agent": {"Slackbot-LinkExpanding 1.0"}},
	} {
		w := newWorld(t)
		look := func(v *visitor) {
			t.Helper()
			before := w.token().ResourceVersion
			scanner := w.visitor()
			scanner.header = header
			for _, cookies := range []map[string]string{{}, v.cookies} {
				for _, method := range []string{http.MethodGet, http.MethodHead} {
					for _, path := range []string{
						linkPath + "?ticket=" + ticketA, linkPath + "?ticket=" + ticketB, pathWait, pathGo, callbackWith(aCode, aState), pathConfirm,
						pathCancel, pathResult, pathStopped + "denied",
					} {
						scanner.cookies = map[string]string{}
						maps.Copy(scanner.cookies, cookies)
						w.now = w.now.Add(time.Second)
						scanner.send(method, path, nil)
						if method == http.MethodHead && scanner.body != "" {
							t.Errorf("%s: a HEAD of %s has a body", name, path)
						}
					}
				}
			}
			w.wrote()
			if after := w.token().ResourceVersion; after != before {
				t.Errorf("%s has changed the resource", name)
			}
		}
		v := w.visitor()
		look(v)
		v.open()
		look(v)
		v.press(linkPath)
		w.writes = nil
		look(v)
		w.operatorAnswers()
		look(v)
		v.comeBack()
		v.led(pathConfirm)
		look(v)
		v.get(pathConfirm)
		look(v)
		v.press(pathConfirm) // All of that has kept nobody from anything.
		v.led(pathResult)
	}
}

// A link that somebody else has used first is of no use any more: before the operator has seen it, while the attempt waits, and
// when there is another link.
func TestLoginPageStolenLink(t *testing.T) {
	w := newWorld(t)
	thief, victim, late := w.visitor(), w.visitor(), w.visitor()
	late.open()
	victim.open()
	thief.open()
	thief.press(linkPath)
	thief.led(pathWait)
	w.managed = askedBy(epoch)
	w.writes = nil

	form := victim.form(linkPath)
	victim.send(http.MethodPost, linkPath, form)
	victim.stoppedWith(whyUsed)
	victim.sees(http.StatusConflict, "somebody else has your link")
	victim.open()
	victim.stoppedWith(whyUsed)

	w.edit(func(token *v1alpha1.GitHubUserToken) { // The attempt has begun, and the link is not replaced yet.
		id, callback, _ := strings.Cut(token.Annotations[v1alpha1.AnnotationWebLoginRequested], " ")
		ends := metav1.NewTime(epoch.Add(10 * time.Minute))
		token.Status.WebLogin = &v1alpha1.WebLogin{RequestID: id, AttemptID: aUID + "-" + anAttempt, AuthorizeURL: authorizeURL("github.com", aState, callback), ExpirationTime: &ends}
	})
	w.now = w.now.Add(time.Hour)
	victim.send(http.MethodPost, linkPath, form)
	victim.stoppedWith(whyUsed)

	w.operatorAnswers() // And now it is.
	late.send(http.MethodPost, linkPath, late.form(linkPath))
	late.stoppedWith(whyLink)
	w.wrote()
	if len(late.cookies) != 1 || len(victim.cookies) != 1 {
		t.Error("who was late has a login")
	}
}

func askedBy(at time.Time) []metav1.ManagedFieldsEntry {
	when := metav1.NewTime(at)
	earlier := metav1.NewTime(at.Add(-time.Hour))
	fields := func(text string) *metav1.FieldsV1 { return metav1.NewFieldsV1(text) }
	return []metav1.ManagedFieldsEntry{
		{Manager: "kubectl", Operation: metav1.ManagedFieldsOperationUpdate, Time: &earlier, FieldsV1: fields(`{"f:metadata":{"f:annotations":{"f:githubusertoken.dev/purpose":{}}}}`)},
		{Manager: FieldManager, Operation: metav1.ManagedFieldsOperationUpdate, Time: &when, FieldsV1: fields(`{"f:metadata":{"f:annotations":{"f:githubusertoken.dev/web-login-requested":{}}}}`)},
		{Manager: "timeless", FieldsV1: fields(`{"f:metadata":{"f:annotations":{"f:githubusertoken.dev/web-login-requested":{}}}}`)},
		{Manager: "empty", Time: &when},
		{Manager: "odd", Time: &when, FieldsV1: fields(`{"f:metadata":[]}`)},
	}
}

// Two press at once. One version of the resource is written, so one of them begins.
func TestLoginPageTwoBrowsersAtOnce(t *testing.T) {
	w := newWorld(t)
	first, second := w.visitor(), w.visitor()
	first.open()
	second.open()
	w.before = func(string) { // Between what the second has read and what it writes.
		w.before = nil
		first.press(linkPath)
		first.led(pathWait)
		w.managed = askedBy(w.now)
		w.writes = nil
	}
	second.press(linkPath)
	second.stoppedWith(whyUsed)
	w.wrote()
	w.operatorAnswers()
	first.get(pathGo)
	if first.last.StatusCode != http.StatusSeeOther {
		t.Errorf("the first one does not go on: %s", first.body)
	}
}

func TestLoginPageConflictIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	v.open()
	w.before = func(string) {
		w.edit(func(token *v1alpha1.GitHubUserToken) { token.Labels = map[string]string{"by": "another"} })
	}
	v.press(linkPath)
	v.led(pathWait)
	w.wrote("patch octocat")
}

// A request that the operator has not answered yet is left alone for a minute, whoever has made it.
func TestLoginPageRequestOfAMomentAgoIsLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		asked    string
		since    time.Duration
		answered bool
		free     bool
	}{
		"of a moment ago":                {"request-of-kubectl http://127.0.0.1:8976/", time.Second, false, false},
		"of nearly a minute ago":         {"request-of-kubectl http://127.0.0.1:8976/", time.Minute - 1, false, false},
		"of a minute ago":                {"request-of-kubectl http://127.0.0.1:8976/", time.Minute, false, true},
		"one that was answered":          {"request-of-kubectl http://127.0.0.1:8976/", time.Second, true, true},
		"of another link, and answered":  {"p-000000000000-0000 " + baseURL + "/callback", time.Second, true, true},
		"of another link, not answered":  {"p-000000000000-0000 " + baseURL + "/callback", time.Second, false, false},
		"of which nobody knows how old ": {"request-of-kubectl http://127.0.0.1:8976/", 0, false, true},
	} {
		token := aToken()
		token.Annotations[v1alpha1.AnnotationWebLoginRequested] = c.asked
		if c.since != 0 {
			token.ManagedFields = askedBy(epoch.Add(-c.since))
		}
		if c.answered {
			id, _, _ := strings.Cut(c.asked, " ")
			token.Status.WebLogin = &v1alpha1.WebLogin{RequestID: id, AttemptID: aUID + "-0"}
		}
		got := useOf(token, newSession(resourceName{"team-a", "octocat"}, aUID, hide(ticketA), newSecret()), epoch)
		if want := map[bool]use{true: isFree, false: isBusy}[c.free]; got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
}

// A request that was refused has begun nothing, so the link is still good when what was missing is there.
func TestLoginPageLinkIsNotUsedUpByARefusal(t *testing.T) {
	w := newWorld(t)
	first, second := w.visitor(), w.visitor()
	first.open()
	first.press(linkPath)
	w.edit(func(token *v1alpha1.GitHubUserToken) {
		id, _, _ := strings.Cut(token.Annotations[v1alpha1.AnnotationWebLoginRequested], " ")
		token.Status.WebLogin = &v1alpha1.WebLogin{RequestID: id, Result: v1alpha1.WebLoginRefused}
	})
	first.get(pathGo)
	first.led(pathResult)
	second.open()
	second.sees(http.StatusOK, "Read what is asked of you")
}

// A form that is sent twice, and one of which the answer was lost, ask for one login.
func TestLoginPageFormThatIsSentTwiceBeginsOneLogin(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	v.open()
	form := v.form(linkPath)
	v.send(http.MethodPost, linkPath, form)
	v.led(pathWait)
	w.wrote("patch octocat")
	delete(v.cookies, cookieLogin) // The first answer did not reach the browser.
	v.send(http.MethodPost, linkPath, form)
	v.led(pathWait)
	w.operatorAnswers()
	v.send(http.MethodPost, linkPath, form)
	v.led(pathWait)
	w.wrote()
	v.get(pathGo)
	v.comeBack()
	v.led(pathConfirm)
}

func TestLoginPageWriteWhoseAnswerWasLost(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	v.open()
	w.lost = func(string) error { return apierrors.NewTimeoutError("lost", 1) }
	v.press(linkPath)
	v.led(pathWait)
	w.wrote("patch octocat")
	w.lost = nil
	w.operatorAnswers()
	v.comeBack()
	v.get(pathConfirm)
	w.lost = func(string) error { return apierrors.NewTimeoutError("lost", 1) }
	v.press(pathConfirm)
	v.led(pathResult)
	w.wrote("create github-user-token-code-" + aUID + "-" + anAttempt)
}

// While the API server is away nothing is lost: what was tried can be tried again.
func TestLoginPageAPIServerIsAway(t *testing.T) {
	for name, err := range map[string]error{
		"away":      apierrors.NewServiceUnavailable("CANARY"),
		"throttled": apierrors.NewTooManyRequests("CANARY", 1),
		"forbidden": apierrors.NewForbidden(schema.GroupResource{Resource: "CANARY"}, "CANARY", nil),
	} {
		w := newWorld(t)
		v := w.visitor()
		away := func() { w.away = func(string, client.Object) error { return err } }
		back := func() { w.away = nil }

		away()
		v.open()
		v.stoppedWith(whyUnavailable)
		back()
		v.open()
		form := v.form(linkPath)
		away()
		v.send(http.MethodPost, linkPath, form)
		v.stoppedWith(whyUnavailable)
		back()
		v.send(http.MethodPost, linkPath, form)
		v.led(pathWait)
		w.operatorAnswers()
		away()
		v.get(pathGo)
		v.led(pathWait)
		v.comeBack()
		v.stoppedWith(whyUnavailable)
		back()
		v.comeBack()
		v.led(pathConfirm)
		away()
		v.get(pathConfirm)
		v.stoppedWith(whyUnavailable)
		back()
		v.get(pathConfirm)
		form = v.form(pathConfirm)
		w.away = func(verb string, _ client.Object) error {
			if verb == "create" {
				return err
			}
			return nil
		}
		v.send(http.MethodPost, pathConfirm, form)
		v.stoppedWith(whyUnavailable)
		away()
		v.send(http.MethodPost, pathConfirm, form)
		v.stoppedWith(whyUnavailable)
		back()
		v.send(http.MethodPost, pathConfirm, form)
		v.led(pathResult)
		away()
		v.get(pathResult)
		v.stoppedWith(whyUnavailable)
		back()
		if strings.Contains(w.logs.String(), "CANARY") || !strings.Contains(w.logs.String(), string(apierrors.ReasonForError(err))) {
			t.Errorf("%s: the log says %s", name, w.logs.String())
		}
	}
}
