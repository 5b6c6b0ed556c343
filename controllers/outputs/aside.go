package outputs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/format"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/managers"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Outputs with a scope hold tokens of their own, which must be made at GitHub and ended there. When that is done is the business of
// package scopedtokens. What it writes and removes it does by what is in this file, so that whose a Secret is, what is remembered
// of it and what is told are the same for all outputs.

// IsScoped reports whether an output is left to package scopedtokens: it has a scope, or its Secret, nil for none, may hold scoped
// tokens still.
func IsScoped(spec *v1alpha1.Output, current *metav1.ObjectMeta) bool {
	return spec != nil && spec.Scope != nil || current != nil && (current.Annotations[v1alpha1.AnnotationScopedTokens] != "" || IsHeld(current))
}

// IsHeld reports whether a Secret bears the finalizer of those that hold scoped tokens: whoever deletes it, it goes when they have ended.
func IsHeld(meta *metav1.ObjectMeta) bool {
	return slices.Contains(meta.Finalizers, v1alpha1.FinalizerScopedTokens)
}

// finalizersOf are the finalizers of an output: ours where it holds scoped tokens, and those of others.
func finalizersOf(finalizers []string, holds bool) []string {
	others := slices.DeleteFunc(slices.Clone(finalizers), func(name string) bool { return name == v1alpha1.FinalizerScopedTokens })
	if holds {
		return append(others, v1alpha1.FinalizerScopedTokens)
	}
	return others
}

// Content is what an output with a scope, or one that had one, is to be.
type Content struct {
	format.Rendered

	Wanted format.Metadata
	// Secrets are the tokens in it, of which no error may quote one.
	Secrets []string
}

// holds reports whether there are scoped tokens in it.
func (c Content) holds() bool {
	return c.Wanted.Annotations[v1alpha1.AnnotationScopedTokens] != "" && len(c.Data[v1alpha1.KeyScopedTokens]) > 0
}

// Begin notes that outputs of a resource are about to be written; see round. What it returns notes the end.
func (o *Outputs) Begin(uid types.UID) (end func()) { return o.notes.begin(uid) }

// Find is the outputs of a resource by name, asked for or not, by their metadata.
func (o *Outputs) Find(ctx context.Context, token *v1alpha1.GitHubUserToken) (map[string]*metav1.ObjectMeta, error) {
	return o.find(ctx, token)
}

// IsRight reports whether the metadata of an output, nil for none, tells that it is as it should be. keys are those of its data.
func (o *Outputs) IsRight(token *v1alpha1.GitHubUserToken, name string, wanted format.Metadata, keys []string, current *metav1.ObjectMeta) bool {
	if current == nil || !current.DeletionTimestamp.IsZero() || slices.Contains(keys, v1alpha1.KeyScopedTokens) != IsHeld(current) || !metav1.IsControlledBy(current, token) || current.Annotations[v1alpha1.AnnotationSource] != wanted.Source() ||
		o.notes.isAltered(token.UID, name, current) {
		return false
	}
	if o.notes.checked(token.UID, name) != current.ResourceVersion && !managers.Vouch(current, keys) {
		return false
	}
	labels, annotations := wanted.Difference(current.Labels, current.Annotations)
	return len(labels) == 0 && len(annotations) == 0
}

// Holds reports whether a Secret that was read live is what it should be, and remembers it of this version.
func (o *Outputs) Holds(token *v1alpha1.GitHubUserToken, secret *corev1.Secret, wanted Content) bool {
	labels, annotations := wanted.Wanted.Difference(secret.Labels, secret.Annotations)
	same := maps.EqualFunc(secret.Data, wanted.Data, slices.Equal[[]byte]) && string(secret.Type) == wanted.Type &&
		secret.DeletionTimestamp.IsZero() && wanted.holds() == IsHeld(&secret.ObjectMeta) && metav1.IsControlledBy(secret, token) && len(labels) == 0 && len(annotations) == 0
	if same {
		o.notes.foundRight(token.UID, secret.Name, secret.ResourceVersion)
	}
	return same
}

