package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/revocation"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

// revocable starts a resource whose token is ended when it is deleted.
func (w *world) revocable(name string, edit func(*v1alpha1.GitHubUserToken)) *corev1.Secret {
	w.t.Helper()
	w.secret(name+"-seed", map[string]string{"refresh_token": w.gh.MintFromDevice(clientID, name).RefreshToken})
	token := w.resource(name)
	token.Spec.DeletionPolicy = v1alpha1.DeletionPolicyRevoke
	if edit != nil {
		edit(token)
	}
	w.create(token)
	return w.ready(name)
}

// ended makes sure that a pair works no more.
func (w *world) ended(pair *corev1.Secret) {
	w.t.Helper()
	if w.gh.Alive(access(pair)) {
		w.t.Error("the access token lives on at GitHub")
	}
	if w.gh.Alive(refresh(pair)) {
		w.t.Error("the refresh token lives on at GitHub")
	}
}

func TestRevocationDeletedResourceEndsItsTokenAtGitHub(t *testing.T) {
	t.Parallel()
	noSecret := func(token *v1alpha1.GitHubUserToken) { token.Spec.App.ClientSecretRef = nil }
	each(t, map[string]struct {
		edit   func(*v1alpha1.GitHubUserToken)
		before func(*world)
		app    bool // the App's endpoint is used
		own    bool // the tokens' own is used
	}{
		"by the App":                     {app: true},
		"by itself":                      {edit: noSecret, own: true},
		"with a wrong client secret":     {before: func(w *world) { w.secret("github-app", map[string]string{"client_secret": "wrong"}) }, app: true, own: true},
		"after the client secret's gone": {before: func(w *world) { w.remove(w.secretNamed("github-app")) }, own: true},
		"after two failures": {before: func(w *world) {
			w.gh.Inject(githubtest.BadGateway().At(githubtest.DeleteTokenEndpoint).Times(2))
		}, app: true},
		"while it is suspended": {before: func(w *world) {
			w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Suspend = true })
			w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, "")
			w.observed("octocat")
		}, app: true},
	}, func(t *testing.T, c struct {
		edit   func(*v1alpha1.GitHubUserToken)
		before func(*world)
		app    bool
		own    bool
	},
	) {
		w := newWorld(t, worldOptions{})
		pair := w.revocable("octocat", c.edit)
		if c.before != nil {
			c.before(w)
		}
		byApp := w.gh.Inject(githubtest.Delay(0).At(githubtest.DeleteTokenEndpoint).Always())
		byItself := w.gh.Inject(githubtest.Delay(0).At(githubtest.RevokeEndpoint).Always())
		w.remove(w.resourceNamed("octocat"))
		w.gone(w.resourceNamed("octocat"))
		w.gone(w.secretNamed("octocat-token"))
		w.ended(pair)
		if used := byApp.Hits() > 0; used != c.app {
			t.Errorf("the App's endpoint was used: %t, want %t", used, c.app)
		}
		if used := byItself.Hits() > 0; used != c.own {
			t.Errorf("the tokens' own endpoint was used: %t, want %t", used, c.own)
		}
		w.presented(1)
	})
}

