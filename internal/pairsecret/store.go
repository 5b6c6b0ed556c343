package pairsecret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/fair"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Store is rotation.Store on an API server.
type Store struct {
	// Client writes.
	Client client.Client
	// Live reads past the cache.
	Live client.Reader
	// Lists lets a few pages of Locate be read at once, in which namespaces take turns. May be nil: there is no limit.
	Lists *fair.Semaphore
}

var _ rotation.Store = (*Store)(nil)

// pageSize is how many Secrets Locate takes in at once: anybody may label Secrets of any size as pairs of a resource.
const pageSize = 5

// ListsAtOnce is how many such pages may be read at once in a process, which many exchanges and reconciles share. Secrets may
// have 1.5 MiB of metadata each: so many come to 30 MiB.
const ListsAtOnce = 4

// requestTimeout bounds each call. A commit has no other bound: a connection that hangs must not hang it.
const requestTimeout = 15 * time.Second

// Get implements rotation.Store.
func (s *Store) Get(ctx context.Context, ref rotation.Ref) (*rotation.Pair, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var secret corev1.Secret
	if err := s.Live.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, &secret); err != nil {
		return nil, explain("read", ref, nil, err)
	}
	return FromSecret(&secret), nil
}

// Locate implements rotation.Store.
func (s *Store) Locate(ctx context.Context, owner rotation.Owner) ([]rotation.Ref, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	options := client.ListOptions{Namespace: owner.Namespace, Limit: pageSize}
	labelled := fmt.Sprintf("%s=%s,%s in (%s", v1alpha1.LabelOwner, v1alpha1.OwnerLabel(owner.Name), v1alpha1.LabelRole, v1alpha1.RolePair)
	if owner.UID == "" {
		labelled += "," + v1alpha1.RoleBackup
	}
	selector, err := labels.Parse(labelled + ")")
	if err != nil {
		return nil, fmt.Errorf("look for the pair Secret of %s/%s: %w", owner.Namespace, owner.Name, err)
	}
	options.LabelSelector = selector
	var refs []rotation.Ref
	for {
		found, err := s.locatePage(ctx, owner, &options)
		if err != nil {
			return nil, fmt.Errorf("look for the pair Secret of %s/%s: %w", owner.Namespace, owner.Name, err)
		}
		if refs = append(refs, found...); options.Continue == "" {
			return refs, nil
		}
	}
}

// locatePage reads a page when there is room for one, and moves on to the next.
func (s *Store) locatePage(ctx context.Context, owner rotation.Owner, options *client.ListOptions) (refs []rotation.Ref, err error) {
	if s.Lists != nil {
		if err := s.Lists.Acquire(ctx, owner.Namespace); err != nil {
			return nil, fmt.Errorf("wait for other lists: %w", err)
		}
		defer s.Lists.Release(owner.Namespace) // Nothing of the page is kept.
	}
	var page metav1.PartialObjectMetadataList
	page.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	if err := s.Live.List(ctx, &page, options); err != nil {
		return nil, err
	}
	for i := range page.Items {
		if pair, _ := FromMetadata(&page.Items[i].ObjectMeta); owner.UID == "" || pair.Controlled && pair.Owner.UID == owner.UID {
			refs = append(refs, rotation.Ref{Namespace: strings.Clone(pair.Ref.Namespace), Name: strings.Clone(pair.Ref.Name)})
		}
	}
	options.Continue = page.Continue
	return refs, nil
}

// Create implements rotation.Store.
func (s *Store) Create(ctx context.Context, pair *rotation.Pair) (*rotation.Pair, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	// An owner that was deleted for good would leave an orphan, and what it holds to the garbage collector. A fence holds nothing yet:
	// the look after it tells, and whoever dies between the two leaves a Secret that is released like any whose resource is gone.
	if !isFirstFence(pair) {
		if _, err := s.owner(ctx, pair.Owner); err != nil {
			return nil, err
		}
	}
	secret := toSecret(pair)
	if err := s.Client.Create(ctx, secret); err != nil {
		return nil, s.notCreated(ctx, pair, err)
	}
	created := FromSecret(secret)
	// Looked at after the Secret is there: its pair cannot have moved here before, and whoever moves it from now on sees
	// this Secret. If the owner has gone in between, nobody has let go of this Secret: the garbage collector would take it,
	// with whatever is stored in it by then.
	owner, err := s.owner(ctx, pair.Owner)
	if errors.Is(err, rotation.ErrOwnerGone) {
		return nil, errors.Join(err, s.Remove(ctx, created))
	}
	created.MayBeElsewhere = pair.Intent != nil && (err != nil || owner.Generation > 1)
	return created, nil
}

