package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// restartWindow is how long a workload's restart waits for others of the same workload: several tokens that
// are refreshed together, as after an outage, make one rollout.
const restartWindow = time.Second

// workloadKinds are the kinds that can be restarted by an annotation of their pod template.
var workloadKinds = map[string]schema.GroupVersionResource{
	"Deployment":  {Group: "apps", Version: "v1", Resource: "deployments"},
	"StatefulSet": {Group: "apps", Version: "v1", Resource: "statefulsets"},
	"DaemonSet":   {Group: "apps", Version: "v1", Resource: "daemonsets"},
	"Rollout":     {Group: "argoproj.io", Version: "v1alpha1", Resource: "rollouts"},
}

// restarts restarts workloads as kubectl rollout restart does: by an annotation of the pod template. Its
// value names the token, so to set it again changes nothing.
type restarts struct {
	client      client.Client
	permissions *permissions

	mu      sync.Mutex
	pending map[workload]*restartBatch
}

// workload is what is restarted.
type workload struct{ kind, namespace, name string }

// restartBatch is one restart that is about to be made.
type restartBatch struct {
	annotations map[string]string
	done        chan struct{}
	err         error
}

// workloadNameError: spec.handoff.restart has a name that no workload can have.
type workloadNameError struct{ kind, name string }

func (e *workloadNameError) Error() string {
	return fmt.Sprintf("spec.handoff.restart names a %s %q, and no workload can have that name", e.kind, e.name)
}

// checkWorkloadName does not count on the CRD, which does not look again at what was stored under an older
// one: a name that is a path would have workloads of other namespaces restarted.
func checkWorkloadName(kind, name string) error {
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		return &workloadNameError{kind, name}
	}
	return nil
}

func newRestarts(c client.Client, asked *permissions) *restarts {
	return &restarts{client: c, permissions: asked, pending: map[workload]*restartBatch{}}
}

// all restarts the workloads of a resource, and returns those that do not exist.
func (r *restarts) all(ctx context.Context, token *v1alpha1.GitHubUserToken, name string) (missing []string, err error) {
	key := v1alpha1.AnnotationPrefixRestartedFor + v1alpha1.OwnerLabel(token.Name)
	references := token.Spec.Handoff.Restart
	errs := make([]error, len(references))
	var group sync.WaitGroup
	for i, reference := range references {
		group.Go(func() {
			errs[i] = r.restart(ctx, workload{reference.Kind, token.Namespace, reference.Name}, key, name)
		})
	}
	group.Wait()
	for i, reference := range references {
		if errs[i] != nil && (apierrors.IsNotFound(errs[i]) || meta.IsNoMatchError(errs[i])) {
			missing = append(missing, reference.Kind+" "+reference.Name)
			errs[i] = nil
		}
	}
	return missing, firstOf(errs)
}

// restart joins the batch of a workload and waits until it was sent.
func (r *restarts) restart(ctx context.Context, w workload, key, value string) error {
	r.mu.Lock()
	batch := r.pending[w]
	if batch == nil {
		batch = &restartBatch{annotations: map[string]string{}, done: make(chan struct{})}
		r.pending[w] = batch
		time.AfterFunc(restartWindow, func() { r.send(w, batch) })
	}
	batch.annotations[key] = value
	r.mu.Unlock()
	select {
	case <-batch.done:
		return batch.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// send makes the one patch of a batch.
func (r *restarts) send(w workload, batch *restartBatch) {
	defer close(batch.done)
	r.mu.Lock()
	delete(r.pending, w)
	annotations := batch.annotations
	r.mu.Unlock()

	if batch.err = checkWorkloadName(w.kind, w.name); batch.err != nil {
		handoffRestarts.WithLabelValues("failed").Inc()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), handoffTimeout)
	defer cancel()
	body, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{
		"metadata": map[string]any{"annotations": annotations},
	}}})
	if err != nil {
		batch.err = fmt.Errorf("encode the restart of a workload: %w", err)
		return
	}
	kind := workloadKinds[w.kind]
	object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: w.name}}
	object.SetGroupVersionKind(kind.GroupVersion().WithKind(w.kind))
	err = r.client.Patch(ctx, object, client.RawPatch(types.MergePatchType, body))
	switch {
	case err == nil:
		handoffRestarts.WithLabelValues("restarted").Inc()
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		handoffRestarts.WithLabelValues("missing").Inc()
		batch.err = err
	default:
		handoffRestarts.WithLabelValues("failed").Inc()
		batch.err = fmt.Errorf("%s %s: %w", w.kind, w.name, scrubbed(err, nil))
		if isForbidden(batch.err) {
			if err := r.permissions.taken(ctx, kind.GroupResource(), w.namespace); err != nil {
				batch.err = err
			}
		}
	}
}