// GitHub does not know an access token that is seconds old, or dead. The refresh token beside it may live.
func TestRevocationAccessTokenThatGitHubDoesNotKnowIsNotTheEndOfItsPair(t *testing.T) {
	t.Parallel()
	old := func(w *world) { w.meter.leap(youngToken + time.Second) }
	expire := func(w *world, pair *corev1.Secret) { w.gh.Expire(access(pair)) }
	each(t, map[string]struct {
		gh     githubtest.Options
		before func(*world, *corev1.Secret)
		// missing says that the host has no endpoint for the tokens themselves.
		missing bool
		// later is called when GitHub has twice not known the token; nil when it is not asked so often.
		later func(*world)
		own   bool // the tokens' own endpoint is tried
		told  bool // of the refresh token, which lives
	}{
		"as the pair is young": {gh: githubtest.Options{FreshTokenRefusedFor: time.Hour}, own: true},
		"as the pair is young, without another endpoint": {
			gh:    githubtest.Options{FreshTokenRefusedFor: time.Hour},
			later: func(w *world) { w.gh.Configure(func(o *githubtest.Options) { o.FreshTokenRefusedFor = 0 }) },
			own:   true, missing: true,
		},
		"as it alone is dead": {before: expire, own: true},
		"as it alone is dead, without another endpoint, while it is young": {before: expire, later: old, own: true, missing: true, told: true},
		"as it alone is dead, without another endpoint": {
			before: func(w *world, pair *corev1.Secret) { expire(w, pair); old(w) },
			own:    true, missing: true, told: true,
		},
		"as it alone was ended, and the reply was lost": {
			gh: githubtest.Options{DeleteSparesRefreshToken: true},
			before: func(w *world, _ *corev1.Secret) {
				w.gh.Inject(githubtest.DropReply().At(githubtest.DeleteTokenEndpoint))
			},
			own: true,
		},
		"as GitHub has refused the refresh token twice": {before: func(w *world, pair *corev1.Secret) {
			w.gh.RevokeGrant(clientID, "octocat")
			w.request("octocat", "1")
			w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonRefreshTokenRejected)
			w.request("octocat", "2")
			w.eventually("the second refusal", func() (bool, string) {
				condition := meta.FindStatusCondition(w.get("octocat").Status.Conditions, v1alpha1.ConditionAuthorized)
				return condition != nil && condition.Status == metav1.ConditionFalse && !strings.Contains(condition.Message, "once more"), fmt.Sprint(condition)
			})
			if shown := len(w.gh.PresentationsOf(refresh(pair))); shown != 2 {
				w.t.Errorf("the refresh token was presented %d times, want 2", shown)
			}
			old(w)
		}},
		"as GitHub has refused the refresh token once, which may be a mistake": {before: func(w *world, _ *corev1.Secret) {
			w.gh.RevokeGrant(clientID, "octocat")
			w.request("octocat", "1")
			w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonRefreshTokenRejected)
			old(w)
		}, own: true},
		"as it was revoked, which the refresh token's refusal has shown": {before: func(w *world, _ *corev1.Secret) {
			w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
				token.Spec.CheckInterval = &metav1.Duration{Duration: checkEvery}
			})
			w.gh.RevokeGrant(clientID, "octocat")
			old(w)
			w.touch("octocat")
			w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonRevoked)
		}},
	}, func(t *testing.T, c struct {
		gh      githubtest.Options
		before  func(*world, *corev1.Secret)
		missing bool
		later   func(*world)
		own     bool
		told    bool
	},
	) {
		w := newWorld(t, worldOptions{gh: c.gh})
		pair := w.revocable("octocat", nil)
		if c.before != nil {
			c.before(w, pair)
		}
		byApp := w.gh.Inject(githubtest.Delay(0).At(githubtest.DeleteTokenEndpoint).Always())
		itself := githubtest.Delay(0)
		if c.missing {
			itself = githubtest.RESTError(404, "Not Found")
		}
		byItself := w.gh.Inject(itself.At(githubtest.RevokeEndpoint).Always())
		w.remove(w.resourceNamed("octocat"))
		if c.later != nil {
			w.eventually("two tries", func() (bool, string) { return byApp.Hits() >= 2, "" })
			w.samePair(pair, w.pair("octocat-token"))
			c.later(w)
		}
		w.gone(w.resourceNamed("octocat"))
		if used := byItself.Hits() > 0; used != c.own {
			t.Errorf("the tokens' own endpoint was used: %t, want %t", used, c.own)
		}
		if w.gh.Alive(access(pair)) || w.gh.Alive(refresh(pair)) != c.told {
			t.Errorf("the access token is alive: %t, the refresh token: %t", w.gh.Alive(access(pair)), w.gh.Alive(refresh(pair)))
		}
		if c.told {
			w.eventually("the event", func() (bool, string) {
				notes := strings.Join(w.eventsOf("octocat", revocation.EventRevocationFailed), "; ")
				return strings.Contains(notes, "The refresh token may live"), notes
			})
			return
		}
		w.settle()
		if notes := w.eventsOf("octocat", revocation.EventRevocationFailed); len(notes) != 0 {
			t.Errorf("a failure is told of: %v", notes)
		}
	})
}

// The credentials of the App that the pair belongs to may be gone from the spec. Its tokens need none.
func TestRevocationPairOfAFormerAppIsEndedToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	pair := w.revocable("octocat", nil)
	w.gh.AddApp(githubtest.App{ClientID: "Iv23liOTHER", Secrets: []string{clientSecret}})
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.App.ClientID = "Iv23liOTHER" })
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonAppChanged)
	w.remove(w.resourceNamed("octocat"))
	w.gone(w.resourceNamed("octocat"))
	w.ended(pair)
}

