package notices

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/pairsecret"
)

// Webhook is to what GitHub's deliveries to the address of an App are confined, with the secret that proves them.
type Webhook struct {
	Secret credential.Raw
	// Key is the App, by scope.AppKey.
	Key string
	// Namespace is that of the resources which may be meant; empty for all.
	Namespace string
}

// Apps knows the webhooks of Apps.
type Apps interface {
	// Webhook is that of the App whose address a path is; nil when there is none. isApps reports whether the path is one of
	// those at all.
	Webhook(ctx context.Context, path string) (of *Webhook, isApps bool, err error)
}

// addressed is the secret that proves a delivery, and to what its notice is confined: to nothing, nil, when it is the receiver's
// own. An address that is no App's is answered like one with a wrong signature: which Apps there are is nobody's business.
func (r *Receiver) addressed(request *http.Request) (credential.Raw, *Webhook, error) {
	of, isApps, err := r.apps.Webhook(request.Context(), request.URL.Path)
	switch {
	case !isApps && r.file == "":
		return r.nobodys, nil, nil
	case !isApps:
		secret, err := readSecret(r.file)
		return secret, nil, err
	case err != nil || of == nil:
		return r.nobodys, nil, err
	default:
		return of.Secret, of, nil
	}
}

// noticeOf names an account with the App that a notice of it is confined to.
func noticeOf(id int64, of *Webhook) string {
	account := strconv.FormatInt(id, 10)
	if of == nil {
		return account
	}
	return strings.Join([]string{account, of.Key, of.Namespace}, " ")
}

// parseNotice is the account, and what the notice is confined to; nil when to nothing.
func parseNotice(notice string) (account string, of *Webhook) {
	parts := strings.Split(notice, " ")
	if len(parts) < 3 {
		return notice, nil
	}
	return parts[0], &Webhook{Key: parts[1], Namespace: parts[2]}
}

// namespaceOfNotice is the namespace whose GitHubApp a notice was sent to.
func namespaceOfNotice(notice string) string {
	if _, of := parseNotice(notice); of != nil {
		return of.Namespace
	}
	return ""
}

// confined are those of the pairs that a notice may be about.
func confined(pairs []metav1.PartialObjectMetadata, of *Webhook) []metav1.PartialObjectMetadata {
	if of == nil {
		return pairs
	}
	return slices.DeleteFunc(slices.Clone(pairs), func(object metav1.PartialObjectMetadata) bool {
		pair, _ := pairsecret.FromMetadata(&object.ObjectMeta)
		return strings.ToLower(pair.State.App) != of.Key || of.Namespace != "" && object.Namespace != of.Namespace
	})
}
