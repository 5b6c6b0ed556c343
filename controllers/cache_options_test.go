package controllers

import (
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/cachetrim"
	"github.com/githubusertoken/github-user-token-operator/controllers/notices"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs"
	"github.com/githubusertoken/github-user-token-operator/internal/pairsecret"
)

// many is that many labels or annotations of others, of 100 bytes each.
func many(n int) map[string]string {
	values := map[string]string{}
	for i := range n {
		values[fmt.Sprintf("example.com/%06d", i)] = strings.Repeat("x", 82)
	}
	return values
}

func controlledBy(name string) []metav1.OwnerReference {
	return []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "GitHubUserToken", Name: name, UID: "u", Controller: new(true)}}
}

func TestCacheTakesAControllerThatIsTooLongForSomebodyElse(t *testing.T) {
	owners := controlledBy("octocat")
	owners[0].UID = types.UID(strings.Repeat("x", 1<<20))
	secret := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{v1alpha1.LabelRole: v1alpha1.RolePair}, OwnerReferences: owners}}
	if _, err := cachetrim.Object(secret); err != nil {
		t.Fatal(err)
	}
	if pair, _ := pairsecret.FromMetadata(&secret.ObjectMeta); pair.Controlled || pair.Orphan || pair.Owner.UID != "" {
		t.Errorf("the pair is %+v", pair)
	}
	if keys := slices.Concat(pairOwner(secret), outputs.IndexedOwner(secret)); len(strings.Join(keys, "")) > 100 {
		t.Errorf("it is indexed by %.100q", keys)
	}
}

// Somebody makes 200 Secrets with our label and a state of 10,000 logins each: 46 MiB.
func TestCacheOfForgedPairSecretsIsSmall(t *testing.T) { //nolint:paralleltest // it measures the heap
	const n, limit = 200, 6 << 20
	state := `{"seeds":[` + strings.TrimSuffix(strings.Repeat(`{"fingerprint":"%06d"},`, 10_000), ",") + `]}`
	numbers := make([]any, 10_000)
	indexer := toolscache.NewIndexer(toolscache.MetaNamespaceKeyFunc, toolscache.Indexers{
		indexChainTokens: indexed(chainTokens), indexPairOwner: indexed(pairOwner), notices.IndexPairUser: indexed(notices.PairUser),
	})
	before := heap()
	for i := range n {
		for j := range numbers {
			numbers[j] = (i*len(numbers) + j) % 1_000_000
		}
		forged, err := cachetrim.Object(&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
			Namespace: "team-a", Name: fmt.Sprint(i), UID: types.UID(fmt.Sprint(i)), OwnerReferences: controlledBy("octocat"),
			Labels: map[string]string{v1alpha1.LabelRole: v1alpha1.RolePair}, Annotations: map[string]string{v1alpha1.AnnotationState: fmt.Sprintf(state, numbers...)},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if err := indexer.Add(forged); err != nil {
			t.Fatal(err)
		}
		if i%20 == 19 && heap() > before+limit {
			t.Fatalf("%d of them take %d MiB", i+1, (heap()-before)>>20)
		}
	}
	t.Logf("%d of them take %d KiB", n, (heap()-before)>>10)
	runtime.KeepAlive(indexer)
}

// Those with states that are just not too long to be ours are indexed like ours.
func TestCacheOfForgedPairSecretsIsBounded(t *testing.T) { //nolint:paralleltest // it measures the heap
	const n = 400
	indexer := toolscache.NewIndexer(toolscache.MetaNamespaceKeyFunc, toolscache.Indexers{indexChainTokens: indexed(chainTokens), indexPairOwner: indexed(pairOwner)})
	before := heap()
	for i := range n {
		var logins []string
		for j := range 250 {
			logins = append(logins, fmt.Sprintf(`{"fingerprint":"%032d"}`, i*1000+j))
		}
		forged, err := cachetrim.Object(&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
			Namespace: "team-a", Name: fmt.Sprint(i), UID: types.UID(fmt.Sprint(i)), OwnerReferences: controlledBy("octocat"),
			Labels: map[string]string{v1alpha1.LabelRole: v1alpha1.RolePair}, Annotations: map[string]string{v1alpha1.AnnotationState: `{"seeds":[` + strings.Join(logins, ",") + `]}`},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if err := indexer.Add(forged); err != nil {
			t.Fatal(err)
		}
	}
	each := (heap() - before) / n
	t.Logf("each takes %d bytes", each)
	if each > 32<<10 {
		t.Errorf("each takes %d bytes", each)
	}
	runtime.KeepAlive(indexer)
}

func indexed(by func(client.Object) []string) toolscache.IndexFunc {
	return func(object any) ([]string, error) { return by(object.(*metav1.PartialObjectMetadata)), nil }
}

func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// collections are the requests for more than one object that an operator makes.
type collections struct {
	mu       sync.Mutex
	requests []*http.Request
}

func (c *collections) watch(config *rest.Config) {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			if last := request.URL.Path[strings.LastIndex(request.URL.Path, "/")+1:]; request.Method == http.MethodGet && slices.Contains([]string{"secrets", "githubusertokens", "pods"}, last) {
				c.mu.Lock()
				c.requests = append(c.requests, request)
				c.mu.Unlock()
			}
			return next.RoundTrip(request)
		})
	})
}

