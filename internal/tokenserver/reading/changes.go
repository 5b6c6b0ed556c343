package reading

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
)

// watchBackoff is between two tries to watch.
var watchBackoff = backoff.Backoff{First: 500 * time.Millisecond, Max: 30 * time.Second}

// Changes wake those who wait for a resource when it has changed: the operator writes its status as soon as it has stored another pair.
// Make it with NewChanges; it is safe for concurrent use.
type Changes struct {
	watch func(context.Context) (watch.Interface, error)
	log   logr.Logger

	mu      sync.Mutex
	watched bool
	waiting map[types.NamespacedName]map[chan struct{}]struct{}
}

// NewChanges makes one of what begins a watch.
func NewChanges(log logr.Logger, begin func(context.Context) (watch.Interface, error)) *Changes {
	return &Changes{watch: begin, log: log, waiting: map[types.NamespacedName]map[chan struct{}]struct{}{}}
}

// Watcher begins watches of the metadata of all resources, of what comes from now on.
func Watcher(live client.WithWatch) func(context.Context) (watch.Interface, error) {
	return func(ctx context.Context) (watch.Interface, error) {
		newList := func() *metav1.PartialObjectMetadataList {
			list := &metav1.PartialObjectMetadataList{}
			list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("GitHubUserTokenList"))
			return list
		}
		now := newList()
		listing, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		if err := live.List(listing, now, client.Limit(1)); err != nil {
			return nil, fmt.Errorf("look for where to watch from: %w", err)
		}
		return live.Watch(ctx, newList(), &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: now.ResourceVersion, AllowWatchBookmarks: true}})
	}
}

// Subscribe tells of changes of a resource from now on, by at least one signal after each. cancel ends that.
func (c *Changes) Subscribe(name types.NamespacedName) (changed <-chan struct{}, cancel func()) {
	signal := make(chan struct{}, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting[name] == nil {
		c.waiting[name] = map[chan struct{}]struct{}{}
	}
	c.waiting[name][signal] = struct{}{}
	return signal, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if delete(c.waiting[name], signal); len(c.waiting[name]) == 0 {
			delete(c.waiting, name)
		}
	}
}

// Watched reports whether changes are told of at present.
func (c *Changes) Watched() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.watched
}

// Start implements manager.Runnable. It watches until the context ends.
func (c *Changes) Start(ctx context.Context) error {
	for failures := 0; ctx.Err() == nil; {
		began := time.Now()
		if err := c.follow(ctx); err != nil {
			c.log.Info("Changes of resources are not told of; who waits looks again by itself", "reason", err.Error())
		}
		if failures++; time.Since(began) > time.Minute {
			failures = 1 // A watch ends now and then.
		}
		select {
		case <-time.After(watchBackoff.After(failures)):
		case <-ctx.Done():
		}
	}
	return nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: every replica serves.
func (*Changes) NeedLeaderElection() bool { return false }

// follow watches until the watch ends.
func (c *Changes) follow(ctx context.Context) error {
	events, err := c.watch(ctx)
	if err != nil {
		return err
	}
	defer events.Stop()
	c.set(true)
	defer c.set(false)
	c.wakeAll() // Something may have changed since the last one ended.
	for {
		select {
		case event, ok := <-events.ResultChan():
			if !ok || event.Type == watch.Error {
				return nil // It is begun anew, from then on.
			}
			if meta, ok := event.Object.(*metav1.PartialObjectMetadata); ok && event.Type != watch.Bookmark {
				c.wake(types.NamespacedName{Namespace: meta.Namespace, Name: meta.Name})
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (c *Changes) set(watched bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watched = watched
}

func (c *Changes) wake(name types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.signal(name)
}

func (c *Changes) wakeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := range c.waiting {
		c.signal(name)
	}
}

func (c *Changes) signal(name types.NamespacedName) {
	for signal := range c.waiting[name] {
		select {
		case signal <- struct{}{}:
		default: // There is one already that was not looked at.
		}
	}
}
