package loginpage

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/loginpage/visits"
)

const (
	visitSpace = "github-user-token-system"
	anAccount  = "github.com/583231"
	aLogin     = "0123456789abcdef0123"
)

// list is the API server's list, with field selectors and parts, which the fake one does not have.
func (w *world) list(ctx context.Context, c client.WithWatch, into client.ObjectList, options ...client.ListOption) error {
	asked := client.ListOptions{}
	asked.ApplyOptions(options)
	tokens, ok := into.(*v1alpha1.GitHubUserTokenList)
	if !ok || asked.Raw == nil {
		return c.List(ctx, into, options...)
	}
	w.lists++
	if err := w.refuse("list", &v1alpha1.GitHubUserToken{}); err != nil {
		return err
	}
	var all v1alpha1.GitHubUserTokenList
	if err := c.List(ctx, &all, client.InNamespace(asked.Namespace)); err != nil {
		return err
	}
	slices.SortFunc(all.Items, func(a, b v1alpha1.GitHubUserToken) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	for i := range all.Items {
		token := &all.Items[i]
		key := token.Namespace + "/" + token.Name
		if key <= asked.Continue || !selects(asked.Raw.FieldSelector, token) {
			continue
		}
		if int64(len(tokens.Items)) == asked.Limit {
			last := tokens.Items[len(tokens.Items)-1]
			tokens.Continue = last.Namespace + "/" + last.Name
			return nil
		}
		tokens.Items = append(tokens.Items, *token)
	}
	return nil
}

func selects(selector string, token *v1alpha1.GitHubUserToken) bool {
	for term := range strings.SplitSeq(selector, ",") {
		if namespace, not := strings.CutPrefix(term, "metadata.namespace!="); not {
			if token.Namespace == namespace {
				return false
			}
			continue
		}
		account, _ := strings.CutPrefix(term, "status.login.account=")
		if token.Status.Login == nil || token.Status.Login.Account != account {
			return false
		}
	}
	return true
}

// visitApp is the App of the page.
func visitApp() *v1alpha1.ClusterGitHubApp {
	return &v1alpha1.ClusterGitHubApp{
		ObjectMeta: metav1.ObjectMeta{Name: "who"},
		Spec:       v1alpha1.ClusterGitHubAppSpec{GitHubAppSpec: v1alpha1.GitHubAppSpec{ClientID: "Iv23liExample"}},
	}
}

// held is a resource that holds a token of an account.
func held(namespace, name, account string) *v1alpha1.GitHubUserToken {
	token := aToken()
	token.Namespace, token.Name, token.UID = namespace, name, types.UID(fmt.Sprintf("8b1c7f2e-0000-4000-8000-%012x", len(namespace)*1000+len(name)))
	token.Status.Login = &v1alpha1.LoginReport{Account: account, ID: aLogin, Time: new(metav1.NewTime(epoch.Add(-48 * time.Hour)))}
	token.Status.User = &v1alpha1.User{Login: "octocat", ID: 583231}
	token.Status.AccessTokenExpirationTime = new(metav1.NewTime(epoch.Add(time.Hour)))
	return token
}

// visitWorld is a page that offers My tokens.
func visitWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	w := newWorld(t, append(objects, visitApp())...)
	w.page = w.visitPage()
	return w
}

func (w *world) visitPage() *Page {
	return w.replica(w.watched, Options{PerClient: 1000, InAll: 1000, Visits: &Visits{
		Namespace: visitSpace, App: v1alpha1.AppReference{Kind: v1alpha1.KindClusterGitHubApp, Name: "who"},
		Key: func() ([]byte, error) { return []byte("a key of the page's"), nil }, PerClient: 2, InAll: 5,
	}})
}

// visitsNow are the visits that there are.
func (w *world) visitsNow() []v1alpha1.GitHubUserToken {
	w.t.Helper()
	var list v1alpha1.GitHubUserTokenList
	if err := w.client.List(w.t.Context(), &list, client.InNamespace(visitSpace)); err != nil {
		w.t.Fatal(err)
	}
	return list.Items
}

// answerVisits is the operator, which begins the attempts of visits.
func (w *world) answerVisits() {
	w.t.Helper()
	for _, token := range w.visitsNow() {
		request, callback, _ := strings.Cut(token.Annotations[v1alpha1.AnnotationWebLoginRequested], " ")
		if token.Status.WebLogin != nil {
			continue
		}
		ends := metav1.NewTime(w.now.Add(10 * time.Minute))
		token.Status.WebLogin = &v1alpha1.WebLogin{
			RequestID: request, AttemptID: string(token.UID) + "-" + anAttempt, ExpirationTime: &ends, AuthorizeURL: authorizeURL("github.com", aState, callback),
		}
		if err := w.client.Status().Update(w.t.Context(), &token); err != nil {
			w.t.Fatal(err)
		}
	}
}

