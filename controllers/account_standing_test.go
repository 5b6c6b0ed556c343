package controllers

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// startCheckedByItself creates one without a client secret, so that the token itself is what asks.
func (w *world) startCheckedByItself(name string) {
	w.t.Helper()
	token := w.checked(name)
	token.Spec.App.ClientSecretRef = nil
	w.secret(name+"-seed", map[string]string{"refresh_token": w.gh.MintFromDevice(clientID, name).RefreshToken})
	w.create(token)
	w.ready(name)
	w.account(name)
	w.meter.leap(2 * youngToken)
	w.touch(name)
}

// The token of a suspended account is good for nothing, and no login helps. Exchanges go on, so that the chain is alive on
// the day on which the account is reinstated.
func TestAccountThatIsSuspendedIsReportedUntilItIsReinstated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.startCheckedByItself("octocat")
	w.gh.UpdateUser("octocat", func(user *githubtest.User) { user.Suspended = true })
	suspended := refusal{reason: v1alpha1.ReasonAccountSuspended, says: "GitHub has suspended the account: have it reinstated by GitHub Support"}
	w.refused("octocat", suspended)
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionTrue, v1alpha1.ReasonRefreshTokenValid)
	if w.get("octocat").Status.NextRefreshTime == nil {
		t.Error("the status tells no next refresh")
	}
	w.restart()
	w.quiet()
	w.refused("octocat", suspended)
	w.presented(1)
	w.request("octocat", "1")
	w.refreshed("octocat", 2)
	w.settle()
	w.refused("octocat", suspended)
	if notes := w.eventsOf("octocat", v1alpha1.ReasonAccountSuspended); len(notes) != 1 {
		t.Errorf("it was told %d times: %q", len(notes), notes)
	}
	w.gh.UpdateUser("octocat", func(user *githubtest.User) { user.Suspended = false })
	w.ready("octocat")
	w.presented(2)
}

// Single sign-on and IP allow lists keep a token from one organization. It works, and the message says what it does not see.
func TestAccountWhatAnOrganizationKeepsFromATokenIsSaidBesideIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.startCheckedByItself("octocat")
	says := func(part string, said bool) {
		t.Helper()
		w.eventually("Ready to tell", func() (bool, string) {
			token := w.get("octocat")
			ready := w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
			return strings.Contains(ready.Message, part) == said, suite.Describe(token)
		})
	}
	w.gh.UpdateUser("octocat", func(user *githubtest.User) { user.SingleSignOn = "partial-results; organizations=21955855,20582480" })
	says("organizations by their ids: 21955855, 20582480", true)
	w.gh.UpdateUser("octocat", func(user *githubtest.User) { user.SingleSignOn = "" })
	says("21955855", false)
	listed := w.gh.Inject(githubtest.RESTError(403, "Although you appear to have the correct authorization credentials, the `octo-org` organization has an IP allow list enabled, and 203.0.113.7 is not permitted to access this resource.").
		At(githubtest.UserEndpoint).Always())
	says("the organization is octo-org", true)
	says("203.0.113.7", false)
	listed.Remove()
	says("octo-org", false)
	w.ready("octocat")
	w.presented(1)
}
