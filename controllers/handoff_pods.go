package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const (
	// kubeletPeriod is longer than it takes the kubelet to refresh a Secret volume by itself (60 to 80 s).
	kubeletPeriod = 2 * time.Minute
	// kubeletHeadStart is between the write of the Secrets and the word to the pods: the kubelet hears of both
	// by two watches, and a refresh that overtakes the news of the Secret would bring the old token again.
	kubeletHeadStart = 50 * time.Millisecond
	// maxPodPatches is how many pods are told at once, by all flights together.
	maxPodPatches = 64
	// podSyncWait is how long a flight waits for the cache of pods when the operator has just started.
	podSyncWait = 3 * time.Second
)

// podSync makes the kubelet refresh Secret volumes of running pods at once, by changing an annotation.
type podSync struct {
	client      client.Client
	permissions *permissions
	clock       rotation.Clock
	// caches has one for each watched namespace, or one under the empty name for all.
	caches map[string]*podCache
	slots  chan struct{}
}

// podCache is a cache of pods, cut to what a handoff needs. It is none of the manager's own caches, because
// those are waited for at the start: without the permission to list pods nothing would ever be refreshed.
type podCache struct {
	cache cache.Cache
	// settled is closed when the cache has synced. forbidden says that it cannot for lack of permission.
	settled   chan struct{}
	forbidden atomic.Bool
}

// newPodSync has the manager run the caches, on the leader only.
func newPodSync(mgr manager.Manager, writer client.Client, asked *permissions, options Options) (*podSync, error) {
	namespaces := options.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	s := &podSync{
		client: writer, permissions: asked, clock: options.Clock,
		caches: map[string]*podCache{}, slots: make(chan struct{}, maxPodPatches),
	}
	for _, namespace := range namespaces {
		c, err := newPodCache(mgr, namespace)
		if err != nil {
			return nil, err
		}
		s.caches[namespace] = c
		if err := mgr.Add(manager.RunnableFunc(c.run)); err != nil {
			return nil, fmt.Errorf("add the cache of pods: %w", err)
		}
	}
	return s, nil
}

func newPodCache(mgr manager.Manager, namespace string) (*podCache, error) {
	c := &podCache{settled: make(chan struct{})}
	var err error
	c.cache, err = cache.New(mgr.GetConfig(), cache.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(),
		DefaultNamespaces: map[string]cache.Config{namespace: {}},
		ByObject:          map[client.Object]cache.ByObject{&corev1.Pod{}: {Transform: trimPod}},
		DefaultWatchErrorHandler: func(ctx context.Context, reflector *toolscache.Reflector, err error) {
			if apierrors.IsForbidden(err) {
				c.forbidden.Store(true)
				return // Told by a condition, where somebody asks for it; not in the log, for ever.
			}
			toolscache.DefaultWatchErrorHandler(ctx, reflector, err)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("set up the cache of pods: %w", err)
	}
	if err := c.cache.IndexField(context.Background(), &corev1.Pod{}, indexMountedSecrets, indexedSecrets); err != nil {
		return nil, fmt.Errorf("set up the index of pods: %w", err)
	}
	return c, nil
}

func (c *podCache) run(ctx context.Context) error {
	go func() {
		if c.cache.WaitForCacheSync(ctx) {
			c.forbidden.Store(false)
			close(c.settled)
		}
	}()
	return c.cache.Start(ctx)
}

// ready waits for a moment until the cache can answer, and says why it cannot.
func (c *podCache) ready(ctx context.Context, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, podSyncWait)
	defer cancel()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-c.settled:
			return nil
		case <-ctx.Done():
			return errors.New("the list of pods has not arrived yet")
		case <-look.C:
			if c.forbidden.Load() {
				return &handoffForbiddenError{"list", "pods", namespace}
			}
		}
	}
}

// listable says why the pods of a namespace cannot be seen.
func (s *podSync) listable(ctx context.Context, namespace string) error {
	c := s.cacheOf(namespace)
	if c == nil {
		return fmt.Errorf("namespace %s is not watched", namespace)
	}
	return c.ready(ctx, namespace)
}

func (s *podSync) cacheOf(namespace string) *podCache {
	if c := s.caches[namespace]; c != nil {
		return c
	}
	return s.caches[metav1.NamespaceAll]
}

// sync tells the running pods that mount one of the Secrets that they have changed, all beside each other. A
// pod that mounts one that is late as well is told so, and has a word to come.
func (s *podSync) sync(ctx context.Context, namespace string, secrets []string, say word) error {
	if err := s.listable(ctx, namespace); err != nil {
		return err
	}
	if err := s.clock.Sleep(ctx, kubeletHeadStart); err != nil {
		return err
	}
	pods, err := s.cacheOf(namespace).mounting(ctx, namespace, secrets)
	if err != nil {
		return err
	}
	errs := make([]error, len(pods))
	var group sync.WaitGroup
	for i, pod := range pods {
		text := say.among(mountedSecrets(&pod.Spec)).String()
		if pod.Annotations[v1alpha1.AnnotationRefreshedAt] == text {
			continue
		}
		group.Go(func() { errs[i] = s.tell(ctx, pod, text) })
	}
	group.Wait()
	if slices.ContainsFunc(errs, isForbidden) {
		if err := s.permissions.taken(ctx, podsResource, namespace); err != nil {
			return err
		}
	}
	return firstOf(errs)
}

