package pairsecret

import (
	"encoding/json"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// FromMetadata is what a Secret's metadata tells of a pair. stateLost says that the annotation with the
// state is missing or was garbled by an edit; the state is empty then, and Get computes it anew.
func FromMetadata(meta *metav1.ObjectMeta) (pair *rotation.Pair, stateLost bool) {
	pair = &rotation.Pair{
		Ref:     rotation.Ref{Namespace: meta.Namespace, Name: meta.Name},
		UID:     string(meta.UID),
		Version: meta.ResourceVersion,
		Orphan:  metav1.GetControllerOfNoCopy(meta) == nil,
		// A finalizer that is not ours may hold the object as well; deleting is deleting.
		Deleting:    meta.DeletionTimestamp != nil,
		Labels:      meta.Labels,
		Annotations: meta.Annotations,
	}
	if controller := metav1.GetControllerOfNoCopy(meta); controller != nil && isOurs(controller) {
		pair.Controlled = true
		pair.Owner = rotation.Owner{Namespace: meta.Namespace, Name: controller.Name, UID: string(controller.UID)}
	}
	if next, err := time.Parse(time.RFC3339, meta.Annotations[v1alpha1.AnnotationNextRefreshAt]); err == nil {
		pair.NextRefreshAt = next
	}
	if err := json.Unmarshal([]byte(meta.Annotations[v1alpha1.AnnotationState]), &pair.State); err != nil {
		pair.State = rotation.State{}
		stateLost = true
	}
	pair.Intent = decodeIntent(meta.Annotations[v1alpha1.AnnotationIntent])
	return pair, stateLost
}

// FromSecret is the whole pair. A state that was lost is computed from the data.
func FromSecret(secret *corev1.Secret) *rotation.Pair {
	pair, stateLost := FromMetadata(&secret.ObjectMeta)
	pair.Immutable = secret.Immutable != nil && *secret.Immutable
	pair.AccessToken = credential.NewAccessToken(string(secret.Data[v1alpha1.KeyAccessToken]))
	pair.RefreshToken = credential.NewRefreshToken(string(secret.Data[v1alpha1.KeyRefreshToken]))
	pair.TokenType = string(secret.Data[v1alpha1.KeyTokenType])
	pair.SeedToken = credential.NewRefreshToken(string(secret.Data[v1alpha1.KeySeedRefreshToken]))
	pair.DeviceCode = credential.NewDeviceCode(string(secret.Data[v1alpha1.KeyDeviceCode]))
	if stateLost {
		pair.State = stateFromData(pair, secret)
	}
	return pair
}

// stateFromData recovers what can be recovered when the annotation is gone: enough to go on with the chain.
func stateFromData(pair *rotation.Pair, secret *corev1.Secret) rotation.State {
	state := rotation.State{
		Owner: pair.Owner.UID, OwnerName: pair.Owner.Name, Revision: 1,
		AccessToken:  pair.AccessToken.Fingerprint(),
		RefreshToken: pair.RefreshToken.Fingerprint(),
		PendingSeed:  pair.SeedToken.Fingerprint(),
	}
	if expires, err := time.Parse(time.RFC3339, string(secret.Data[v1alpha1.KeyExpiresAt])); err == nil {
		state.ExpiresAt = expires
		// When it was issued is not known; GitHub's documented lifetime is 8 hours.
		state.IssuedAt = expires.Add(-8 * time.Hour)
	}
	if expires, err := time.Parse(time.RFC3339, string(secret.Data[v1alpha1.KeyRefreshTokenExpiresAt])); err == nil {
		state.RefreshTokenExpiresAt = expires
	}
	return state
}

func isOurs(controller *metav1.OwnerReference) bool {
	return controller.Kind == "GitHubUserToken" &&
		len(controller.APIVersion) > len(v1alpha1.GroupVersion.Group) &&
		controller.APIVersion[:len(v1alpha1.GroupVersion.Group)+1] == v1alpha1.GroupVersion.Group+"/"
}

// decodeIntent never fails: an intent that cannot be read is treated as one of an unknown holder, so that it
// is waited for and resolved and not overlooked.
func decodeIntent(text string) *rotation.Intent {
	if text == "" {
		return nil
	}
	var intent rotation.Intent
	if err := json.Unmarshal([]byte(text), &intent); err != nil {
		return &rotation.Intent{ID: "unreadable", Unresolved: 1}
	}
	return &intent
}
