package browser

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
)

// A person proves whose account is theirs, sees what holds a token of it, and ends it; the token of the visit is gone.
func TestBrowserMyTokensShowsWhatThereIsAndEndsIt(t *testing.T) {
	t.Parallel()
	r := applyWeb(t, "margaret")
	p := newPerson(t, everySite)
	p.goTo(r.link(""), "")
	p.press("Go on to GitHub")
	p.chooses("margaret")
	p.reaches(stage.LoginPageURL + "/confirm")
	p.press("Yes, I confirm")
	r.ready()
	r.until("the status says whose it is", func(token *v1alpha1.GitHubUserToken) bool { return token.Status.Login != nil })

	begun := time.Now()
	p.goTo(stage.LoginPageURL+"/tokens", "")
	p.sees("My tokens", "First show who you are")
	p.hasStructure("My tokens")
	p.pictured("8-my-tokens")
	p.press("Go on to GitHub")
	p.reaches(gitHub + "/login")
	p.signIn("margaret")
	p.press("Authorize " + visitClientID)
	if address := p.reaches(stage.LoginPageURL + "/tokens/confirm"); strings.Contains(address, "?") {
		t.Errorf("the address is %s", address)
	}
	p.sees("Do you want to be known here?", "Nothing has been handed over yet.")
	p.hasStructure("Do you want to be known here?")
	p.pictured("9-visit-confirm")
	p.press("Yes, I confirm")
	for end := time.Now().Add(patience); !strings.Contains(p.heading(), "Tokens of"); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the page says %s", p.text("main"))
		}
	}
	p.sees("Tokens of margaret", "margaret", namespace, "Merges dependency updates")
	p.hasStructure("Tokens of margaret")
	p.pictured("10-tokens")
	t.Logf("from My tokens to the list: %s, with pictures", time.Since(begun).Round(time.Millisecond))
	if left := kubectl(t, "get", "ghut", "-n", stage.Namespace, "-o", "name"); strings.Contains(left, v1alpha1.VisitPrefix) {
		for end := time.Now().Add(patience); strings.Contains(left, v1alpha1.VisitPrefix); time.Sleep(200 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the visit is left: %s", left)
			}
			left = kubectl(t, "get", "ghut", "-n", stage.Namespace, "-o", "name")
		}
	}
	p.goTo(stage.LoginPageURL+"/tokens/of/"+namespace+"/margaret", "")
	p.sees("margaret in "+namespace, "Team A", "Nobody has checked this.", "In use")
	p.hasStructure("margaret in " + namespace)
	p.pictured("11-token")
	p.press("Revoke this token")
	r.until("the login has ended", func(token *v1alpha1.GitHubUserToken) bool {
		authorized := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionAuthorized)
		return authorized != nil && authorized.Reason == v1alpha1.ReasonRevokedOnRequest
	})
	for end := time.Now().Add(patience); !strings.Contains(p.text("main"), "The login has ended"); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the page says %s", p.text("main"))
		}
	}
	p.pictured("12-ended")
	p.goTo(stage.LoginPageURL+"/tokens", "")
	p.sees("Tokens of margaret", "Ended: GitHub has revoked its tokens")
	p.press("Forget who I am")
	p.sees("This browser is not known any more")
	for _, visited := range read(p, chromedp.NavigationEntries()).Entries {
		if strings.Contains(visited.URL, "code=") {
			t.Errorf("the history has %s", visited.URL)
		}
	}
}
