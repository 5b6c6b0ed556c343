package pairsecret

import (
	"encoding/json"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// toSecret is the object that Create sends.
func toSecret(pair *rotation.Pair) *corev1.Secret {
	role := v1alpha1.RolePair
	if pair.Ref == pair.Owner.BackupRef() {
		role = v1alpha1.RoleBackup
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pair.Ref.Namespace, Name: pair.Ref.Name,
			Labels:          map[string]string{},
			Annotations:     map[string]string{},
			Finalizers:      []string{v1alpha1.Finalizer},
			OwnerReferences: []metav1.OwnerReference{ownerReference(pair.Owner)},
		},
		Type: corev1.SecretTypeOpaque,
		Data: map[string][]byte{},
	}
	maps.Copy(secret.Labels, pair.Labels)
	secret.Labels[v1alpha1.LabelRole] = role
	secret.Labels[v1alpha1.LabelOwner] = v1alpha1.OwnerLabel(pair.Owner.Name)
	maps.Copy(secret.Annotations, pair.Annotations)
	for key, value := range annotations(pair) {
		if value != "" {
			secret.Annotations[key] = value
		} else {
			delete(secret.Annotations, key)
		}
	}
	for key, value := range data(pair) {
		if value != "" {
			secret.Data[key] = []byte(value)
		}
	}
	return secret
}

// annotations are those that speak of the pair; an empty value means that there is none.
func annotations(pair *rotation.Pair) map[string]string {
	intent := ""
	if pair.Intent != nil {
		intent = encode(pair.Intent)
	}
	return map[string]string{
		v1alpha1.AnnotationState:         encode(pair.State),
		v1alpha1.AnnotationIntent:        intent,
		v1alpha1.AnnotationExpiresAt:     timestamp(pair.State.ExpiresAt),
		v1alpha1.AnnotationNextRefreshAt: timestamp(pair.NextRefreshAt),
	}
}

// data is the Secret's data; an empty value means that there is none.
func data(pair *rotation.Pair) map[string]string {
	values := map[string]string{
		v1alpha1.KeyAccessToken:      pair.AccessToken.Reveal(),
		v1alpha1.KeyRefreshToken:     pair.RefreshToken.Reveal(),
		v1alpha1.KeyTokenType:        pair.TokenType,
		v1alpha1.KeySeedRefreshToken: pair.SeedToken.Reveal(),
		v1alpha1.KeyDeviceCode:       pair.DeviceCode.Reveal(),
	}
	// The times belong to the tokens: they change with them only, so that metadata alone never changes data.
	if !pair.AccessToken.IsZero() {
		values[v1alpha1.KeyExpiresAt] = timestamp(pair.State.ExpiresAt)
	}
	if !pair.RefreshToken.IsZero() {
		values[v1alpha1.KeyRefreshTokenExpiresAt] = timestamp(pair.State.RefreshTokenExpiresAt)
	}
	return values
}

// patch is a JSON merge patch from current to next, under current's resourceVersion. Keys that do not
// differ are left out, so data that was never read is never written. former is the Secret's metadata when the
// Secret is given an owner, or let go of: what others have put there stays. The finalizer of one that is let go of stays as
// well, until it has been seen that it was.
func patch(current, next *rotation.Pair, former *metav1.PartialObjectMetadata) ([]byte, error) {
	metadata := map[string]any{"resourceVersion": current.Version}
	if current.UID != "" {
		metadata["uid"] = current.UID
	}
	if changed := difference(annotations(current), annotations(next), func(s string) any { return s }); len(changed) > 0 {
		metadata["annotations"] = changed
	}
	if former != nil && !next.Controlled {
		metadata["ownerReferences"] = ownersBesides(former)
	}
	if former != nil && next.Controlled {
		others := ownersBesides(former)
		for i := range others {
			others[i].Controller = nil // There can be one only.
		}
		metadata["ownerReferences"] = append(others, ownerReference(next.Owner))
		metadata["finalizers"] = append(finalizersBesides(former), v1alpha1.Finalizer)
		metadata["labels"] = map[string]any{v1alpha1.LabelRole: v1alpha1.RolePair, v1alpha1.LabelOwner: v1alpha1.OwnerLabel(next.Owner.Name)}
	}
	body := map[string]any{"metadata": metadata}
	if changed := difference(data(current), data(next), func(s string) any { return []byte(s) }); len(changed) > 0 {
		body["data"] = changed
	}
	return json.Marshal(body)
}

// difference is a merge patch of one map: null for what is gone.
func difference(current, next map[string]string, encode func(string) any) map[string]any {
	changed := map[string]any{}
	for key, value := range next {
		if value == current[key] {
			continue
		}
		changed[key] = nil
		if value != "" {
			changed[key] = encode(value)
		}
	}
	for key, value := range current {
		if _, kept := next[key]; !kept && value != "" {
			changed[key] = nil
		}
	}
	return changed
}

func ownerReference(owner rotation.Owner) metav1.OwnerReference {
	yes := true
	return metav1.OwnerReference{
		APIVersion: v1alpha1.GroupVersion.String(), Kind: "GitHubUserToken",
		Name: owner.Name, UID: types.UID(owner.UID),
		Controller: &yes, BlockOwnerDeletion: &yes,
	}
}

func encode(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		// The types hold strings, numbers and times. Only a time can fail, far off or with an odd offset: GitHub's lifetimes
		// are bounded, and FromMetadata refuses what somebody may have written into the annotations.
		panic("encode the state of a pair: " + err.Error())
	}
	return string(text)
}

func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
