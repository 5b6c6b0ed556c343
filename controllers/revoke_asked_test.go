package controllers

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/revocation"
	"github.com/githubusertoken/github-user-token-operator/controllers/revokerequest"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// loginOf waits until the status tells of the login, and of another than a former one.
func (w *world) loginOf(name, former string) (value string) {
	w.t.Helper()
	w.eventually("the login of "+name, func() (bool, string) {
		token := w.get(name)
		if login := token.Status.Login; login != nil {
			value = login.Account + " " + login.ID
		}
		return value != "" && value != former, suite.Describe(token)
	})
	return value
}

// asksToRevoke sets the annotation.
func (w *world) asksToRevoke(name, value string) {
	w.t.Helper()
	w.change(name, func(token *v1alpha1.GitHubUserToken) {
		metav1.SetMetaDataAnnotation(&token.ObjectMeta, v1alpha1.AnnotationRevocationRequested, value)
	})
}

func (w *world) seeded(name string) {
	w.t.Helper()
	w.secret(name+"-seed", map[string]string{"refresh_token": w.gh.MintFromDevice(clientID, name).RefreshToken})
}

// The person of a login asks for its end: it is revoked, a new login is asked for, and the wish that is left is nothing to that one.
func TestRevocationOnRequestEndsTheLoginAndNoLaterOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.seeded("octocat")
	w.create(w.resource("octocat"))
	pair := w.ready("octocat")
	asked := w.loginOf("octocat", "")
	w.asksToRevoke("octocat", asked)
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonRevokedOnRequest)
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRevokedOnRequest)
	w.ended(pair)
	w.eventually("the event", func() (bool, string) {
		notes := w.eventsOf("octocat", revokerequest.EventRequested)
		return len(notes) == 1 && strings.Contains(notes[0], "octocat"), fmt.Sprint(notes)
	})
	w.touch("octocat")
	w.quiet()

	w.seeded("octocat")
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
	later := w.loginOf("octocat", asked)
	w.restart()
	w.touch("octocat")
	w.quiet()
	w.alive("octocat-token")

	// One that comes by the pair Secret itself is another login as well.
	w.asksToRevoke("octocat", later)
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonRevokedOnRequest)
	w.changeSecret("octocat-token", func(secret *corev1.Secret) {
		secret.Data["refresh_token"] = []byte(w.gh.MintFromDevice(clientID, "octocat").RefreshToken)
	})
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
	w.loginOf("octocat", later)
	w.touch("octocat")
	w.quiet()
	w.alive("octocat-token")
}

// A request in the name of another account, or for a login that is none, does nothing.
func TestRevocationOnRequestIsForTheAccountAndTheLoginAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.seeded("octocat")
	w.create(w.resource("octocat"))
	w.ready("octocat")
	asked := w.loginOf("octocat", "")
	account, id, _ := strings.Cut(asked, " ")
	for _, value := range []string{"github.com/1 " + id, account + " 0123456789abcdef0123", account, id, "x"} {
		w.asksToRevoke("octocat", value)
		w.settle()
	}
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
	w.alive("octocat-token")
}

// Where an answer is lost GitHub is asked again, and no token of the login is exchanged meanwhile.
func TestRevocationOnRequestWhoseAnswerIsLostIsAskedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.seeded("octocat")
	w.create(w.resource("octocat"))
	pair := w.ready("octocat")
	lost := w.gh.Inject(githubtest.BadGateway().At(githubtest.DeleteTokenEndpoint).Times(2))
	w.asksToRevoke("octocat", w.loginOf("octocat", ""))
	w.eventually("the first try", func() (bool, string) { return lost.Hits() > 0, "" })
	w.request("octocat", "now") // A refresh that is asked for comes too late.
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonRevokedOnRequest)
	w.ended(pair)
	w.presented(1)
}

