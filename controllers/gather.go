package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/pairsecret"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// view is all that one reconcile knows of a resource.
type view struct {
	token *v1alpha1.GitHubUserToken
	owner rotation.Owner
	// ref is where the pair is: under the name that the spec asks for, or still under an older one.
	ref rotation.Ref
	// pair is the pair Secret's metadata; nil when there is none.
	pair *rotation.Pair
	// pairMeta is the same as the cache has it, nil when the cache has none or lags behind.
	pairMeta *metav1.PartialObjectMetadata
	// backup is the UID of the backup that the cache has; empty when it has none.
	backup  types.UID
	seed    seed
	failure *failure
	// device is how far the device flow is.
	device deviceView
	// misplaced says that the pair cannot move to the name that the spec asks for.
	misplaced *obstacle
	// untended says that the Secret's metadata cannot be brought into line.
	untended *obstacle
	// aside is trouble with outputs or the handoff. It stands in the way of no exchange. asideNext is when
	// something is tried again there.
	aside     *obstacle
	asideNext time.Time
	// handoff is what the status is to say of the handoff; nil when that was not looked at.
	handoff *handoffReport
	input   rotation.Input
	now     time.Time
}

// gather collects what Decide needs. It reads caches; a Secret is read live only when there is a reason to.
func (r *Reconciler) gather(ctx context.Context, token *v1alpha1.GitHubUserToken) (*view, error) {
	v := &view{token: token, owner: ownerOf(token), now: r.Clock.Now()}
	if err := r.findPair(ctx, v); err != nil {
		return nil, err
	}
	backup, err := r.cachedSecret(ctx, v.owner.BackupRef())
	if err != nil {
		return nil, err
	}
	if v.seed, err = r.seeds.look(ctx, token, v.pair, r.memories.hasNewSpec(token.UID, token.Generation)); err != nil {
		return nil, err
	}
	if backup != nil {
		v.backup = backup.UID
	}
	r.giveUpClaim(token, v.seed)

	intentSeen, expiresIn := r.memories.observe(token.UID, v.pair, v.now)
	v.input = rotation.Input{
		Owner: v.owner, App: appOf(token).Key(), Policy: policyOf(token), Suspended: token.Spec.Suspend,
		RefreshRequestedAt: requestOf(token),
		Pair:               v.pair, Backup: backup != nil && !r.memories.isBackupGone(token.UID, backup.UID), Seed: v.seed.fingerprint,
		Proof: r.proofs.of(token.UID, v.pair), Vouched: isVouched(token),
		Me: r.Rotator.Me, Now: v.now, IntentSeen: intentSeen, ExpiresIn: expiresIn,
	}
	if v.failure = r.recall(token); v.failure != nil {
		v.input.NotBefore = v.failure.due(r.Clock, v.now)
	}
	return v, nil
}

// recall is the last failure, unless somebody has changed something since that may have mended it.
func (r *Reconciler) recall(token *v1alpha1.GitHubUserToken) (last *failure) {
	r.memories.with(token.UID, func(remembered *memory) {
		f := remembered.failure
		if f == nil {
			return
		}
		if f.generation != token.Generation || f.requested != requestOf(token) {
			remembered.failure = nil
			return
		}
		last = new(*f)
	})
	return last
}

// findPair finds the pair Secret's metadata: what the cache has, or what was last written if that is newer.
func (r *Reconciler) findPair(ctx context.Context, v *view) error {
	v.ref = rotation.Ref{Namespace: v.token.Namespace, Name: v.token.PairSecretName()}
	if !r.Flights.Busy(v.token.UID) {
		if err := r.move(ctx, v); err != nil {
			return err
		}
	}
	meta, err := r.cachedSecret(ctx, v.ref)
	if err != nil {
		return err
	}
	var cached *rotation.Pair
	if meta != nil {
		var stateLost bool
		if cached, stateLost = pairsecret.FromMetadata(&meta.ObjectMeta); stateLost && cached.Controlled && cached.Owner.UID == string(v.token.UID) {
			if cached, err = r.recoverState(ctx, v.token, cached); err != nil {
				return err
			}
		}
		v.pairMeta = meta
	}
	v.pair = r.memories.newest(v.token.UID, v.ref, cached)
	if v.pair != nil {
		v.pair = v.pair.Clone()
		v.pair.Controlled = v.pair.Controlled && v.pair.Owner.UID == string(v.token.UID)
		if v.pair != cached && (cached == nil || v.pair.Version != cached.Version) {
			v.pairMeta = nil
		}
	}
	if v.pair == nil {
		return r.findForeign(ctx, v)
	}
	return r.verify(ctx, v)
}

