package densecache

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// server is an API server with Secrets' metadata and ConfigMaps, as an informer sees it.
type server struct {
	secrets, others []runtime.Object
	changes         *watch.FakeWatcher
}

func (s *server) informer(_ toolscache.ListerWatcher, object runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
	items, changes := s.others, watch.NewFake()
	if _, ok := object.(*metav1.PartialObjectMetadata); ok {
		items, changes = s.secrets, s.changes
	}
	return toolscache.NewSharedIndexInformer(&toolscache.ListWatch{
		ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) {
			list := &corev1.List{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}
			for _, item := range items {
				list.Items = append(list.Items, runtime.RawExtension{Object: item.DeepCopyObject()})
			}
			return list, nil
		},
		WatchFuncWithContext: func(_ context.Context, options metav1.ListOptions) (watch.Interface, error) {
			if options.SendInitialEvents != nil {
				return nil, fmt.Errorf("no streams of lists here")
			}
			return changes, nil
		},
	}, object, resync, indexers)
}

var indexes = map[string]Index{"owner": {Verbatim: true}, "everywhere": {ClusterWide: true, Verbatim: true}, "data": {Has: func(object client.Object, value string) bool { return object.GetAnnotations()["data"] == value }}}

// value is an index's function: what stands in an annotation.
func value(key string) client.IndexerFunc {
	return func(object client.Object) []string {
		if text, ok := object.GetAnnotations()[key]; ok {
			return []string{text, text} // Twice is once.
		}
		return nil
	}
}

func secret(namespace, name string, annotations map[string]string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{
		TypeMeta: metav1.TypeMeta{Kind: "Secret", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, UID: "uid-of-1", ResourceVersion: "7", Generation: 3, Annotations: annotations,
			CreationTimestamp: metav1.Unix(1764449000, 0), DeletionTimestamp: new(metav1.Unix(1764449001, 0)), DeletionGracePeriodSeconds: new(int64(5)),
			Labels: map[string]string{"number": name}, Finalizers: []string{"a/b"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "a/v1", Kind: "B", Name: "c", UID: "d", Controller: new(true), BlockOwnerDeletion: new(false)}},
			ManagedFields:   []metav1.ManagedFieldsEntry{{Manager: "m", Operation: "Update", FieldsV1: metav1.NewFieldsV1(`{"f:data":{}}`)}},
		},
	}
}