// What a tenant has put into many objects is taken in one by one, or in small pages.
func TestCacheOperatorListsNothingAtOnce(t *testing.T) {
	t.Parallel()
	seen := &collections{}
	w := newWorld(t, worldOptions{config: seen.watch, controller: func(o *Options) { o.EnableHandoff = true }})
	w.start("octocat")
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Secret.Name = "renamed" })
	w.ready("octocat")
	w.request("octocat", "1") // It looks for the pair under other names.
	w.refreshed("octocat", 2)
	w.settle()
	seen.mu.Lock()
	defer seen.mu.Unlock()
	streams := 0
	for _, request := range seen.requests {
		query := request.URL.Query()
		switch {
		case query.Get("sendInitialEvents") == "true":
			streams++
		case query.Get("watch") == "" && query.Get("limit") != "20":
			t.Errorf("everything at once: %s", request.URL)
		}
	}
	if streams < 3 {
		t.Errorf("only %d caches begin with a stream of objects", streams)
	}
}

// What is too large for the cache is read live where it is written: what others have put there stays.
func TestCacheLargeMetadataOfOthersStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.seed("octocat", "octocat")
	token := w.resource("octocat")
	token.Spec.Secret.Annotations, token.Spec.Secret.Labels = map[string]string{"example.com/wanted": strings.Repeat("w", 20_000)}, map[string]string{"team": "a"}
	token.Spec.Outputs = []v1alpha1.Output{{Name: "out", Format: v1alpha1.OutputFormatOpaque, Labels: v1alpha1.Labels{"team": "a"}}}
	for i := range 50 {
		token.Finalizers = append(token.Finalizers, fmt.Sprintf("example.com/finalizer-%02d", i))
	}
	w.create(token)
	before := w.ready("octocat")
	w.output("out", access(before))
	added := many(300)
	for _, name := range []string{"octocat-token", "out"} {
		w.changeSecret(name, func(secret *corev1.Secret) {
			secret.Finalizers = append(secret.Finalizers, "example.com/mine")
			maps.Copy(secret.Annotations, added)
			delete(secret.Labels, "team") // Drift is noticed all the same.
		})
	}
	w.request("octocat", "1")
	w.refreshed("octocat", 2)
	after := w.ready("octocat")
	w.output("out", access(after))
	for _, name := range []string{"octocat-token", "out"} {
		w.eventually("the metadata of "+name+" to be in line", func() (bool, string) {
			secret := w.pair(name)
			return secret.Labels["team"] == "a", fmt.Sprint(secret.Labels)
		})
		secret := w.pair(name)
		if !slices.Contains(secret.Finalizers, "example.com/mine") {
			t.Errorf("%s: the finalizers are %v", name, secret.Finalizers)
		}
		for key, value := range added {
			if secret.Annotations[key] != value {
				t.Fatalf("%s: annotation %s is %q", name, key, secret.Annotations[key])
			}
		}
	}
	w.quiet()
	if now := w.get("octocat"); len(now.Finalizers) != 51 {
		t.Errorf("the finalizers are %v", now.Finalizers)
	}
	w.remove(w.resourceNamed("octocat"))
	w.eventually("the operator to let go", func() (bool, string) {
		now := w.get("octocat")
		return len(now.Finalizers) == 50 && !slices.Contains(now.Finalizers, v1alpha1.Finalizer), fmt.Sprint(now.Finalizers)
	})
	for _, object := range []client.Object{w.resourceNamed("octocat"), w.secretNamed("octocat-token"), w.secretNamed("out")} {
		w.force(object)
	}
}

// What an index finds by one is what the other has it indexed by.
func TestCacheNamesOfSecretsAgree(t *testing.T) {
	token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Name: "pair"}}
	check := func() {
		t.Helper()
		names := secretNames(token)
		for _, name := range append([]string{"none", ""}, names...) {
			if got, want := namesSecret(token, name), slices.Contains(names, name); got != want {
				t.Errorf("%v: %q is named: %t, want %t", names, name, got, want)
			}
		}
	}
	check()
	token.Spec.Secret.Name = "other"
	token.Spec.RefreshTokenRef = &v1alpha1.RefreshTokenReference{Name: "seed"}
	token.Spec.App.ClientSecretRef = &v1alpha1.ClientSecretReference{Name: "secret"}
	token.Spec.Outputs = []v1alpha1.Output{{Name: "one"}, {Name: "two"}}
	check()
}
