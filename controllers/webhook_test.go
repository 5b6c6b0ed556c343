package controllers

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/notices"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

const webhookSecret = "the-webhooks-secret"

// withReceiver is a world whose operator receives webhooks, and the URL for them.
func withReceiver(t *testing.T) (*world, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(webhookSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var address string
	w := newWorld(t, worldOptions{beforeStart: func(mgr ctrl.Manager, r *Reconciler) {
		receiver, err := r.ReceiveWebhooks(mgr, "127.0.0.1:0", file)
		if err != nil {
			t.Fatal(err)
		}
		address = receiver.Address()
	}})
	return w, "http://" + address
}

func TestReceiverNoticeOfARevocationIsBelievedWhenGitHubConfirmsIt(t *testing.T) {
	t.Parallel()
	w, url := withReceiver(t)
	w.gh.UpdateApp(clientID, func(app *githubtest.App) { app.WebhookURL, app.WebhookSecret = url, webhookSecret })
	w.start("octocat")
	w.start("hubot")
	w.account("octocat")
	w.account("hubot")
	w.meter.leap(2 * noticeYoung)
	revoked := time.Now()
	w.gh.RevokeGrant(clientID, "octocat")
	w.refused("octocat", refusal{reason: v1alpha1.ReasonRevoked, says: "revoked", unauthorized: true})
	t.Logf("noticed after %s", time.Since(revoked).Round(time.Millisecond))
	w.quiet()
	w.ready("hubot")
	w.presented(3) // The refresh token was tried, too.
	w.seed("octocat", "octocat")
	w.ready("octocat")
}

// A notice is a reason to ask, and no proof: who has seen one can send it again.
func TestReceiverNoticeAboutALivingTokenChangesNothing(t *testing.T) {
	t.Parallel()
	w, url := withReceiver(t)
	w.start("octocat")
	user := w.account("octocat")
	w.meter.leap(2 * noticeYoung)
	asked := w.gh.Inject(githubtest.Delay(0).At(githubtest.CheckEndpoint).Always())
	body := notice("revoked", user.Login, user.ID)
	deliveries := revokedDeliveries(t)
	counted := testutil.ToFloat64(deliveries)
	w.deliver(url, "github_app_authorization", sign(body, webhookSecret), body, http.StatusNoContent)
	w.eventually("the delivery to be counted", func() (bool, string) {
		return testutil.ToFloat64(deliveries) > counted, "it is not"
	})
	w.eventually("the operator to ask GitHub", func() (bool, string) { return asked.Hits() > 0, "it was not asked" })
	w.quiet()
	w.ready("octocat")
	w.presented(1)
}

func TestReceiverDeliveryThatProvesNothingIsNotActedOn(t *testing.T) {
	t.Parallel()
	w, url := withReceiver(t)
	w.start("octocat")
	user := w.account("octocat")
	w.indexed(user.ID) // Until then it is asked about whenever any account revokes something.
	w.meter.leap(2 * noticeYoung)
	w.gh.RevokeGrant(clientID, "octocat") // So that a question would be noticed in the status.
	asked := w.gh.Inject(githubtest.Delay(0).At(githubtest.CheckEndpoint).Always())
	body, other := notice("revoked", user.Login, user.ID), notice("revoked", "nobody", user.ID+1000)
	created := notice("created", user.Login, user.ID)
	const event = "github_app_authorization"
	for _, c := range []struct {
		what, event, signature string
		body                   []byte
		status                 int
	}{
		{"no signature", event, "", body, http.StatusUnauthorized},
		{"a wrong signature", event, sign(body, "guessed"), body, http.StatusUnauthorized},
		{"the signature of another body", event, sign(other, webhookSecret), body, http.StatusUnauthorized},
		{"another event", "push", sign(body, webhookSecret), body, http.StatusNoContent},
		{"another action", event, sign(created, webhookSecret), created, http.StatusNoContent},
		{"another account", event, sign(other, webhookSecret), other, http.StatusNoContent},
	} {
		t.Log(c.what)
		w.deliver(url, c.event, c.signature, c.body, c.status)
	}
	w.quiet()
	if n := asked.Hits(); n != 0 {
		t.Errorf("GitHub was asked %d times", n)
	}
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, "")
}

// indexed waits until the receiver knows by its cache whose token is whose.
func (w *world) indexed(id int64) {
	w.t.Helper()
	w.eventually("the account in the cache's index", func() (bool, string) {
		var pairs metav1.PartialObjectMetadataList
		pairs.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
		w.must(w.reconciler.Client.List(w.ctx, &pairs, client.MatchingFields{notices.IndexPairUser: strconv.FormatInt(id, 10)}))
		return len(pairs.Items) == 1, fmt.Sprintf("%d Secrets", len(pairs.Items))
	})
}

func notice(action, login string, id int64) []byte {
	return fmt.Appendf(nil, `{"action":%q,"sender":{"login":%q,"id":%d}}`, action, login, id)
}

func sign(body []byte, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// revokedDeliveries counts the deliveries that were acted on, to all receivers of this process.
func revokedDeliveries(t *testing.T) prometheus.Counter {
	t.Helper()
	for _, collector := range notices.Metrics() {
		if deliveries, ok := collector.(*prometheus.CounterVec); ok {
			return deliveries.WithLabelValues("revoked")
		}
	}
	t.Fatal("deliveries are not counted")
	return nil
}

// deliver sends a webhook as GitHub does.
func (w *world) deliver(url, event, signature string, body []byte, want int) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.ctx, http.MethodPost, url, bytes.NewReader(body))
	w.must(err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-GitHub-Event", event)
	if signature != "" {
		request.Header.Set("X-Hub-Signature-256", signature)
	}
	reply, err := http.DefaultClient.Do(request)
	w.must(err)
	_ = reply.Body.Close()
	if reply.StatusCode != want {
		w.t.Errorf("%s was answered with %d, want %d", event, reply.StatusCode, want)
	}
}
