package githubtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestWebhookRevokedGrantIsAnnouncedWithASignature(t *testing.T) {
	type received struct {
		header http.Header
		body   []byte
	}
	arrived := make(chan received, 10)
	receiver := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		arrived <- received{r.Header, content}
		w.WriteHeader(http.StatusAccepted)
	}))
	receiver.Config.ErrorLog = log.New(io.Discard, "", 0) // a client may give up a connection that it turns out not to need
	receiver.StartTLS()
	defer receiver.Close()
	gh := newServer(t, func(o *Options) { o.Apps[0].WebhookURL, o.Apps[0].WebhookSecret = receiver.URL, "hook" })

	want(t, "revoked without any token", gh.RevokeGrant(clientID, "octocat"), false)
	pair := gh.Mint(clientID, "octocat")
	want(t, "revoked", gh.RevokeGrant(clientID, "octocat"), true)
	want(t, "alive", gh.Alive(pair.RefreshToken), false)

	hook := <-arrived
	mac := hmac.New(sha256.New, []byte("hook"))
	mac.Write(hook.body)
	want(t, "signature", hook.header.Get("X-Hub-Signature-256"), "sha256="+hex.EncodeToString(mac.Sum(nil)))
	want(t, "event", hook.header.Get("X-GitHub-Event"), "github_app_authorization")
	var event struct {
		Action string
		Sender struct {
			Login string
			ID    int64
		}
	}
	if err := json.Unmarshal(hook.body, &event); err != nil {
		t.Fatalf("decode the webhook: %v", err)
	}
	want(t, "action", event.Action, "revoked")
	want(t, "sender", event.Sender.Login, "octocat")
	want(t, "sender's id", event.Sender.ID, 583231)

	id := gh.Deliveries()[0].ID
	want(t, "delivery's id", hook.header.Get("X-GitHub-Delivery"), id)
	want(t, "redelivered", gh.Redeliver(id), true)
	want(t, "id of the second delivery", (<-arrived).header.Get("X-GitHub-Delivery"), id)
	want(t, "redelivery of an id that is none", gh.Redeliver("none"), false)
	gh.Close()
	want(t, "status of the delivery", gh.Deliveries()[1].Status, http.StatusAccepted)

	want(t, "deleted by the App", func() int {
		next := gh.Mint(clientID, "octocat")
		return appCall(t, gh, http.MethodDelete, "/grant", next.AccessToken).status
	}(), 204)
	want(t, "event of the App's own deletion", (<-arrived).header.Get("X-GitHub-Event"), "github_app_authorization")
}

func TestWebhookRevokedTokenIsNotAnnounced(t *testing.T) {
	gh := newServer(t, func(o *Options) { o.Apps[0].WebhookURL = "https://127.0.0.1:1/none" })
	gh.Revoke(gh.Mint(clientID, "octocat").AccessToken)
	want(t, "deliveries after a token", len(gh.Deliveries()), 0)
	gh.Mint(clientID, "octocat")
	gh.RevokeGrant(clientID, "octocat")
	gh.Close()
	want(t, "deliveries after the grant", len(gh.Deliveries()), 1)
	want(t, "done", gh.Deliveries()[0].Done, true)
	want(t, "status of a receiver that is not there", gh.Deliveries()[0].Status, 0)
}
