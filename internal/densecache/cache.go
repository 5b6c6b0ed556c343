package densecache

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// New makes caches with these indexes by a hash. Other fields are indexed as controller-runtime does it. The options have
// a transform that ends with Pack where metadata is to be packed.
func New(indexes map[string]Index) cache.NewCacheFunc {
	return func(config *rest.Config, options cache.Options) (cache.Cache, error) {
		inner, err := cache.New(config, options)
		if err != nil {
			return nil, err
		}
		return &dense{Cache: inner, scheme: options.Scheme, wanted: indexes, indexes: map[string]*index{}}, nil
	}
}

type dense struct {
	cache.Cache

	scheme *runtime.Scheme
	wanted map[string]Index

	mu      sync.Mutex
	indexes map[string]*index
}

// Get implements client.Reader.
func (d *dense) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	found, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return d.Cache.Get(ctx, key, object, options...)
	}
	wanted := (&client.GetOptions{}).ApplyOptions(options)
	shared := isTrue(wanted.UnsafeDisableDeepCopy)
	wanted.UnsafeDisableDeepCopy = new(true)
	kind := found.GroupVersionKind()
	if err := d.Cache.Get(ctx, key, found, wanted); err != nil {
		return err
	}
	switch {
	case isPacked(found):
		*found = *unpack(found)
	case !shared:
		*found = *found.DeepCopy()
	}
	if !shared {
		found.SetGroupVersionKind(kind)
	}
	return nil
}

// List implements client.Reader.
func (d *dense) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	wanted := (&client.ListOptions{}).ApplyOptions(options)
	by, value := d.index(wanted)
	_, metadata := list.(*metav1.PartialObjectMetadataList)
	if by == nil && !metadata {
		return d.Cache.List(ctx, list, options...)
	}
	kind := list.GetObjectKind().GroupVersionKind()
	all, err := d.candidates(ctx, list, wanted, by, value)
	if err != nil {
		return err
	}
	var kept []runtime.Object
	for _, item := range all {
		if wanted.Limit > 0 && int64(len(kept)) == wanted.Limit {
			break
		}
		object, ok := item.(client.Object)
		if !ok {
			return fmt.Errorf("the cache holds a %T", item)
		}
		if object = d.pick(object, wanted, by, value); object == nil {
			continue
		}
		if !isTrue(wanted.UnsafeDisableDeepCopy) {
			if err := d.name(object, kind); err != nil {
				return err
			}
		}
		kept = append(kept, object)
	}
	return meta.SetList(list, kept)
}

// candidates are the objects of the store among which are those that are wanted.
func (d *dense) candidates(ctx context.Context, list client.ObjectList, wanted *client.ListOptions, by *index, value string) ([]any, error) {
	inner := *wanted
	inner.LabelSelector, inner.Limit, inner.UnsafeDisableDeepCopy = nil, 0, new(true)
	if by != nil {
		if found, known, err := by.stored(wanted.Namespace, value); known || err != nil {
			return found, err
		}
		inner.Namespace, inner.FieldSelector = "", by.selector(wanted.Namespace, value)
	}
	if err := d.Cache.List(ctx, list, &inner); err != nil {
		return nil, err
	}
	var found []any
	err := meta.EachListItem(list, func(item runtime.Object) error {
		found = append(found, item)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read a list of the cache: %w", err)
	}
	return found, nil
}

// pick is an object of the store as whoever lists it gets it; nil when it is not among what is wanted.
func (d *dense) pick(object client.Object, wanted *client.ListOptions, by *index, value string) client.Object {
	if by != nil && !by.mayHave(object, wanted.Namespace, value) {
		return nil
	}
	stored := object
	if object = unpacked(object); by != nil && !by.has(object, value) {
		return nil
	}
	if wanted.LabelSelector != nil && !wanted.LabelSelector.Matches(labels.Set(object.GetLabels())) {
		return nil
	}
	if object == stored && !isTrue(wanted.UnsafeDisableDeepCopy) {
		object, _ = object.DeepCopyObject().(client.Object)
	}
	return object
}

// name gives an object the kind that controller-runtime's cache gives to a copy.
func (d *dense) name(object client.Object, list schema.GroupVersionKind) error {
	if _, ok := object.(*metav1.PartialObjectMetadata); ok {
		object.GetObjectKind().SetGroupVersionKind(list.GroupVersion().WithKind(strings.TrimSuffix(list.Kind, "List")))
		return nil
	}
	kind, err := apiutil.GVKForObject(object, d.scheme)
	if err != nil {
		return fmt.Errorf("read a list of the cache: %w", err)
	}
	object.GetObjectKind().SetGroupVersionKind(kind)
	return nil
}

func isTrue(b *bool) bool { return b != nil && *b }