// redeemVisits is the operator when it has redeemed the codes of visits: whose they are is known.
func (w *world) redeemVisits(account string, id int64) {
	w.t.Helper()
	for _, token := range w.visitsNow() {
		token.Status.WebLogin = &v1alpha1.WebLogin{RequestID: token.Status.WebLogin.RequestID, Result: v1alpha1.WebLoginSucceeded}
		token.Status.Login = &v1alpha1.LoginReport{Account: account, ID: aLogin}
		token.Status.User = &v1alpha1.User{Login: "octocat", ID: id}
		if err := w.client.Status().Update(w.t.Context(), &token); err != nil {
			w.t.Fatal(err)
		}
	}
}

// beginVisit goes as far as GitHub's page.
func (v *visitor) beginVisit() {
	v.w.t.Helper()
	v.get(pathTokens)
	v.sees(http.StatusOK, "<h1>My tokens</h1>")
	v.press(pathTokens)
	v.led(pathVisitWait)
	v.w.answerVisits()
	v.get(pathVisitWait)
	v.get(pathVisitGo)
	if to := v.last.Header.Get("Location"); !strings.HasPrefix(to, "https://github.com/login/oauth/authorize?") {
		v.w.t.Fatalf("it leads to %q: %s", to, v.body)
	}
}

// prove goes the whole way.
func (v *visitor) prove() {
	v.w.t.Helper()
	v.beginVisit()
	v.comeBack()
	v.led(pathVisitConfirm)
	v.get(pathVisitConfirm)
	v.sees(http.StatusOK, "Do you want to be known here?")
	v.press(pathVisitConfirm)
	v.led(pathVisitProven)
	v.w.redeemVisits(anAccount, 583231)
	v.get(pathVisitProven)
	v.led(pathTokens)
	v.get(pathTokens)
}

func (w *world) annotationOf(namespace, name string) string {
	w.t.Helper()
	var token v1alpha1.GitHubUserToken
	if err := w.client.Get(w.t.Context(), types.NamespacedName{Namespace: namespace, Name: name}, &token); err != nil {
		w.t.Fatal(err)
	}
	return token.Annotations[v1alpha1.AnnotationRevocationRequested]
}

func TestMyTokensTheWholeWay(t *testing.T) {
	w := visitWorld(t, held("team-a", "octocat", anAccount), held("team-b", "mine", anAccount), held("team-c", "hers", "github.com/2"))
	v := w.visitor()
	v.beginVisit()
	visits := w.visitsNow()
	if len(visits) != 1 || visits[0].Spec.DeletionPolicy != v1alpha1.DeletionPolicyRevoke || visits[0].Spec.User != nil ||
		!regexp.MustCompile(`^login-page-visit-[a-z0-9]{26}$`).MatchString(visits[0].Name) {
		t.Fatalf("the visit is %+v", visits)
	}
	v.comeBack()
	v.led(pathVisitConfirm)
	if len(w.codes()) != 0 {
		t.Error("the code is handed over before anybody has confirmed")
	}
	v.get(pathVisitConfirm)
	v.sees(http.StatusOK, "ClusterGitHubApp who")
	v.press(pathVisitConfirm)
	v.led(pathVisitProven)
	if codes := w.codes(); codes["github-user-token-code-"+string(visits[0].UID)+"-"+anAttempt] != aCode {
		t.Errorf("the codes are %v", codes)
	}
	v.get(pathVisitProven)
	v.sees(http.StatusOK, "One moment")
	w.redeemVisits(anAccount, 583231)
	w.writes = nil
	v.get(pathVisitProven)
	v.led(pathTokens)
	w.wrote("delete " + visits[0].Name) // With which its token is revoked.
	v.get(pathTokens)
	for _, told := range []string{"Tokens of <bdi>octocat</bdi>", "team-a", "team-b", "mine", "Nightly merges", "1 February 2027, 12:00 UTC"} {
		v.sees(http.StatusOK, told)
	}
	if strings.Contains(v.body, "hers") || strings.Contains(v.body, "team-c") {
		t.Error("it shows what is another account's")
	}
	v.get(pathToken + "team-a/octocat")
	v.sees(http.StatusOK, "Alice of team A")
	v.press(pathToken + "team-a/octocat")
	v.ledOn()
	w.wrote("patch octocat")
	if got := w.annotationOf("team-a", "octocat"); got != anAccount+" "+aLogin {
		t.Errorf("it asks for %q", got)
	}
	v.sees(http.StatusOK, "until then the token is in use")
	if refresh := v.last.Header.Get("Refresh"); refresh == "" {
		t.Error("it does not look again")
	}
	w.edit(func(token *v1alpha1.GitHubUserToken) { token.Status.Login.Revocation = v1alpha1.LoginRevocationRevoked })
	v.get(pathToken + "team-a/octocat")
	v.sees(http.StatusOK, "The login has ended")
	v.get(pathTokens)
	v.press(pathTokensForget)
	v.stoppedWith(whyForgotten)
	v.get(pathTokens)
	v.sees(http.StatusOK, "<h1>My tokens</h1>")
	for _, secret := range []string{aCode, aState, v.cookies[cookieVisit]} {
		if strings.Contains(w.logs.String(), secret) {
			t.Error("the log has a secret")
		}
	}
}

