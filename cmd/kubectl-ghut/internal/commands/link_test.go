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

// A link is as good as a word to whom it is sent: one that has expired, or is another resource's, is not to be sent to anybody.
func TestLoginPrintsTheLinkThatTheResourceOffersNow(t *testing.T) {
	const of = "https://login.example.com/login/team-a/"
	offer := func(w *world, name, ticket string, good time.Duration) {
		token := w.token(name)
		needing(token)
		token.Status.Authorization = &v1alpha1.Authorization{LoginURL: of + name + "?ticket=" + ticket, LoginURLExpirationTime: &metav1.Time{Time: w.env.now().Add(good)}}
		w.report(token)
	}
	for name, c := range map[string]struct {
		before time.Duration
		passes int
		want   string
	}{
		"at once":                             {time.Hour, 0, "first"},
		"after one that has expired":          {-time.Second, 3, "next"},
		"after one that expires at that time": {0, 1, "next"},
	} {
		t.Run(name, func(t *testing.T) {
			mona := resource()
			mona.Name, mona.UID = "mona", "uid-of-mona"
			w := newWorld(t, resource(), mona)
			offer(w, "mona", "of-mona", time.Hour)
			offer(w, "octocat", "first", c.before)
			passes := 0
			w.pass = func() {
				if passes++; passes == c.passes {
					offer(w, "octocat", "next", 24*time.Hour)
				}
			}
			if code := w.run("login", "octocat", "--link"); code != 0 || w.out.String() != of+"octocat?ticket="+c.want+"\n" || passes != c.passes {
				t.Errorf("after %d looks it exits with %d, and prints %q", passes, code, w.out.String())
			}
		})
	}
}

// Whoever enters a code lends their account to the resource that it was given out for.
func TestLoginShowsTheCodeAndThePageThatTheResourceOffersNow(t *testing.T) {
	offer := func(w *world, name, code, page string, good time.Duration) {
		token := w.token(name)
		needing(token)
		token.Status.Authorization = &v1alpha1.Authorization{
			UserCode: code, VerificationURI: page, ExpirationTime: &metav1.Time{Time: w.env.now().Add(good)},
			LoginURL: aLink, LoginURLExpirationTime: &metav1.Time{Time: w.env.now().Add(time.Hour)},
		}
		w.report(token)
	}
	mona := resource()
	mona.Name, mona.UID = "mona", "uid-of-mona"
	w := newWorld(t, resource(), mona)
	offer(w, "mona", "MONA-CODE", "https://github.com/login/device?of=mona", time.Hour)
	offer(w, "octocat", "OLD1-CODE", "https://github.com/login/device?of=old", -time.Second)
	passes := 0
	w.pass = func() {
		switch passes++; passes {
		case 2:
			offer(w, "octocat", "NEW1-CODE", "https://github.com/login/device?of=new", time.Hour)
		case 4:
			token := w.token("octocat")
			token.Status = ready().Status
			w.report(token)
		}
	}
	if code := w.run("login", "octocat"); code != 0 {
		t.Errorf("it exits with %d: %s", code, w.err.String())
	}
	if len(w.opened) != 1 || w.opened[0] != "https://github.com/login/device?of=new" {
		t.Errorf("it opens %q", w.opened)
	}
	w.contains(w.err.String(), "Open https://github.com/login/device?of=new, signed in as octocat,\nand enter the code\n\n    NEW1-CODE\n")
	for _, other := range []string{"MONA-CODE", "OLD1-CODE", "of=mona", "of=old", aLink} {
		if strings.Contains(w.err.String()+w.out.String(), other) {
			t.Errorf("it shows %s:\n%s", other, w.err.String())
		}
	}
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
