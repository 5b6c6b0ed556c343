package densecache

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Index is an index by a hash.
type Index struct {
	// ClusterWide says that it is asked about all namespaces at once, and otherwise about one.
	ClusterWide bool
	// Verbatim says that its values stand in the metadata as they are, or there is a backslash in it. So what shares a hash
	// with something else need not be unpacked to be told apart.
	Verbatim bool
	// Has reports whether an object has a value, where that is quicker to tell than all that it has. May be nil.
	Has func(object client.Object, value string) bool
}

// buckets is how many values an index has at most. A lookup goes through all that share one: some ten, of 100,000 resources. One that
// is not empty takes 200 bytes and, as long as no more than eight share it, nothing more for each.
const buckets = 1 << 14

// In controller-runtime's cache an index has this name, and these values where no namespace is named.
const (
	fieldPrefix = "field:"
	anywhere    = "__all_namespaces/"
)

// bucketKeys are the values of all indexes.
var bucketKeys = func() (keys [buckets]string) {
	for i := range buckets {
		keys[i] = anywhere + strconv.FormatInt(int64(i), 36)
	}
	return keys
}()

// index is one of a cache's.
type index struct {
	Index

	field   string
	seed    maphash.Seed
	extract client.IndexerFunc
	// store is the informer's; nil where there is an informer for each of several namespaces.
	store toolscache.Indexer
	full  func() bool
}

// IndexField implements cache.Informers.
func (d *dense) IndexField(ctx context.Context, object client.Object, field string, extract client.IndexerFunc) error {
	options, ok := d.wanted[field]
	if !ok {
		return d.Cache.IndexField(ctx, object, field, func(object client.Object) []string { return extract(unpacked(object)) })
	}
	informer, err := d.Cache.GetInformer(ctx, object, cache.BlockUntilSynced(false))
	if err != nil {
		return err
	}
	by := &index{Index: options, field: field, seed: maphash.MakeSeed(), extract: extract, full: informer.HasSynced}
	if one, ok := informer.(interface{ GetIndexer() toolscache.Indexer }); ok {
		by.store = one.GetIndexer()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.indexes[field] != nil {
		return fmt.Errorf("there is an index %s already", field)
	}
	d.indexes[field] = by
	return informer.AddIndexers(toolscache.Indexers{fieldPrefix + field: by.keys})
}

// index is the one that a list asks for, and the value; nil when it asks for none that is by a hash.
func (d *dense) index(options *client.ListOptions) (by *index, value string) {
	if options.FieldSelector == nil {
		return nil, ""
	}
	wanted := options.FieldSelector.Requirements()
	if len(wanted) != 1 {
		return nil, ""
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.indexes[wanted[0].Field], wanted[0].Value
}

// lastIndexed is the object that was last unpacked for an index: a store asks all of its indexes about one.
var lastIndexed atomic.Pointer[indexed]

type indexed struct {
	text  string
	whole *metav1.PartialObjectMetadata
}

// keys is the index's function for a store.
func (by *index) keys(object any) ([]string, error) {
	of, ok := object.(client.Object)
	if !ok {
		return nil, fmt.Errorf("a %T is no object", object)
	}
	if meta, ok := object.(*metav1.PartialObjectMetadata); ok && isPacked(meta) {
		last := lastIndexed.Load()
		if last == nil || last.text != meta.GenerateName {
			last = &indexed{meta.GenerateName, unpack(meta)}
			lastIndexed.Store(last)
		}
		of = last.whole
	}
	var keys []string
	for _, value := range by.extract(of) {
		if key := bucketKeys[by.bucket(of.GetNamespace(), value)]; !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

func (by *index) bucket(namespace, value string) int {
	var hash maphash.Hash
	hash.SetSeed(by.seed)
	if !by.ClusterWide {
		_, _ = hash.WriteString(namespace)
	}
	_ = hash.WriteByte(0)
	_, _ = hash.WriteString(value)
	return int(hash.Sum64() % buckets)
}

// stored are the objects of the store that share the hash of a value. What it cannot tell yet is for the cache to tell, or to wait for.
func (by *index) stored(namespace, value string) (found []any, known bool, err error) {
	if by.store == nil || !by.full() {
		return nil, false, nil
	}
	found, err = by.store.ByIndex(fieldPrefix+by.field, bucketKeys[by.bucket(namespace, value)])
	return found, true, err
}

// selector is how controller-runtime's cache is asked for what shares the hash of a value.
func (by *index) selector(namespace, value string) fields.Selector {
	return fields.OneTermEqualSelector(by.field, bucketKeys[by.bucket(namespace, value)][len(anywhere):])
}

// mayHave reports whether an object of the store may be among those that are wanted, without a long look at it.
func (by *index) mayHave(object client.Object, namespace, value string) bool {
	if namespace != "" && object.GetNamespace() != namespace {
		return false
	}
	meta, ok := object.(*metav1.PartialObjectMetadata)
	if !by.Verbatim || !ok || !isPacked(meta) {
		return true
	}
	return strings.Contains(meta.GenerateName, value) || strings.Contains(meta.GenerateName, `\`)
}

// has reports whether an object has a value in the index.
func (by *index) has(object client.Object, value string) bool {
	if by.Has != nil {
		return by.Has(object, value)
	}
	return slices.Contains(by.extract(object), value)
}