// Whoever begins visits and goes on with none of them holds no place for long. Who was sent to GitHub has the time that a login takes.
func TestMyTokensVisitThatIsNotGoneOnWithLosesItsPlaceSoon(t *testing.T) {
	w := visitWorld(t)
	left, gone := w.visitor(), w.visitor()
	left.get(pathTokens)
	left.press(pathTokens)
	w.answerVisits()
	gone.beginVisit()
	gone.get(pathVisitGo) // Once more, as by a reload.
	if patches := strings.Count(fmt.Sprint(w.writes), "patch "+v1alpha1.VisitPrefix); patches != 1 {
		t.Errorf("it was taken down %d times that somebody was sent on: %v", patches, w.writes)
	}
	w.now = w.now.Add(179 * time.Second)
	w.page.sweepOnce(t.Context())
	if visits := w.visitsNow(); len(visits) != 2 {
		t.Errorf("a moment before there are %d visits", len(visits))
	}
	w.now = w.now.Add(time.Second)
	w.page.sweepOnce(t.Context())
	if visits := w.visitsNow(); len(visits) != 1 || visits[0].Annotations[v1alpha1.AnnotationVisitSentAt] == "" {
		t.Errorf("then there are %+v", visits)
	}
	left.get(pathVisitGo)
	left.stoppedWith(whyVisitEnded)
	w.now = w.now.Add(5 * time.Minute)
	w.page.sweepOnce(t.Context())
	gone.comeBack()
	gone.led(pathVisitConfirm)
}

// That somebody is sent to GitHub is taken down before, so that they find their visit when they come back; but by a policy of an earlier version,
// which does not let the page.
func TestMyTokensVisitIsMarkedBeforeItIsSentOn(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		sent bool
	}{
		"the API server is away": {apierrors.NewInternalError(errors.New("etcd is tired")), false},
		"the page may not":       {apierrors.NewForbidden(schema.GroupResource{Resource: "githubusertokens"}, "x", errors.New("by a policy")), true},
		"the visit is gone":      {apierrors.NewNotFound(schema.GroupResource{Resource: "githubusertokens"}, "x"), false},
	} {
		t.Run(name, func(t *testing.T) {
			w := visitWorld(t)
			v := w.visitor()
			v.get(pathTokens)
			v.press(pathTokens)
			w.answerVisits()
			w.away = func(verb string, _ client.Object) error {
				if verb == "patch" {
					return c.err
				}
				return nil
			}
			v.get(pathVisitGo)
			if sent := strings.HasPrefix(v.last.Header.Get("Location"), "https://github.com/"); sent != c.sent {
				t.Errorf("it was sent on: %t; %d: %s", sent, v.last.StatusCode, v.body)
			}
		})
	}
}

func TestMyTokensAreNotThereWhereTheyAreNotOffered(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	for _, path := range []string{pathTokens, pathToken + "team-a/octocat", pathVisitWait, pathVisitGo, pathVisitConfirm, pathVisitProven} {
		v.get(path)
		v.stoppedWith(whyNotFound)
	}
	w.wrote()
}

// Somebody who has opened nothing is not known, whatever their browser is sent to.
func TestMyTokensVisitLoginCSRF(t *testing.T) {
	w := visitWorld(t, held("team-a", "octocat", anAccount))
	thief, victim := w.visitor(), w.visitor()
	thief.beginVisit()
	for _, path := range []string{pathVisitWait, pathVisitGo, pathVisitConfirm, pathVisitProven} {
		victim.get(path)
		victim.stoppedWith(whyNoVisit)
	}
	victim.comeBack()
	victim.stoppedWith(whyElsewhere)
	victim.beginVisit()
	victim.get(callbackWith(aCode, "another state of the thief's"[:8]))
	victim.stoppedWith(whyElsewhere)
	if len(w.codes()) != 0 {
		t.Error("a code was handed over")
	}
	// The cookie of a visit is of no use with another browser's secret.
	thief.comeBack()
	thief.led(pathVisitConfirm)
	stolen := w.visitor()
	stolen.cookies = map[string]string{cookieProof: thief.cookies[cookieProof]}
	stolen.get(pathVisitConfirm)
	stolen.stoppedWith(whyNoVisit)
}

