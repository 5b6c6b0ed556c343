package handoff

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/fair"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// restartWindow is how long a workload's restart waits for others of the same workload: several tokens that
// are refreshed together, as after an outage, make one rollout.
const restartWindow = time.Second

// restarter restarts workloads as kubectl rollout restart does: by an annotation of the pod template. Its value
// names the token, so to set it again changes nothing.
type restarter struct {
	client      Client
	clock       rotation.Clock
	permissions *permissions
	// patches are places for patches.
	patches *fair.Semaphore

	mu      sync.Mutex
	pending map[workload]*restartBatch
}

// workload is what is restarted.
type workload struct{ kind, namespace, name string }

// restartBatch is one restart that is about to be made.
type restartBatch struct {
	annotations map[string]string
	done        chan struct{}
	// err is set before done is closed.
	err error
}

func newRestarter(c Client, clock rotation.Clock, asked *permissions, patches *fair.Semaphore) *restarter {
	return &restarter{client: c, clock: clock, permissions: asked, patches: patches, pending: map[workload]*restartBatch{}}
}

// all restarts the workloads of a resource, and returns those that do not exist.
func (r *restarter) all(ctx context.Context, token *v1alpha1.GitHubUserToken, announced announcement) (missing []string, err error) {
	key := v1alpha1.AnnotationPrefixRestartedFor + v1alpha1.OwnerLabel(token.Name)
	references := token.Spec.Handoff.Restart
	errs := make([]error, len(references))
	var group sync.WaitGroup
	for i, reference := range references {
		group.Go(func() {
			if _, errs[i] = checkReference(reference); errs[i] != nil {
				return
			}
			errs[i] = r.restart(ctx, workload{reference.Kind, token.Namespace, reference.Name}, key, announced.String())
		})
	}
	group.Wait()
	for i, reference := range references {
		if isMissing(errs[i]) {
			missing = append(missing, reference.Kind+" "+reference.Name)
			errs[i] = nil
		}
	}
	return missing, worst(errs...)
}

// restart joins the batch of a workload and waits until it was sent.
func (r *restarter) restart(ctx context.Context, w workload, key, value string) error {
	batch := r.join(w, key, value)
	select {
	case <-batch.done:
		return batch.err
	case <-ctx.Done():
		return fmt.Errorf("%s %s: %w", w.kind, w.name, errTimedOut)
	}
}

// join adds an annotation to the batch of a workload. The first one to join has it sent after restartWindow.
func (r *restarter) join(w workload, key, value string) *restartBatch {
	r.mu.Lock()
	defer r.mu.Unlock()
	batch := r.pending[w]
	if batch == nil {
		batch = &restartBatch{annotations: map[string]string{}, done: make(chan struct{})}
		r.pending[w] = batch
		go func() {
			defer close(batch.done)
			_ = r.clock.Sleep(context.Background(), restartWindow)
			batch.err = r.send(w, r.take(w, batch))
		}()
	}
	batch.annotations[key] = value
	return batch
}

// take closes a batch: whoever comes now begins another one.
func (r *restarter) take(w workload, batch *restartBatch) map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.pending, w)
	return batch.annotations
}

// send makes the one patch of a batch. It has a time limit of its own, as those who wait for it began at
// different times.
func (r *restarter) send(w workload, annotations map[string]string) error {
	resource, err := checkWorkload(w.kind, w.name)
	if err != nil {
		workloadsRestarted.WithLabelValues("failed").Inc()
		return err
	}
	ctx, cancel := r.clock.WithTimeout(context.Background(), timeout)
	defer cancel()
	body, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{
		"metadata": map[string]any{"annotations": annotations},
	}}})
	if err != nil {
		return fmt.Errorf("encode the restart of a workload: %w", err)
	}
	object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: w.name}}
	object.SetGroupVersionKind(resource.GroupVersion().WithKind(w.kind))
	if r.patches.Acquire(ctx, w.namespace) != nil {
		workloadsRestarted.WithLabelValues("failed").Inc()
		return fmt.Errorf("%s %s: %w", w.kind, w.name, errTimedOut)
	}
	defer r.patches.Release(w.namespace)
	err = r.client.Patch(ctx, object, client.RawPatch(types.MergePatchType, body))
	switch {
	case err == nil:
		workloadsRestarted.WithLabelValues("restarted").Inc()
		return nil
	case isMissing(err):
		workloadsRestarted.WithLabelValues("missing").Inc()
		return err
	default:
		workloadsRestarted.WithLabelValues("failed").Inc()
		err = fmt.Errorf("%s %s: %w", w.kind, w.name, scrubbed(err))
		if isForbidden(err) {
			if lacking := r.permissions.refused(ctx, resource.GroupResource(), w.namespace); lacking != nil {
				return lacking
			}
		}
		return err
	}
}

// isMissing reports whether there is no such workload, or no such kind in this cluster.
func isMissing(err error) bool {
	return err != nil && (apierrors.IsNotFound(err) && !isByAdmission(err) || meta.IsNoMatchError(err))
}
