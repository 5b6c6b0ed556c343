package densecache

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// GetInformer implements cache.Informers.
func (d *dense) GetInformer(ctx context.Context, object client.Object, options ...cache.InformerGetOption) (cache.Informer, error) {
	inner, err := d.Cache.GetInformer(ctx, object, options...)
	if err != nil {
		return nil, err
	}
	return informer{inner}, nil
}

// GetInformerForKind implements cache.Informers.
func (d *dense) GetInformerForKind(ctx context.Context, kind schema.GroupVersionKind, options ...cache.InformerGetOption) (cache.Informer, error) {
	inner, err := d.Cache.GetInformerForKind(ctx, kind, options...)
	if err != nil {
		return nil, err
	}
	return informer{inner}, nil
}

// informer tells handlers and indexes of objects as they are.
type informer struct{ cache.Informer }

// AddEventHandler implements cache.Informer.
func (i informer) AddEventHandler(to toolscache.ResourceEventHandler) (toolscache.ResourceEventHandlerRegistration, error) {
	return i.Informer.AddEventHandler(teller{to})
}

// AddEventHandlerWithResyncPeriod implements cache.Informer.
func (i informer) AddEventHandlerWithResyncPeriod(to toolscache.ResourceEventHandler, period time.Duration) (toolscache.ResourceEventHandlerRegistration, error) {
	return i.Informer.AddEventHandlerWithResyncPeriod(teller{to}, period)
}

// AddEventHandlerWithOptions implements cache.Informer.
func (i informer) AddEventHandlerWithOptions(to toolscache.ResourceEventHandler, options toolscache.HandlerOptions) (toolscache.ResourceEventHandlerRegistration, error) {
	return i.Informer.AddEventHandlerWithOptions(teller{to}, options)
}

// AddIndexers implements cache.Informer.
func (i informer) AddIndexers(indexers toolscache.Indexers) error {
	wrapped := toolscache.Indexers{}
	for name, by := range indexers {
		wrapped[name] = func(object any) ([]string, error) { return by(told(object)) }
	}
	return i.Informer.AddIndexers(wrapped)
}

// teller tells a handler of what the store holds.
type teller struct {
	to toolscache.ResourceEventHandler
}

// OnAdd implements toolscache.ResourceEventHandler.
func (t teller) OnAdd(object any, isInInitialList bool) { t.to.OnAdd(told(object), isInInitialList) }

// OnUpdate implements toolscache.ResourceEventHandler.
func (t teller) OnUpdate(before, after any) { t.to.OnUpdate(told(before), told(after)) }

// OnDelete implements toolscache.ResourceEventHandler.
func (t teller) OnDelete(object any) { t.to.OnDelete(told(object)) }

func told(object any) any {
	switch object := object.(type) {
	case toolscache.DeletedFinalStateUnknown:
		object.Obj = told(object.Obj)
		return object
	case client.Object:
		return unpacked(object)
	default:
		return object
	}
}
