package stage

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"os"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane"
)

// ReceiveWebhooks has the stand-in send the operator a webhook when a person revokes one of the Apps, and
// returns the arguments by which the operator receives it. It comes between StartGitHub and StartOperator.
func (s *Stage) ReceiveWebhooks(ctx context.Context, apps []App) (arguments []string, err error) {
	address, release, err := controlplane.ReserveAddress()
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, release)
	secret, file := rand.Text(), s.Path("webhook-secret")
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		return nil, err
	}
	for _, app := range apps {
		change := map[string]string{"webhookURL": "http://" + address, "webhookSecret": secret}
		if err := s.GitHub.call(ctx, http.MethodPatch, "/apps/"+url.PathEscape(app.ClientID), change, nil); err != nil {
			return nil, err
		}
	}
	return []string{"--webhook-receiver-bind-address=" + address, "--webhook-secret-file=" + file}, nil
}
