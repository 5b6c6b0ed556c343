package paging

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// PageSize is how many objects a list brings at once. An object may have 1.5 MiB of metadata: so many come to 30 MiB.
const PageSize = 20

// NewInformer is for the options of a cache. Its informers begin with a stream of objects, or with a list in pages
// where the API server knows no streams; client-go alone would take in such a list whole. Each object of a page is
// trimmed before the next page is asked for; a stream is trimmed by the cache itself.
func NewInformer(trim cache.TransformFunc) func(cache.ListerWatcher, runtime.Object, time.Duration, cache.Indexers) cache.SharedIndexInformer {
	return func(source cache.ListerWatcher, object runtime.Object, resync time.Duration, indexers cache.Indexers) cache.SharedIndexInformer {
		return cache.NewSharedIndexInformer(lists{cache.ToListerWatcherWithContext(source), trim}, object, resync, indexers)
	}
}

// lists makes each list in pages.
type lists struct {
	cache.ListerWatcherWithContext

	trim cache.TransformFunc
}

// List implements cache.ListerWatcher.
func (l lists) List(options metav1.ListOptions) (runtime.Object, error) {
	return l.ListWithContext(context.Background(), options)
}

// Watch implements cache.ListerWatcher.
func (l lists) Watch(options metav1.ListOptions) (watch.Interface, error) {
	return l.WatchWithContext(context.Background(), options)
}

// ListWithContext implements cache.ListerWatcherWithContext.
func (l lists) ListWithContext(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	if options.ResourceVersion == "0" {
		options.ResourceVersion = "" // From its own cache the API server would send everything at once.
	}
	options.Limit = PageSize
	whole := &metainternalversion.List{}
	for {
		page, err := l.ListerWatcherWithContext.ListWithContext(ctx, options)
		if err != nil {
			return nil, err // The informer begins anew, also where a page has come too late.
		}
		list, err := meta.ListAccessor(page)
		if err != nil {
			return nil, fmt.Errorf("read a page of a list: %w", err)
		}
		if err := meta.EachListItemWithAlloc(page, func(item runtime.Object) error {
			trimmed, err := l.trim(item)
			if object, ok := trimmed.(runtime.Object); ok {
				item = object
			}
			whole.Items = append(whole.Items, item)
			return err
		}); err != nil {
			return nil, fmt.Errorf("read a page of a list: %w", err)
		}
		whole.ResourceVersion = list.GetResourceVersion()
		if options.Continue = list.GetContinue(); options.Continue == "" {
			return whole, nil
		}
		options.ResourceVersion, options.ResourceVersionMatch = "", "" // The token knows them.
	}
}
