package controllers

import (
	"slices"
	"strings"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

func TestKubectlSelectsByTheFieldsThatPeopleAskFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	octocat := w.resource("octocat")
	octocat.Spec.User = &v1alpha1.UserSelector{Login: "octocat"}
	w.seed("octocat", "octocat")
	w.create(octocat)
	w.own("team-app", nil)
	hubot := w.using("hubot", v1alpha1.KindGitHubApp, "team-app")
	w.startUsing(hubot)
	other := w.resource("other")
	other.Spec.App.ClientID = "Iv23liOTHER"
	w.create(other)
	w.ready("octocat")
	w.account("octocat")
	w.account("hubot")
	for selector, want := range map[string]string{
		"spec.app.clientID=" + clientID:                            "octocat",
		"spec.app.clientID=Iv23liOTHER":                            "other",
		"spec.app.clientID!=" + clientID:                           "hubot other",
		"spec.app.ref.kind=GitHubApp,spec.app.ref.name=team-app":   "hubot",
		"spec.app.ref.kind=ClusterGitHubApp":                       "",
		"spec.user.login=octocat":                                  "octocat",
		"status.user.login=octocat":                                "octocat",
		"status.user.login=hubot":                                  "hubot",
		"status.user.login=":                                       "other",
		"metadata.name=octocat,spec.app.clientID=" + "Iv23liOTHER": "",
	} {
		names := strings.Fields(w.runs("get", "ghut", "--field-selector", selector, "-o", "jsonpath={.items[*].metadata.name}"))
		slices.Sort(names)
		if got := strings.Join(names, " "); got != want {
			t.Errorf("--field-selector %s selects %q, want %q", selector, got, want)
		}
	}
	for selector, want := range map[string]string{
		"spec.clientID=" + clientID: "team-app", "spec.host=" + w.site.Host: "team-app", "spec.host=github.com": "",
	} {
		if got := w.runs("get", "gha", "--field-selector", selector, "-o", "jsonpath={.items[*].metadata.name}"); got != want {
			t.Errorf("--field-selector %s selects %q, want %q", selector, got, want)
		}
	}
}
