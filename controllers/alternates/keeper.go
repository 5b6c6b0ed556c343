package alternates

import (
	"context"
	"fmt"
	"maps"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/turns"
)

const (
	// retryAfter is until a write that the API server has refused is tried again.
	retryAfter = time.Minute
	// timeout bounds the one request of a Sync.
	timeout = 5 * time.Second
)

// Keeper makes alternates. It needs no constructor.
type Keeper struct {
	// Cache is what the watches have told.
	Cache interface {
		// Resource is a resource by name; nil when the cache has none. started is false before there is a cache.
		Resource(ctx context.Context, name types.NamespacedName) (token *v1alpha1.GitHubUserToken, started bool)
	}
	// Client writes resources.
	Client client.Writer
}

// Sync brings the alternate of a resource into line with its spec: it makes one where the strategy is Alternate and the account of the
// first authorization is known, and removes it where the strategy is another one. found is why that was not possible, and is tried again at its
// RetryAt; nil when all is as it should be.
func (k Keeper) Sync(ctx context.Context, s *scope.Scope) *problem.Problem {
	if _, _, is := s.Token.AlternateOf(); is {
		return nil
	}
	name := types.NamespacedName{Namespace: s.Token.Namespace, Name: v1alpha1.AlternateName(s.Token.Name)}
	found, _ := k.Cache.Resource(ctx, name)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	switch isOwn := found != nil && isMadeFor(found, s.Token); {
	case !s.Token.IsAlternating():
		if !isOwn || !found.DeletionTimestamp.IsZero() || !isGood(s) {
			return nil // While the first authorization is no good, the second one is not taken away as well.
		}
		return k.remove(ctx, s, found)
	case found != nil && !isOwn:
		return &problem.Problem{
			Reason: v1alpha1.ReasonAlternateNotMade, Aside: true, Stalled: true,
			Message: fmt.Sprintf("The GitHubUserToken %q, which the second authorization needs, is somebody else's: remove or rename it. Until then it is as with the strategy Replace.", name.Name),
		}
	case found != nil && !found.DeletionTimestamp.IsZero():
		return nil // Its end has this one looked at again.
	}
	wanted := k.wanted(s, found)
	if wanted == nil || found != nil && isInLine(found, wanted) {
		return nil
	}
	return k.write(ctx, s, found, wanted)
}

// isMadeFor reports whether a resource was made as the alternate of another one.
func isMadeFor(alternate, primary *v1alpha1.GitHubUserToken) bool {
	name, uid, ok := alternate.AlternateOf()
	return ok && name == primary.Name && uid == string(primary.UID)
}

// isGood reports whether the resource's own chain can go on alone.
func isGood(s *scope.Scope) bool {
	own := turns.Chain{Owner: s.Owner.UID, Pair: s.Pair, App: s.Input.App, Doubtful: s.Input.RolledBack}
	return own.Grade(s.Now) >= turns.Lasting
}

// wanted is the alternate as it should be; nil while it is not known of which account it has to be.
func (k Keeper) wanted(s *scope.Scope, found *v1alpha1.GitHubUserToken) *v1alpha1.GitHubUserToken {
	of := s.Token
	user := userSelector(s, found)
	if user == nil {
		return nil
	}
	annotations := map[string]string{v1alpha1.AnnotationAlternateOf: string(of.UID)}
	for _, key := range []string{v1alpha1.AnnotationRefreshRequestedAt, v1alpha1.AnnotationHoldUntil} {
		if value, has := of.Annotations[key]; has {
			annotations[key] = value
		}
	}
	return &v1alpha1.GitHubUserToken{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "GitHubUserToken"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: of.Namespace, Name: v1alpha1.AlternateName(of.Name), Labels: maps.Clone(of.Labels), Annotations: annotations,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(of, v1alpha1.GroupVersion.WithKind("GitHubUserToken"))},
		},
		Spec: v1alpha1.GitHubUserTokenSpec{
			App: of.Spec.App, RefreshTokenRef: of.Spec.Rotation.AlternateRefreshTokenRef, Login: of.Spec.Login, DeviceFlow: of.Spec.DeviceFlow, User: user, //nolint:staticcheck // A deprecated field is served as long as it is there.
			Secret:        v1alpha1.SecretTemplate{Name: v1alpha1.AlternateName(of.PublishedSecretName())},
			CheckInterval: of.Spec.CheckInterval, DeletionPolicy: of.Spec.DeletionPolicy, Suspend: of.Spec.Suspend,
		},
	}
}

// userSelector is the account of which the second authorization has to be: that of the first one, and what the spec says of it. While nobody knows it,
// it is the one that the alternate has.
func userSelector(s *scope.Scope, found *v1alpha1.GitHubUserToken) *v1alpha1.UserSelector {
	state := s.Stored()
	if state == nil || state.User == nil {
		if found == nil {
			return nil
		}
		return found.Spec.User
	}
	user := &v1alpha1.UserSelector{ID: state.User.ID}
	if asked := s.Token.Spec.User; asked != nil {
		user.Login = asked.Login
	}
	return user
}

// isInLine reports whether an alternate is as it should be, but for what others have added.
func isInLine(found, wanted *v1alpha1.GitHubUserToken) bool {
	for _, key := range []string{v1alpha1.AnnotationAlternateOf, v1alpha1.AnnotationRefreshRequestedAt, v1alpha1.AnnotationHoldUntil} {
		if found.Annotations[key] != wanted.Annotations[key] {
			return false
		}
	}
	for key, value := range wanted.Labels {
		if found.Labels[key] != value {
			return false
		}
	}
	return equality.Semantic.DeepEqual(found.Spec, wanted.Spec)
}

// write makes the alternate, or replaces its spec.
func (k Keeper) write(ctx context.Context, s *scope.Scope, found, wanted *v1alpha1.GitHubUserToken) *problem.Problem {
	var err error
	if found == nil {
		err = k.Client.Create(ctx, wanted)
	} else {
		next := found.DeepCopy()
		next.Spec = wanted.Spec
		next.Annotations = maps.Clone(next.Annotations)
		for _, key := range []string{v1alpha1.AnnotationRefreshRequestedAt, v1alpha1.AnnotationHoldUntil} {
			delete(next.Annotations, key)
		}
		maps.Copy(next.Annotations, wanted.Annotations)
		if next.Labels == nil {
			next.Labels = map[string]string{}
		}
		maps.Copy(next.Labels, wanted.Labels)
		// The cache has not the whole of it: only what differs is written.
		err = k.Client.Patch(ctx, next, client.MergeFromWithOptions(found, client.MergeFromWithOptimisticLock{}))
	}
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) {
		return nil // The event about it brings us back.
	}
	return refused(s, "made", wanted.Name, err)
}

func (k Keeper) remove(ctx context.Context, s *scope.Scope, found *v1alpha1.GitHubUserToken) *problem.Problem {
	err := client.IgnoreNotFound(k.Client.Delete(ctx, found, client.Preconditions{UID: &found.UID, ResourceVersion: &found.ResourceVersion}))
	if apierrors.IsConflict(err) {
		return nil
	}
	return refused(s, "removed", found.Name, err)
}

func refused(s *scope.Scope, what, name string, err error) *problem.Problem {
	if err == nil {
		return nil
	}
	return &problem.Problem{
		Reason: v1alpha1.ReasonAlternateNotMade, Aside: true, RetryAt: s.Now.Add(retryAfter),
		Message: fmt.Sprintf("The GitHubUserToken %q for the second authorization could not be %s: %s. Until then it is as with the strategy Replace.", name, what, words.Of(err)),
	}
}
