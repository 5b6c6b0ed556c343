package controllers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/output"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// outputTimeout bounds how long a flight, or a reconcile, is busy with outputs. What was not written by then
// is tried again.
const outputTimeout = 5 * time.Second

// publish writes all outputs of a pair that was just committed, beside each other and from the pair in hand,
// so that nothing has to be read.
func (r *Reconciler) publish(log logr.Logger, token *v1alpha1.GitHubUserToken, pair *rotation.Pair) {
	if len(token.Spec.Outputs) == 0 || pair == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), outputTimeout)
	defer cancel()
	defer r.outputs.begin(token.UID)()
	began := r.Clock.Monotonic()
	found, err := r.outputsOf(ctx, token)
	if err != nil {
		log.Error(err, "The outputs could not be looked up; they are restored by the next reconcile")
		return
	}
	r.eachOutput(token, token.Spec.Outputs, func(spec v1alpha1.Output) error {
		return r.writeOutput(ctx, token, spec, pair, found[spec.Name])
	})
	outputDuration.Observe((r.Clock.Monotonic() - began).Seconds())
}

// publishReplayed is publish after a replay: the old token has been dead since before this process began,
// so the outputs are written before there is a leader and a cache.
func (r *Reconciler) publishReplayed(log logr.Logger, owner rotation.Owner, pair *rotation.Pair) {
	ctx, cancel := context.WithTimeout(context.Background(), outputTimeout)
	defer cancel()
	var token v1alpha1.GitHubUserToken
	err := r.APIReader.Get(ctx, client.ObjectKey{Namespace: owner.Namespace, Name: owner.Name}, &token)
	if err != nil || string(token.UID) != owner.UID || !token.DeletionTimestamp.IsZero() {
		return // The leader restores what is missing, if there is still anybody to restore it for.
	}
	r.publish(log, &token, pair)
}

// eachOutput does something for each output, beside each other, and remembers those that fail.
func (r *Reconciler) eachOutput(token *v1alpha1.GitHubUserToken, specs []v1alpha1.Output, do func(v1alpha1.Output) error) {
	var group sync.WaitGroup
	for _, spec := range specs {
		group.Go(func() {
			err := errors.New("the operator itself failed") // Unless do returns; its panic must not end the process.
			defer func() {
				if recover() != nil {
					flightPanics.Inc()
				}
				r.outputs.failed(token.UID, spec.Name, token.Generation, troubleOf(spec, err))
			}()
			err = do(spec)
		})
	}
	group.Wait()
}

// troubleOf puts the failure of an output into words; nil when there is none, or none that anybody could
// mend here: without a token there is nothing to write.
func troubleOf(spec v1alpha1.Output, err error) *outputTrouble {
	var refused *scrubbedError
	var unrenderable *renderError
	switch {
	case err == nil, errors.Is(err, output.ErrNoToken):
		return nil
	case errors.Is(err, errOutputNotOwned):
		outputWrites.WithLabelValues("not_owned").Inc()
		return &outputTrouble{
			reason: v1alpha1.ReasonOutputNotOwned, stalled: true,
			message: fmt.Sprintf("Secret %q exists and belongs to somebody else, so the output of that name is not written. Delete or rename it, or choose another name in spec.outputs. The token itself is refreshed.", spec.Name),
		}
	case errors.As(err, &unrenderable):
		return &outputTrouble{reason: v1alpha1.ReasonOutputInvalid, stalled: true, message: sentence(err.Error())}
	case errors.As(err, &refused) && refused.terminating:
		return &outputTrouble{reason: v1alpha1.ReasonNamespaceTerminating, message: "The namespace is being deleted; no output is written."}
	default:
		outputWrites.WithLabelValues("failed").Inc()
		return &outputTrouble{
			reason: v1alpha1.ReasonOutputNotWritten, transient: refused == nil || !refused.refused(),
			message: fmt.Sprintf("Output %q could not be written: %s. The token itself is refreshed.", spec.Name, err),
		}
	}
}