// verify reads the Secret live when somebody else has written it: they may have edited the tokens, which
// its metadata does not tell. An exchange under way looks for itself.
func (r *Reconciler) verify(ctx context.Context, v *view) error {
	if v.pairMeta == nil || !v.pair.Controlled || v.pair.Deleting || r.Flights.Busy(v.token.UID) ||
		!r.memories.wasEdited(v.token.UID, v.pair.Version) {
		return nil
	}
	live, err := r.Store.Get(ctx, v.pair.Ref)
	if errors.Is(err, rotation.ErrNotFound) {
		return nil // It has just gone; the event about it brings us back.
	}
	if err != nil {
		return fmt.Errorf("look at the edited pair: %w", err)
	}
	taken, err := r.Rotator.TakeUp(ctx, v.owner, live)
	if errors.Is(err, rotation.ErrConflict) || errors.Is(err, rotation.ErrNotOwned) {
		return nil // Somebody was at it again; the event about that brings us back.
	}
	if err != nil {
		return fmt.Errorf("take up the edited pair: %w", err)
	}
	if taken.Version != v.pair.Version {
		r.memories.remember(v.token.UID, taken)
		v.pair, v.pairMeta = withoutTokens(taken), nil
	}
	return nil
}

// findForeign makes a Secret part of the view that stands in the pair's place and that the cache does not
// show, since it has no label of ours: somebody else's, or ours without its label. The watch on named Secrets
// tells when there is none.
func (r *Reconciler) findForeign(ctx context.Context, v *view) error {
	if version, known := r.seeds.watch.version(types.NamespacedName{Namespace: v.ref.Namespace, Name: v.ref.Name}); known && version == "" {
		return nil
	}
	var meta metav1.PartialObjectMetadata
	meta.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	err := r.APIReader.Get(ctx, client.ObjectKey{Namespace: v.ref.Namespace, Name: v.ref.Name}, &meta)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the Secret in the pair's place: %w", err)
	}
	v.pair, _ = pairsecret.FromMetadata(&meta.ObjectMeta)
	v.pair.Controlled = v.pair.Controlled && v.pair.Owner.UID == string(v.token.UID)
	if v.pair.Controlled {
		v.pairMeta = &meta // Ours, but somebody took the label off: it is healed like any other metadata.
	}
	return nil
}

// recoverState computes a state that an edit has garbled from the Secret's data, and writes it back. The
// seed counts as imported: a seed that was not could be put in place again, a spent one must not be sent.
func (r *Reconciler) recoverState(ctx context.Context, token *v1alpha1.GitHubUserToken, cached *rotation.Pair) (*rotation.Pair, error) {
	live, err := r.Store.Get(ctx, cached.Ref)
	if err != nil {
		return nil, fmt.Errorf("recover the state of the pair: %w", err)
	}
	next := live.Clone()
	next.State.App = appOf(token).Key()
	if token.Spec.RefreshTokenRef != nil {
		found, _, err := r.seeds.read(ctx, keyOf(token))
		if err != nil {
			return nil, err
		}
		if found.fingerprint != "" {
			next.State.Seeds = append(next.State.Seeds, rotation.SeedRecord{Fingerprint: found.fingerprint})
		}
		next.State.SeedVersion = found.version
	}
	live.State = rotation.State{} // What is stored is unreadable, so all of it is written.
	recovered, err := r.Store.Update(ctx, live, next)
	if err != nil {
		return nil, fmt.Errorf("write the recovered state of the pair: %w", err)
	}
	r.memories.remember(token.UID, recovered)
	return recovered, nil
}

// cachedSecret is the metadata of a Secret of ours as the cache has it; nil when it has none.
func (r *Reconciler) cachedSecret(ctx context.Context, ref rotation.Ref) (*metav1.PartialObjectMetadata, error) {
	var meta metav1.PartialObjectMetadata
	meta.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	err := r.Client.Get(ctx, types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}, &meta)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // absence is an ordinary answer here
	}
	if err != nil {
		return nil, fmt.Errorf("look for Secret %s in the cache: %w", ref.Name, err)
	}
	return &meta, nil
}

func ownerOf(token *v1alpha1.GitHubUserToken) rotation.Owner {
	return rotation.Owner{Namespace: token.Namespace, Name: token.Name, UID: string(token.UID)}
}

func appOf(token *v1alpha1.GitHubUserToken) github.App {
	return github.App{Host: token.Spec.App.Host, ClientID: token.Spec.App.ClientID}
}

func policyOf(token *v1alpha1.GitHubUserToken) rotation.Policy {
	var policy rotation.Policy
	if token.Spec.RefreshBefore != nil {
		policy.RefreshBefore = token.Spec.RefreshBefore.Duration
	}
	if hold, err := time.Parse(time.RFC3339, token.Annotations[v1alpha1.AnnotationHoldUntil]); err == nil {
		policy.HoldUntil = hold
	}
	return policy
}

func pinOf(token *v1alpha1.GitHubUserToken) *rotation.UserPin {
	if token.Spec.User == nil {
		return nil
	}
	return &rotation.UserPin{Login: token.Spec.User.Login, ID: token.Spec.User.ID}
}