func TestMyTokensFormsOfOthersDoNotCount(t *testing.T) {
	w := visitWorld(t, held("team-a", "octocat", anAccount), held("team-b", "mine", anAccount))
	v, other := w.visitor(), w.visitor()
	v.prove()
	other.prove()
	w.writes = nil
	v.get(pathToken + "team-a/octocat")
	form := v.form(pathToken + "team-a/octocat")
	send := func(name string, from *visitor, to string, change func(url.Values)) {
		t.Helper()
		sent := url.Values{}
		for key, values := range form {
			sent[key] = slices.Clone(values)
		}
		change(sent)
		from.send(http.MethodPost, to, sent)
		if from.last.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", name, from.last.StatusCode)
		}
	}
	same := func(url.Values) {}
	send("from another browser", other, pathToken+"team-a/octocat", same)
	send("for another resource", v, pathToken+"team-b/mine", same)
	send("for another login", v, pathToken+"team-a/octocat", func(f url.Values) { f.Set("login", "other") })
	send("for another resource of the name", v, pathToken+"team-a/octocat", func(f url.Values) { f.Set("uid", ticketA) })
	send("without a code", v, pathToken+"team-a/octocat", func(f url.Values) { f.Del("code") })
	send("with two", v, pathToken+"team-a/octocat", func(f url.Values) { f.Add("code", f.Get("code")) })
	v.header.Set("Sec-Fetch-Site", "cross-site")
	send("from another site", v, pathToken+"team-a/octocat", same)
	v.header = http.Header{}
	unknown := w.visitor()
	unknown.cookies[cookieVisit] = v.cookies[cookieVisit]
	send("from a browser that is not known any more", unknown, pathToken+"team-a/octocat", same)
	for _, to := range []string{pathTokens, pathTokensForget, pathVisitConfirm, pathVisitCancel} {
		other.send(http.MethodPost, to, url.Values{"code": {form.Get("code")}})
		if other.last.StatusCode == http.StatusOK || other.last.StatusCode == http.StatusSeeOther {
			t.Errorf("%s: %d", to, other.last.StatusCode)
		}
	}
	w.wrote()
}

// Who a browser is nobody else can say, and nobody can change; and it is believed for ten minutes.
func TestMyTokensWhoABrowserIsIsSealed(t *testing.T) {
	w := visitWorld(t, held("team-a", "octocat", anAccount))
	v := w.visitor()
	v.prove()
	who := v.cookies[cookieWho]
	text, seal, _ := strings.Cut(who, ".")
	isKnown := func(cookies map[string]string, page *Page) bool {
		other := w.visitor()
		other.cookies, other.page = cookies, page
		other.get(pathTokens)
		return strings.Contains(other.body, "Tokens of")
	}
	own := v.cookies[cookieVisit]
	if !isKnown(map[string]string{cookieWho: who, cookieVisit: own}, w.visitPage()) {
		t.Error("another replica does not know the browser")
	}
	for name, cookies := range map[string]map[string]string{
		"of another browser":   {cookieWho: who, cookieVisit: newSecret().reveal()},
		"without its secret":   {cookieWho: who},
		"with another account": {cookieWho: text[:len(text)-4] + "AAAA." + seal, cookieVisit: own},
		"without a seal":       {cookieWho: text, cookieVisit: own},
		"with another seal":    {cookieWho: text + "." + newSecret().reveal(), cookieVisit: own},
	} {
		if isKnown(cookies, w.page) {
			t.Errorf("a cookie %s is believed", name)
		}
	}
	foreign := w.visitPage()
	foreign.visits.Key = func() ([]byte, error) { return []byte("another key"), nil }
	if isKnown(map[string]string{cookieWho: who, cookieVisit: own}, foreign) {
		t.Error("a cookie under another key is believed")
	}
	w.now = epoch.Add(whoLifetime)
	if isKnown(map[string]string{cookieWho: who, cookieVisit: own}, w.page) {
		t.Error("it is believed for too long")
	}
}

// What is another account's is not shown, nor told to be there.
func TestMyTokensOfOthersAreLikeNone(t *testing.T) {
	w := visitWorld(t, held("team-a", "octocat", anAccount), held("team-c", "hers", "github.com/2"), aTokenOf("team-d", "nobodys"))
	v := w.visitor()
	v.prove()
	bodies := map[string]bool{}
	for _, path := range []string{"team-c/hers", "team-d/nobodys", "team-x/none", "team-a/none"} {
		v.get(pathToken + path)
		v.stoppedWith(whyNotYours)
		bodies[v.body] = true
	}
	if len(bodies) != 1 {
		t.Error("the pages differ")
	}
	v.get(pathToken + "team-a/octocat/more")
	v.stoppedWith(whyNotYours)
}

func aTokenOf(namespace, name string) *v1alpha1.GitHubUserToken {
	token := held(namespace, name, "")
	token.Status.Login = nil
	return token
}

// What has become another since it was read is read again.
func TestMyTokensRevocationIsForWhatWasShown(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.GitHubUserToken){
		"another login":       func(token *v1alpha1.GitHubUserToken) { token.Status.Login.ID = "another" },
		"the account's token": func(token *v1alpha1.GitHubUserToken) { token.Status.Login.Account = "github.com/2" },
	} {
		t.Run(name, func(t *testing.T) {
			w := visitWorld(t, held("team-a", "octocat", anAccount))
			v := w.visitor()
			v.prove()
			v.get(pathToken + "team-a/octocat")
			w.edit(change)
			w.writes = nil
			v.press(pathToken + "team-a/octocat")
			if v.last.StatusCode != http.StatusConflict && v.last.StatusCode != http.StatusNotFound {
				t.Errorf("the answer is %d", v.last.StatusCode)
			}
			w.wrote()
			if got := w.annotationOf("team-a", "octocat"); got != "" {
				t.Errorf("it asks for %q", got)
			}
		})
	}
}

