package controllers

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/alternates"
	"github.com/githubusertoken/github-user-token-operator/controllers/lifecycle"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/scopedtokens"
	"github.com/githubusertoken/github-user-token-operator/controllers/shard"
	"github.com/githubusertoken/github-user-token-operator/controllers/tokencount"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/pairsecret"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// hastyQueue is a queue whose worker has reconciled what is added before Add returns.
type hastyQueue struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]

	reconcile func(reconcile.Request)
}

func (q hastyQueue) Add(request reconcile.Request) { q.reconcile(request) }

// watched knows the version of no Secret.
type watched struct{}

func (watched) Version(types.NamespacedName) (string, bool) { return "", false }
func (watched) Learn(types.NamespacedName, string)          {}
func (watched) Forget(types.NamespacedName)                 {}

// allServed is a cache that holds every namespace.
type allServed struct{}

func (allServed) Err(string) error { return nil }

// watchWorld is a Reconciler over a cluster that holds one suspended resource. Its cache is the cluster itself.
type watchWorld struct {
	*Reconciler

	t     *testing.T
	store *pairsecret.Store
	token *v1alpha1.GitHubUserToken
	name  types.NamespacedName
}

func newWatchWorld(t *testing.T) *watchWorld {
	t.Helper()
	token := &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat", UID: "uid-1", Finalizers: []string{v1alpha1.Finalizer}},
		Spec: v1alpha1.GitHubUserTokenSpec{
			App: v1alpha1.App{Host: "github.com", ClientID: clientID}, Suspend: true, Secret: v1alpha1.SecretTemplate{Name: "octocat-token"},
			Outputs: []v1alpha1.Output{{Name: "octocat-output", Format: v1alpha1.OutputFormatOpaque}},
		},
	}
	cluster := fake.NewClientBuilder().WithScheme(scheme).WithObjects(token).WithStatusSubresource(token).WithReturnManagedFields().
		WithIndex(&v1alpha1.GitHubUserToken{}, indexSecretNames, secretNames).
		WithIndex(&corev1.Secret{}, indexChainTokens, chainTokens).
		WithIndex(&corev1.Secret{}, indexPairOwner, pairOwner).
		WithIndex(&corev1.Secret{}, indexCodes, codesOwner).
		WithIndex(&corev1.Secret{}, outputs.IndexOwner, outputs.IndexedOwner).Build()
	gitHub, err := github.New(github.Options{}) // Nothing is due that would be asked of it.
	if err != nil {
		t.Fatal(err)
	}
	remembered := memory.NewStore()
	w := &watchWorld{
		t: t, store: &pairsecret.Store{Client: cluster, Live: cluster}, token: token, name: client.ObjectKeyFromObject(token),
		Reconciler: &Reconciler{
			tokens: tokencount.New(),
			Client: cluster, APIReader: cluster, Recorder: events.NewFakeRecorder(100), Clock: rotation.SystemClock(),
			namespaces: allServed{}, memory: remembered, reports: memory.NewSlot[reported](remembered), contests: memory.NewSlot[contests](remembered),
			queue: &queue{memory: remembered}, handover: shard.NewHandover(rotation.SystemClock(), remembered),
		},
	}
	w.setupPace()
	w.outputs = outputs.New(outputs.Options{Client: cluster, Live: cluster, Store: w.store, Clock: w.Clock, Memory: remembered})
	exchanges := runner.New(runner.Options{Limit: 1})
	w.scoped = scopedtokens.New(scopedtokens.Options{Outputs: w.outputs, Runner: exchanges, Memory: remembered, Clock: w.Clock})
	w.alternates = alternates.Keeper{Cache: clusterCache{cluster, allServed{}}, Client: cluster}
	w.lifecycle = lifecycle.New(lifecycle.Options{
		Cache: clusterCache{cluster, allServed{}}, API: clusterAPI{w.store, func(types.UID) bool { return true }, func(types.UID) {}}, Versions: watched{}, GitHub: gitHub, Limiter: ratelimit.New(ratelimit.Options{}),
		Clock: w.Clock, Reporter: reporter{w.Reconciler}, Memory: remembered, Wake: w.queue.add, Freed: w.tokenFreed, Log: logr.Discard(),
		Runner: exchanges, CheckRunner: runner.New(runner.Options{Limit: 1}),
	})
	return w
}

