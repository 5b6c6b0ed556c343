package handoff

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const (
	// kubeletHeadStart is between the write of the Secrets and the annotation of the pods: the kubelet hears of
	// both by two watches, and a refresh that overtakes the news of the Secret would bring the old token again.
	kubeletHeadStart = 50 * time.Millisecond
	// maxPodPatches is how many pods are notified at once, by all handoffs together.
	maxPodPatches = 64
)

// podNotifier makes the kubelet refresh Secret volumes of running pods at once, by changing an annotation.
type podNotifier struct {
	client      Client
	clock       rotation.Clock
	permissions *permissions
	// caches has one for each watched namespace, or one under the empty name for all.
	caches map[string]*podCache
	slots  chan struct{}
}

func newPodNotifier(c Client, clock rotation.Clock, asked *permissions, caches map[string]*podCache) *podNotifier {
	return &podNotifier{client: c, clock: clock, permissions: asked, caches: caches, slots: make(chan struct{}, maxPodPatches)}
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

// notify tells the running pods that mount one of the Secrets that they have changed, all beside each other. A
// pod that mounts one that is late as well is told so, and is notified again later.
func (n *podNotifier) notify(ctx context.Context, namespace string, secrets []string, announced announcement) error {
	if err := n.listable(ctx, namespace); err != nil {
		return err
	}
	if err := n.clock.Sleep(ctx, kubeletHeadStart); err != nil {
		return errTimedOut
	}
	found, err := n.cacheOf(namespace).mounting(ctx, namespace, secrets)
	if err != nil {
		return err
	}
	errs := make([]error, len(found))
	var group sync.WaitGroup
	for i, pod := range found {
		text := announced.among(mountedSecrets(&pod.Spec)).String()
		if pod.Annotations[v1alpha1.AnnotationRefreshedAt] == text {
			continue
		}
		group.Go(func() { errs[i] = n.annotate(ctx, pod, text) })
	}
	group.Wait()
	if slices.ContainsFunc(errs, isForbidden) {
		if err := n.permissions.refused(ctx, podsResource, namespace); err != nil {
			return err
		}
	}
	return worst(errs...)
}

// annotate patches one pod. A pod that is gone by now, or was replaced by another of its name, needs nothing.
func (n *podNotifier) annotate(ctx context.Context, pod *corev1.Pod, text string) error {
	select {
	case n.slots <- struct{}{}:
		defer func() { <-n.slots }()
	case <-ctx.Done():
		return fmt.Errorf("pod %s: %w", pod.Name, errTimedOut)
	}
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": pod.UID, "annotations": map[string]string{v1alpha1.AnnotationRefreshedAt: text},
	}})
	if err != nil {
		return fmt.Errorf("encode the annotation of a pod: %w", err)
	}
	object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}
	object.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
	err = n.client.Patch(ctx, object, client.RawPatch(types.MergePatchType, body))
	switch {
	case err == nil && object.Annotations[v1alpha1.AnnotationRefreshedAt] != text:
		podsNotified.WithLabelValues("failed").Inc()
		return fmt.Errorf("pod %s: an admission webhook or policy takes off the annotation %s that the operator writes", pod.Name, v1alpha1.AnnotationRefreshedAt)
	case err == nil:
		podsNotified.WithLabelValues("told").Inc()
		return nil
	case (apierrors.IsNotFound(err) || apierrors.IsConflict(err)) && !isByAdmission(err):
		return nil
	default:
		podsNotified.WithLabelValues("failed").Inc()
		return fmt.Errorf("pod %s: %w", pod.Name, scrubbed(err))
	}
}