// start starts a cache, and ends it with the test.
func start(t *testing.T, s *server, options cache.Options, prepare func(cache.Cache)) cache.Cache {
	t.Helper()
	s.changes = watch.NewFake()
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, kind := range []string{"Secret", "SecretList", "ConfigMap", "ConfigMapList"} {
		mapper.Add(corev1.SchemeGroupVersion.WithKind(kind), meta.RESTScopeNamespace)
	}
	options.Scheme, options.Mapper, options.HTTPClient, options.NewInformer = clientgoscheme.Scheme, mapper, http.DefaultClient, s.informer
	options.ByObject = map[client.Object]cache.ByObject{partial(): {Transform: Pack}}
	c, err := New(indexes)(&rest.Config{Host: "http://127.0.0.1:1"}, options)
	if err != nil {
		t.Fatal(err)
	}
	for field := range indexes {
		object := client.Object(partial())
		if field == "data" {
			object = &corev1.ConfigMap{}
		}
		if err := c.IndexField(t.Context(), object, field, value(field)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.IndexField(t.Context(), partial(), "plain", value("owner")); err != nil {
		t.Fatal(err)
	}
	if prepare != nil {
		prepare(c)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	if !c.WaitForCacheSync(ctx) {
		t.Fatal("the cache is not complete")
	}
	return c
}

func partial() *metav1.PartialObjectMetadata {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return object
}

func names(t *testing.T, c cache.Cache, list client.ObjectList, options ...client.ListOption) (found []string) {
	t.Helper()
	if err := c.List(t.Context(), list, options...); err != nil {
		t.Fatal(err)
	}
	items, err := meta.ExtractList(list)
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range items {
		object := item.(client.Object) //nolint:forcetypeassert // it is one
		found = append(found, object.GetNamespace()+"/"+object.GetName())
	}
	slices.Sort(found)
	return found
}

func secretList() *metav1.PartialObjectMetadataList {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	return list
}

func TestDenseCacheTellsWhatWasStored(t *testing.T) {
	want := secret("team-a", "x", map[string]string{"owner": "me", "text": "\x00ü\""})
	told := make(chan *metav1.PartialObjectMetadata, 10)
	s := &server{secrets: []runtime.Object{want}}
	c := start(t, s, cache.Options{}, func(c cache.Cache) {
		informer, err := c.GetInformer(t.Context(), partial(), cache.BlockUntilSynced(false))
		if err != nil {
			t.Fatal(err)
		}
		tell := func(object any) { told <- object.(*metav1.PartialObjectMetadata) }
		_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc: tell, UpdateFunc: func(before, after any) { tell(before); tell(after) }, DeleteFunc: tell,
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	expect := func(what string, got, want *metav1.PartialObjectMetadata) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v\nwant %+v", what, got, want)
		}
	}
	expect("a handler is told of", <-told, want)
	for _, options := range [][]client.GetOption{nil, {client.UnsafeDisableDeepCopy}} {
		got := partial()
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: "team-a", Name: "x"}, got, options...); err != nil {
			t.Fatal(err)
		}
		expect("Get", got, want)
		got.Annotations["text"] = "changed" // Of a copy.
	}
	for _, options := range [][]client.ListOption{
		nil, {client.UnsafeDisableDeepCopy}, {client.MatchingFields{"owner": "me"}, client.InNamespace("team-a")}, {client.MatchingFields{"plain": "me"}},
		{client.MatchingLabels{"number": "x"}, client.Limit(1)},
	} {
		list := secretList()
		if err := c.List(t.Context(), list, options...); err != nil || len(list.Items) != 1 {
			t.Fatalf("%v: %d items, %v", options, len(list.Items), err)
		}
		expect("List", &list.Items[0], want)
	}
	next := want.DeepCopy()
	next.ResourceVersion, next.Annotations = "8", nil
	s.changes.Modify(next)
	expect("before", <-told, want)
	expect("after", <-told, next)
	s.changes.Delete(next)
	expect("deleted", <-told, next)
}

func TestDenseCacheLooksUpWhatAnIndexHas(t *testing.T) {
	const n = 4 * buckets // Each value shares its hash with others.
	s := &server{}
	for i := range n {
		namespace := fmt.Sprint("team-", i%2)
		s.secrets = append(s.secrets, secret(namespace, fmt.Sprint(i), map[string]string{"owner": fmt.Sprint("owner", i/4), "everywhere": fmt.Sprint("token", i)}))
	}
	for i := range 8 {
		s.others = append(s.others, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
			Namespace: "team-0", Name: fmt.Sprint(i), Labels: map[string]string{"even": fmt.Sprint(i%2 == 0)}, Annotations: map[string]string{"data": fmt.Sprint(i / 4)},
		}})
	}
	escaped := secret("team-0", "escaped", map[string]string{"everywhere": `\token7`})
	s.secrets = append(s.secrets, escaped)
	for name, options := range map[string]cache.Options{
		"all namespaces": {}, "two namespaces": {DefaultNamespaces: map[string]cache.Config{"team-0": {}, "team-1": {}}},
	} {
		t.Run(name, func(t *testing.T) {
			some := &server{secrets: s.secrets, others: s.others}
			c := start(t, some, options, nil)
			for i := 0; i < n; i += 997 {
				j := i / 4 * 4
				// Where each namespace has an informer the server of this test shows all to both.
				if got, want := names(t, c, secretList(), client.InNamespace("team-1"), client.MatchingFields{"owner": fmt.Sprint("owner", i/4)}),
					[]string{fmt.Sprint("team-1/", j+1), fmt.Sprint("team-1/", j+3)}; !slices.Equal(slices.Compact(slices.Sorted(slices.Values(got))), slices.Sorted(slices.Values(want))) {
					t.Fatalf("owner%d: %v, want %v", i/4, got, want)
				}
				if got, want := slices.Compact(names(t, c, secretList(), client.MatchingFields{"everywhere": fmt.Sprint("token", i)})), []string{fmt.Sprintf("team-%d/%d", i%2, i)}; !slices.Equal(got, want) {
					t.Fatalf("token%d: %v, want %v", i, got, want)
				}
			}
			if got := names(t, c, secretList(), client.MatchingFields{"everywhere": "none"}); len(got) > 0 {
				t.Errorf("what is not there: %v", got)
			}
			if got := slices.Compact(names(t, c, secretList(), client.MatchingFields{"everywhere": `\token7`})); !slices.Equal(got, []string{"team-0/escaped"}) {
				t.Errorf("what has a backslash: %v", got)
			}
			if got := names(t, c, &corev1.ConfigMapList{}, client.InNamespace("team-0"), client.MatchingFields{"data": "1"}, client.MatchingLabels{"even": "true"}); !slices.Equal(slices.Compact(got), []string{"team-0/4", "team-0/6"}) {
				t.Errorf("of another kind: %v", got)
			}
			if got := names(t, c, &corev1.ConfigMapList{}, client.InNamespace("team-0"), client.MatchingFields{"data": "1"}, client.Limit(3)); len(got) != 3 {
				t.Errorf("three of four: %v", got)
			}
			if got := names(t, c, &corev1.ConfigMapList{}, client.InNamespace("team-1"), client.MatchingFields{"data": "1"}); len(got) > 0 {
				t.Errorf("in another namespace: %v", got)
			}
		})
	}
}

