package controllers

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// spells are the two ways in which a spec asks for the device flow.
var spells = map[string]struct {
	from, to func(*v1alpha1.GitHubUserTokenSpec)
}{
	"from deviceFlow to login": {sayDeviceFlow, sayLogin},
	"from login to deviceFlow": {sayLogin, sayDeviceFlow},
}

// scopes are asked for only where an OAuth App is used.
var scopes = []string{"repo", "read:org"}

func sayDeviceFlow(spec *v1alpha1.GitHubUserTokenSpec) {
	spec.Login, spec.DeviceFlow = nil, &v1alpha1.DeviceFlow{}
	if spec.App.ClientID == oauthClientID {
		spec.DeviceFlow.Scopes = scopes
	}
}

func sayLogin(spec *v1alpha1.GitHubUserTokenSpec) {
	spec.DeviceFlow, spec.Login = nil, suite.DeviceLogin()
	if spec.App.ClientID == oauthClientID {
		spec.Login.Scopes = scopes
	}
}

// said changes how a spec says the same thing, and makes sure that nothing follows but a status that knows the new spec.
func (w *world) said(name string, edit func(*v1alpha1.GitHubUserTokenSpec)) {
	w.t.Helper()
	w.settle()
	before, secrets, then := w.get(name), w.versions(), w.meter.read()
	presented, codes := len(w.gh.Presentations()), w.gh.PendingDevices()
	w.change(name, func(token *v1alpha1.GitHubUserToken) { edit(&token.Spec) })
	w.observed(name)
	w.settle()
	writes, _, _ := w.meter.since(then)
	if len(writes) != 1 || !strings.HasSuffix(writes[0], "/githubusertokens/"+name+"/status") {
		w.t.Errorf("the operator wrote %v, want the status once", writes)
	}
	if now := w.versions(); !equality.Semantic.DeepEqual(now, secrets) {
		w.t.Errorf("Secrets were written: %v, before %v", now, secrets)
	}
	if got := len(w.gh.Presentations()); got != presented {
		w.t.Errorf("%d tokens were presented", got-presented)
	}
	if now := w.gh.PendingDevices(); !slices.Equal(now, codes) {
		w.t.Errorf("the codes are %v, before %v", now, codes)
	}
	after := w.get(name)
	if after.Generation == before.Generation {
		w.t.Error("the spec was not changed")
	}
	before.Status.ObservedGeneration = after.Generation
	for i := range before.Status.Conditions {
		before.Status.Conditions[i].ObservedGeneration = after.Generation
	}
	if !equality.Semantic.DeepEqual(before.Status, after.Status) {
		w.t.Errorf("the status is %+v, before %+v", after.Status, before.Status)
	}
}

// versions are the versions of all Secrets.
func (w *world) versions() map[string]string {
	w.t.Helper()
	var list corev1.SecretList
	w.must(admin.List(w.ctx, &list, inNamespace(w.namespace)))
	versions := map[string]string{}
	for i := range list.Items {
		versions[list.Items[i].Name] = list.Items[i].ResourceVersion
	}
	return versions
}

func TestLoginFieldChangesNothingForAChain(t *testing.T) {
	t.Parallel()
	each(t, spells, func(t *testing.T, spell struct {
		from, to func(*v1alpha1.GitHubUserTokenSpec)
	}) {
		w := withDevice(t, 0)
		w.seed("octocat", "octocat")
		token := w.resource("octocat")
		spell.from(&token.Spec)
		w.create(token)
		w.ready("octocat")
		w.account("octocat")
		w.said("octocat", spell.to)
		w.ready("octocat")
	})
}

func TestLoginFieldKeepsACodeThatIsOffered(t *testing.T) {
	t.Parallel()
	each(t, spells, func(t *testing.T, spell struct {
		from, to func(*v1alpha1.GitHubUserTokenSpec)
	}) {
		w := newWorld(t, worldOptions{})
		// Polls are far apart, so that none comes between.
		w.gh.AddApp(githubtest.App{ClientID: oauthClientID, Kind: githubtest.OAuthApp, DeviceFlow: true, DeviceInterval: deadline, OfflineAccess: true})
		token := w.withoutSeed("octocat")
		token.Spec.App.ClientID = oauthClientID
		spell.from(&token.Spec)
		w.create(token)
		code := w.code("octocat")
		w.said("octocat", spell.to)
		if shown := w.get("octocat").Status.Authorization; shown == nil || shown.UserCode != code {
			t.Errorf("the code is %v, want %s", shown, code)
		}
	})
}

func TestLoginFieldAsksForItsScopes(t *testing.T) {
	t.Parallel()
	each(t, spells, func(t *testing.T, spell struct {
		from, to func(*v1alpha1.GitHubUserTokenSpec)
	}) {
		w := withOAuthApp(t, nil)
		token := w.withoutSeed("octocat")
		token.Spec.App.ClientID = oauthClientID
		spell.from(&token.Spec)
		w.create(token)
		w.enter(w.code("octocat"), "octocat")
		w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
		if pair, _ := w.gh.Newest(oauthClientID, "octocat"); !strings.Contains(pair.Scope, "repo") || !strings.Contains(pair.Scope, "read:org") {
			t.Errorf("the token has the scopes %q", pair.Scope)
		}
		w.account("octocat")
		w.said("octocat", spell.to)
	})
}