// Put writes an output whole, under the version that was read; current is nil where there is none. A Secret of another type is made
// anew. Of errors IsOutdated tells those that say that another version is there by now.
func (o *Outputs) Put(ctx context.Context, token *v1alpha1.GitHubUserToken, name string, content Content, current *metav1.ObjectMeta) (*metav1.ObjectMeta, error) {
	if current != nil && !IsOutputOf(token, current) {
		return nil, errNotOwned
	}
	written, err := o.put(ctx, token, name, content.Rendered, content.Wanted, content.holds(), current)
	if current != nil && isImmutable(err) {
		if err = o.delete(ctx, token, current); err == nil {
			written, err = o.put(ctx, token, name, content.Rendered, content.Wanted, content.holds(), nil)
		}
	}
	switch {
	case errors.Is(err, errAltered):
		o.notes.sawAltered(token.UID, name, written.ResourceVersion)
		return nil, scrubContent(err, content)
	case err != nil:
		return nil, scrubContent(err, content)
	}
	o.notes.wrote(token.UID, name, &written.ObjectMeta)
	outputWrites.WithLabelValues("written").Inc()
	return &written.ObjectMeta, nil
}

func scrubContent(err error, content Content) error {
	known := slices.Clone(content.Secrets)
	for _, value := range content.Data {
		known = append(known, string(value))
	}
	return newScrubbedError(err, credential.Scrub(err.Error(), known...))
}

// Note sets the annotation that says which scoped tokens an output holds, under the version that was read, and the finalizer that keeps it until
// they have ended. One that is being deleted and holds none any more goes by that.
func (o *Outputs) Note(ctx context.Context, token *v1alpha1.GitHubUserToken, current *metav1.ObjectMeta, state string, holds bool) (*metav1.ObjectMeta, error) {
	change := map[string]any{
		"resourceVersion": current.ResourceVersion, "uid": current.UID, "annotations": map[string]string{v1alpha1.AnnotationScopedTokens: state},
	}
	if holds = holds && (current.DeletionTimestamp.IsZero() || IsHeld(current)); holds != IsHeld(current) {
		change["finalizers"] = finalizersOf(current.Finalizers, holds) // None may be added to one that is being deleted.
	}
	return o.patchAside(ctx, token, current, change)
}

// Let takes the finalizer off an output, so that it can go whatever it holds.
func (o *Outputs) Let(ctx context.Context, token *v1alpha1.GitHubUserToken, current *metav1.ObjectMeta) error {
	if !IsHeld(current) {
		return nil
	}
	_, err := o.patchAside(ctx, token, current, map[string]any{
		"resourceVersion": current.ResourceVersion, "uid": current.UID, "finalizers": finalizersOf(current.Finalizers, false),
	})
	return err
}

// MayBeMadeAnew reports whether the API server would take an output that is being deleted once more: none is made in a namespace that is
// being deleted.
func (o *Outputs) MayBeMadeAnew(ctx context.Context, token *v1alpha1.GitHubUserToken, current *metav1.ObjectMeta) (bool, error) {
	like := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: current.Namespace, Name: current.Name, Labels: current.Labels,
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(token, v1alpha1.GroupVersion.WithKind(kind))},
	}}
	err := o.options.Client.Create(ctx, like, client.DryRunAll, client.FieldOwner(managers.Name))
	switch {
	case err == nil, apierrors.IsAlreadyExists(err):
		return true, nil
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return false, nil
	default:
		return false, o.scrubbedMetadata(ctx, token, current.Name, err)
	}
}

// HeldOf are the outputs of resources of a name that are being deleted and bear the finalizer of those that hold scoped tokens.
func (o *Outputs) HeldOf(ctx context.Context, name types.NamespacedName) ([]*metav1.ObjectMeta, error) {
	var all metav1.PartialObjectMetadataList
	all.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	err := o.options.Client.List(ctx, &all, client.InNamespace(name.Namespace), client.MatchingFields{IndexOwnerLabel: v1alpha1.OwnerLabel(name.Name)})
	if err != nil {
		return nil, fmt.Errorf("look for outputs of a resource that is gone: %w", err)
	}
	var held []*metav1.ObjectMeta
	for i := range all.Items {
		meta := &all.Items[i].ObjectMeta
		if !meta.DeletionTimestamp.IsZero() && IsHeld(meta) && meta.Labels[v1alpha1.LabelRole] == v1alpha1.RoleOutput {
			held = append(held, meta)
		}
	}
	return held, nil
}