// isFirstFence reports whether a Secret that is made for a resource holds an intent, and no token yet. A backup is none.
func isFirstFence(pair *rotation.Pair) bool {
	return pair.Intent != nil && pair.AccessToken.IsZero() && pair.RefreshToken.IsZero() && pair.Owner.UID != "" && pair.Ref != pair.Owner.BackupRef()
}

// notCreated is why a Secret could not be created. That there is no such namespace, or that it is being deleted, an
// admission webhook may say as well: it counts when it is so.
func (s *Store) notCreated(ctx context.Context, pair *rotation.Pair, err error) error {
	explained := explain("create", pair.Ref, pair, err)
	if !errors.Is(explained, rotation.ErrNotFound) && !errors.Is(explained, rotation.ErrTerminating) {
		return explained
	}
	ends, lookErr := s.namespaceEnds(ctx, pair.Ref.Namespace)
	switch {
	case lookErr != nil:
		return errors.Join(lookErr, errors.New(explained.Error()))
	case ends:
		return rotation.ErrTerminating
	default:
		return fmt.Errorf("%w, and its answer is not true: %s", rotation.ErrDenied, explained.Error())
	}
}

// Gone implements rotation.Store.
func (s *Store) Gone(ctx context.Context, owner rotation.Owner) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	switch _, err := s.owner(ctx, owner); {
	case errors.Is(err, rotation.ErrOwnerGone):
		return true, nil
	case err != nil:
		return false, err
	default:
		return s.namespaceEnds(ctx, owner.Namespace)
	}
}

// namespaceEnds reports whether a namespace, read live, is gone or is being deleted.
func (s *Store) namespaceEnds(ctx context.Context, name string) (bool, error) {
	var meta metav1.PartialObjectMetadata
	meta.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := s.Live.Get(ctx, client.ObjectKey{Name: name}, &meta)
	switch {
	case apierrors.IsNotFound(err):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("look whether namespace %s is being deleted: %w", name, err)
	default:
		return meta.DeletionTimestamp != nil, nil
	}
}

// ownerStays makes sure that the owner was not even asked to go: what it is given now it would not let go of.
func (s *Store) ownerStays(ctx context.Context, owner rotation.Owner) error {
	meta, err := s.owner(ctx, owner)
	if err == nil && meta.DeletionTimestamp != nil {
		return rotation.ErrOwnerGone
	}
	return err
}

func (s *Store) owner(ctx context.Context, owner rotation.Owner) (*metav1.PartialObjectMetadata, error) {
	var meta metav1.PartialObjectMetadata
	meta.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("GitHubUserToken"))
	err := s.Live.Get(ctx, client.ObjectKey{Namespace: owner.Namespace, Name: owner.Name}, &meta)
	switch {
	case apierrors.IsNotFound(err):
		return nil, rotation.ErrOwnerGone
	case err != nil:
		return nil, fmt.Errorf("look for the resource before it is given a Secret: %w", err)
	case string(meta.UID) != owner.UID:
		return nil, rotation.ErrOwnerGone
	default:
		return &meta, nil
	}
}

// Update implements rotation.Store.
func (s *Store) Update(ctx context.Context, current, next *rotation.Pair) (*rotation.Pair, error) {
	return s.update(ctx, current, next)
}

// Try is Update as a dry run: what would be stored, after admission. Nothing is.
func (s *Store) Try(ctx context.Context, current, next *rotation.Pair) (*rotation.Pair, error) {
	return s.update(ctx, current, next, client.DryRunAll)
}