// Whoever may write the resource keeps nobody from their wish by changing it, however often.
func TestMyTokensRevocationCannotBeVetoed(t *testing.T) {
	w := visitWorld(t, held("team-a", "octocat", anAccount))
	v := w.visitor()
	v.prove()
	v.get(pathToken + "team-a/octocat")
	times := 0
	change := func() {
		times++
		w.edit(func(token *v1alpha1.GitHubUserToken) {
			token.Annotations["x"], token.Status.ObservedGeneration = strconv.Itoa(times), int64(times)
		})
	}
	change()
	w.before = func(string) { change() }
	w.writes = nil
	v.press(pathToken + "team-a/octocat")
	v.ledOn()
	w.wrote("patch octocat")
	if got := w.annotationOf("team-a", "octocat"); got != anAccount+" "+aLogin || times != 2 {
		t.Errorf("it asks for %q after %d changes", got, times)
	}
	// It is taken away again: the person is told so, and where nobody can undo it. Nobody else is told.
	again := v.last.Request
	w.edit(func(token *v1alpha1.GitHubUserToken) {
		delete(token.Annotations, v1alpha1.AnnotationRevocationRequested)
	})
	v.get(again.URL.Path + "?" + again.URL.RawQuery)
	v.sees(http.StatusOK, "Somebody has taken away again")
	v.sees(http.StatusOK, "Authorized GitHub Apps")
	if v.last.Header.Get("Refresh") != "" {
		t.Error("it looks again by itself")
	}
	v.form(pathToken + "team-a/octocat")
	v.get(pathToken + "team-a/octocat?look=0&asked=" + ticketA)
	if strings.Contains(v.body, "Somebody has taken away") {
		t.Error("it says so to who has not pressed")
	}
}

// The page says of a revocation what the operator says, and no more.
func TestMyTokensRevocationIsToldAsFarAsItHasCome(t *testing.T) {
	for revocation, want := range map[v1alpha1.LoginRevocation]string{
		v1alpha1.LoginRevocationAsked: "something has to end first", v1alpha1.LoginRevocationRevoking: "may work until that is done",
		v1alpha1.LoginRevocationRevoked: "The login has ended", v1alpha1.LoginRevocationGivenUp: "may work until it expires",
	} {
		token := held("team-a", "octocat", anAccount)
		token.Status.Login.Revocation = revocation
		ready := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "x", LastTransitionTime: metav1.NewTime(epoch)}
		authorized := metav1.Condition{Type: v1alpha1.ConditionAuthorized, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonRevokedOnRequest, LastTransitionTime: metav1.NewTime(epoch)}
		token.Status.Conditions = []metav1.Condition{ready, authorized} // From which nothing is concluded.
		w := visitWorld(t, token)
		v := w.visitor()
		v.prove()
		v.get(pathToken + "team-a/octocat")
		v.sees(http.StatusOK, want)
		if strings.Contains(v.body, "Revoke this token") || (revocation == v1alpha1.LoginRevocationRevoked) == strings.Contains(v.body, "The sure end") ||
			(revocation == v1alpha1.LoginRevocationRevoked) != strings.Contains(v.body, "has revoked its tokens") || v.last.Header.Get("Refresh") != "" {
			t.Errorf("%s: %s", revocation, v.body)
		}
	}
}

// A revocation that takes long is looked at for a minute, and after that by hand.
func TestMyTokensLookForAWhile(t *testing.T) {
	w := visitWorld(t, held("team-a", "octocat", anAccount))
	v := w.visitor()
	v.prove()
	v.get(pathToken + "team-a/octocat")
	v.press(pathToken + "team-a/octocat")
	v.ledOn()
	looks := 0
	for ; v.last.Header.Get("Refresh") != "" && looks < 100; looks++ {
		_, to, _ := strings.Cut(v.last.Header.Get("Refresh"), "url=/ghut")
		w.now = w.now.Add(revokeLook * time.Second)
		v.get(to)
		v.sees(http.StatusOK, "Look again")
	}
	if looks != maxLooks {
		t.Errorf("it has looked %d times", looks)
	}
}

// ledOn follows to the page of a token after its end was asked for.
func (v *visitor) ledOn() {
	v.w.t.Helper()
	to := v.last.Header.Get("Location")
	if v.last.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, "/ghut"+pathToken+"team-a/octocat?asked=") {
		v.w.t.Fatalf("the answer is %d to %q: %s", v.last.StatusCode, to, v.body)
	}
	v.get(strings.TrimPrefix(to, "/ghut"))
	v.last.Request = httptest.NewRequestWithContext(v.w.t.Context(), http.MethodGet, strings.TrimPrefix(to, "/ghut"), nil)
}

// The answer to the write was lost: to press again asks for the same.
func TestMyTokensRevocationWhoseAnswerWasLost(t *testing.T) {
	w := visitWorld(t, held("team-a", "octocat", anAccount))
	v := w.visitor()
	v.prove()
	v.get(pathToken + "team-a/octocat")
	w.writes = nil
	w.lost = func(string) error { w.lost = nil; return apierrors.NewTimeoutError("lost", 0) }
	v.press(pathToken + "team-a/octocat")
	v.ledOn()
	w.wrote("patch octocat")
}

