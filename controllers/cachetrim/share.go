package cachetrim

import (
	"strings"
	"unique"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// shareTexts has a resource use the texts that many have in common, in place of copies of its own: decoded JSON brings each
// with its own memory. What is unlike all others is left alone, since to share it would cost more.
func shareTexts(token *v1alpha1.GitHubUserToken) {
	share(&token.Kind)
	share(&token.APIVersion)
	share(&token.Namespace)
	for i := range token.Finalizers {
		share(&token.Finalizers[i])
	}
	spec, status := &token.Spec, &token.Status
	share(&spec.App.Host)
	share(&spec.App.ClientID)
	if ref := spec.App.Ref; ref != nil {
		share(&ref.Kind)
		share(&ref.Name)
	}
	if ref := spec.App.ClientSecretRef; ref != nil {
		share(&ref.Name)
		share(&ref.Key)
	}
	if ref := spec.RefreshTokenRef; ref != nil {
		share(&ref.Key)
	}
	share(&spec.DeletionPolicy)
	for i := range spec.Outputs {
		share(&spec.Outputs[i].Format)
	}
	for i := range spec.ScopedOutputs {
		share(&spec.ScopedOutputs[i].Format)
	}
	if len(status.Conditions) < cap(status.Conditions) {
		status.Conditions = append(make([]metav1.Condition, 0, len(status.Conditions)), status.Conditions...)
	}
	for i := range status.Conditions {
		condition := &status.Conditions[i]
		share(&condition.Type)
		share(&condition.Status)
		share(&condition.Reason)
		if !strings.ContainsAny(condition.Message, digits) {
			share(&condition.Message) // It tells no time and no number.
		}
	}
	shareName(&spec.Secret.Name, token.Name)
	shareName(&status.SecretName, spec.Secret.Name)
	shareName(&status.SecretName, token.Name)
	if status.User != nil {
		shareName(&status.User.Login, token.Name)
	}
}

const digits = "0123456789"

// share replaces a text by the one that the process has for all that are equal.
func share[T ~string](text *T) {
	if *text != "" {
		*text = T(unique.Make(string(*text)).Value())
	}
}

// shareName replaces a text by one of the same object that is equal.
func shareName[T ~string](text *T, by string) {
	if string(*text) == by {
		*text = T(by)
	}
}