// patchAside makes one change of the metadata of an output.
func (o *Outputs) patchAside(ctx context.Context, token *v1alpha1.GitHubUserToken, current *metav1.ObjectMeta, change map[string]any) (*metav1.ObjectMeta, error) {
	body, err := json.Marshal(map[string]any{"metadata": change})
	if err != nil {
		return nil, fmt.Errorf("encode what is noted of an output: %w", err)
	}
	meta := secretMetadata(current.Namespace, current.Name)
	err = o.options.Client.Patch(ctx, meta, client.RawPatch(types.MergePatchType, body), client.FieldOwner(managers.Name))
	if apierrors.IsNotFound(err) {
		return nil, newScrubbedError(err, "it was deleted a moment ago")
	}
	if err != nil {
		return nil, o.scrubbedMetadata(ctx, token, current.Name, err)
	}
	o.notes.wrote(token.UID, current.Name, &meta.ObjectMeta)
	return &meta.ObjectMeta, nil
}

// Delete removes an output that is not asked for, in the version that was looked at; see delete.
func (o *Outputs) Delete(ctx context.Context, token *v1alpha1.GitHubUserToken, current *metav1.ObjectMeta) error {
	if !IsOutputOf(token, current) {
		return errNotOwned
	}
	if err := o.delete(ctx, token, current); err != nil {
		return o.scrubbedMetadata(ctx, token, current.Name, err)
	}
	o.notes.record(token, current.Name, nil)
	o.notes.removed(token.UID, current.Name, current.UID)
	return nil
}

// MayPutRight reports whether an output that was found amiss may be put right now, or is contested; wanted says what it is put right
// to. WasPutRight counts it.
func (o *Outputs) MayPutRight(uid types.UID, name, wanted string, current *metav1.ObjectMeta) bool {
	return o.notes.mayPutRight(uid, name, hashOfText(wanted), current)
}

// WasPutRight counts a write that put an output right.
func (o *Outputs) WasPutRight(uid types.UID, name, wanted string) {
	o.notes.putRight(uid, name, hashOfText(wanted), true)
}

// Stands notes that an output was found as it should be.
func (o *Outputs) Stands(token *v1alpha1.GitHubUserToken, name string) {
	o.notes.record(token, name, nil)
	o.notes.stands(token.UID, name)
}

func hashOfText(text string) uint64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(text))
	return cmp.Or(hash.Sum64(), wantedGone)
}

// Waits reports whether an output is in trouble and its next try is still to come.
func (o *Outputs) Waits(token *v1alpha1.GitHubUserToken, name string) bool {
	return o.notes.waits(token, name)
}

// Record remembers the problem of an output, which is tried again later each time, or at RetryAt. nil ends it.
func (o *Outputs) Record(token *v1alpha1.GitHubUserToken, name string, found *problem.Problem) {
	o.notes.record(token, name, found)
}

// Invalid is the error of an output that cannot be rendered as its spec asks, for ProblemOf.
func Invalid(err error) error { return &renderError{err} }

// ProblemOf puts the failure of an output into words; see problemOf.
func ProblemOf(name string, err error) *problem.Problem {
	found := problemOf(v1alpha1.Output{Name: name}, err)
	count(found)
	return found
}

// NotRemoved is the problem of an output that the spec no longer asks for and that could not be removed.
func NotRemoved(name string, err error) *problem.Problem { return notRemoved(name, err) }

// IsOutdated reports whether a write failed because the Secret is another by now.
func IsOutdated(err error) bool {
	refused, ok := errors.AsType[*scrubbedError](err)
	return ok && (refused.isContested() || refused.reason == metav1.StatusReasonNotFound)
}

// Beside is called by Sync with the outputs of a resource that were found. What is to be done about those with a scope is up to it;
// it returns when it is to be called again, zero for never.
type Beside func(found map[string]*metav1.ObjectMeta) (requeueAt time.Time)

// OwnPair reads live the pair of which a resource's outputs are derived; nil when it is not that of its chain.
func (o *Outputs) OwnPair(ctx context.Context, s *scope.Scope) (*rotation.Pair, error) {
	live, err := o.options.Store.Get(ctx, s.Ref)
	if errors.Is(err, rotation.ErrNotFound) {
		return nil, nil //nolint:nilnil // absence is an ordinary answer here
	}
	if err != nil {
		return nil, fmt.Errorf("read the pair that outputs are derived from: %w", err)
	}
	return s.Derived(live), nil // The cache may lag behind; its next event brings what is new.
}