// Thousands of resources that one namespace has made up neither hide what is in another, nor cost more than a few requests.
func TestMyTokensMadeUpResourcesHideNothing(t *testing.T) {
	objects := []client.Object{held("team-z", "mine", anAccount), held("team-b", "mine", anAccount)}
	for n := range 500 {
		made := held("aaa", "made-up-"+strconv.Itoa(n), anAccount)
		made.UID = types.UID(fmt.Sprintf("8b1c7f2e-0000-4000-9000-%012d", n))
		objects = append(objects, made)
	}
	w := visitWorld(t, objects...)
	v := w.visitor()
	v.prove()
	w.lists = 0
	v.get(pathTokens)
	v.sees(http.StatusOK, "team-z/mine")
	v.sees(http.StatusOK, "team-b/mine")
	v.sees(http.StatusOK, "All of this namespace")
	if shown := strings.Count(v.body, "/tokens/of/aaa/"); shown != 10 || w.lists > 3 {
		t.Errorf("%d of the namespace are shown, by %d requests", shown, w.lists)
	}
	// All of that namespace can be seen, in parts.
	seen := map[string]bool{}
	next := regexp.MustCompile(`<a href="/ghut([^"]*)">(All of this namespace|More)</a>`)
	for range 20 {
		w.now = w.now.Add(time.Second)
		for _, found := range regexp.MustCompile(`/tokens/of/aaa/([a-z0-9-]+)`).FindAllStringSubmatch(v.body, -1) {
			seen[found[1]] = true
		}
		on := next.FindStringSubmatch(v.body)
		if on == nil {
			break
		}
		v.get(html.UnescapeString(on[1]))
		if v.last.StatusCode != http.StatusOK {
			t.Fatalf("it leads to %d", v.last.StatusCode)
		}
	}
	if len(seen) != 500 {
		t.Errorf("%d were seen", len(seen))
	}
	v.get(pathTokens + "?namespace=team-z&next=&seal=" + newSecret().reveal())
	v.led(pathTokens)
}

// One address, or one browser, does not take all places, and all together no more than there are.
func TestMyTokensVisitPlacesAreShared(t *testing.T) {
	w := visitWorld(t, held("team-a", "octocat", anAccount))
	begin := func(v *visitor) int {
		v.get(pathTokens)
		v.send(http.MethodPost, pathTokens, v.form(pathTokens))
		return v.last.StatusCode
	}
	from := func(address string) *visitor { v := w.visitor(); v.from = address + ":1"; return v }
	same := from("192.0.2.7")
	for range 5 {
		if got := begin(same); got != http.StatusSeeOther {
			t.Fatalf("a browser that begins anew gets %d", got)
		}
	}
	if n := len(w.visitsNow()); n != 1 || len(w.writes) != 1 {
		t.Errorf("a browser has %d visits, by %q", n, w.writes)
	}
	own := w.visitsNow()[0].Name
	w.now = epoch.Add(30 * time.Second)
	if got := begin(same); got != http.StatusSeeOther || w.visitsNow()[0].Name == own {
		t.Errorf("some time later it gets %d, for %s again", got, own)
	}
	if got := begin(from("192.0.2.7")); got != http.StatusSeeOther {
		t.Errorf("the second browser of an address gets %d", got)
	}
	if got := begin(from("192.0.2.7")); got != http.StatusSeeOther || len(w.visitsNow()) != 2 {
		t.Errorf("the third one gets %d, and there are %d", got, len(w.visitsNow()))
	}
	for n := range 8 {
		if got := begin(from("192.0.2." + strconv.Itoa(10+n))); got != http.StatusSeeOther || len(w.visitsNow()) > 5 {
			t.Errorf("another address gets %d, and there are %d", got, len(w.visitsNow()))
		}
	}
	w.answerVisits()
	for _, visit := range w.visitsNow() { // Who has confirmed is not put out for anybody.
		visit.Status.WebLogin.AuthorizeURL, visit.Status.WebLogin.ExpirationTime = "", nil
		if err := w.client.Status().Update(t.Context(), &visit); err != nil {
			t.Fatal(err)
		}
	}
	if got := begin(from("192.0.2.99")); got != http.StatusTooManyRequests {
		t.Errorf("beyond all places one gets %d", got)
	}
	for _, visit := range w.visitsNow() {
		for _, value := range visit.Labels {
			if !regexp.MustCompile("^[0-9a-f]{20}$").MatchString(value) {
				t.Errorf("a label is %q", value)
			}
		}
	}
	w.now = w.now.Add(visits.Time)
	w.page.sweepOnce(t.Context())
	if n := len(w.visitsNow()); n != 0 {
		t.Errorf("%d visits were left", n)
	}
	if got := begin(from("192.0.2.99")); got != http.StatusSeeOther {
		t.Errorf("afterwards one gets %d", got)
	}
	w.page.sweepOnce(t.Context())
	if n := len(w.visitsNow()); n != 1 {
		t.Error("a visit that is going on was swept")
	}
}

