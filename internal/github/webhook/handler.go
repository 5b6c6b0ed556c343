// Package webhook receives GitHub's notice that a person has revoked the authorization of an App.
package webhook

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	gogithub "github.com/google/go-github/v89/github"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

const (
	// event is the one that counts here.
	event = "github_app_authorization"
	// maxBody bounds what is read of a delivery, before anything proves that GitHub has sent it. One of the event
	// that counts is a few KiB; greater ones are of other events.
	maxBody = 64 << 10
)

// NewHandler makes the receiver. It takes POST requests whose X-Hub-Signature-256 proves the knowledge of
// the webhook's secret, which must not be empty, and calls revoked for each github_app_authorization with
// the action revoked. All other events are answered with 204 and ignored, since an App cannot switch off
// some of them; those of more than 64 KiB are not even read.
//
// revoked gets the login and the ID of the account that took its authorization back, and reports whether it
// will act on that; GitHub shows a delivery that is not acted on as failed, and can be asked to repeat it.
// revoked must not block, and must take the notice as a reason to ask GitHub, not as proof: whoever has seen a
// delivery can replay it. Nothing of a delivery is logged or sent back.
func NewHandler(secret credential.Raw, revoked func(login string, id int64) bool) (http.Handler, error) {
	if secret.IsZero() {
		return nil, errors.New("the webhook needs a secret: without one anybody could send notices")
	}
	return &handler{secret: secret, revoked: revoked}, nil
}

type handler struct {
	secret  credential.Raw
	revoked func(login string, id int64) bool
}

// notice is the part of a github_app_authorization event that counts.
type notice struct {
	Action string `json:"action"`
	Sender struct {
		Login string `json:"login"`
		ID    int64  `json:"id"`
	} `json:"sender"`
}

// ServeHTTP implements http.Handler. It answers with a status and nothing else.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	// go-github would also take the older SHA-1, under either header.
	if !strings.HasPrefix(r.Header.Get(gogithub.SHA256SignatureHeader), "sha256=") {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	ours := gogithub.WebHookType(r) == event
	if r.ContentLength > maxBody {
		w.WriteHeader(tooLarge(ours))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	payload, err := gogithub.ValidatePayload(r, []byte(h.secret.Reveal()))
	var exceeded *http.MaxBytesError
	switch {
	case errors.As(err, &exceeded): // It came without its length.
		w.WriteHeader(tooLarge(ours))
		return
	case err != nil:
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if !ours {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	var n notice
	if err := json.Unmarshal(payload, &n); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if n.Action == "revoked" && n.Sender.ID > 0 {
		if !h.revoked(n.Sender.Login, n.Sender.ID) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// tooLarge is the answer to a delivery that is not read: there is nothing wrong with one of another event.
func tooLarge(ours bool) int {
	if ours {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusNoContent
}
