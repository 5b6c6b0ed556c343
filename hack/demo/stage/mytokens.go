package stage

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
)

// MyTokensApp is the name of the ClusterGitHubApp of the login page, by which people prove whose account is theirs.
const MyTokensApp = "login-page"

// offerMyTokens makes that App, at a host, as an administrator: it is offered to the operator's namespace alone.
func (s *Stage) offerMyTokens(ctx context.Context, app App, host string) error {
	path := s.Path("my-tokens.yaml")
	manifest := fmt.Sprintf(`apiVersion: v1
kind: Secret
metadata: {name: login-page-app, namespace: %[1]s}
data: {client_secret: %[2]s}
---
apiVersion: githubusertoken.dev/v1alpha1
kind: ClusterGitHubApp
metadata: {name: %[3]s}
spec:
  host: %[4]q
  clientID: %[5]s
  clientSecretRef: {name: login-page-app, key: client_secret}
  allowedNamespaces:
    from: Selector
    selector: {matchLabels: {kubernetes.io/metadata.name: %[1]s}}
`, Namespace, base64.StdEncoding.EncodeToString([]byte(app.Secret.Reveal())), MyTokensApp, host, app.ClientID)
	if err := os.WriteFile(path, []byte(manifest), 0o600); err != nil {
		return fmt.Errorf("offer My tokens: %w", err)
	}
	_, err := s.Kubectl(ctx, "apply", "-f", path)
	return err
}