// A visit that comes to nothing is ended, whatever the reason, and nobody is known by it.
func TestMyTokensVisitThatFailsIsEnded(t *testing.T) {
	for name, c := range map[string]struct {
		result v1alpha1.WebLoginResult
		reason why
	}{
		"refused by the operator": {v1alpha1.WebLoginRefused, whyVisitRefused},
		"its code was rejected":   {v1alpha1.WebLoginRejected, whyVisitFailed},
		"its answer was lost":     {v1alpha1.WebLoginLost, whyVisitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			w := visitWorld(t, held("team-a", "octocat", anAccount))
			v := w.visitor()
			v.beginVisit()
			for _, token := range w.visitsNow() {
				token.Status.WebLogin = &v1alpha1.WebLogin{RequestID: token.Status.WebLogin.RequestID, Result: c.result}
				if err := w.client.Status().Update(t.Context(), &token); err != nil {
					t.Fatal(err)
				}
			}
			v.get(pathVisitProven)
			v.stoppedWith(c.reason)
			if len(w.visitsNow()) != 0 || v.cookies[cookieWho] != "" || v.cookies[cookieProof] != "" {
				t.Error("something is left of it")
			}
		})
	}
	t.Run("another host's account", func(t *testing.T) {
		w := visitWorld(t, held("team-a", "octocat", anAccount))
		v := w.visitor()
		v.beginVisit()
		w.redeemVisits("evil.example/583231", 583231)
		v.get(pathVisitProven)
		v.stoppedWith(whyVisitFailed)
		if v.cookies[cookieWho] != "" {
			t.Error("it is believed")
		}
		if len(w.visitsNow()) != 0 {
			t.Error("its token lives on")
		}
	})
	t.Run("its App cannot be read", func(t *testing.T) {
		w := visitWorld(t, held("team-a", "octocat", anAccount))
		v := w.visitor()
		v.beginVisit()
		w.redeemVisits(anAccount, 583231)
		w.away = func(_ string, object client.Object) error {
			if _, isApp := object.(*v1alpha1.ClusterGitHubApp); isApp {
				return apierrors.NewServiceUnavailable("away")
			}
			return nil
		}
		v.get(pathVisitProven)
		v.stoppedWith(whyVisitFailed)
		if len(w.visitsNow()) != 0 {
			t.Error("its token lives on")
		}
	})
	t.Run("its tab was closed", func(t *testing.T) {
		w := visitWorld(t, held("team-a", "octocat", anAccount))
		v := w.visitor()
		v.beginVisit()
		w.redeemVisits(anAccount, 583231)
		w.now = epoch.Add(time.Minute)
		w.page.sweepOnce(t.Context())
		if len(w.visitsNow()) != 0 {
			t.Error("its token lives on")
		}
	})
	t.Run("forgotten", func(t *testing.T) {
		w := visitWorld(t, held("team-a", "octocat", anAccount))
		v := w.visitor()
		v.prove()
		forget := v.form(pathTokensForget)
		delete(v.cookies, cookieWho)
		v.beginVisit()
		v.send(http.MethodPost, pathTokensForget, forget)
		v.stoppedWith(whyForgotten)
		if len(w.visitsNow()) != 0 {
			t.Error("it goes on")
		}
	})
	t.Run("it made room while its person was at GitHub", func(t *testing.T) {
		w := visitWorld(t, held("team-a", "octocat", anAccount))
		v := w.visitor()
		v.beginVisit()
		visit := w.visitsNow()[0]
		if err := w.client.Delete(t.Context(), &visit); err != nil {
			t.Fatal(err)
		}
		v.comeBack()
		v.stoppedWith(whyVisitEnded)
		if v.cookies[cookieProof] != "" || v.cookies[cookieProofCode] != "" {
			t.Error("something is left of it")
		}
	})
	t.Run("its time was over while its person was at GitHub", func(t *testing.T) {
		w := visitWorld(t, held("team-a", "octocat", anAccount))
		v := w.visitor()
		v.beginVisit()
		visit := w.visitsNow()[0]
		visit.Status.WebLogin = &v1alpha1.WebLogin{RequestID: visit.Status.WebLogin.RequestID, Result: v1alpha1.WebLoginExpired}
		if err := w.client.Status().Update(t.Context(), &visit); err != nil {
			t.Fatal(err)
		}
		v.comeBack()
		v.led(pathVisitProven)
		v.get(pathVisitProven)
		v.stoppedWith(whyVisitFailed)
		if len(w.visitsNow()) != 0 {
			t.Error("it is left")
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		w := visitWorld(t, held("team-a", "octocat", anAccount))
		v := w.visitor()
		v.beginVisit()
		v.comeBack()
		v.get(pathVisitConfirm)
		v.press(pathVisitCancel)
		v.stoppedWith(whyVisitDenied)
		if len(w.visitsNow()) != 0 {
			t.Error("it goes on")
		}
	})
	t.Run("denied at GitHub", func(t *testing.T) {
		w := visitWorld(t, held("team-a", "octocat", anAccount))
		v := w.visitor()
		v.beginVisit()
		v.get(pathCallback + "?" + url.Values{"error": {"access_denied"}, "state": {ticketA}}.Encode())
		if len(w.visitsNow()) != 1 {
			t.Error("an answer of another state ends it")
		}
		v.get(pathCallback + "?" + url.Values{"error": {"access_denied"}, "state": {aState}}.Encode())
		v.stoppedWith(whyVisitDenied)
		if len(w.visitsNow()) != 0 || v.cookies[cookieProof] != "" {
			t.Error("it keeps its place")
		}
	})
}

