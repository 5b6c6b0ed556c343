package githubtest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// Delivery is one webhook sent.
type Delivery struct {
	// ID is the X-GitHub-Delivery header.
	ID string `json:"id"`
	// ClientID of the App whose grant was revoked.
	ClientID string `json:"clientID"`
	// User is the login of the user who revoked it.
	User string `json:"user"`
	// Done says that the receiver has answered or failed.
	Done bool `json:"done"`
	// Status is the receiver's; 0 if it could not be reached.
	Status int `json:"status"`

	url, secret string
	appID       int64
	body        []byte
}

// announceRevocation sends github_app_authorization, if the App has a webhook. The caller holds the lock.
func (s *Server) announceRevocation(app *App, user *User) {
	if app.WebhookURL == "" {
		return
	}
	body, err := json.Marshal(map[string]any{
		"action": "revoked",
		"sender": map[string]any{"login": user.Login, "id": user.ID, "type": "User"},
	})
	if err != nil {
		panic(fmt.Sprintf("githubtest: encode a webhook: %v", err))
	}
	d := &Delivery{
		ID: s.uuid(), ClientID: app.ClientID, User: user.Login,
		url: app.WebhookURL, secret: app.WebhookSecret, appID: app.ID, body: body,
	}
	s.hooks = append(s.hooks, d)
	client := s.options.WebhookClient
	s.work.Go(func() { s.deliver(client, d) })
}

func (s *Server) uuid() string {
	h := s.randomString(hexadecimal, 32)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func (s *Server) deliver(client *http.Client, d *Delivery) {
	status := 0
	if request, err := d.request(); err == nil {
		if response, err := client.Do(request); err == nil {
			status = response.StatusCode
			_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxRequestBody))
			_ = response.Body.Close()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d.Done, d.Status = true, status
}

func (d *Delivery) request() (*http.Request, error) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, d.url, bytes.NewReader(d.body))
	if err != nil {
		return nil, err
	}
	h := request.Header
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "GitHub-Hookshot/0000000")
	h.Set("X-GitHub-Event", "github_app_authorization")
	h.Set("X-GitHub-Delivery", d.ID)
	h.Set("X-GitHub-Hook-Installation-Target-Type", "integration")
	h.Set("X-GitHub-Hook-Installation-Target-ID", strconv.FormatInt(d.appID, 10))
	if d.secret != "" {
		mac := hmac.New(sha256.New, []byte(d.secret))
		mac.Write(d.body)
		h.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	return request, nil
}

// Deliveries lists the webhooks sent, oldest first.
func (s *Server) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Delivery, len(s.hooks))
	for i, d := range s.hooks {
		out[i] = *d
	}
	return out
}

// Redeliver sends a webhook once more, as an App's owner can. It reports whether there is one of that id.
func (s *Server) Redeliver(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.hooks {
		if d.ID == id {
			again := *d
			again.Done, again.Status = false, 0
			s.hooks = append(s.hooks, &again)
			client := s.options.WebhookClient
			s.work.Go(func() { s.deliver(client, &again) })
			return true
		}
	}
	return false
}
