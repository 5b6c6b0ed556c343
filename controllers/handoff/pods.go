package handoff

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/fair"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const (
	// kubeletHeadStart is between the write of the Secrets and the annotation of the pods: the kubelet hears of
	// both by two watches, and a refresh that overtakes the news of the Secret would bring the old token again.
	kubeletHeadStart = 50 * time.Millisecond
	// maxPatches is how many pods and workloads are patched at once, by all handoffs together. Namespaces take turns.
	maxPatches = 64
	// podWorkers is how many pods one handoff patches at once.
	podWorkers = 16
	// maxPods is how many pods one handoff notifies. If there are more, the next one goes on from there.
	maxPods = 1000
	// maxPodLists is how many handoffs look for their pods at once. What is found is copied before the few words are taken
	// from it that are kept.
	maxPodLists = 4
)

// podNotifier makes the kubelet refresh Secret volumes of running pods at once, by changing an annotation.
type podNotifier struct {
	client      Client
	clock       rotation.Clock
	permissions *permissions
	// caches has one for each watched namespace, or one under the empty name for all.
	caches map[string]*podCache
	// patches are places for patches, and lists those for looking for pods.
	patches, lists *fair.Semaphore
}

func newPodNotifier(c Client, clock rotation.Clock, asked *permissions, caches map[string]*podCache, patches *fair.Semaphore) *podNotifier {
	return &podNotifier{client: c, clock: clock, permissions: asked, caches: caches, patches: patches, lists: fair.NewSemaphore(maxPodLists)}
}

// listable returns why the pods of a namespace cannot be seen; nil when they can.
func (n *podNotifier) listable(ctx context.Context, namespace string) error {
	c := n.cacheOf(namespace)
	if c == nil {
		return fmt.Errorf("the operator does not watch namespace %s", namespace)
	}
	return c.ready(ctx, namespace)
}

func (n *podNotifier) cacheOf(namespace string) *podCache {
	if c := n.caches[namespace]; c != nil {
		return c
	}
	return n.caches[metav1.NamespaceAll]
}

// podNotice is what one pod is to be told.
type podNotice struct {
	name string
	uid  types.UID
	text string
}

// notify tells the running pods that mount one of the Secrets that they have changed, many beside each other. A
// pod that mounts one that is late as well is told so, and is notified again later.
func (n *podNotifier) notify(ctx context.Context, namespace string, secrets []string, announced announcement) error {
	if err := n.listable(ctx, namespace); err != nil {
		return err
	}
	if err := n.clock.Sleep(ctx, kubeletHeadStart); err != nil {
		return errTimedOut
	}
	notices, more, err := n.find(ctx, namespace, secrets, announced)
	if err != nil {
		return err
	}
	errs := make([]error, len(notices))
	var group sync.WaitGroup
	var begun atomic.Int64
	for range min(podWorkers, len(notices)) {
		group.Go(func() {
			for i := begun.Add(1) - 1; i < int64(len(notices)); i = begun.Add(1) - 1 {
				errs[i] = n.annotate(ctx, namespace, notices[i])
			}
		})
	}
	group.Wait()
	if slices.ContainsFunc(errs, isForbidden) {
		if err := n.permissions.refused(ctx, podsResource, namespace); err != nil {
			return err
		}
	}
	if more > 0 {
		errs = append(errs, fmt.Errorf("%d pods are notified at a time, and %d more mount a Secret that has changed", maxPods, more))
	}
	return worst(errs...)
}

// find looks for the pods that are to be told something, the first by name, and says how many more there are.
func (n *podNotifier) find(ctx context.Context, namespace string, secrets []string, announced announcement) (notices []podNotice, more int, err error) {
	if n.lists.Acquire(ctx, namespace) != nil {
		return nil, 0, errTimedOut
	}
	defer n.lists.Release(namespace)
	pods, err := n.cacheOf(namespace).mounting(ctx, namespace, secrets)
	if err != nil {
		return nil, 0, err
	}
	for _, pod := range pods {
		text := announced.among(mountedSecrets(&pod.Spec)).String()
		switch {
		case pod.Annotations[v1alpha1.AnnotationRefreshedAt] == text:
		case len(notices) == maxPods:
			more++
		default:
			notices = append(notices, podNotice{pod.Name, pod.UID, text})
		}
	}
	return notices, more, nil
}

// annotate patches one pod. A pod that is gone by now, or was replaced by another of its name, needs nothing.
func (n *podNotifier) annotate(ctx context.Context, namespace string, notice podNotice) error {
	if n.patches.Acquire(ctx, namespace) != nil {
		return fmt.Errorf("pod %s: %w", notice.name, errTimedOut)
	}
	defer n.patches.Release(namespace)
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": notice.uid, "annotations": map[string]string{v1alpha1.AnnotationRefreshedAt: notice.text},
	}})
	if err != nil {
		return fmt.Errorf("encode the annotation of a pod: %w", err)
	}
	object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: notice.name}}
	object.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
	err = n.client.Patch(ctx, object, client.RawPatch(types.MergePatchType, body))
	switch {
	case err == nil && object.Annotations[v1alpha1.AnnotationRefreshedAt] != notice.text:
		podsNotified.WithLabelValues("failed").Inc()
		return fmt.Errorf("pod %s: an admission webhook or policy takes off the annotation %s that the operator writes", notice.name, v1alpha1.AnnotationRefreshedAt)
	case err == nil:
		podsNotified.WithLabelValues("told").Inc()
		return nil
	case (apierrors.IsNotFound(err) || apierrors.IsConflict(err)) && !isByAdmission(err):
		return nil
	default:
		podsNotified.WithLabelValues("failed").Inc()
		return fmt.Errorf("pod %s: %w", notice.name, scrubbed(err))
	}
}
