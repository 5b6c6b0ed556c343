package controllers

import (
	"strings"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// Client IDs are public, and the device flow needs no secret: whoever names the App in another way is bound all the same, and is
// told no more.
func TestAppBindsThoseWhoNameItThemselves(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t, worldOptions{})
	w.secret("github-app", map[string]string{"client_secret": clientSecret}) // A copy that somebody has got.
	shared := w.offer("shared", func(spec *v1alpha1.ClusterGitHubAppSpec) { spec.AllowedNamespaces = v1alpha1.AllowedNamespaces{} })
	w.seed("inline", "octocat")
	w.create(w.resource("inline"))
	w.own("mine", nil)
	w.seed("own", "hubot")
	w.create(w.using("own", v1alpha1.KindGitHubApp, "mine"))
	device := w.withoutSeed("device")
	device.Spec.App.ClientID = strings.ToUpper(clientID)
	w.create(device)
	for _, name := range []string{"inline", "own", "device"} {
		w.isNotUsable(name)
	}
	w.quiet()
	w.presented(0)
	if codes := w.gh.PendingDevices(); len(codes) > 0 {
		t.Errorf("%d codes were asked for", len(codes))
	}
	w.appCondition(v1alpha1.KindGitHubApp, "mine", v1alpha1.ConditionReady, "False", v1alpha1.ReasonAppNotUsable)

	w.changeApp(shared, func(spec *v1alpha1.ClusterGitHubAppSpec) { spec.InlineUse = v1alpha1.InlineUnrestricted })
	w.ready("inline")
	w.ready("own")
	w.changeApp(shared, func(spec *v1alpha1.ClusterGitHubAppSpec) { spec.InlineUse = v1alpha1.InlineRestricted })
	w.isNotUsable("inline")
	w.isNotUsable("own")
	w.alive("inline-token")
	w.alive("own-token")
	w.presented(2)
}

// A ClusterGitHubApp that goes binds nobody any more.
func TestAppThatIsGoneBindsNobody(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t, worldOptions{})
	w.secret("github-app", map[string]string{"client_secret": clientSecret})
	shared := w.offer("shared", func(spec *v1alpha1.ClusterGitHubAppSpec) { spec.AllowedNamespaces = v1alpha1.AllowedNamespaces{} })
	w.seed("octocat", "octocat")
	w.create(w.resource("octocat"))
	w.isNotUsable("octocat")
	w.remove(w.clusterApp(shared))
	w.gone(w.clusterApp(shared))
	w.ready("octocat")
}
