package commands

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

const aLink = "https://login.example.com/login/team-a/octocat?ticket=x"

// needing is a resource that needs a login, as a condition says.
func needing(token *v1alpha1.GitHubUserToken) {
	token.Status.Conditions = []metav1.Condition{condition("Ready", "False", "RefreshTokenMissing"), condition("Authorized", "False", "RefreshTokenMissing")}
}

func TestLoginPrintsTheLinkOfThePage(t *testing.T) {
	w := newWorld(t)
	w.pass = func() {
		token := w.token("mona")
		if !token.Spec.HasLoginMethod(v1alpha1.LoginMethodWebFlow) || token.Spec.User.Login != "mona" || token.Spec.App.ClientSecretRef.Name != "github-app" {
			t.Errorf("it was made as %+v", token.Spec)
		}
		needing(token)
		token.Status.Authorization = &v1alpha1.Authorization{LoginURL: aLink, LoginURLExpirationTime: &metav1.Time{Time: w.env.now().Add(24 * time.Hour)}}
		w.report(token)
	}
	code := w.run("login", "mona", "--link", "--create", "--app", "Iv23liEXAMPLE", "--client-secret", "github-app", "--account", "mona")
	if code != 0 || w.out.String() != aLink+"\n" || len(w.opened) > 0 {
		t.Errorf("it exits with %d, opens %q and prints %q", code, w.opened, w.out.String())
	}
	w.contains(w.err.String(), "Send it to mona. It is good for one login of that account and until 2027-02-04 12:00:01Z (in 1d 0h). To see what comes of it: kubectl ghut status mona -n team-a\n")
}

func TestLoginSaysWhyThereIsNoLink(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*v1alpha1.GitHubUserToken)
		code   int
		says   string
	}{
		"logged in already":            {func(token *v1alpha1.GitHubUserToken) { token.Status = ready().Status }, 1, "octocat is logged in already"},
		"suspended":                    {func(token *v1alpha1.GitHubUserToken) { token.Spec.Suspend = true }, 1, "kubectl ghut resume octocat -n team-a"},
		"for any account":              {func(token *v1alpha1.GitHubUserToken) { token.Spec.User = nil }, 1, "spec.user has to name"},
		"nobody looks at the resource": {func(*v1alpha1.GitHubUserToken) {}, 1, "Is it at work? kubectl ghut check"},
		"there is no page": {needing, 2,
			"no link is offered: message of RefreshTokenMissing If the operator has no login page, its administrator can install one; without it: kubectl ghut login octocat -n team-a --web"},
		"what is no page": {func(token *v1alpha1.GitHubUserToken) {
			needing(token)
			token.Status.Authorization = &v1alpha1.Authorization{LoginURL: "file:///etc/passwd"}
		}, 2, "no link is offered"},
	} {
		t.Run(name, func(t *testing.T) {
			token := resource()
			c.change(token)
			w := newWorld(t, token)
			if code := w.run("login", "octocat", "--link"); code != c.code || w.out.Len() > 0 {
				t.Errorf("it exits with %d, and prints %q", code, w.out.String())
			}
			w.contains(w.err.String(), "error: no link is offered: ", c.says)
		})
	}
	device := resource()
	device.Spec.Login.Methods = []v1alpha1.LoginMethod{v1alpha1.LoginMethodDeviceFlow}
	w := newWorld(t, device)
	if code := w.run("login", "octocat", "--link"); code != 2 || !strings.Contains(w.err.String(), "lets nobody log in by the web flow") {
		t.Errorf("without the web flow it exits with %d: %s", code, w.err.String())
	}
}