func (s *Store) update(ctx context.Context, current, next *rotation.Pair, options ...client.PatchOption) (*rotation.Pair, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var former *metav1.PartialObjectMetadata
	if next.Controlled && !current.Controlled {
		if err := s.ownerStays(ctx, next.Owner); err != nil {
			return nil, err
		}
	}
	if next.Controlled != current.Controlled {
		var err error
		if former, err = s.metadata(ctx, current); err != nil {
			return nil, err
		}
	}
	body, err := patch(current, next, former)
	if err != nil {
		return nil, fmt.Errorf("encode the change of a pair: %w", err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: current.Ref.Namespace, Name: current.Ref.Name}}
	if err := s.Client.Patch(ctx, secret, client.RawPatch(types.MergePatchType, body), options...); err != nil {
		return nil, explain("update", current.Ref, next, err)
	}
	stored := FromSecret(secret)
	if former != nil && !next.Controlled {
		stored.Orphan = stored.Orphan && isLetGo(secret, former)
	}
	return stored, nil
}

// Remove implements rotation.Store. The finalizer goes first, under the version that the caller has seen,
// and then the Secret, under the version that this left: a pair that another replica commits in between is
// never deleted with it. If this process dies between the two, a Secret without a finalizer is left, which
// the next reconcile heals or removes.
func (s *Store) Remove(ctx context.Context, pair *rotation.Pair) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	meta, err := s.dropFinalizer(ctx, pair)
	if err != nil || meta == nil || pair.Deleting {
		return err
	}
	err = s.Client.Delete(ctx, meta, client.Preconditions{UID: &meta.UID, ResourceVersion: &meta.ResourceVersion})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return explain("delete", pair.Ref, pair, err)
}

// dropFinalizer takes our finalizer off, and leaves those of others. It returns nil when the Secret is gone.
func (s *Store) dropFinalizer(ctx context.Context, pair *rotation.Pair) (*metav1.PartialObjectMetadata, error) {
	var meta metav1.PartialObjectMetadata
	meta.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	err := s.Live.Get(ctx, client.ObjectKey{Namespace: pair.Ref.Namespace, Name: pair.Ref.Name}, &meta)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, explain("read", pair.Ref, pair, err)
	case string(meta.UID) != pair.UID:
		return nil, nil // Another Secret stands there already; ours is gone.
	case meta.ResourceVersion != pair.Version:
		return nil, rotation.ErrConflict
	}
	kept := finalizersBesides(&meta)
	if len(kept) == len(meta.Finalizers) {
		return &meta, nil
	}
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"resourceVersion": meta.ResourceVersion, "uid": meta.UID, "finalizers": kept,
	}})
	if err != nil {
		return nil, fmt.Errorf("encode the removal of a finalizer: %w", err)
	}
	err = s.Client.Patch(ctx, &meta, client.RawPatch(types.MergePatchType, body))
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err == nil {
		return &meta, released(&meta)
	}
	return nil, explain("release", pair.Ref, pair, err)
}

// Release takes our finalizer off a Secret that stays, and whatever owner reference of ours is left, under the version
// that the caller has seen. It returns the Secret as it is stored then; nil when it is gone. Where there is nothing to take
// off nothing is written.
func (s *Store) Release(ctx context.Context, pair *rotation.Pair) (*rotation.Pair, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	meta, err := s.metadata(ctx, pair)
	if errors.Is(err, rotation.ErrNotFound) {
		return nil, nil //nolint:nilnil // absence is an ordinary answer here
	}
	if err != nil {
		return nil, err
	}
	owners, finalizers := ownersBesides(meta), finalizersBesides(meta)
	if len(owners) == len(meta.OwnerReferences) && len(finalizers) == len(meta.Finalizers) {
		return pair, nil
	}
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"resourceVersion": pair.Version, "uid": pair.UID, "ownerReferences": owners, "finalizers": finalizers,
	}})
	if err != nil {
		return nil, fmt.Errorf("encode the release of a pair: %w", err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: pair.Ref.Namespace, Name: pair.Ref.Name}}
	err = s.Client.Patch(ctx, secret, client.RawPatch(types.MergePatchType, body))
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // as above
	}
	if err != nil {
		return nil, explain("release", pair.Ref, pair, err)
	}
	stored := FromSecret(secret)
	stored.Orphan = stored.Orphan && isLetGo(secret, meta)
	return stored, released(secret)
}