// tendOutputs brings the outputs into line with the spec and the pair. It looks at metadata that is in the
// cache, and reads and writes only where that differs from what it should be; nothing is exchanged. What is
// amiss becomes part of the view.
func (r *Reconciler) tendOutputs(ctx context.Context, v *view) error {
	ctx, cancel := context.WithTimeout(ctx, outputTimeout)
	defer cancel()
	defer r.outputs.begin(v.token.UID)()
	found, err := r.outputsOf(ctx, v.token)
	if err != nil {
		return err
	}
	r.removeSurplus(ctx, v.token, found)
	if state := v.stored(); len(v.token.Spec.Outputs) > 0 && state != nil && state.HasToken() && state.Owner == string(v.token.UID) {
		if err := r.restoreOutputs(ctx, v, found); err != nil {
			return err
		}
	}
	v.aside, v.asideNext = r.outputs.obstacle(v.token.UID, v.now)
	return nil
}

// restoreOutputs writes those outputs that are missing, stale or edited, from a live read of the pair.
func (r *Reconciler) restoreOutputs(ctx context.Context, v *view, found map[string]*metav1.ObjectMeta) error {
	pair := v.pair.Clone()
	pair.NextRefreshAt = time.Time{}
	if nextRefresh(v) != "" {
		pair.NextRefreshAt = v.input.Policy.DueAt(&pair.State)
	}
	var amiss, light []v1alpha1.Output
	for _, spec := range v.token.Spec.Outputs {
		switch {
		case r.outputs.waits(v.token.UID, spec.Name, v.token.Generation):
		case r.judge(v.token, spec, pair, found[spec.Name]) == outputAmiss:
			amiss = append(amiss, spec)
		case r.judge(v.token, spec, pair, found[spec.Name]) == outputMetadataAmiss:
			light = append(light, spec)
		default:
			r.outputs.failed(v.token.UID, spec.Name, v.token.Generation, nil)
		}
	}
	r.eachOutput(v.token, light, func(spec v1alpha1.Output) error {
		return r.patchOutput(ctx, v.token, spec.Name, found[spec.Name], outputMetadata(spec, pair))
	})
	if len(amiss) == 0 {
		return nil
	}
	live, err := r.Store.Get(ctx, v.ref)
	if err != nil {
		return fmt.Errorf("restore the outputs: %w", err)
	}
	if !live.Controlled || live.Owner.UID != string(v.token.UID) || live.State.Owner != string(v.token.UID) {
		return nil // The cache lags behind; its next event brings what is new.
	}
	if live.State.AccessToken == pair.State.AccessToken {
		live.NextRefreshAt = pair.NextRefreshAt
	}
	r.eachOutput(v.token, amiss, func(spec v1alpha1.Output) error {
		return r.restoreOutput(ctx, v.token, spec, live, found[spec.Name])
	})
	return nil
}

// restoreOutput writes one output, unless a look at its data shows that it is right after all.
func (r *Reconciler) restoreOutput(ctx context.Context, token *v1alpha1.GitHubUserToken, spec v1alpha1.Output, pair *rotation.Pair, current *metav1.ObjectMeta) error {
	wanted := outputMetadata(spec, pair)
	if current != nil && isControlledBy(token, current) && current.Annotations[v1alpha1.AnnotationSource] == wanted.Annotations[v1alpha1.AnnotationSource] {
		rendered, err := output.Render(spec, pair, outputDefaults(pair))
		if err != nil {
			return &renderError{err}
		}
		version, holds, err := r.outputHolds(ctx, token, spec.Name, rendered)
		if err != nil {
			return err
		}
		if holds {
			r.outputs.with(token.UID, spec.Name, func(remembered *outputMemory) { remembered.checked = version })
			return nil
		}
	}
	return r.writeOutput(ctx, token, spec, pair, current)
}

// outputVerdict is what metadata tells of an output.
type outputVerdict int

const (
	// outputRight: nothing is to be done.
	outputRight outputVerdict = iota
	// outputMetadataAmiss: labels or annotations differ, and the data is right.
	outputMetadataAmiss
	// outputAmiss: it is missing, stale, not ours, or somebody has edited its data.
	outputAmiss
)

