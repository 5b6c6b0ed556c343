package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/pairsecret"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// move brings a pair that stands under a former spec.secret.name to the current one. An exchange whose
// outcome is unknown is settled under the former name first. When the current name is taken by somebody
// else's Secret, the chain goes on under the former.
func (r *Reconciler) move(ctx context.Context, v *view) error {
	wanted := v.ref
	former, err := r.formerPairs(ctx, v.token)
	if err != nil {
		return err
	}
	for _, pair := range former {
		if pair.Intent != nil {
			v.ref = pair.Ref
			continue
		}
		moved, err := r.Rotator.Move(ctx, v.owner, pair.Ref, wanted)
		switch {
		case err == nil:
			r.memories.remember(v.token.UID, moved)
		case errors.Is(err, rotation.ErrNotFound):
			r.memories.doubt(v.token.UID)
		case errors.Is(err, rotation.ErrNotOwned):
			if v.misplaced, err = r.inTheWay(ctx, v, pair.Ref.Name); err != nil {
				return err
			}
			v.ref = pair.Ref
		default:
			return fmt.Errorf("move the pair to Secret %q: %w", wanted.Name, err)
		}
	}
	return nil
}

// inTheWay says why the pair cannot move to the name that the spec asks for.
func (r *Reconciler) inTheWay(ctx context.Context, v *view, stays string) (*obstacle, error) {
	meta, err := r.cachedSecret(ctx, v.ref)
	if err != nil {
		return nil, err
	}
	until := fmt.Sprintf(" Until then the pair stays in Secret %q and is refreshed there.", stays)
	if meta != nil && isControlledBy(v.token, &meta.ObjectMeta) && isOutputOf(v.token, &meta.ObjectMeta) {
		return &obstacle{
			reason: v1alpha1.ReasonExchanging, next: v.now.Add(time.Second),
			message: fmt.Sprintf("Secret %q is an output that is no longer asked for; it is removed first.", v.ref.Name) + until,
		}, nil
	}
	stop := notOwned(v)
	stop.message += until
	return stop, nil
}

// formerPairs are the resource's pair Secrets of other names than the spec asks for, the one included that
// was just written and is not in the cache yet.
func (r *Reconciler) formerPairs(ctx context.Context, token *v1alpha1.GitHubUserToken) ([]*rotation.Pair, error) {
	var secrets metav1.PartialObjectMetadataList
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	err := r.Client.List(ctx, &secrets, client.InNamespace(token.Namespace), client.MatchingFields{indexPairOwner: string(token.UID)})
	if err != nil {
		return nil, fmt.Errorf("look for the pair under a former name: %w", err)
	}
	var former []*rotation.Pair
	for i := range secrets.Items {
		if secrets.Items[i].Name != token.PairSecretName() {
			pair, _ := pairsecret.FromMetadata(&secrets.Items[i].ObjectMeta)
			former = append(former, pair)
		}
	}
	if latest := r.memories.lastWritten(token.UID); len(former) == 0 && latest != nil && latest.Ref.Name != token.PairSecretName() &&
		latest.Ref != ownerOf(token).BackupRef() {
		former = append(former, latest)
	}
	return former, nil
}

// indexPairOwner indexes pair Secrets by the UID of their resource.
const indexPairOwner = "pairOwner"

func pairOwner(object client.Object) []string {
	controller := metav1.GetControllerOfNoCopy(object)
	if controller == nil || object.GetLabels()[v1alpha1.LabelRole] != v1alpha1.RolePair {
		return nil
	}
	return []string{string(controller.UID)}
}

// lastWritten is the metadata of the pair Secret as this process last wrote it, while the cache lags behind.
func (m *memories) lastWritten(uid types.UID) (latest *rotation.Pair) {
	m.with(uid, func(remembered *memory) { latest = remembered.latest })
	return latest
}
