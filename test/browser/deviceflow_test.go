package browser

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

const (
	gitHub = "https://github.com"
	// authorizedApps is the page where a person revokes an App.
	authorizedApps = "/settings/apps/authorizations"
)

func TestBrowserCodeThatIsEnteredInTheBrowserIsAllThatIsNeeded(t *testing.T) {
	t.Parallel()
	r := apply(t, "octocat")
	shown := r.code("")
	if shown.VerificationURI != gitHub+"/login/device" {
		t.Errorf("the code is to be entered at %s", shown.VerificationURI)
	}
	if line := kubectl(t, "get", "ghut", r.name, "-n", namespace); !strings.Contains(line, shown.UserCode) {
		t.Errorf("kubectl get does not show the code:\n%s", line)
	}
	if message := r.reason(v1alpha1.ConditionAuthorized, "False", v1alpha1.ReasonAuthorizationPending); !strings.Contains(message, shown.UserCode) {
		t.Errorf("the condition does not say what to do: %s", message)
	}

	p := newPerson(t, gitHub)
	p.goTo(shown.VerificationURI, "octocat")
	p.sees("Device activation")
	if response := p.enter("WRNG-CDXX"); response.Status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong code is answered with %d", response.Status)
	}
	p.sees("Device activation", "No device shows this code. Check it and enter it again.")
	if again := r.get().Status.Authorization; again == nil || again.UserCode != shown.UserCode {
		t.Error("a wrong code has cost the right one")
	}
	p.enter(shown.UserCode)
	p.sees("Authorize "+clientID, shown.UserCode, "octocat")
	p.press("Continue")
	p.sees("Congratulations, you're all set!")

	r.ready()
	r.until("the status names the account", func(token *v1alpha1.GitHubUserToken) bool {
		return token.Status.User != nil && token.Status.User.Login == "octocat"
	})
	for _, args := range [][]string{{"describe", "ghut", r.name}, {"events", "--for", "ghut/" + r.name}, {"describe", "secret", r.get().Status.SecretName}} {
		kubectl(t, append(args, "-n", namespace)...)
	}
	p.goTo(gitHub+authorizedApps, "octocat")
	p.sees("Authorized Apps", clientID)
}

func TestBrowserWhoCancelsInTheBrowserIsNotAskedAgainUntilSomebodyWantsIt(t *testing.T) {
	t.Parallel()
	r := apply(t, "hubot")
	shown := r.code("")
	p := newPerson(t, gitHub)
	p.goTo(shown.VerificationURI, "hubot")
	p.enter(shown.UserCode)
	p.press("Cancel")
	p.sees("Authorization cancelled")

	message := r.reason(v1alpha1.ConditionAuthorized, "False", v1alpha1.ReasonAuthorizationDenied)
	if !strings.Contains(message, v1alpha1.AnnotationRefreshRequestedAt) {
		t.Errorf("the condition does not say how to ask for another code: %s", message)
	}
	r.reason(v1alpha1.ConditionReady, "False", v1alpha1.ReasonAuthorizationDenied)
	if r.get().Status.Authorization != nil {
		t.Error("a code is shown that nobody wants")
	}

	r.askForAnotherCode()
	next := r.code(shown.UserCode)
	p.goTo(next.VerificationURI, "hubot")
	if response := p.enter(shown.UserCode); response.Status != http.StatusUnprocessableEntity {
		t.Errorf("the code that was denied is answered with %d", response.Status)
	}
	p.enter(next.UserCode)
	p.press("Continue")
	r.ready()
}

func TestBrowserAnotherAccountThanThePinnedOneIsTurnedAway(t *testing.T) {
	t.Parallel()
	r := apply(t, "monalisa", "  user: {login: monalisa}")
	shown := r.code("")
	p := newPerson(t, gitHub)
	p.goTo(shown.VerificationURI, "mojombo")
	p.enter(shown.UserCode)
	p.press("Continue")
	p.sees("Congratulations, you're all set!")

	r.reason(v1alpha1.ConditionAuthorized, "False", v1alpha1.ReasonWrongUser)
	r.reason(v1alpha1.ConditionReady, "False", v1alpha1.ReasonWrongUser)
	p.goTo(gitHub+authorizedApps, "mojombo")
	p.sees("Authorized Apps", "No App may act as you.")

	r.askForAnotherCode()
	next := r.code(shown.UserCode)
	if message := r.reason(v1alpha1.ConditionAuthorized, "False", v1alpha1.ReasonAuthorizationPending); !strings.Contains(message, "monalisa") {
		t.Errorf("the condition does not say who is to enter the code: %s", message)
	}
	p.goTo(next.VerificationURI, "mojombo")
	p.follow("use another account")
	p.signIn("monalisa")
	p.enter(next.UserCode)
	p.press("Continue")
	r.ready()
}

// checkInterval is the shortest that the API takes.
const checkInterval = 10 * time.Second

// young is for how long after its issue a token that GitHub refuses is not believed to be dead.
const young = time.Minute

func TestBrowserGrantThatIsRevokedInTheBrowserIsReportedAndRepairedByANewCode(t *testing.T) {
	t.Parallel()
	r := apply(t, "defunkt", "  checkInterval: "+checkInterval.String())
	shown := r.code("")
	p := newPerson(t, gitHub)
	p.goTo(shown.VerificationURI, "defunkt")
	p.enter(shown.UserCode)
	p.press("Continue")
	refreshed, first := r.ready()

	// A token that is seconds old may be refused although it is good, so this one has to grow older.
	select {
	case <-time.After(time.Until(refreshed.Add(young))):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
	if token := r.get(); !meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionReady) {
		t.Fatal("it is not Ready although nothing was revoked")
	}
	p.goTo(gitHub+authorizedApps, "defunkt")
	p.sees("Authorized Apps", clientID)
	p.press("Revoke")
	revoked := time.Now()
	p.sees("Authorized Apps", "No App may act as you.")

	r.until("Ready is False", func(token *v1alpha1.GitHubUserToken) bool {
		return meta.IsStatusConditionFalse(token.Status.Conditions, v1alpha1.ConditionReady)
	})
	const slack = 3 * time.Second // for the question and the writes
	if took := time.Since(revoked); took > checkInterval+slack {
		t.Errorf("the revocation was reported after %s, not within %s", took, checkInterval)
	} else {
		t.Logf("the revocation was reported after %s", took.Round(10*time.Millisecond))
	}
	r.reason(v1alpha1.ConditionReady, "False", v1alpha1.ReasonRevoked)

	next := r.code(shown.UserCode)
	p.goTo(next.VerificationURI, "defunkt")
	p.enter(next.UserCode)
	p.press("Continue")
	if _, second := r.ready(); second == first {
		t.Error("the Secret holds the token that was revoked")
	}
}

func TestBrowserCodeOfAnEnterpriseServerIsEnteredAtThatServer(t *testing.T) {
	t.Parallel()
	r := applyApp(t, fmt.Sprintf("{host: %q, clientID: %s}", world.GitHub.Host(), clientID), "ghes")
	shown := r.code("")
	site := "https://" + world.GitHub.Host()
	if shown.VerificationURI != site+"/login/device" {
		t.Errorf("the code is to be entered at %s", shown.VerificationURI)
	}
	p := newPerson(t, site)
	p.goTo(shown.VerificationURI, "ghes")
	p.enter(shown.UserCode)
	p.press("Continue")
	p.sees("Congratulations, you're all set!")
	r.ready()
}
