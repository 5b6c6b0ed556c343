package commands

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// expiring is a resource with a token that expires after a while.
func expiring(after time.Duration, changes ...func(*v1alpha1.GitHubUserToken)) *v1alpha1.GitHubUserToken {
	token := ready()
	token.Status.AccessTokenExpirationTime = &metav1.Time{Time: time.Date(2027, 2, 3, 12, 0, 0, 0, time.UTC).Add(after)}
	for _, change := range changes {
		change(token)
	}
	return token
}

func suspended(token *v1alpha1.GitHubUserToken) { token.Spec.Suspend = true }

func held(token *v1alpha1.GitHubUserToken) {
	token.Annotations = map[string]string{v1alpha1.AnnotationHoldUntil: "2027-02-03T14:00:00Z"}
}

func without(token *v1alpha1.GitHubUserToken) *v1alpha1.GitHubUserToken {
	token.Spec.Suspend = true
	return token
}

func TestSteeringSaysWhatIsTrueOfTheResource(t *testing.T) {
	ended := func(token *v1alpha1.GitHubUserToken) {
		token.Status.Conditions = []metav1.Condition{condition("Ready", "False", "TokenExpired"), condition("Authorized", "False", "RefreshTokenExpired")}
	}
	seeded := func(token *v1alpha1.GitHubUserToken) { token.Spec.Login = nil }
	none := resource()
	none.Spec.Login = nil
	for name, c := range map[string]struct {
		token *v1alpha1.GitHubUserToken
		args  []string
		out   string
		err   string
	}{
		"resume": {token: expiring(time.Hour, suspended), args: []string{"resume"}, out: "octocat is not suspended any more. Its token is refreshed when it is due.\n"},
		"resume, with a token that has expired": {token: expiring(-time.Hour, suspended), args: []string{"resume"},
			out: "octocat is not suspended any more. Its token has expired, and is refreshed at once.\n"},
		"resume, not suspended": {token: expiring(time.Hour), args: []string{"resume"}, out: "octocat was not suspended. Its token is refreshed when it is due.\n"},
		"resume, not suspended but held": {token: expiring(time.Hour, held), args: []string{"resume"},
			out: "octocat was not suspended. Its refresh is put off until 2027-02-03 14:00:00Z (in 2h 00m). To end that: kubectl ghut hold octocat -n team-a --release\n"},
		"resume, before a login": {token: without(resource()), args: []string{"resume"},
			out: "octocat is not suspended any more. It has no token yet, so there is nothing to refresh. To log in: kubectl ghut login octocat -n team-a\n"},
		"resume, before a seed": {token: without(none.DeepCopy()), args: []string{"resume"},
			out: "octocat is not suspended any more. It has no token yet, so there is nothing to refresh. To see what it waits for: kubectl ghut status octocat -n team-a\n"},
		"resume, after the end of the login": {token: expiring(-time.Hour, suspended, ended), args: []string{"resume"},
			out: "octocat is not suspended any more. Its login has ended, so there is nothing to refresh it with. To log in again: kubectl ghut login octocat -n team-a\n"},
		"resume, after the end of a seed": {token: expiring(-time.Hour, ended, seeded), args: []string{"resume"},
			out: "octocat was not suspended. Its login has ended, so there is nothing to refresh it with. To see what to do: kubectl ghut status octocat -n team-a\n"},
		"resume, with a token that does not expire": {token: without(ready()), args: []string{"resume"},
			out: "octocat is not suspended any more. Its token does not expire, so nothing is refreshed.\n"},
		"suspend": {token: expiring(time.Hour), args: []string{"suspend"}, out: "octocat is suspended. Its token is not replaced any more, until: kubectl ghut resume octocat -n team-a\n"},
		"suspend, twice": {token: expiring(time.Hour, suspended), args: []string{"suspend"},
			out: "octocat was suspended already. Its token is not replaced any more, until: kubectl ghut resume octocat -n team-a\n"},
		"suspend, before a login": {token: resource(), args: []string{"suspend"},
			out: "octocat is suspended. It has no token yet, and nobody can log in for one. To go on: kubectl ghut resume octocat -n team-a\n"},
		"release":           {token: expiring(time.Hour, held), args: []string{"hold", "--release"}, out: "octocat is not held any more. Its token is refreshed when it is due.\n"},
		"release, not held": {token: expiring(time.Hour), args: []string{"hold", "--release"}, out: "octocat was not held. Its token is refreshed when it is due.\n"},
		"release, suspended": {token: expiring(time.Hour, held, suspended), args: []string{"hold", "--release"},
			out: "octocat is not held any more. It is suspended, so that nothing is refreshed: kubectl ghut resume octocat -n team-a\n"},
		"hold, before a login": {token: resource(), args: []string{"hold", "--for", "1h"}, out: "No refresh of octocat before", err: "It has no token yet."},
		"hold, suspended":      {token: expiring(time.Hour, suspended), args: []string{"hold", "--for", "1h"}, out: "No refresh of octocat before", err: "It is suspended"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.token)
			if code := w.run(append([]string{c.args[0], "octocat"}, c.args[1:]...)...); code != 0 {
				t.Errorf("it exits with %d: %s", code, w.err.String())
			}
			w.contains(w.out.String(), c.out)
			w.contains(w.err.String(), c.err)
			if suspended := w.token("octocat").Spec.Suspend; c.args[0] == "resume" && suspended || c.args[0] == "suspend" && !suspended {
				t.Errorf("it is suspended: %t", suspended)
			}
		})
	}
}