// The tokens of a login that is to end may go before GitHub has ended them: nobody but their owner can end them then, who is told.
func TestRevocationOnRequestWhoseTokensAreGoneIsTold(t *testing.T) {
	t.Parallel()
	each(t, map[string]struct {
		change func(*world, *corev1.Secret)
		says   string
		given  v1alpha1.LoginRevocation
	}{
		"another login is pasted over it": {func(w *world, secret *corev1.Secret) {
			secret.Data["refresh_token"] = []byte(w.gh.MintFromDevice(clientID, "octocat").RefreshToken)
		}, "Another login has taken the place of one whose end was asked for", ""},
		"the Secret is emptied": {func(_ *world, secret *corev1.Secret) {
			delete(secret.Data, "access_token")
			delete(secret.Data, "refresh_token")
		}, "its tokens were taken out of the pair Secret before GitHub had ended them", v1alpha1.LoginRevocationGivenUp},
	}, func(t *testing.T, c struct {
		change func(*world, *corev1.Secret)
		says   string
		given  v1alpha1.LoginRevocation
	},
	) {
		w := newWorld(t, worldOptions{})
		w.seeded("octocat")
		w.create(w.resource("octocat"))
		pair := w.ready("octocat")
		asked := w.loginOf("octocat", "")
		lost := w.gh.Inject(githubtest.BadGateway().At(githubtest.DeleteTokenEndpoint).Times(1000))
		w.gh.Inject(githubtest.BadGateway().At(githubtest.RevokeEndpoint).Times(1000))
		w.asksToRevoke("octocat", asked)
		w.eventually("the first try", func() (bool, string) { return lost.Hits() > 0, "" })
		w.changeSecret("octocat-token", func(secret *corev1.Secret) { c.change(w, secret) })
		w.eventually("the event", func() (bool, string) {
			notes := w.eventsOf("octocat", revocation.EventRevocationFailed)
			return len(notes) == 1 && strings.Contains(notes[0], c.says) && strings.Contains(notes[0], "/settings/apps/authorizations"), fmt.Sprint(notes)
		})
		if !w.gh.Alive(refresh(pair)) {
			t.Error("the login has ended, so that nothing was to be told")
		}
		if c.given == "" {
			w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
			w.loginOf("octocat", asked)
			return
		}
		w.eventually("what is said of the login", func() (bool, string) {
			login := w.get("octocat").Status.Login
			return login != nil && login.Revocation == c.given, fmt.Sprintf("%+v", login)
		})
	})
}

// Whatever its deletion policy, a resource goes when its login has ended.
func TestRevocationOnRequestIsFinishedBeforeADeletion(t *testing.T) {
	t.Parallel()
	each(t, map[string]v1alpha1.DeletionPolicy{"Delete": v1alpha1.DeletionPolicyDelete, "Retain": v1alpha1.DeletionPolicyRetain},
		func(t *testing.T, policy v1alpha1.DeletionPolicy) {
			w := newWorld(t, worldOptions{})
			w.seeded("octocat")
			token := w.resource("octocat")
			token.Spec.DeletionPolicy = policy
			w.create(token)
			pair := w.ready("octocat")
			w.gh.Inject(githubtest.BadGateway().At(githubtest.DeleteTokenEndpoint).Times(3))
			w.asksToRevoke("octocat", w.loginOf("octocat", ""))
			w.remove(w.resourceNamed("octocat"))
			w.gone(w.resourceNamed("octocat"))
			w.ended(pair)
			w.gone(w.secretNamed("octocat-token"))
		})
}

// What is asked for in the name of an account goes before what the App says of deletions, and nothing else is told meanwhile.
func TestRevocationOnRequestGoesBeforeTheDeletionPoliciesOfAnApp(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t, worldOptions{})
	shared := w.offer("shared", nil)
	token := w.usingShared("octocat", shared)
	token.Spec.DeletionPolicy = v1alpha1.DeletionPolicyRevoke
	pair := w.startUsing(token)
	asked := w.loginOf("octocat", "")
	w.changeApp(shared, func(spec *v1alpha1.ClusterGitHubAppSpec) {
		spec.Policy.DeletionPolicies = []v1alpha1.DeletionPolicy{v1alpha1.DeletionPolicyDelete}
	})
	w.says("octocat", v1alpha1.ConditionStalled, "spec.deletionPolicy Revoke is not among Delete")
	for _, endpoint := range []githubtest.Endpoint{githubtest.DeleteTokenEndpoint, githubtest.RevokeEndpoint} {
		w.gh.Inject(githubtest.BadGateway().At(endpoint).Times(3))
	}
	w.asksToRevoke("octocat", asked)
	w.remove(w.resourceNamed("octocat"))
	w.gone(w.resourceNamed("octocat"))
	w.ended(pair)
	for _, note := range w.eventsOf("octocat", v1alpha1.ReasonAppPolicyViolated) {
		if strings.Contains(note, "lives until it expires") {
			t.Errorf("an event tells %q", note)
		}
	}
}
