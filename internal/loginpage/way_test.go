package loginpage

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

func TestLoginPageTheWholeWay(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	v.open()
	v.sees(http.StatusOK, "<h1>Read what is asked of you</h1>")
	for _, told := range []string{"team-a", "octocat", "github.com", "Iv23liExample", "git-credentials", "Alice of team A", "Nightly merges", "Nobody has checked this."} {
		v.sees(http.StatusOK, told)
	}
	w.wrote()
	v.press(linkPath)
	v.led(pathWait)
	w.wrote("patch octocat")
	id, callback, _ := strings.Cut(w.token().Annotations[v1alpha1.AnnotationWebLoginRequested], " ")
	if !regexp.MustCompile(`^p-[0-9a-f]{12}-[0-9a-f]{20}-[0-9a-f]{19}$`).MatchString(id) || callback != baseURL+"/callback" {
		t.Errorf("it asks by %q for %q", id, callback)
	}
	v.get(pathWait)
	v.sees(http.StatusOK, "One moment")
	if refresh := v.last.Header.Get("Refresh"); refresh != "1; url=/ghut/go" {
		t.Errorf("it goes on by %q", refresh)
	}
	v.get(pathGo) // The operator is not there yet.
	v.led(pathWait)
	w.onPause = func() { w.onPause = nil; w.operatorAnswers() }
	v.get(pathGo)
	if to := v.last.Header.Get("Location"); to != authorizeURL("github.com", aState, baseURL+"/callback") {
		t.Errorf("it leads to %s", to)
	}
	v.comeBack()
	v.led(pathConfirm)
	w.wrote()
	v.get(pathConfirm)
	for _, told := range []string{"Do you confirm?", "team-a", "octocat", "github.com", "Iv23liExample", "git-credentials", "Alice of team A", "Nightly merges"} {
		v.sees(http.StatusOK, told)
	}
	w.wrote()
	v.press(pathConfirm)
	v.led(pathResult)
	name := "github-user-token-code-" + aUID + "-" + anAttempt
	w.wrote("create " + name)
	var secret corev1.Secret
	if err := w.client.Get(t.Context(), types.NamespacedName{Namespace: "team-a", Name: name}, &secret); err != nil {
		t.Fatal(err)
	}
	owner := secret.OwnerReferences[0]
	if string(secret.Data["code"]) != aCode || secret.Labels[v1alpha1.LabelRole] != v1alpha1.RoleLoginCode || len(secret.Data) != 1 ||
		owner.UID != aUID || owner.Name != "octocat" || owner.Kind != "GitHubUserToken" || owner.Controller != nil || owner.BlockOwnerDeletion != nil {
		t.Errorf("the Secret is %+v", secret.ObjectMeta)
	}
	if v.cookies[cookieCode] != "" {
		t.Error("the browser still has the code")
	}
	v.get(pathResult)
	v.sees(http.StatusOK, "The login is being finished.")
	if refresh := v.last.Header.Get("Refresh"); refresh != "1; url=/ghut/result" {
		t.Errorf("it goes on by %q", refresh)
	}
	w.onPause = func() { w.onPause = nil; w.result(v1alpha1.WebLoginSucceeded) }
	v.get(pathResult)
	v.sees(http.StatusOK, "You are logged in")
	v.sees(http.StatusOK, "https://github.com/settings/apps/authorizations")
	if strings.Contains(v.body, "what GitHub has said") {
		t.Error("it shows the message of the status")
	}
	w.wrote()
}

// Each request goes to another process.
func TestLoginPageAnyReplicaTakesAnyRequest(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	next := func() { v.page = w.replica(w.client, Options{}) }
	v.open()
	next()
	v.press(linkPath)
	v.led(pathWait)
	w.operatorAnswers()
	next()
	v.get(pathGo)
	next()
	v.comeBack()
	v.led(pathConfirm)
	next()
	v.get(pathConfirm)
	next()
	v.press(pathConfirm)
	v.led(pathResult)
	w.result(v1alpha1.WebLoginSucceeded)
	next()
	v.get(pathResult)
	v.sees(http.StatusOK, "You are logged in")
	if codes := w.codes(); len(codes) != 1 {
		t.Errorf("it has brought %d codes", len(codes))
	}
}

