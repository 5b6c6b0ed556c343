package serving

import (
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// change changes the resource.
func (w *world) change(change func(*v1alpha1.GitHubUserTokenSpec)) {
	w.t.Helper()
	before := w.resource()
	after := before.DeepCopy()
	change(&after.Spec)
	w.must(the.admin.Patch(w.t.Context(), after, client.MergeFrom(before)))
}

// held is the access token in the Secret of an output, as the operator has written it.
func (w *world) held(output string) credential.AccessToken {
	w.t.Helper()
	secret := &corev1.Secret{}
	w.must(the.admin.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: output}, secret))
	return credential.NewAccessToken(string(secret.Data[v1alpha1.KeyAccessToken]))
}

// A pod has the token of an output with a scope, which GitHub has made of the user's own, by the same permission and through a rotation, and of
// nothing that is no such output.
func TestServingGivesTheTokenOfAnOutput(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, scopedUser)
	shown := w.shown("runner")
	w.grant("runner", reader)
	whole := w.allowed(shown)
	absent := w.askOf(0, shown, "/v1/namespaces/"+w.namespace+"/githubusertokens/absent/token?output=agent")
	w.change(func(spec *v1alpha1.GitHubUserTokenSpec) {
		spec.SetOutputs([]v1alpha1.Output{
			{Name: "agent", Format: v1alpha1.OutputFormatOpaque, Scope: &v1alpha1.OutputScope{
				Target: "octo-org", Repositories: []v1alpha1.RepositoryName{"hello-world"},
				Permissions: map[string]v1alpha1.PermissionLevel{"contents": v1alpha1.PermissionRead},
			}},
			{Name: "whole", Format: v1alpha1.OutputFormatOpaque},
		})
	})
	var scoped answer
	suite.Eventually(t, patience, "the output has a token of its own", func() (bool, string) {
		scoped = w.ask(0, shown, "?output=agent")
		return scoped.status == http.StatusOK, scoped.String() + "; " + suite.Describe(w.resource())
	})
	w.scoped(scoped, whole)
	for server := range the.servers {
		if got := w.ask(server, shown, "?output=agent"); got.token() != scoped.token() {
			t.Errorf("replica %d: %s", server, got)
		}
		if got := w.ask(server, shown, ""); got.token() != whole.token() {
			t.Errorf("replica %d, without output=: %s", server, got)
		}
	}

	// What is no output with a scope, and whoever may not, is answered as what is not there.
	for name, got := range map[string]answer{
		"another output":                w.ask(0, shown, "?output=other"),
		"one without a scope":           w.ask(0, shown, "?output=whole"),
		"the pair Secret":               w.ask(0, shown, "?output=octocat-token"),
		"the Secret of a client secret": w.ask(0, shown, "?output=github-app"),
		"nobody has let them":           w.ask(0, w.shown("nobody"), "?output=agent"),
	} {
		if got.status != http.StatusForbidden || got.text != absent.text {
			t.Errorf("%s: %s", name, got)
		}
	}

	// Whoever waits has the next one, which is made of the next token.
	answered := make(chan answer, 2*len(the.servers))
	for server := range the.servers {
		for _, query := range []string{"&after=", "&stale="} {
			go func() { answered <- w.ask(server, shown, "?output=agent&wait=120"+query+scoped.fingerprint()) }()
		}
	}
	w.rotate("the-next-one")
	for range cap(answered) {
		got := <-answered
		if got.status != http.StatusOK {
			t.Fatalf("got %s", got)
		}
		if got.token() == scoped.token() {
			t.Error("a wait ends with the token that was had")
		}
		w.scoped(got, w.allowed(shown))
	}

	w.change(func(spec *v1alpha1.GitHubUserTokenSpec) { spec.SetOutputs(nil) })
	if got := w.ask(1, shown, "?output=agent"); got.status != http.StatusForbidden || got.text != absent.text {
		t.Errorf("an output that is gone: %s", got)
	}
}

// scoped holds that an answer has the token that the output holds, which works, and is another one than the user's own.
func (w *world) scoped(got, whole answer) {
	w.t.Helper()
	state, err := the.stage.GitHub.State(w.t.Context(), got.token())
	w.must(err)
	if !state.Alive || state.Kind != "access" || state.User != scopedUser {
		w.t.Errorf("GitHub says of it: %+v", state)
	}
	if held := w.held("agent"); got.token() != held || got.token() == whole.token() || got.fingerprint() != string(held.Fingerprint()) {
		w.t.Error("it is not the token that the output holds, or it is the user's own")
	}
}