func (w *watchWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// metadata is an object as the watch has it; nil when there is none.
func (w *watchWorld) metadata(name string) *metav1.PartialObjectMetadata {
	w.t.Helper()
	meta, err := cachedSecret(w.t.Context(), w.Client, types.NamespacedName{Namespace: w.token.Namespace, Name: name})
	w.must(err)
	return meta
}

// leftover makes a Secret of a former resource of the same name.
func (w *watchWorld) leftover() *metav1.PartialObjectMetadata {
	w.t.Helper()
	former := w.token.DeepCopy()
	former.UID = "uid-0"
	w.must(w.Client.Create(w.t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: w.token.Namespace, Name: "former-token", UID: "secret-0", Finalizers: []string{v1alpha1.Finalizer},
		Labels:          map[string]string{v1alpha1.LabelRole: v1alpha1.RolePair, v1alpha1.LabelOwner: v1alpha1.OwnerLabel(w.token.Name)},
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(former, v1alpha1.GroupVersion.WithKind("GitHubUserToken"))},
	}}))
	return w.metadata("former-token")
}

// pair stores a pair of the resource.
func (w *watchWorld) pair() *rotation.Pair {
	w.t.Helper()
	access, refresh := credential.NewAccessToken("ghu_1"), credential.NewRefreshToken("ghr_1")
	pair, err := w.store.Create(w.t.Context(), &rotation.Pair{
		Ref: scope.PairRefOf(w.token), Owner: scope.OwnerOf(w.token), AccessToken: access, RefreshToken: refresh,
		State: rotation.State{
			Owner: string(w.token.UID), OwnerName: w.token.Name, App: scope.InlineApp(w.token).Key(), Revision: 1,
			AccessToken: access.Fingerprint(), RefreshToken: refresh.Fingerprint(),
			IssuedAt: w.Clock.Now(), ExpiresAt: w.Clock.Now().Add(8 * time.Hour),
		},
	})
	w.must(err)
	return pair
}

// remove has a Secret gone, whatever holds it.
func (w *watchWorld) remove(name string) {
	w.t.Helper()
	w.must(w.Client.Patch(w.t.Context(), w.metadata(name), client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))))
	w.must(w.Client.Delete(w.t.Context(), w.metadata(name)))
}

// A reconcile may begin as soon as its resource is in the queue, and nothing brings it back for what it has missed.
func TestWatchesTellWhatHasHappenedBeforeAReconcileCanBegin(t *testing.T) {
	type telling struct {
		// before and after are what the event is about; before is nil for a new Secret, and after for one that is gone.
		before, after *metav1.PartialObjectMetadata
		// heeded reports whether a reconcile that has just ended knew of it.
		heeded func() bool
	}
	for name, happen := range map[string]func(*watchWorld) telling{
		"a Secret of a former resource that is being deleted when it is first seen is released": func(w *watchWorld) telling {
			w.must(w.Client.Delete(w.t.Context(), w.leftover()))
			return telling{after: w.metadata("former-token"), heeded: func() bool { return w.metadata("former-token") == nil }}
		},
		"a Secret of a former resource that is deleted is released": func(w *watchWorld) telling {
			before := w.leftover()
			w.must(w.Client.Delete(w.t.Context(), before.DeepCopy()))
			return telling{before: before, after: w.metadata("former-token"), heeded: func() bool { return w.metadata("former-token") == nil }}
		},
		"a pair Secret that is gone is not taken for one that is still to arrive in the cache": func(w *watchWorld) telling {
			w.lifecycle.MetadataWritten(w.token.UID, w.pair())
			before := w.metadata(w.token.PairSecretName())
			w.remove(before.Name)
			return telling{before: before, heeded: func() bool {
				seen, err := w.lifecycle.Observe(w.t.Context(), w.token)
				w.must(err)
				return seen.Pair == nil
			}}
		},
		"an output that is gone is not taken for one that is still to arrive in the cache": func(w *watchWorld) telling {
			w.outputs.Publish(w.t.Context(), w.token, w.pair())
			before := w.metadata("octocat-output")
			w.remove(before.Name)
			return telling{before: before, heeded: func() bool { return w.metadata("octocat-output") != nil }}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWatchWorld(t)
			told := happen(w)
			added := 0
			queue := hastyQueue{reconcile: func(request reconcile.Request) {
				added++
				if _, err := w.Reconcile(t.Context(), request); err != nil || request.NamespacedName != w.name {
					t.Errorf("the reconcile of %s: %v", request, err)
				}
				if !told.heeded() {
					t.Error("a reconcile began before it could know")
				}
			}}
			handler := w.secretEvents()
			switch {
			case told.before == nil:
				handler.Create(t.Context(), event.CreateEvent{Object: told.after}, queue)
			case told.after == nil:
				handler.Delete(t.Context(), event.DeleteEvent{Object: told.before}, queue)
			default:
				handler.Update(t.Context(), event.UpdateEvent{ObjectOld: told.before, ObjectNew: told.after}, queue)
			}
			if added == 0 {
				t.Error("no reconcile began")
			}
		})
	}
}

