package appsource

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// Webhook is to what GitHub's deliveries to the address of an App are confined, with the secret that proves them.
type Webhook struct {
	Secret credential.Raw
	// Key is the App, by scope.AppKey.
	Key string
	// Namespace is that of the resources which may be meant: whoever made the App knows the secret, and can make up notices.
	// Empty for all, when an administrator made it.
	Namespace string
}

// The paths of Apps' addresses.
const (
	webhookOwn     = "/apps/"
	webhookCluster = "/clusterapps/"
)

const (
	// webhookLasts is for how long the secret of an App's webhook is kept: whoever reaches the receiver can have it looked for.
	webhookLasts = 30 * time.Second
	// maxWebhooks is how many are kept.
	maxWebhooks = 1000
	// maxWebhookSecret is how long such a secret may be.
	maxWebhookSecret = 4 << 10
)

// webhooks are the secrets of the webhooks of Apps that were looked for of late. There are no others: for what is no App's
// nothing is kept.
type webhooks struct {
	mu    sync.Mutex
	known map[types.NamespacedName]knownSecret // by the Secret, and its key after a slash
}

type knownSecret struct {
	secret credential.Raw
	until  time.Duration
}

// IsWebhook reports whether a path is that of an App's address, whether there is such an App or not: /apps/NAMESPACE/NAME for a
// GitHubApp, and /clusterapps/NAME for a ClusterGitHubApp.
func IsWebhook(path string) bool {
	return strings.HasPrefix(path, webhookOwn) || strings.HasPrefix(path, webhookCluster)
}

// Webhook is that of the App whose address a path is; nil when there is no such App, or it has no webhook secret.
func (a *Apps) Webhook(ctx context.Context, path string) (*Webhook, error) {
	var spec *v1alpha1.GitHubAppSpec
	namespace, secrets := "", a.options.SecretNamespace
	if rest, isOwn := strings.CutPrefix(path, webhookOwn); isOwn {
		var name string
		if namespace, name, _ = strings.Cut(rest, "/"); namespace == "" || name == "" {
			return nil, nil
		}
		found, err := a.options.Source.GitHubApp(ctx, types.NamespacedName{Namespace: namespace, Name: name})
		if err != nil || found == nil {
			return nil, err
		}
		spec, secrets = &found.Spec, namespace
	} else if name, isCluster := strings.CutPrefix(path, webhookCluster); isCluster && a.options.Source.HasClusterGitHubApps() {
		found, err := a.options.Source.ClusterGitHubApp(ctx, name)
		if err != nil || found == nil {
			return nil, err
		}
		spec = &found.Spec.GitHubAppSpec
	}
	if spec == nil || spec.WebhookSecretRef == nil || secrets == "" {
		return nil, nil
	}
	secret, err := a.webhookSecret(ctx, types.NamespacedName{Namespace: secrets, Name: spec.WebhookSecretRef.Name}, spec.WebhookSecretRef.Key)
	if err != nil || secret.IsZero() {
		return nil, err
	}
	return &Webhook{Secret: secret, Key: keyOf(spec), Namespace: namespace}, nil
}

// webhookSecret is one key of a Secret, as it was within the last half minute; zero when there is none.
func (a *Apps) webhookSecret(ctx context.Context, name types.NamespacedName, key string) (credential.Raw, error) {
	of, now := types.NamespacedName{Namespace: name.Namespace, Name: name.Name + "/" + key}, a.options.Clock.Monotonic()
	a.webhooks.mu.Lock()
	known, isKnown := a.webhooks.known[of]
	a.webhooks.mu.Unlock()
	if isKnown && now < known.until {
		return known.secret, nil
	}
	secret, err := a.options.Secrets.ReadSecret(ctx, name)
	if err != nil {
		return credential.Raw{}, fmt.Errorf("read the webhook secret of an App: %w", err)
	}
	var value credential.Raw
	if secret != nil && !secret.Ours { // What is the operator's own proves no delivery.
		if text := strings.TrimSpace(string(secret.Data[key])); text != "" && len(text) <= maxWebhookSecret {
			value = credential.NewRaw([]byte(text))
		}
	}
	a.webhooks.mu.Lock()
	defer a.webhooks.mu.Unlock()
	if len(a.webhooks.known) >= maxWebhooks {
		clear(a.webhooks.known)
	}
	a.webhooks.known[of] = knownSecret{value, now + webhookLasts}
	return value, nil
}
