package pairsecret

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/recovery"
)

// FromMetadata is what a Secret's metadata tells of a pair. stateLost reports that the annotation with the
// state is missing or was garbled by an edit; the state is empty then, and Get computes it anew.
//
// Whose a pair is its state says. A controller reference to anything else was put there by somebody's hand, and counts as none:
// otherwise the pair would go to another resource, which has no use for it, or to the garbage collector.
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
	if controller := metav1.GetControllerOfNoCopy(meta); controller != nil && isOurs(controller) && !isOutput(meta) && !IsLogin(meta) {
		pair.Controlled = true
		pair.Owner = rotation.Owner{Namespace: meta.Namespace, Name: controller.Name, UID: string(controller.UID)}
	}
	if next, err := time.Parse(time.RFC3339, meta.Annotations[v1alpha1.AnnotationNextRefreshAt]); err == nil {
		pair.NextRefreshAt = next
	}
	if err := decodeState(meta.Annotations[v1alpha1.AnnotationState], &pair.State); err != nil {
		pair.State, pair.StateLost = rotation.State{}, true
	}
	pair.Intent = decodeIntent(meta.Annotations[v1alpha1.AnnotationIntent])
	if named := pair.State.OwnerName; named != "" && !isOutput(meta) && !IsLogin(meta) && named != pair.Owner.Name {
		pair.Controlled, pair.Owner, pair.Orphan = false, rotation.Owner{}, true
	}
	return pair, pair.StateLost
}

// MaxState and MaxIntent are how long a state and an intent may be, in bytes. What the operator writes is far below;
// longer ones count as garbled.
const (
	MaxState  = 16 << 10
	MaxIntent = 4 << 10
)

// maxAdded is more than what is written of fields that were not there when it was read.
const maxAdded = 1 << 10

var errTooLong = errors.New("it is too long")

// decode reads an annotation that anybody in the namespace may have edited. What could not be written again is refused
// as well: encoding/json reads a time with an offset of a day, and does not write it. Nor may what is written be longer
// than what may be read: a character can become six.
func decode(text string, most int, into any) error {
	if len(text) > most {
		return errTooLong
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return err
	}
	if 6*len(text)+maxAdded <= most && !hasOffset(text) {
		return nil // So it is with all that the operator writes: to write it only to see that it can be takes half as long again.
	}
	again, err := json.Marshal(into)
	if err == nil && len(again) > most {
		err = errTooLong
	}
	return err
}

// hasOffset reports whether there may be a time in a text with an offset from UTC, such as +23:59.
func hasOffset(text string) bool {
	for i := 0; i+5 < len(text); i++ {
		if c := text[i]; (c == '+' || c == '-') && text[i+3] == ':' {
			return true
		}
	}
	return strings.Contains(text, `\u`) // It may be written in escapes.
}

// FromSecret is the whole pair. A state that was lost is computed from the data.
func FromSecret(secret *corev1.Secret) *rotation.Pair {
	pair, stateLost := FromMetadata(&secret.ObjectMeta)
	pair.Immutable = secret.Immutable != nil && *secret.Immutable
	pair.AccessToken = credential.NewAccessToken(string(secret.Data[v1alpha1.KeyAccessToken]))
	// Somebody may have pasted one there, with the end of its line.
	pair.RefreshToken = credential.NewRefreshToken(strings.TrimSpace(string(secret.Data[v1alpha1.KeyRefreshToken])))
	pair.TokenType = string(secret.Data[v1alpha1.KeyTokenType])
	pair.SeedToken = credential.NewRefreshToken(string(secret.Data[v1alpha1.KeySeedRefreshToken]))
	pair.DeviceCode = credential.NewDeviceCode(string(secret.Data[v1alpha1.KeyDeviceCode]))
	if stateLost {
		pair.State = recovery.StateFromTokens(pair, timeFromData(secret, v1alpha1.KeyExpiresAt), timeFromData(secret, v1alpha1.KeyRefreshTokenExpiresAt))
	}
	return pair
}

// timeFromData is a time in the data; zero when there is none that can be one of a token.
func timeFromData(secret *corev1.Secret, key string) time.Time {
	t, err := time.Parse(time.RFC3339, string(secret.Data[key]))
	if err != nil || t.UTC().Year() < 2000 || t.UTC().Year() > 9000 {
		return time.Time{}
	}
	return t.UTC()
}

// isOutput reports whether a Secret is an output of its resource. It is no pair, and none may be put into it: it goes when
// the spec does not ask for it any more.
func isOutput(meta *metav1.ObjectMeta) bool {
	return meta.Annotations[v1alpha1.AnnotationSource] != "" && meta.Annotations[v1alpha1.AnnotationState] == "" &&
		!slices.Contains(meta.Finalizers, v1alpha1.Finalizer)
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
	if err := decode(text, MaxIntent, &intent); err != nil {
		return &rotation.Intent{ID: "unreadable", Unresolved: 1}
	}
	return &intent
}