// countingQueue counts what is added.
type countingQueue struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]

	mu    sync.Mutex
	added map[string]int
}

func (q *countingQueue) Add(request reconcile.Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.added[request.Name]++
}

// most is of how many something was added, and how often at most.
func (q *countingQueue) most() (n, most int) {
	synctest.Wait()
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, times := range q.added {
		most = max(most, times)
	}
	return len(q.added), most
}

// A tenant has many resources name one Secret of the operator, and changes whose it is all the time. The events of all namespaces
// are received in one line, so that nothing there may cost as much as there are resources.
func TestWatchesTellManyResourcesOfOneSecretBesideTheEventsAndOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchWorld(t)
		const many = 100
		for i := range many {
			named := w.token.DeepCopy()
			named.Name, named.UID, named.ResourceVersion = fmt.Sprint("naming-", i), types.UID(fmt.Sprint("naming-", i)), ""
			named.Spec.Outputs = nil
			w.must(w.Client.Create(t.Context(), named))
		}
		told, inLine := &countingQueue{added: map[string]int{}}, &countingQueue{added: map[string]int{}}
		w.must(w.queue.Start(t.Context(), told))
		w.pair()
		before := w.metadata(w.token.PairSecretName())
		after := before.DeepCopy()
		after.Labels[v1alpha1.LabelOwner] = "another"
		handler := w.secretEvents()
		for range 50 {
			ctx, cancel := context.WithCancel(t.Context()) // It ends with the event.
			handler.Update(ctx, event.UpdateEvent{ObjectOld: before, ObjectNew: after}, inLine)
			handler.Update(ctx, event.UpdateEvent{ObjectOld: after, ObjectNew: before}, inLine)
			cancel()
			time.Sleep(10 * time.Millisecond)
		}
		if n, _ := inLine.most(); n > 1 { // The one whose pair it is.
			t.Errorf("%d resources were told while the event was received", n)
		}
		if n, most := told.most(); n != many+1 || most != 1 {
			t.Errorf("%d resources were told, at most %d times in half a second, want %d, once", n, most, many+1)
		}
		time.Sleep(5 * time.Second)
		if n, most := told.most(); n != many+1 || most != 2 {
			t.Errorf("%d resources were told, at most %d times, want %d, twice", n, most, many+1)
		}
	})
}

// A start has every resource reconciled, behind all that happens.
func TestWatchesTellNobodyOfTheSecretsThatAStartFinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchWorld(t)
		told := &countingQueue{added: map[string]int{}}
		w.must(w.queue.Start(t.Context(), told))
		w.pair()
		handler, create := w.secretEvents(), event.CreateEvent{Object: w.metadata(w.token.PairSecretName()), IsInInitialList: true}
		handler.Create(t.Context(), create, &countingQueue{added: map[string]int{}})
		if n, _ := told.most(); n != 0 {
			t.Errorf("%d resources were told", n)
		}
		create.IsInInitialList = false
		handler.Create(t.Context(), create, &countingQueue{added: map[string]int{}})
		if n, _ := told.most(); n != 1 {
			t.Errorf("%d resources were told of a new one", n)
		}
		time.Sleep(5 * time.Second)
	})
}
