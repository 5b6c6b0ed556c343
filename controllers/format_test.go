package controllers

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// stateOf is the state in a pair Secret, field by field.
func (w *world) stateOf(secretName string) map[string]any {
	w.t.Helper()
	var state map[string]any
	w.must(json.Unmarshal([]byte(w.pair(secretName).Annotations[v1alpha1.AnnotationState]), &state))
	return state
}

// putState writes it.
func (w *world) putState(secretName string, state map[string]any) {
	w.t.Helper()
	text, err := json.Marshal(state)
	w.must(err)
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{v1alpha1.AnnotationState: string(text)}}})
	w.must(err)
	w.patchSecret(secretName, string(patch))
}

// The operator was upgraded and is back at this version. What the newer one has written might mean anything.
func TestStateOfANewerFormatIsLeftAlone(t *testing.T) {
	t.Parallel()
	tooNew := refusal{reason: v1alpha1.ReasonStateFormatTooNew, says: "Upgrade the operator again", working: true}
	each(t, map[string]struct {
		// before puts the Secret into the state in which it is left then, and after asks for something.
		before, after func(*world)
	}{
		"in its place":     {},
		"while it is due":  {after: func(w *world) { w.request("octocat", "1") }},
		"with a new login": {after: func(w *world) { w.seed("octocat", "octocat") }},
		"with an edited spec": {after: func(w *world) {
			w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Secret.Labels = map[string]string{"team": "a"} })
		}},
		"with another name": {after: func(w *world) {
			w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Secret.Name = "elsewhere" })
		}},
		"while it is being deleted": {before: func(w *world) { w.remove(w.secretNamed("octocat-token")) }},
		"without its labels": {before: func(w *world) {
			w.patchSecret("octocat-token", `{"metadata":{"labels":{"`+v1alpha1.LabelOwner+`":null}}}`)
		}},
	}, func(t *testing.T, c struct{ before, after func(*world) }) {
		w := newWorld(t, worldOptions{})
		before := w.start("octocat")
		w.account("octocat")
		w.settle()
		good := w.stateOf("octocat-token")
		newer := w.stateOf("octocat-token")
		newer["format"], newer["invented"] = 99, map[string]any{"later": true}
		w.putState("octocat-token", newer)
		w.refused("octocat", tooNew)
		if c.before != nil {
			c.before(w)
		}
		stands := w.pair("octocat-token")
		if c.after != nil {
			c.after(w)
		}
		for range 2 {
			w.quiet()
			w.refused("octocat", tooNew)
			w.observed("octocat")
			w.restart() // It is known to a process that has seen nothing else, too.
		}
		w.quiet()
		if now := w.pair("octocat-token"); now.ResourceVersion != stands.ResourceVersion {
			t.Errorf("the Secret was written: %v", now.ObjectMeta)
		}
		w.samePair(before, w.alive("octocat-token"))
		w.absent("elsewhere")
		w.presented(1)

		// Somebody puts the annotation right: all that was asked for meanwhile is done.
		w.putState("octocat-token", good)
		w.eventually("the report to end", func() (bool, string) {
			text := suite.Describe(w.get("octocat"))
			return !hasReason(w.get("octocat"), v1alpha1.ReasonStateFormatTooNew), text
		})
		token := w.get("octocat")
		if token.Annotations[v1alpha1.AnnotationRefreshRequestedAt] != "" {
			w.refreshed("octocat", 2)
		}
		name := token.Spec.Secret.Name
		var pair *corev1.Secret
		w.eventually("the pair to be where it belongs", func() (bool, string) {
			pair = w.find(name)
			return pair != nil && pair.DeletionTimestamp == nil && w.get("octocat").Status.SecretName == name, suite.Describe(w.get("octocat"))
		})
		w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
		w.settle()
		pair = w.alive(name)
		if pair.Labels["team"] != token.Spec.Secret.Labels["team"] {
			t.Errorf("the labels are %v", pair.Labels)
		}
		w.request("octocat", "at last")
		w.eventually("a new pair", func() (bool, string) {
			now := w.find(name)
			return now != nil && access(now) != access(pair), suite.Describe(w.get("octocat"))
		})
		w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionTrue, v1alpha1.ReasonRefreshTokenValid)
		w.alive(name)
		w.quiet()
	})
}

func hasReason(token *v1alpha1.GitHubUserToken, reason string) bool {
	for _, condition := range token.Status.Conditions {
		if condition.Reason == reason {
			return true
		}
	}
	return false
}

// A newer version may add to the state without a newer format. What it has added is there when it comes back.
func TestStateWhatANewerVersionHasAddedToTheStateIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.start("octocat")
	w.account("octocat")
	w.settle()
	const added = `{"list":[1,2,{"deep":"<&>"}],"none":null}`
	state := w.stateOf("octocat-token")
	state["invented"] = json.RawMessage(added)
	w.putState("octocat-token", state)
	kept := func(what, secret string) {
		t.Helper()
		found, err := json.Marshal(w.stateOf(secret)["invented"])
		w.must(err)
		var compact any
		w.must(json.Unmarshal([]byte(added), &compact))
		want, err := json.Marshal(compact)
		w.must(err)
		if string(found) != string(want) {
			t.Errorf("after %s it is %s, want %s", what, found, want)
		}
	}
	w.settle()
	kept("an edit", "octocat-token")
	w.request("octocat", "1")
	w.refreshed("octocat", 2)
	kept("a rotation", "octocat-token")
	before := w.ready("octocat")
	w.remove(w.secretNamed("octocat-token"))
	w.restored(before)
	kept("a deletion", "octocat-token")
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Secret.Name = "elsewhere" })
	w.gone(w.secretNamed("octocat-token"))
	kept("a move", "elsewhere")
	w.seed("octocat", "octocat")
	w.refreshed("octocat", 1)
	kept("a new login", "elsewhere")
	w.quiet()
	w.presented(3)
}