// What is listed is the reader's own, unless that asks for what is everybody's.
func TestDenseCacheListsCopies(t *testing.T) {
	of := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "team-0", Name: "x", Annotations: map[string]string{"data": "1"}}}
	c := start(t, &server{others: []runtime.Object{of}}, cache.Options{}, nil)
	for range 2 {
		var list corev1.ConfigMapList
		if err := c.List(t.Context(), &list, client.InNamespace("team-0"), client.MatchingFields{"data": "1"}); err != nil || len(list.Items) != 1 {
			t.Fatalf("%d items, %v", len(list.Items), err)
		}
		if list.Items[0].Kind != "ConfigMap" || !maps.Equal(list.Items[0].Annotations, of.Annotations) {
			t.Fatalf("%+v", list.Items[0])
		}
		list.Items[0].Annotations["data"] = "2"
	}
}

func TestDenseCachePacksOnce(t *testing.T) {
	whole := secret("team-a", "x", map[string]string{"a": "b"})
	whole.GenerateName = "x-" // What others have made so is no packed one.
	packed, err := Pack(whole.DeepCopy())
	if err != nil || !IsPacked(packed) || IsPacked(whole) {
		t.Fatalf("%v, %v", packed, err)
	}
	if again, err := Pack(packed); err != nil || again != packed {
		t.Errorf("it is packed again: %v, %v", again, err)
	}
	store := packed.(*metav1.PartialObjectMetadata) //nolint:forcetypeassert // it is one
	if store.Namespace != whole.Namespace || store.Name != whole.Name || store.UID != whole.UID || store.ResourceVersion != whole.ResourceVersion || store.Labels != nil {
		t.Errorf("the store sees %+v", store)
	}
	if got := unpack(store); !reflect.DeepEqual(got, whole) {
		t.Errorf("%+v\nwant %+v", got, whole)
	}
	for _, other := range []any{&corev1.ConfigMap{}, &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{Kind: "Namespace"}}} {
		if same, err := Pack(other); err != nil || same != other {
			t.Errorf("%T: %v, %v", other, same, err)
		}
	}
}

// Nobody can choose what shares a hash with theirs: it differs from process to process.
func TestDenseCacheHashesHaveAKey(t *testing.T) {
	var by [2]*dense
	var seen [2][]int
	var once sync.Once
	for i := range by {
		d, ok := start(t, &server{}, cache.Options{}, nil).(*dense)
		if !ok {
			t.Fatal("another cache")
		}
		for v := range 100 {
			seen[i] = append(seen[i], d.indexes["owner"].bucket("team", fmt.Sprint(v)))
		}
		once.Do(func() {
			if a, b := d.indexes["owner"].bucket("a", "x"), d.indexes["everywhere"].bucket("a", "x"); a == b {
				t.Log("two indexes share a hash, which happens")
			}
			if d.indexes["everywhere"].bucket("a", "x") != d.indexes["everywhere"].bucket("b", "x") {
				t.Error("a cluster-wide index tells namespaces apart")
			}
		})
	}
	if slices.Equal(seen[0], seen[1]) {
		t.Error("the hashes are those of another process")
	}
}