// tell patches one pod. A pod that is gone by now needs no word.
func (s *podSync) tell(ctx context.Context, pod *corev1.Pod, text string) error {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": pod.UID, "annotations": map[string]string{v1alpha1.AnnotationRefreshedAt: text},
	}})
	if err != nil {
		return fmt.Errorf("encode the annotation of a pod: %w", err)
	}
	meta := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}
	meta.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
	err = s.client.Patch(ctx, meta, client.RawPatch(types.MergePatchType, body))
	switch {
	case err == nil:
		handoffPods.WithLabelValues("told").Inc()
		return nil
	case apierrors.IsNotFound(err), apierrors.IsConflict(err):
		return nil
	default:
		handoffPods.WithLabelValues("failed").Inc()
		return fmt.Errorf("pod %s: %w", pod.Name, scrubbed(err, nil))
	}
}

// mounting are the running pods that mount one of the Secrets, each once. They are read only.
func (c *podCache) mounting(ctx context.Context, namespace string, secrets []string) ([]*corev1.Pod, error) {
	var found []*corev1.Pod
	seen := map[types.UID]bool{}
	for _, secret := range secrets {
		var pods corev1.PodList
		err := c.cache.List(ctx, &pods, client.InNamespace(namespace), client.MatchingFields{indexMountedSecrets: secret}, client.UnsafeDisableDeepCopy)
		if err != nil {
			return nil, fmt.Errorf("look for the pods that mount %s: %w", secret, err)
		}
		for i := range pods.Items {
			pod := &pods.Items[i]
			if !seen[pod.UID] && isOnANode(pod) {
				seen[pod.UID] = true
				found = append(found, pod)
			}
		}
	}
	return found, nil
}

// isOnANode says whether a kubelet may have mounted the pod's volumes and still keeps them.
func isOnANode(pod *corev1.Pod) bool {
	return pod.Spec.NodeName != "" && pod.DeletionTimestamp.IsZero() &&
		pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
}

const indexMountedSecrets = "mountedSecrets"

func indexedSecrets(object client.Object) []string {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return nil
	}
	return mountedSecrets(&pod.Spec)
}

// mountedSecrets are the Secrets that a pod mounts as volumes, whole or as part of a projected one. A mount
// of a subPath never changes while its container runs, so a volume that is only mounted so does not count.
func mountedSecrets(spec *corev1.PodSpec) []string {
	whole := map[string]bool{}
	see := func(mounts []corev1.VolumeMount) {
		for _, mount := range mounts {
			if mount.SubPath == "" && mount.SubPathExpr == "" {
				whole[mount.Name] = true
			}
		}
	}
	for i := range spec.InitContainers {
		see(spec.InitContainers[i].VolumeMounts)
	}
	for i := range spec.Containers {
		see(spec.Containers[i].VolumeMounts)
	}
	for i := range spec.EphemeralContainers {
		see(spec.EphemeralContainers[i].VolumeMounts)
	}
	var names []string
	for i := range spec.Volumes {
		volume := &spec.Volumes[i]
		if !whole[volume.Name] {
			continue
		}
		if volume.Secret != nil {
			names = append(names, volume.Secret.SecretName)
		}
		if volume.Projected != nil {
			for _, source := range volume.Projected.Sources {
				if source.Secret != nil {
					names = append(names, source.Secret.Name)
				}
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// trimPod is a transform of the cache: it cuts a pod to what a handoff looks at. To apply it twice changes
// nothing, as client-go asks of a transform.
func trimPod(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	trimmed := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion, DeletionTimestamp: pod.DeletionTimestamp,
		},
		Spec:   corev1.PodSpec{NodeName: pod.Spec.NodeName},
		Status: corev1.PodStatus{Phase: pod.Status.Phase},
	}
	if name, told := pod.Annotations[v1alpha1.AnnotationRefreshedAt]; told {
		trimmed.Annotations = map[string]string{v1alpha1.AnnotationRefreshedAt: name}
	}
	for _, secret := range mountedSecrets(&pod.Spec) {
		if len(trimmed.Spec.Containers) == 0 {
			trimmed.Spec.Containers = make([]corev1.Container, 1)
		}
		mounts := &trimmed.Spec.Containers[0].VolumeMounts
		*mounts = append(*mounts, corev1.VolumeMount{Name: secret})
		trimmed.Spec.Volumes = append(trimmed.Spec.Volumes, corev1.Volume{
			Name: secret, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: secret}},
		})
	}
	return trimmed, nil
}

// firstOf is the first error of several, with how many there are. A lack of permission goes before all else.
func firstOf(errs []error) error {
	var first error
	count := 0
	for _, err := range errs {
		if err == nil {
			continue
		}
		count++
		var forbidden *handoffForbiddenError
		if errors.As(err, &forbidden) {
			return err
		}
		if first == nil {
			first = err
		}
	}
	if count > 1 {
		return fmt.Errorf("%w (and %d more)", first, count-1)
	}
	return first
}
