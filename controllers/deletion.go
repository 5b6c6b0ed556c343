package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/pairsecret"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// finalize carries out the deletionPolicy and lets the resource go.
func (r *Reconciler) finalize(ctx context.Context, token *v1alpha1.GitHubUserToken) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(token, v1alpha1.Finalizer) {
		r.forget(token.UID)
		return ctrl.Result{}, nil
	}
	if again, err := r.endAtGitHub(ctx, token); again > 0 || err != nil {
		return ctrl.Result{RequeueAfter: again}, err
	}
	if err := r.removeOutputs(ctx, token); err != nil {
		return ctrl.Result{}, err
	}
	retain, err := r.putBackToRetain(ctx, token)
	if err != nil {
		return ctrl.Result{}, err
	}
	refs, err := r.secretsOf(ctx, token)
	if err != nil {
		return ctrl.Result{}, err
	}
	for _, ref := range refs {
		if err := r.letGo(ctx, token, ref, retain); err != nil {
			return ctrl.Result{}, err
		}
	}
	controllerutil.RemoveFinalizer(token, v1alpha1.Finalizer)
	if err := r.patchFinalizers(ctx, token); err != nil {
		return ctrl.Result{}, err
	}
	r.forget(token.UID)
	r.forgetSecrets(token)
	return ctrl.Result{}, nil
}

// putBackToRetain sees to it that a pair which is to be retained does not go with a Secret that was deleted just
// before, or that was just being replaced. What cannot be put back in its place is retained where it is. It says
// whether the pair is to be retained and can be.
func (r *Reconciler) putBackToRetain(ctx context.Context, token *v1alpha1.GitHubUserToken) (bool, error) {
	if token.Spec.DeletionPolicy != v1alpha1.DeletionPolicyRetain {
		return false, nil
	}
	_, err := r.Rotator.Restore(ctx, ownerOf(token), pairRef(token))
	switch {
	case err == nil, errors.Is(err, rotation.ErrNotFound), errors.Is(err, rotation.ErrNotOwned), errors.Is(err, rotation.ErrExists):
		return true, nil
	case errors.Is(err, rotation.ErrTerminating), errors.Is(err, rotation.ErrOwnerGone):
		return false, nil
	default:
		return false, fmt.Errorf("put the pair back before it is retained: %w", err)
	}
}

func pairRef(token *v1alpha1.GitHubUserToken) rotation.Ref {
	return rotation.Ref{Namespace: token.Namespace, Name: token.PairSecretName()}
}

// secretsOf are the Secrets in which a resource may have a pair.
func (r *Reconciler) secretsOf(ctx context.Context, token *v1alpha1.GitHubUserToken) ([]rotation.Ref, error) {
	refs := []rotation.Ref{pairRef(token), ownerOf(token).BackupRef()}
	former, err := r.formerPairs(ctx, token)
	if err != nil {
		return nil, err
	}
	for _, pair := range former {
		refs = append(refs, pair.Ref)
	}
	return refs, nil
}

// letGo removes or retains one Secret of a resource that is being deleted. It looks at it live: the last
// write may not be in the cache yet.
func (r *Reconciler) letGo(ctx context.Context, token *v1alpha1.GitHubUserToken, ref rotation.Ref, retain bool) error {
	pair, err := r.Store.Get(ctx, ref)
	if errors.Is(err, rotation.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the pair before it is let go: %w", err)
	}
	if !pair.Controlled || pair.Owner.UID != string(token.UID) {
		return nil
	}
	switch {
	case retain && pair.Deleting && ref == pairRef(token):
		return fmt.Errorf("secret %s was deleted a moment ago; it is put back before it is retained", ref.Name)
	case retain && ref == ownerOf(token).BackupRef():
		if retain, err = r.isOnlyCopy(ctx, token); err != nil {
			return err
		}
	}
	if retain && !pair.Deleting {
		return r.Store.Retain(ctx, pair)
	}
	return r.Store.Remove(ctx, pair)
}

