package handoff

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/githubusertoken/github-user-token-operator/internal/paging"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const (
	// podListWait is how long a handoff waits for the list of pods when the operator has just started.
	podListWait = 3 * time.Second
	// podListPoll is how often it looks.
	podListPoll = 50 * time.Millisecond
)

// Manager is what New needs of controller-runtime's manager.
type Manager interface {
	GetConfig() *rest.Config
	GetHTTPClient() *http.Client
	GetScheme() *runtime.Scheme
	GetRESTMapper() meta.RESTMapper
	Add(manager.Runnable) error
}

// podCache is a cache of pods, cut to what a handoff needs. It is none of the manager's own caches, because
// those are waited for at the start: without the permission to list pods nothing would ever be refreshed.
type podCache struct {
	cache podLister
	clock rotation.Clock
	// settled is closed when the cache has synced.
	settled chan struct{}
	// forbidden is true when it could not for lack of permission; it does not matter once it has.
	forbidden atomic.Bool
}

// podLister reads the cache.
type podLister interface {
	List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error
}

// newPodCaches makes a cache for each namespace, or one under the empty name for all, and has the manager run
// them, on the leader only.
func newPodCaches(mgr Manager, clock rotation.Clock, namespaces []string) (map[string]*podCache, error) {
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	caches := map[string]*podCache{}
	for _, namespace := range namespaces {
		c, run, err := newPodCache(mgr, clock, namespace)
		if err != nil {
			return nil, err
		}
		caches[namespace] = c
		if err := mgr.Add(run); err != nil {
			return nil, fmt.Errorf("add the cache of pods: %w", err)
		}
	}
	return caches, nil
}

func newPodCache(mgr Manager, clock rotation.Clock, namespace string) (*podCache, manager.RunnableFunc, error) {
	c := &podCache{clock: clock, settled: make(chan struct{})}
	underlying, err := cache.New(mgr.GetConfig(), cache.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(),
		DefaultNamespaces: map[string]cache.Config{namespace: {}},
		ByObject:          map[client.Object]cache.ByObject{&corev1.Pod{}: {Transform: trimPod}},
		NewInformer:       paging.NewInformer(trimPod),
		DefaultWatchErrorHandler: func(ctx context.Context, reflector *toolscache.Reflector, err error) {
			if apierrors.IsForbidden(err) {
				c.forbidden.Store(true)
				return // A condition reports it, where somebody asks for it; not the log, for ever.
			}
			toolscache.DefaultWatchErrorHandler(ctx, reflector, err)
		},
	})
	if err != nil {
		return nil, nil, fmt.Errorf("set up the cache of pods: %w", err)
	}
	if err := underlying.IndexField(context.Background(), &corev1.Pod{}, indexMountedSecrets, indexedSecrets); err != nil {
		return nil, nil, fmt.Errorf("set up the index of pods: %w", err)
	}
	c.cache = underlying
	return c, func(ctx context.Context) error {
		go func() {
			if underlying.WaitForCacheSync(ctx) {
				close(c.settled)
			}
		}()
		return underlying.Start(ctx)
	}, nil
}

// ready waits for a moment until the cache can answer, and returns why it cannot.
func (c *podCache) ready(ctx context.Context, namespace string) error {
	ctx, cancel := c.clock.WithTimeout(ctx, podListWait)
	defer cancel()
	for {
		select {
		case <-c.settled:
			return nil
		default:
		}
		if c.forbidden.Load() {
			return &ForbiddenError{"list", "pods", namespace}
		}
		if c.clock.Sleep(ctx, podListPoll) != nil {
			return errors.New("the operator has not received the list of pods yet")
		}
	}
}

// mounting are the running pods that mount one of the Secrets, each once, by name. They are read only.
func (c *podCache) mounting(ctx context.Context, namespace string, secrets []string) ([]*corev1.Pod, error) {
	var found []*corev1.Pod
	seen := map[types.UID]bool{}
	for _, secret := range secrets {
		var pods corev1.PodList
		err := c.cache.List(ctx, &pods, client.InNamespace(namespace), client.MatchingFields{indexMountedSecrets: secret}, client.UnsafeDisableDeepCopy)
		if err != nil {
			return nil, fmt.Errorf("list the pods that mount Secret %s: %w", secret, err)
		}
		for i := range pods.Items {
			pod := &pods.Items[i]
			if !seen[pod.UID] && isOnANode(pod) {
				seen[pod.UID] = true
				found = append(found, pod)
			}
		}
	}
	slices.SortFunc(found, func(a, b *corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	return found, nil
}

// isOnANode reports whether a kubelet may have mounted the pod's volumes and still keeps them.
func isOnANode(pod *corev1.Pod) bool {
	return pod.Spec.NodeName != "" && pod.DeletionTimestamp.IsZero() &&
		pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
}