// judge compares the metadata of an output with what it should be.
func (r *Reconciler) judge(token *v1alpha1.GitHubUserToken, spec v1alpha1.Output, pair *rotation.Pair, current *metav1.ObjectMeta) outputVerdict {
	if current == nil || !isControlledBy(token, current) {
		return outputAmiss
	}
	wanted := outputMetadata(spec, pair)
	if current.Annotations[v1alpha1.AnnotationSource] != wanted.Annotations[v1alpha1.AnnotationSource] {
		return outputAmiss
	}
	if !dataIsAsWritten(current, output.Keys(spec, pair, outputDefaults(pair))) {
		var checked string
		r.outputs.with(token.UID, spec.Name, func(remembered *outputMemory) { checked = remembered.checked })
		if checked != current.ResourceVersion {
			return outputAmiss
		}
	}
	if labels, annotations := outputMetadataPatch(current, wanted); len(labels) > 0 || len(annotations) > 0 {
		return outputMetadataAmiss
	}
	return outputRight
}

// outputsOf are the outputs of a resource by name: all that it controls, and whatever stands under the names
// that its spec gives and carries a label of ours. It reads the cache, or the API server before there is one.
func (r *Reconciler) outputsOf(ctx context.Context, token *v1alpha1.GitHubUserToken) (map[string]*metav1.ObjectMeta, error) {
	found := map[string]*metav1.ObjectMeta{}
	var controlled metav1.PartialObjectMetadataList
	controlled.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	err := r.Client.List(ctx, &controlled, client.InNamespace(token.Namespace), client.MatchingFields{indexOutputOwner: string(token.UID)})
	var notStarted *cache.ErrCacheNotStarted
	if errors.As(err, &notStarted) {
		return r.liveOutputsOf(ctx, token)
	}
	if err != nil {
		return nil, fmt.Errorf("look for outputs in the cache: %w", err)
	}
	for i := range controlled.Items {
		found[controlled.Items[i].Name] = &controlled.Items[i].ObjectMeta
	}
	for _, spec := range token.Spec.Outputs {
		if found[spec.Name] == nil {
			meta, err := r.cachedSecret(ctx, rotation.Ref{Namespace: token.Namespace, Name: spec.Name})
			if err != nil {
				return nil, err
			}
			if meta != nil {
				found[spec.Name] = &meta.ObjectMeta
			}
		}
		if newest := r.outputs.newest(token.UID, spec.Name, found[spec.Name]); newest != nil {
			found[spec.Name] = newest
		}
	}
	return found, nil
}

func (r *Reconciler) liveOutputsOf(ctx context.Context, token *v1alpha1.GitHubUserToken) (map[string]*metav1.ObjectMeta, error) {
	found := map[string]*metav1.ObjectMeta{}
	for _, spec := range token.Spec.Outputs {
		meta, err := r.liveOutput(ctx, token.Namespace, spec.Name)
		if err != nil {
			return nil, err
		}
		if meta != nil {
			found[spec.Name] = meta
		}
	}
	return found, nil
}

// removeSurplus removes the outputs that the spec no longer asks for. One that cannot be removed goes with
// the resource, by its owner reference.
func (r *Reconciler) removeSurplus(ctx context.Context, token *v1alpha1.GitHubUserToken, found map[string]*metav1.ObjectMeta) {
	wanted := map[string]bool{}
	if token.DeletionTimestamp.IsZero() {
		for _, spec := range token.Spec.Outputs {
			wanted[spec.Name] = true
		}
		r.outputs.keep(token.UID, token.Spec.Outputs)
	}
	for name, meta := range found {
		if wanted[name] || !meta.DeletionTimestamp.IsZero() || !isControlledBy(token, meta) || !isOutputOf(token, meta) {
			continue
		}
		if err := r.deleteOutput(ctx, token, meta); err != nil {
			logf.FromContext(ctx).Error(scrubbed(err, nil), "An output could not be removed", "output", name)
		}
	}
}

// removeOutputs removes all outputs of a resource that is being deleted.
func (r *Reconciler) removeOutputs(ctx context.Context, token *v1alpha1.GitHubUserToken) error {
	ctx, cancel := context.WithTimeout(ctx, outputTimeout)
	defer cancel()
	found, err := r.outputsOf(ctx, token)
	if err != nil {
		return err
	}
	r.removeSurplus(ctx, token, found)
	return nil
}

// indexOutputOwner indexes outputs by the UID of the resource that controls them.
const indexOutputOwner = "outputOwner"

func outputOwner(object client.Object) []string {
	controller := metav1.GetControllerOfNoCopy(object)
	if controller == nil || object.GetLabels()[v1alpha1.LabelRole] != v1alpha1.RoleOutput {
		return nil
	}
	return []string{string(controller.UID)}
}