// isOnlyCopy says whether the backup is all there is of a pair: somebody else's Secret has taken its place.
func (r *Reconciler) isOnlyCopy(ctx context.Context, token *v1alpha1.GitHubUserToken) (bool, error) {
	pair, err := r.Store.Get(ctx, pairRef(token))
	if errors.Is(err, rotation.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("look whether the backup is the only copy of the pair: %w", err)
	}
	return pair.State.Owner != string(token.UID), nil
}

// forget drops all that is remembered of a resource that is gone, and gives those that wanted the same
// refresh token their turn.
func (r *Reconciler) forget(uid types.UID) {
	r.memories.forget(uid)
	r.outputs.forget(uid)
	r.proofs.forget(uid)
	r.devices.forget(uid)
	r.questions.forget(uid)
	r.ends.forget(uid)
	r.handoff.forget(uid)
	r.Rotator.Forget(rotation.Owner{UID: string(uid)})
	r.Limiter.Cancel(string(uid))
	r.queue.unlearn(uid)
	r.wakeAll(r.claims.forget(uid))
}

// forgetGone drops what is remembered of a resource that somebody removed by force, past its finalizer. That
// it was known is not forgotten: its Secret need not wait for it to come back.
func (r *Reconciler) forgetGone(name types.NamespacedName) {
	for _, uid := range r.queue.uids(name) {
		if !r.Flights.Busy(uid) {
			r.forget(uid)
			r.queue.learn(uid, name)
		}
	}
}

// forgetSecrets drops what is remembered of Secrets that no other resource names.
func (r *Reconciler) forgetSecrets(token *v1alpha1.GitHubUserToken) {
	for _, name := range secretNames(token) {
		secret := types.NamespacedName{Namespace: token.Namespace, Name: name}
		others := slices.DeleteFunc(slices.Clone(r.naming(secret)), func(t v1alpha1.GitHubUserToken) bool { return t.UID == token.UID })
		if len(others) == 0 {
			r.seeds.forget(secret)
		}
	}
}

// releaseOrphans lets go of Secrets whose resource is gone although its finalizer should have kept it
// until they were dealt with: somebody took it off by force, and our finalizer would hold them for ever. A
// Secret of a resource that this process never knew may come from a backup, and its resource as well in a
// moment: it is kept for that long. It returns when to look again.
func (r *Reconciler) releaseOrphans(ctx context.Context, name types.NamespacedName) (again time.Duration, err error) {
	var secrets metav1.PartialObjectMetadataList
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	err = r.Client.List(ctx, &secrets, client.InNamespace(name.Namespace), client.MatchingLabels{v1alpha1.LabelOwner: v1alpha1.OwnerLabel(name.Name)})
	if err != nil {
		return 0, fmt.Errorf("look for Secrets of a resource that is gone: %w", err)
	}
	for i := range secrets.Items {
		pair, _ := pairsecret.FromMetadata(&secrets.Items[i].ObjectMeta)
		if !pair.Deleting || !pair.Controlled || pair.Owner.Name != name.Name {
			continue
		}
		exists, err := r.exists(ctx, name)
		if err != nil {
			return 0, err
		}
		if exists {
			r.orphans.forget(pair)
			return 0, nil // What becomes of the Secret is for the resource of that name now.
		}
		if wait := r.mayComeBack(pair); wait > 0 {
			again = max(again, wait)
			continue
		}
		if err := r.Store.Remove(ctx, pair); err != nil {
			return 0, fmt.Errorf("release a Secret whose resource is gone: %w", err)
		}
		r.orphans.forget(pair)
	}
	return again, nil
}

// exists asks the API server itself whether there is a resource of a name.
func (r *Reconciler) exists(ctx context.Context, name types.NamespacedName) (bool, error) {
	var live metav1.PartialObjectMetadata
	live.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("GitHubUserToken"))
	err := r.APIReader.Get(ctx, name, &live)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look whether the resource is gone: %w", err)
	}
	return true, nil
}