func TestRevocationPairOfAFormerHostThatMayNotBeAskedIsToldOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	pair := w.revocable("octocat", nil)
	w.stop()
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.App.Host = "ghe.example" })
	w.options.client = func(o *github.Options) { o.AllowedHosts = []string{"ghe.example"} }
	w.startOperator(w.options)
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonAppChanged)
	w.remove(w.resourceNamed("octocat"))
	w.gone(w.resourceNamed("octocat"))
	w.eventually("the event", func() (bool, string) {
		notes := strings.Join(w.eventsOf("octocat", revocation.EventRevocationFailed), "; ")
		return strings.Contains(notes, "not allowed") && strings.Contains(notes, "https://"+w.site.Host+"/settings/apps/authorizations"), notes
	})
	if !w.gh.Alive(access(pair)) {
		t.Error("a host was asked that is not allowed")
	}
}

// While a pair Secret is being replaced its pair stands in the backup as well.
func TestRevocationPairInTwoSecretsIsEndedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	pair := w.revocable("octocat", nil)
	w.settle()
	w.stop()
	backup := pair.DeepCopy()
	backup.Name, backup.ResourceVersion, backup.UID = scope.OwnerOf(w.get("octocat")).BackupRef().Name, "", ""
	backup.Labels[v1alpha1.LabelRole] = v1alpha1.RoleBackup
	w.create(backup)
	byApp := w.gh.Inject(githubtest.Delay(0).At(githubtest.DeleteTokenEndpoint).Always())
	byItself := w.gh.Inject(githubtest.Delay(0).At(githubtest.RevokeEndpoint).Always())
	w.remove(w.resourceNamed("octocat"))
	w.startOperator(w.options)
	w.gone(w.resourceNamed("octocat"))
	w.gone(w.secretNamed("octocat-token"))
	w.gone(w.secretNamed(backup.Name))
	w.ended(pair)
	if byApp.Hits() != 1 || byItself.Hits() != 0 {
		t.Errorf("the App's endpoint was asked %d times and the tokens' own %d times", byApp.Hits(), byItself.Hits())
	}
}

// The Secret stays as long as its token is being ended, and all of it is bounded.
func TestRevocationDeletionDoesNotWaitForEverForGitHub(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	pair := w.revocable("octocat", nil)
	away := w.gh.Inject(githubtest.Unavailable().At(githubtest.DeleteTokenEndpoint).Always())
	w.remove(w.resourceNamed("octocat"))
	w.eventually("two tries", func() (bool, string) { return away.Hits() >= 2, "" })
	if token := w.get("octocat"); token.DeletionTimestamp == nil {
		t.Error("the resource is not being deleted")
	}
	w.samePair(pair, w.pair("octocat-token"))
	w.meter.leap(2 * revokeTime)
	w.gone(w.resourceNamed("octocat"))
	w.gone(w.secretNamed("octocat-token"))
	if !w.gh.Alive(access(pair)) {
		t.Fatal("the token is dead although GitHub was away")
	}
	w.eventually("an event about the token that lives on", func() (bool, string) {
		var events eventsv1.EventList
		w.must(admin.List(w.ctx, &events, client.InNamespace(w.namespace)))
		for _, event := range events.Items {
			if event.Reason == revocation.EventRevocationFailed {
				return event.Type == corev1.EventTypeWarning && strings.Contains(event.Note, "lives until") &&
					strings.Contains(event.Note, w.site.Host+"/settings/apps/authorizations"), event.Note
			}
		}
		return false, "no such event"
	})
}

// An exchange that is under way when the deletion comes ends in a pair that is ended as well.
func TestRevocationPairOfAnExchangeUnderWayIsEndedToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.revocable("octocat", nil)
	held := w.gh.Inject(holdReply(refresh(before)))
	w.request("octocat", "1")
	w.arrived(held)
	w.remove(w.resourceNamed("octocat"))
	held.Release()
	w.gone(w.resourceNamed("octocat"))
	newest, known := w.gh.Last(refresh(before))
	if !known || w.gh.Alive(newest.AccessToken) || w.gh.Alive(newest.RefreshToken) {
		t.Error("the pair of the exchange lives on")
	}
	w.ended(before)
}

func TestRevocationNamespaceThatGoesTakesItsTokensAlong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	pair := w.revocable("octocat", nil)
	w.remove(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})
	w.gone(w.resourceNamed("octocat"))
	w.gone(w.secretNamed("octocat-token"))
	w.ended(pair)
}
