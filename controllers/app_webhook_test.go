package controllers

import (
	"net/http"
	"testing"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

// withAppReceiver is a world whose operator receives webhooks for Apps alone, and the URL for them.
func withAppReceiver(t *testing.T) (*world, string) {
	t.Helper()
	var address string
	w := newAppWorld(t, worldOptions{namespaces: 3, beforeStart: func(mgr ctrl.Manager, r *Reconciler) {
		receiver, err := r.ReceiveWebhooks(mgr, "127.0.0.1:0", "")
		if err != nil {
			t.Fatal(err)
		}
		address = receiver.Address()
	}})
	return w, "http://" + address
}

// webhookOf is the reference to a webhook's secret, which it creates in a namespace.
func (w *world) webhookOf(namespace, secret string) *v1alpha1.WebhookSecretReference {
	w.t.Helper()
	before := w.namespace
	w.namespace = namespace
	w.secret("webhook", map[string]string{"webhook_secret": secret})
	w.namespace = before
	return &v1alpha1.WebhookSecretReference{Name: "webhook"}
}

// One receiver serves many Apps, each at an address and with a secret of its own.
func TestAppWebhookTellsOfARevocation(t *testing.T) {
	t.Parallel()
	w, url := withAppReceiver(t)
	shared := w.offer("shared", func(spec *v1alpha1.ClusterGitHubAppSpec) {
		spec.WebhookSecretRef = w.webhookOf(w.home(), webhookSecret)
	})
	w.gh.UpdateApp(clientID, func(app *githubtest.App) {
		app.WebhookURL, app.WebhookSecret = url+"/clusterapps/"+shared, webhookSecret
	})
	w.startUsing(w.usingShared("octocat", shared))
	w.indexed(w.account("octocat").ID)
	w.meter.leap(2 * noticeYoung)
	w.gh.RevokeGrant(clientID, "octocat")
	w.refused("octocat", refusal{reason: v1alpha1.ReasonRevoked, says: "revoked", unauthorized: true})
}

// Who has made a GitHubApp can make up notices. They are about its own resources, whatever account they name; and an address
// that is no App's is answered like one with a wrong signature.
func TestAppWebhookOfATenantIsAboutItsOwnResources(t *testing.T) {
	t.Parallel()
	w, url := withAppReceiver(t)
	shared := w.offer("shared", func(spec *v1alpha1.ClusterGitHubAppSpec) {
		spec.WebhookSecretRef, spec.AllowedNamespaces = w.webhookOf(w.home(), webhookSecret), v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesAll}
	})
	w.startUsing(w.usingShared("octocat", shared))
	user := w.account("octocat")
	w.indexed(user.ID)
	w.meter.leap(2 * noticeYoung)
	w.gh.RevokeGrant(clientID, "octocat") // So that a question would be noticed in the status.
	asked := w.gh.Inject(githubtest.Delay(0).At(githubtest.CheckEndpoint).Always())
	tenant := w.namespaces[1]
	w.namespace = tenant
	const known = "the-tenants-own-secret"
	w.own("mine", func(spec *v1alpha1.GitHubAppSpec) {
		spec.ClientSecretRef, spec.WebhookSecretRef = nil, w.webhookOf(tenant, known)
	})
	w.own("bare", func(spec *v1alpha1.GitHubAppSpec) { spec.ClientSecretRef = nil })
	body := notice("revoked", user.Login, user.ID)
	const event = "github_app_authorization"
	w.eventually("the address of the tenant's App", func() (bool, string) {
		hook, err := w.reconciler.appSource.Webhook(w.ctx, "/apps/"+tenant+"/mine")
		return hook != nil && err == nil, errorText(err)
	})
	w.deliver(url+"/apps/"+tenant+"/mine", event, sign(body, known), body, http.StatusNoContent)
	for what, address := range map[string]string{
		"the address of another":         "/clusterapps/" + shared,
		"another namespace":              "/apps/" + w.namespaces[0] + "/mine",
		"an App without a webhook":       "/apps/" + tenant + "/bare",
		"no App":                         "/apps/" + tenant + "/none",
		"no App of the cluster":          "/clusterapps/none",
		"the operator's own, of no file": "/",
		"no address at all":              "/apps/",
		"a path that leads elsewhere":    "/apps/" + tenant + "/../" + w.home() + "/mine",
	} {
		t.Log(what)
		w.deliver(url+address, event, sign(body, known), body, http.StatusUnauthorized)
	}
	w.quiet()
	if n := asked.Hits(); n != 0 {
		t.Errorf("GitHub was asked %d times", n)
	}
	w.deliver(url+"/clusterapps/"+shared, event, sign(body, webhookSecret), body, http.StatusNoContent)
	w.namespace = w.namespaces[0]
	w.refused("octocat", refusal{reason: v1alpha1.ReasonRevoked, says: "revoked", unauthorized: true})
}
