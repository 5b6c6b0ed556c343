package namespaces

import (
	"context"
	"reflect"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// NewInformer makes an informer, as in the options of a cache.
type NewInformer = func(cache.ListerWatcher, runtime.Object, time.Duration, cache.Indexers) cache.SharedIndexInformer

// Informers makes informers that nobody waits for while the API server forbids what they watch. They go on trying, and hold
// the objects as soon as they may.
func (w *Watched) Informers(next NewInformer) NewInformer {
	return func(source cache.ListerWatcher, object runtime.Object, resync time.Duration, indexers cache.Indexers) cache.SharedIndexInformer {
		i := &informer{watched: w, kind: reflect.TypeOf(object), once: make(chan struct{})}
		i.SharedIndexInformer = next(&observed{cache.ToListerWatcherWithContext(source), i}, object, resync, indexers)
		return i
	}
}

// informer is one of them.
type informer struct {
	cache.SharedIndexInformer

	watched *Watched
	kind    reflect.Type

	// once is closed when the API server has refused for the first time.
	once chan struct{}

	mu         sync.Mutex
	located    bool
	wasRefused bool
	namespace  string
	forbidden  error
}

// locate notes the namespace in which the informer lists and watches.
func (i *informer) locate(namespace string) {
	i.mu.Lock()
	isNew := !i.located
	i.located, i.namespace = true, namespace
	i.mu.Unlock()
	if isNew {
		i.watched.add(namespace, i)
	}
}

// saw notes how a request ended. What is no answer about permissions changes nothing.
func (i *informer) saw(err error) {
	if err != nil && !apierrors.IsForbidden(err) {
		return
	}
	i.mu.Lock()
	before, namespace := i.forbidden, i.namespace
	i.forbidden = err
	if err != nil && !i.wasRefused {
		i.wasRefused = true
		close(i.once)
	}
	i.mu.Unlock()
	switch {
	case before == nil && err != nil:
		i.watched.log.Error(err, "A namespace that is to be watched is forbidden; the others are served", "namespace", title(namespace))
	case before != nil && err == nil:
		i.watched.log.Info("A namespace may be watched again", "namespace", title(namespace))
	}
}

func (i *informer) refused() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.forbidden
}

// err is nil when the informer holds what it is to hold.
func (i *informer) err() error {
	switch refused := i.refused(); {
	case i.SharedIndexInformer.HasSynced():
		return nil
	case refused != nil:
		return refused
	default:
		return errPending
	}
}

// HasSynced implements cache.SharedIndexInformer: there is nothing more to wait for.
func (i *informer) HasSynced() bool { return i.SharedIndexInformer.HasSynced() || i.refused() != nil }

// HasSyncedChecker implements cache.SharedIndexInformer.
func (i *informer) HasSyncedChecker() cache.DoneChecker {
	return newEither(i.SharedIndexInformer.HasSyncedChecker(), i.once)
}

// AddEventHandler implements cache.SharedIndexInformer.
func (i *informer) AddEventHandler(handler cache.ResourceEventHandler) (cache.ResourceEventHandlerRegistration, error) {
	return i.registered(i.SharedIndexInformer.AddEventHandler(handler))
}

// AddEventHandlerWithResyncPeriod implements cache.SharedIndexInformer.
func (i *informer) AddEventHandlerWithResyncPeriod(handler cache.ResourceEventHandler, period time.Duration) (cache.ResourceEventHandlerRegistration, error) {
	return i.registered(i.SharedIndexInformer.AddEventHandlerWithResyncPeriod(handler, period))
}

// AddEventHandlerWithOptions implements cache.SharedIndexInformer.
func (i *informer) AddEventHandlerWithOptions(handler cache.ResourceEventHandler, options cache.HandlerOptions) (cache.ResourceEventHandlerRegistration, error) {
	return i.registered(i.SharedIndexInformer.AddEventHandlerWithOptions(handler, options))
}

// RemoveEventHandler implements cache.SharedIndexInformer.
func (i *informer) RemoveEventHandler(handle cache.ResourceEventHandlerRegistration) error {
	if own, ok := handle.(registration); ok {
		handle = own.ResourceEventHandlerRegistration
	}
	return i.SharedIndexInformer.RemoveEventHandler(handle)
}

func (i *informer) registered(handle cache.ResourceEventHandlerRegistration, err error) (cache.ResourceEventHandlerRegistration, error) {
	if err != nil {
		return nil, err
	}
	return registration{handle, i}, nil
}

// registration is that of a handler, for which nobody waits either.
type registration struct {
	cache.ResourceEventHandlerRegistration

	informer *informer
}

// HasSynced implements cache.ResourceEventHandlerRegistration.
func (r registration) HasSynced() bool {
	return r.ResourceEventHandlerRegistration.HasSynced() || !r.informer.SharedIndexInformer.HasSynced() && r.informer.refused() != nil
}

// HasSyncedChecker implements cache.ResourceEventHandlerRegistration.
func (r registration) HasSyncedChecker() cache.DoneChecker {
	return newEither(r.ResourceEventHandlerRegistration.HasSyncedChecker(), r.informer.once)
}

// observed is the source of an informer's objects.
type observed struct {
	cache.ListerWatcherWithContext

	informer *informer
}

// List implements cache.ListerWatcher.
func (o *observed) List(options metav1.ListOptions) (runtime.Object, error) {
	return o.ListWithContext(context.Background(), options)
}

// Watch implements cache.ListerWatcher.
func (o *observed) Watch(options metav1.ListOptions) (watch.Interface, error) {
	return o.WatchWithContext(context.Background(), options)
}

// ListWithContext implements cache.ListerWatcherWithContext.
func (o *observed) ListWithContext(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	list, err := o.ListerWatcherWithContext.ListWithContext(context.WithValue(ctx, informerKey{}, o.informer), options)
	o.informer.saw(err)
	return list, err
}

// WatchWithContext implements cache.ListerWatcherWithContext.
func (o *observed) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	stream, err := o.ListerWatcherWithContext.WatchWithContext(context.WithValue(ctx, informerKey{}, o.informer), options)
	o.informer.saw(err)
	return stream, err
}