// isLetGo reports whether a Secret that was let go of has no owner reference of ours, and none that it did not have before:
// the garbage collector takes it along with any owner, be it the controller or not.
func isLetGo(stored, before metav1.Object) bool {
	kept := ownersBesides(before)
	return !slices.ContainsFunc(stored.GetOwnerReferences(), func(o metav1.OwnerReference) bool {
		return !slices.ContainsFunc(kept, func(k metav1.OwnerReference) bool { return k.UID == o.UID })
	})
}

// released is ErrAltered where our finalizer, which was taken off, is there all the same: it would hold the Secret for ever.
func released(stored metav1.Object) error {
	if !slices.Contains(stored.GetFinalizers(), v1alpha1.Finalizer) {
		return nil
	}
	return fmt.Errorf("%w: in Secret %s/%s, finalizer %s is not as it was written", rotation.ErrAltered, stored.GetNamespace(), stored.GetName(), v1alpha1.Finalizer)
}

// metadata reads a Secret's metadata live, as it was when the pair was read: otherwise ErrConflict.
func (s *Store) metadata(ctx context.Context, pair *rotation.Pair) (*metav1.PartialObjectMetadata, error) {
	var meta metav1.PartialObjectMetadata
	meta.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	err := s.Live.Get(ctx, client.ObjectKey{Namespace: pair.Ref.Namespace, Name: pair.Ref.Name}, &meta)
	switch {
	case err != nil:
		return nil, explain("read", pair.Ref, pair, err)
	case string(meta.UID) != pair.UID, meta.ResourceVersion != pair.Version:
		return nil, rotation.ErrConflict
	default:
		return &meta, nil
	}
}

// ownersBesides are the owner references that are not ours. A merge patch replaces the whole list.
func ownersBesides(meta metav1.Object) []metav1.OwnerReference {
	return slices.DeleteFunc(slices.Clone(meta.GetOwnerReferences()), func(o metav1.OwnerReference) bool { return isOurs(&o) })
}

// finalizersBesides are the finalizers that are not ours.
func finalizersBesides(meta metav1.Object) []string {
	return slices.DeleteFunc(slices.Clone(meta.GetFinalizers()), func(f string) bool { return f == v1alpha1.Finalizer })
}

// explain turns an error of the API server into one of rotation's, with words that hold no secret. Those
// that are none of rotation's leave the outcome of a write unknown.
func explain(verb string, ref rotation.Ref, pair *rotation.Pair, err error) error {
	if err == nil {
		return nil
	}
	kind := error(nil)
	switch {
	case apierrors.IsNotFound(err):
		kind = rotation.ErrNotFound
	case apierrors.IsAlreadyExists(err):
		kind = rotation.ErrExists
	case apierrors.IsConflict(err):
		kind = rotation.ErrConflict
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		kind = rotation.ErrTerminating
	case apierrors.IsInvalid(err) && strings.Contains(err.Error(), "immutable"):
		kind = rotation.ErrImmutable
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsUnauthorized(err), apierrors.IsBadRequest(err),
		apierrors.IsRequestEntityTooLargeError(err), apierrors.IsMethodNotSupported(err), apierrors.IsNotAcceptable(err):
		kind = rotation.ErrDenied
	}
	words := fmt.Errorf("%s Secret %s/%s: %w", verb, ref.Namespace, ref.Name, errors.New(scrubAround(ref, pair, err.Error())))
	if kind == nil {
		return words
	}
	return fmt.Errorf("%w: %w", kind, words)
}

// scrubAround is scrub, but for the name of the Secret where it stands in quotation marks: it is told anyway, and that of a device code
// would be taken for a secret.
func scrubAround(ref rotation.Ref, pair *rotation.Pair, text string) string {
	name := strconv.Quote(ref.Name)
	parts := strings.Split(text, name)
	for i, part := range parts {
		parts[i] = scrub(pair, part)
	}
	return strings.Join(parts, name)
}

// scrub takes out every token: an admission webhook sees the whole Secret, also where only its metadata is written,
// and may quote it.
func scrub(pair *rotation.Pair, text string) string {
	if pair == nil {
		return credential.Scrub(text)
	}
	return credential.Scrub(text, pair.AccessToken.Reveal(), pair.RefreshToken.Reveal(), pair.SeedToken.Reveal(), pair.DeviceCode.Reveal())
}
