package controllers

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

// putBack writes an old copy of a Secret over the one that is there, as velero restore does with
// --existing-resource-policy=update: labels, annotations and data are those of the backup, owners and finalizers stay.
func (w *world) putBack(old *corev1.Secret) {
	w.t.Helper()
	w.changeSecret(old.Name, func(now *corev1.Secret) {
		now.Labels, now.Annotations, now.Data = old.Labels, old.Annotations, old.Data
		if now.Labels == nil {
			now.Labels = map[string]string{}
		}
		now.Labels["velero.io/backup-name"], now.Labels["velero.io/restore-name"] = "daily", "daily-1"
	})
}

// A pair that was put back to an older state is spent, and there is somebody who knows.
func TestRolledBackPairThatWasPutBackInPlaceIsNotUsedUnproven(t *testing.T) {
	t.Parallel()
	each(t, map[string]struct {
		// down says that the operator is not there to see it, so that only the status tells.
		down, expired bool
	}{
		"while the operator runs":             {},
		"while the operator is down":          {down: true},
		"expired, while the operator runs":    {expired: true},
		"expired, while the operator is down": {down: true, expired: true},
	}, func(t *testing.T, c struct{ down, expired bool }) {
		w := newWorld(t, worldOptions{})
		w.start("octocat")
		old := w.backUp("octocat").secrets[0]
		if c.expired {
			old.Annotations[v1alpha1.AnnotationState] = strings.ReplaceAll(old.Annotations[v1alpha1.AnnotationState],
				`"expiresAt":"20`, `"expiresAt":"19`)
		}
		w.request("octocat", "now")
		w.refreshed("octocat", 2)
		current := w.ready("octocat")
		w.settle()
		if c.down {
			w.stop()
		}
		w.putBack(old)
		if c.down {
			w.startOperator(w.options)
		}
		unproven := w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonPairUnproven)
		if !strings.Contains(unproven.Message, "put back to an older state") || !strings.Contains(unproven.Message, "Authorize the App again") {
			t.Errorf("the message does not say what happened, or what to do: %s", unproven.Message)
		}
		w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonPairUnproven)
		w.request("octocat", "please")
		w.quiet()
		w.restart() // The doubt outlives whoever had it.
		w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonPairUnproven)
		w.quiet()
		w.presented(2)
		if !w.gh.Alive(access(current)) {
			t.Error("the newer pair was ended")
		}
		w.putBack(current)        // It was not lost: somebody has it in a newer backup.
		w.refreshed("octocat", 3) // What was asked for meanwhile is done now.
		w.ready("octocat")
		w.presented(3)
	})
}

// A status is no proof, and whoever may write one cannot stop a chain with it.
func TestRolledBackStatusThatLiesRaisesADoubtOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	w.settle()
	w.stop()
	w.eventually("the status to be edited", func() (bool, string) {
		token := w.get("octocat")
		token.Status.LastRefreshTime = &metav1.Time{Time: token.Status.LastRefreshTime.AddDate(1, 0, 0)}
		return admin.Status().Update(w.ctx, token) == nil, "it was written"
	})
	away := w.gh.Inject(githubtest.BadGateway().At(githubtest.CheckEndpoint).Always())
	w.startOperator(w.options)
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonGitHubUnavailable)
	w.presented(1)
	away.Remove()
	w.samePair(before, w.ready("octocat"))
	w.quiet()
	w.request("octocat", "now")
	w.refreshed("octocat", 2)
	w.ready("octocat")
	w.presented(2)
}

// An old pair whose access token is alive is the current one: somebody has put back what was there.
func TestRolledBackLoginThatWasImportedSinceIsNotImportedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	old := w.backUp("octocat").secrets[0]
	w.seed("octocat", "octocat")
	w.eventually("the second login", func() (bool, string) { return access(w.pair("octocat-token")) != access(before), "not yet" })
	w.ready("octocat")
	w.settle()
	w.putBack(old) // The chain of the first login, which nobody has exchanged.
	w.eventually("the first chain to be proven", func() (bool, string) {
		return w.stateOf("octocat-token")["owner"] == string(w.get("octocat").UID) && access(w.pair("octocat-token")) == access(old), "not yet"
	})
	w.samePair(old, w.ready("octocat"))
	w.quiet()
	w.presented(2)
}

// Where nobody remembers anything the old pair is presented once, and the refusal says what may have happened.
func TestRolledBackPairThatWasPutBackWithItsStatusIsPresentedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{spendsTwice: true})
	w.start("octocat")
	saved := w.backUp("octocat")
	w.request("octocat", "now")
	w.refreshed("octocat", 2)
	w.ready("octocat")
	w.settle()
	w.stop()
	w.putBack(saved.secrets[0]) // As etcd is, restored to yesterday.
	w.eventually("the status to be put back", func() (bool, string) {
		token := w.get("octocat")
		token.Status = saved.token.Status
		return admin.Status().Update(w.ctx, token) == nil, "it was written"
	})
	w.startOperator(w.options)
	w.refused("octocat", refusal{
		reason: v1alpha1.ReasonRefreshTokenRejected, says: "came back with a restored backup", unauthorized: true, working: true,
	})
	w.quiet()
	w.presented(3)
}