func TestLoginPageAppsThatAreReferredTo(t *testing.T) {
	own := &v1alpha1.GitHubApp{}
	own.Namespace, own.Name, own.Spec.Host, own.Spec.ClientID = "team-a", "mine", "ghe.example.com/api/v3", "Iv23liExample"
	shared := &v1alpha1.ClusterGitHubApp{}
	shared.Name, shared.Spec.ClientID = "platform", "Iv23liExample"
	for kind, name := range map[string]string{v1alpha1.KindGitHubApp: "mine", v1alpha1.KindClusterGitHubApp: "platform"} {
		token := aToken()
		token.Spec.App = v1alpha1.App{Ref: &v1alpha1.AppReference{Kind: kind, Name: name}}
		w := newWorld(t, token, own.DeepCopy(), shared.DeepCopy())
		v := w.visitor()
		v.open()
		v.sees(http.StatusOK, kind+" "+name+", client ID Iv23liExample")
		v.press(linkPath)
		host := "github.com"
		if kind == v1alpha1.KindGitHubApp {
			host = "ghe.example.com"
		}
		w.operatorAnswers()
		w.edit(func(token *v1alpha1.GitHubUserToken) {
			token.Status.WebLogin.AuthorizeURL = authorizeURL(host, aState, baseURL+"/callback")
		})
		v.get(pathGo)
		if to := v.last.Header.Get("Location"); !strings.HasPrefix(to, "https://"+host+"/login/oauth/authorize?") {
			t.Errorf("%s leads to %q: %s", kind, to, v.body)
		}
		v.comeBack()
		v.led(pathConfirm)

		gone := newWorld(t, token.DeepCopy())
		v = gone.visitor()
		v.open()
		v.stoppedWith(whyApp)
	}
}

func TestLoginPageSaysWhatCameOfIt(t *testing.T) {
	for result, said := range results {
		w := newWorld(t)
		v := w.visitor()
		v.answer()
		v.press(pathConfirm)
		w.result(result)
		v.get(pathResult)
		v.sees(http.StatusOK, "<h1>"+said.Title+"</h1>")
		if strings.Contains(v.body, "what GitHub has said") || strings.Contains(v.body, "can now act") != (result == v1alpha1.WebLoginSucceeded) {
			t.Errorf("of %s it says %s", result, v.body)
		}
		if strings.Contains(v.body, "The login was for <strong><bdi>octocat") != (result == v1alpha1.WebLoginWrongUser) {
			t.Errorf("of %s it says %s", result, v.body)
		}
		if v.last.Header.Get("Refresh") != "" {
			t.Errorf("it asks again after %s", result)
		}
		for _, path := range []string{pathGo, pathConfirm, callbackWith(aCode, aState)} {
			v.get(path)
			v.led(pathResult)
		}
	}
	w := newWorld(t)
	v := w.visitor()
	v.answer()
	w.result("SomethingNew")
	v.get(pathResult)
	v.sees(http.StatusOK, results[v1alpha1.WebLoginLost].Title)
}

func TestLoginPageCancelEndsTheAttempt(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	v.answer()
	v.w.writes = nil
	v.press(pathCancel)
	v.stoppedWith(whyCancelled)
	w.wrote("patch octocat")
	if asked := w.token().Annotations[v1alpha1.AnnotationWebLoginRequested]; asked != "" {
		t.Errorf("it still asks for %q", asked)
	}
	if v.cookies[cookieLogin] != "" || v.cookies[cookieCode] != "" || len(w.codes()) != 0 {
		t.Error("something of it is left")
	}
	v.get(pathConfirm)
	v.stoppedWith(whyNoLogin)
}

func TestLoginPageCancelLeavesAnotherLoginAlone(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	v.answer()
	w.edit(func(token *v1alpha1.GitHubUserToken) {
		token.Annotations[v1alpha1.AnnotationWebLoginRequested] = "request-of-another http://127.0.0.1:8976/"
	})
	w.writes = nil
	v.press(pathCancel)
	v.stoppedWith(whyCancelled)
	w.wrote()
}

func TestLoginPageCancelCannotTakeBackWhatIsBeingRedeemed(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	v.answer()
	cancel := v.form(pathCancel)
	v.press(pathConfirm)
	w.edit(func(token *v1alpha1.GitHubUserToken) {
		token.Status.WebLogin.AuthorizeURL, token.Status.WebLogin.ExpirationTime = "", nil
	})
	w.writes = nil
	v.send(http.MethodPost, pathCancel, cancel)
	v.led(pathResult)
	w.wrote()
}

func TestLoginPageGitHubSaysNo(t *testing.T) {
	for failure, reason := range map[string]why{"access_denied": whyDenied, "redirect_uri_mismatch": whyGitHub, "<script>alert(1)</script>": whyGitHub} {
		w := newWorld(t)
		v := w.visitor()
		v.begin()
		w.writes = nil
		v.get(pathCallback + "?state=" + aState + "&error_description=%3Cb%3Etext-of-GitHub&error=" + strings.NewReplacer("<", "%3C", ">", "%3E").Replace(failure))
		v.stoppedWith(reason)
		if strings.Contains(v.body, "text-of-GitHub") || strings.Contains(v.body, "script") {
			t.Errorf("it shows what the address says: %s", v.body)
		}
		w.wrote()
		v.sees(http.StatusOK, `href="/ghut/wait"`) // The attempt still waits.
		v.sees(http.StatusOK, "othing was handed over")
		v.sees(http.StatusOK, "used up")
		v.sees(http.StatusOK, "a new one.") // And how to get it.
		v.sees(http.StatusOK, ">End this login</button>")
		v.press(pathCancel)
		v.stoppedWith(whyCancelled)
		v.sees(http.StatusOK, "the link is used up. You can close this page. To log in, ask whoever sent you the link for a new one.")
		w.wrote("patch octocat")
	}
}
