package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/revokerequest"
	"github.com/githubusertoken/github-user-token-operator/internal/loginpage/visits"
)

// aVisit goes the way of a visit of My tokens to the token, in the operator's own namespace, by an App that is offered to that alone.
func aVisit(t *testing.T, name string) *world {
	t.Helper()
	options := worldOptions{controller: withPage}
	options.app.CallbackURLs, options.app.AutoApprove, options.app.ReplayEndsTokens = []string{pageCallback}, true, true
	w := newAppWorld(t, options)
	app := w.offer("login-page", func(spec *v1alpha1.ClusterGitHubAppSpec) { spec.AllowedNamespaces = w.only(w.home()) })
	w.namespace = w.home()
	const request = "p-0123456789ab-0123456789abcdef"
	w.create(visits.New(w.namespace, name, v1alpha1.AppReference{Kind: v1alpha1.KindClusterGitHubApp, Name: app}, "browser", "visitor", request+" "+pageCallback))
	login := w.offered(name, request)
	w.bring(login, w.browse(login))
	w.resulted(name, request, v1alpha1.WebLoginSucceeded)
	w.loginOf(name, "") // What its page reads.
	return w
}

// The login page has died after a visit has its token, and is taken away: the operator ends the visit, and does not refresh it.
func TestVisitThatTheLoginPageHasLeftIsEndedByTheOperator(t *testing.T) {
	t.Parallel()
	const name = v1alpha1.VisitPrefix + "0123456789abcdefghijklmnop"
	w := aVisit(t, name)
	w.meter.leap(2 * time.Minute)
	w.touch(name)
	w.quiet()
	pair := w.alive(name) // Its page may still read whose it is.
	w.meter.leap(time.Minute)
	w.restart()
	w.condition(name, v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonRevokedOnRequest)
	w.condition(name, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRevokedOnRequest)
	w.ended(pair)
	for _, condition := range []string{v1alpha1.ConditionAuthorized, v1alpha1.ConditionReady} {
		w.says(name, condition, "the page has left it, so the operator ends its login")
		w.says(name, condition, "or delete it yourself")
	}
	w.eventually("the event", func() (bool, string) {
		notes := w.eventsOf(name, revokerequest.EventRequested)
		return len(notes) == 1 && strings.HasPrefix(notes[0], "This is a visit of the login page") && !strings.Contains(notes[0], v1alpha1.AnnotationRevocationRequested), fmt.Sprint(notes)
	})
	if login := w.get(name).Status.Login; login == nil || login.Revocation != v1alpha1.LoginRevocationRevoked {
		t.Errorf("of the login it tells %+v", login)
	}
	w.request(name, "now")
	w.quiet()
	w.presented(0)
	w.redemptions(1)
	w.remove(w.resourceNamed(name))
	w.gone(w.resourceNamed(name))
}

// A visit that its page deletes goes with its token, as ever.
func TestVisitThatTheLoginPageDeletesGoesWithItsToken(t *testing.T) {
	t.Parallel()
	const name = v1alpha1.VisitPrefix + "ponmlkjihgfedcba9876543210"
	w := aVisit(t, name)
	pair := w.alive(name)
	w.remove(w.resourceNamed(name))
	w.gone(w.resourceNamed(name))
	w.ended(pair)
	w.gone(w.secretNamed(name))
	w.redemptions(1)
}
