package controllers

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/namespaces"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// A resource at rest with its pair Secret, as an API server tells of them.
var (
	//go:embed testdata/at_rest_resource.json
	resourceAtRest string
	//go:embed testdata/at_rest_pair.json
	pairAtRest string
)

// atRest tells of n resources at rest, by ten namespaces, each in memory of its own, as they come from the network.
type atRest struct {
	t *testing.T
	n int
}

func (a atRest) nameOf(i int) types.NamespacedName {
	return types.NamespacedName{Namespace: fmt.Sprint("tenant-", i%10), Name: fmt.Sprintf("octocat-%06d", i)}
}

func (a atRest) tokenOf(i int) credential.Fingerprint {
	return credential.Fingerprint(fmt.Sprintf("%032x", i))
}

func (a atRest) decode(i int, text string, into any) {
	name := a.nameOf(i)
	text = strings.NewReplacer("bench-template-namespace", name.Namespace, "bench-template-name", name.Name,
		"b971d3a5-c70e-40ef-9a0b-673b3489903b", fmt.Sprintf("b971d3a5-c70e-40ef-9a0b-%012x", i), "d436c7a4-3ce8-4162-861c-e191bcccb836", fmt.Sprintf("d436c7a4-3ce8-4162-861c-%012x", i),
		"7651c375ded58c331db9f4443aac2652", fmt.Sprintf("a%031x", i), "aae288f973c72166831327887245fad4", string(a.tokenOf(i)), "e1c0d72938a455dd4f6a183ee0d06437", fmt.Sprintf("c%031x", i),
	).Replace(text)
	if err := json.Unmarshal([]byte(text), into); err != nil {
		a.t.Error(err)
	}
}

func (a atRest) list(object apiruntime.Object) apiruntime.Object {
	list := &corev1.List{ListMeta: metav1.ListMeta{ResourceVersion: "1000"}}
	add := func(item apiruntime.Object) {
		list.Items = append(list.Items, apiruntime.RawExtension{Object: item})
	}
	for i := range a.n {
		switch object := object.(type) {
		case *v1alpha1.GitHubUserToken:
			item := &v1alpha1.GitHubUserToken{}
			a.decode(i, resourceAtRest, item)
			add(item)
		case *metav1.PartialObjectMetadata:
			if object.Kind == "Secret" {
				item := &metav1.PartialObjectMetadata{}
				a.decode(i, pairAtRest, item)
				add(item)
			}
		}
	}
	return list
}

func (a atRest) informer(_ toolscache.ListerWatcher, object apiruntime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
	return toolscache.NewSharedIndexInformer(&toolscache.ListWatch{
		ListWithContextFunc: func(context.Context, metav1.ListOptions) (apiruntime.Object, error) { return a.list(object), nil },
		WatchFuncWithContext: func(_ context.Context, options metav1.ListOptions) (watch.Interface, error) {
			if options.SendInitialEvents != nil {
				return nil, errors.New("no streams of lists here")
			}
			return watch.NewFake(), nil
		},
	}, object, resync, indexers)
}

// cached is a cache of what is at rest, with its indexes.
func (a atRest) cached() cache.Cache {
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, kind := range []string{"Secret", "SecretList"} {
		mapper.Add(corev1.SchemeGroupVersion.WithKind(kind), meta.RESTScopeNamespace)
	}
	for _, kind := range []string{"GitHubUserToken", "GitHubUserTokenList", v1alpha1.KindGitHubApp, v1alpha1.KindClusterGitHubApp} {
		mapper.Add(v1alpha1.GroupVersion.WithKind(kind), meta.RESTScopeNamespace)
	}
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Namespace"), meta.RESTScopeRoot)
	options := CacheOptions(namespaces.New(nil, logr.Discard()))
	options.Scheme, options.Mapper, options.HTTPClient, options.NewInformer = scheme, mapper, http.DefaultClient, a.informer
	made, err := NewCache(&rest.Config{Host: "http://127.0.0.1:1"}, options)
	if err == nil {
		err = setupIndexes(made)
	}
	if err != nil {
		a.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(a.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- made.Start(ctx) }()
	a.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			a.t.Error(err)
		}
	})
	if !made.WaitForCacheSync(ctx) {
		a.t.Fatal("the cache is not complete")
	}
	return made
}

// cacheClient is a client that reads from a cache.
type cacheClient struct {
	client.Client // For the methods that nothing here may call.
	Reader        client.Reader
}

func (r cacheClient) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	return r.Reader.List(ctx, list, options...)
}

// What the caches keep of a resource with its pair Secret, indexes and all. It is most of what a resource costs.
func TestCacheOfAResourceAtRestIsSmall(t *testing.T) { //nolint:paralleltest // it measures the heap
	const n, most = 8000, 3800
	a := atRest{t, n}
	a.cached() // What is made once is there.
	before := heap()
	made := a.cached()
	each := (heap() - before) / n
	t.Logf("each takes %d bytes", each)
	if each > most {
		t.Errorf("each takes %d bytes, more than %d", each, most)
	}
	// Nothing is missing.
	of := clusterCache{made, namespaces.New(nil, logr.Discard())}
	for i := 0; i < n; i += 799 {
		name := a.nameOf(i)
		token, known := of.Resource(t.Context(), name)
		if !known || token == nil || token.Status.User.Login != name.Name || len(token.Status.Conditions) != 2 {
			t.Fatalf("resource %s: %+v", name, token)
		}
		owned, err := of.PairsOf(t.Context(), rotation.Owner{Namespace: name.Namespace, Name: name.Name, UID: string(token.UID)})
		if err != nil || len(owned) != 1 || owned[0].State.RefreshToken != a.tokenOf(i) || owned[0].Ref.Name != name.Name+"-token" {
			t.Fatalf("pairs of %s: %v, %v", name, owned, err)
		}
		named, err := of.SecretsFor(t.Context(), name)
		if err != nil || len(named) != 1 || named[0].UID != owned[0].UID {
			t.Fatalf("Secrets for %s: %v, %v", name, named, err)
		}
		chains, err := of.ChainsWith(t.Context(), a.tokenOf(i))
		if err != nil || len(chains) != 1 || chains[0].UID != token.UID {
			t.Fatalf("chains of %s: %v, %v", name, chains, err)
		}
		naming := (&Reconciler{Client: cacheClient{Reader: made}}).naming(types.NamespacedName{Namespace: name.Namespace, Name: name.Name + "-seed"})
		if len(naming) != 1 || naming[0].Name != name.Name {
			t.Fatalf("naming the seed of %s: %d", name, len(naming))
		}
	}
	runtime.KeepAlive(made)
}