// What tenants have written is text, on one line, cut.
func TestMyTokensClaimsAreText(t *testing.T) {
	token := held("team-a", "octocat", anAccount)
	token.Annotations[v1alpha1.AnnotationPurpose] = "<script>alert(1)</script>\u202e" + strings.Repeat("x", 1000)
	token.Status.User.Login = "<b>octocat</b>"
	w := visitWorld(t, token)
	v := w.visitor()
	v.prove()
	for _, path := range []string{pathTokens, pathToken + "team-a/octocat"} {
		v.get(path)
		if strings.Contains(v.body, "<script>") || strings.Contains(v.body, "<b>") || strings.Contains(v.body, "\u202e") || strings.Contains(v.body, strings.Repeat("x", 250)) {
			t.Errorf("%s shows %s", path, v.body)
		}
	}
}

// The API server away at any step: told to try again, and it goes on from there.
func TestMyTokensAPIServerIsAway(t *testing.T) {
	w := visitWorld(t, held("team-a", "octocat", anAccount))
	v := w.visitor()
	v.prove()
	v.get(pathToken + "team-a/octocat")
	form := v.form(pathToken + "team-a/octocat")
	w.away = func(string, client.Object) error { return apierrors.NewServiceUnavailable("away") }
	coming := w.visitor()
	coming.cookies[cookieProof] = visitSpace + "/" + v1alpha1.VisitPrefix + "x/" + aUID + "/" + ticketA + "/" + ticketB
	coming.comeBack()
	coming.sees(http.StatusServiceUnavailable, "") // It stays at the address, so that to reload it helps.
	v.get(pathTokens)
	v.stoppedWith(whyUnavailable)
	v.get(pathToken + "team-a/octocat")
	v.stoppedWith(whyUnavailable)
	v.send(http.MethodPost, pathToken+"team-a/octocat", form)
	v.stoppedWith(whyUnavailable)
	w.away = nil
	// The API server is away for a moment only while GitHub sends somebody back: the code is taken, also beside a login that goes on.
	late := w.visitor()
	late.beginVisit()
	late.cookies[cookieLogin] = "team-a/octocat/" + aUID + "/" + ticketA + "/" + ticketB
	w.away = func(string, client.Object) error { w.away = nil; return apierrors.NewServiceUnavailable("away") }
	late.comeBack()
	late.led(pathVisitConfirm)
	// So it is while its App may not be used for a moment.
	for _, visit := range w.visitsNow() {
		visit.Status.WebLogin.AuthorizeURL = ""
		if err := w.client.Status().Update(t.Context(), &visit); err != nil {
			t.Fatal(err)
		}
	}
	delete(late.cookies, cookieLogin)
	late.comeBack()
	late.sees(http.StatusConflict, "This login cannot go on at present")
	v.send(http.MethodPost, pathToken+"team-a/octocat", form)
	v.ledOn()
}

// What has become of the tokens is told by the revocation alone; that a login is renewed is not said where the cluster says that it is not.
func TestMyTokensSaysOfNoEndedLoginThatItIsRenewed(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*v1alpha1.GitHubUserToken)
		want   string
	}{
		"one that is renewed": {func(*v1alpha1.GitHubUserToken) {}, "In use; renewed until you or they end it"},
		"one that was ended at GitHub": {func(token *v1alpha1.GitHubUserToken) {
			token.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionAuthorized, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonRevoked}}
		}, "Not renewed any more: the cluster says that it has ended; your settings at GitHub tell for sure"},
		"one without a token that works": {func(token *v1alpha1.GitHubUserToken) {
			token.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: "x"}}
		}, "The cluster says that no token of it works at present"},
		"one that is suspended": {func(token *v1alpha1.GitHubUserToken) { token.Spec.Suspend = true }, "Not renewed while it is suspended; what there is of it may still work"},
	} {
		token := held("team-a", "octocat", anAccount)
		c.change(token)
		if state, living := stateOf(token); state != c.want || !living {
			t.Errorf("%s: %q, and it can be ended: %t", name, state, living)
		}
	}
}

func TestLoginThatTheOperatorDoesNotBeginEndsWithAPage(t *testing.T) {
	token := held("team-a", "octocat", anAccount)
	s := session{uid: token.UID}
	token.Annotations = map[string]string{v1alpha1.AnnotationWebLoginRequested: s.requestID() + " https://x"}
	token.Status.WebLogin = &v1alpha1.WebLogin{RequestID: s.requestID()}
	if got := standing(token, s, epoch); got != isAsked {
		t.Errorf("while it is about to begin it is %d", got)
	}
	token.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonClientSecretMissing}}
	if got := standing(token, s, epoch); got != isBarred || halts[got] != whyHeld {
		t.Errorf("without a client secret it is %d", got)
	}
}
