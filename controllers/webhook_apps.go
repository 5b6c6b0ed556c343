package controllers

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/controllers/appsource"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/pairsecret"
)

// addressed is the secret that proves a delivery, and to what its notice is confined: to nothing, nil, when it is the receiver's
// own. An address that is no App's is answered like one with a wrong signature: which Apps there are is nobody's business.
func (w *WebhookReceiver) addressed(request *http.Request) (credential.Raw, *appsource.Webhook, error) {
	if !appsource.IsWebhook(request.URL.Path) {
		if w.file == "" {
			return w.nobodys, nil, nil
		}
		secret, err := readWebhookSecret(w.file)
		return secret, nil, err
	}
	of, err := w.r.appSource.Webhook(request.Context(), request.URL.Path)
	if err != nil || of == nil {
		return w.nobodys, nil, err
	}
	return of.Secret, of, nil
}

// noticeOf names an account with the App that a notice of it is confined to.
func noticeOf(id int64, of *appsource.Webhook) string {
	account := strconv.FormatInt(id, 10)
	if of == nil {
		return account
	}
	return strings.Join([]string{account, of.Key, of.Namespace}, " ")
}

// parseNotice is the account, and what the notice is confined to; nil when to nothing.
func parseNotice(notice string) (account string, of *appsource.Webhook) {
	parts := strings.Split(notice, " ")
	if len(parts) < 3 {
		return notice, nil
	}
	return parts[0], &appsource.Webhook{Key: parts[1], Namespace: parts[2]}
}

// namespaceOfNotice is the namespace whose GitHubApp a notice was sent to.
func namespaceOfNotice(notice string) string {
	if _, of := parseNotice(notice); of != nil {
		return of.Namespace
	}
	return ""
}

// confined are those of the pairs that a notice may be about.
func confined(pairs []metav1.PartialObjectMetadata, of *appsource.Webhook) []metav1.PartialObjectMetadata {
	if of == nil {
		return pairs
	}
	return slices.DeleteFunc(slices.Clone(pairs), func(object metav1.PartialObjectMetadata) bool {
		pair, _ := pairsecret.FromMetadata(&object.ObjectMeta)
		return strings.ToLower(pair.State.App) != of.Key || of.Namespace != "" && object.Namespace != of.Namespace
	})
}
