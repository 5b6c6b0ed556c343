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

// maxBody bounds a delivery. The one that counts here is a few KiB; greater ones are of other events.
const maxBody = 1 << 20

// NewHandler makes the receiver. It takes POST requests whose X-Hub-Signature-256 proves the knowledge of
// the webhook's secret, which must not be empty, and calls revoked for each github_app_authorization with
// the action revoked. All other events are answered with 204 and ignored, since an App cannot switch off
// some of them.
//
// revoked gets the login and the ID of the account that took its authorization back; it must not block,
// and must take the notice as a reason to ask GitHub, not as proof: GitHub delivers again what failed, and
// whoever has seen a delivery can replay it. Nothing of a delivery is logged or sent back.
func NewHandler(secret credential.Raw, revoked func(login string, id int64)) (http.Handler, error) {
	if secret.IsZero() {
		return nil, errors.New("the webhook needs a secret: without one anybody could send notices")
	}
	return &handler{secret: secret, revoked: revoked}, nil
}

type handler struct {
	secret  credential.Raw
	revoked func(login string, id int64)
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
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	payload, err := gogithub.ValidatePayload(r, []byte(h.secret.Reveal()))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	case err != nil:
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if gogithub.WebHookType(r) != "github_app_authorization" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	var n notice
	if err := json.Unmarshal(payload, &n); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if n.Action == "revoked" && n.Sender.ID > 0 {
		h.revoked(n.Sender.Login, n.Sender.ID)
	}
	w.WriteHeader(http.StatusNoContent)
}
