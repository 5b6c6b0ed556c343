package namespaces

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// server is an API server that answers for one namespace as it is told.
type server struct {
	cache.ListWatch

	transport http.RoundTripper
	namespace string

	mu  sync.Mutex
	err error
}

func newServer(w *Watched, namespace string, err error) *server {
	s := &server{namespace: namespace, err: err, transport: w.Transport(answer{})}
	s.ListWithContextFunc = func(ctx context.Context, _ metav1.ListOptions) (runtime.Object, error) {
		if err := s.request(ctx); err != nil {
			return nil, err
		}
		return &corev1.SecretList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: []corev1.Secret{{ObjectMeta: metav1.ObjectMeta{Name: "one", Namespace: namespace}}}}, nil
	}
	s.WatchFuncWithContext = func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
		if err := s.request(ctx); err != nil {
			return nil, err
		}
		if options.SendInitialEvents != nil {
			return nil, apierrors.NewInvalid(corev1.SchemeGroupVersion.WithKind("Secret").GroupKind(), "", nil) // It knows no streams.
		}
		return watch.NewFake(), nil
	}
	return s
}

func (s *server) request(ctx context.Context) error {
	path := "/api/v1/secrets"
	if s.namespace != All {
		path = "/api/v1/namespaces/" + s.namespace + "/secrets"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://api.example.com"+path, nil)
	if err != nil {
		return err
	}
	reply, err := s.transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *server) answer(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// answer is a transport whose answers do not matter.
type answer struct{}

func (answer) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

var errForbidden = apierrors.NewForbidden(corev1.Resource("secrets"), "", errors.New("there is no RoleBinding"))

// start runs an informer with a handler.
func start(t *testing.T, w *Watched, s *server) (cache.SharedIndexInformer, cache.ResourceEventHandlerRegistration) {
	t.Helper()
	informer := w.Informers(cache.NewSharedIndexInformer)(&s.ListWatch, &corev1.Secret{}, 0, nil)
	handle, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{})
	if err != nil {
		t.Fatal(err)
	}
	// The default handler waits by a time that the process remembers, and that is not the test's.
	if err := informer.SetWatchErrorHandlerWithContext(func(context.Context, *cache.Reflector, error) {}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() { informer.RunWithContext(ctx) })
	t.Cleanup(func() {
		cancel()
		ended.Wait()
	})
	return informer, handle
}

func TestNamespacesNobodyWaitsForANamespaceThatIsForbidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		w := New([]string{"one", "two"}, funcr.New(func(_, args string) { log = append(log, args) }, funcr.Options{}))
		if err := w.Ready(nil); err == nil {
			t.Error("it is ready before anything is known")
		}
		one, two := newServer(w, "one", nil), newServer(w, "two", errForbidden)
		served, _ := start(t, w, one)
		informer, handle := start(t, w, two)
		time.Sleep(10 * time.Second)
		if !served.HasSynced() || !informer.HasSynced() || !handle.HasSynced() {
			t.Error("somebody would wait for the namespace")
		}
		for _, checker := range []cache.DoneChecker{informer.HasSyncedChecker(), handle.HasSyncedChecker()} {
			synctest.Wait()
			if !cache.IsDone(checker) {
				t.Errorf("somebody would wait for %s", checker.Name())
			}
		}
		if err := w.Ready(nil); err != nil {
			t.Errorf("it is not ready: %v", err)
		}
		if w.Err("one") != nil || !apierrors.IsForbidden(w.Err("two")) || !apierrors.IsForbidden(w.Refused("two")) {
			t.Errorf("one: %v, two: %v", w.Err("one"), w.Err("two"))
		}
		wants(t, w, map[string]float64{"one": 1, "two": 0})
		if len(log) != 1 || !strings.Contains(log[0], "namespace two") {
			t.Errorf("the log says %q", log)
		}
		two.answer(nil)
		time.Sleep(2 * time.Minute)
		if items := informer.GetStore().List(); len(items) != 1 || w.Err("two") != nil || w.Refused("two") != nil {
			t.Errorf("%d Secrets are known: %v", len(items), w.Err("two"))
		}
		if len(log) != 2 {
			t.Errorf("the log says %q", log)
		}
		one.answer(errForbidden)
		two.answer(errForbidden)
	})
}

func TestNamespacesNothingIsReadyWhereEverythingIsForbidden(t *testing.T) {
	for name, namespaces := range map[string][]string{"two": {"one", "two"}, "all": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := New(namespaces, funcr.New(func(string, string) {}, funcr.Options{}))
				for _, name := range w.Names() {
					start(t, w, newServer(w, name, errForbidden))
				}
				time.Sleep(10 * time.Second)
				if err := w.Ready(nil); err == nil || !strings.Contains(err.Error(), "no namespace can be watched") {
					t.Errorf("readiness is %v", err)
				}
				if !apierrors.IsForbidden(w.Err("one")) {
					t.Errorf("one: %v", w.Err("one"))
				}
			})
		})
	}
}

// Other failures are not of one namespace. They are waited for as ever.
func TestNamespacesAPIServerThatDoesNotAnswerIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(nil, funcr.New(func(string, string) {}, funcr.Options{}))
		s := newServer(w, All, apierrors.NewInternalError(errors.New("etcd is away")))
		informer, handle := start(t, w, s)
		time.Sleep(10 * time.Second)
		if informer.HasSynced() || handle.HasSynced() || w.Ready(nil) == nil || w.Err("any") == nil {
			t.Error("it is not waited for")
		}
		s.answer(nil)
		time.Sleep(2 * time.Minute)
		if err := w.Ready(nil); err != nil || w.Err("any") != nil {
			t.Errorf("it is not ready: %v", err)
		}
	})
}

func wants(t *testing.T, w *Watched, want map[string]float64) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(w)
	families, err := registry.Gather()
	if err != nil || len(families) != 1 {
		t.Fatalf("%d metrics: %v", len(families), err)
	}
	got := map[string]float64{}
	for _, metric := range families[0].GetMetric() {
		got[metric.GetLabel()[0].GetValue()] = metric.GetGauge().GetValue()
	}
	if !maps.Equal(got, want) {
		t.Errorf("%s is %v, want %v", families[0].GetName(), got, want)
	}
}

func TestNamespacesAreServedWithoutWhatIsBesideThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New([]string{"one"}, funcr.New(func(string, string) {}, funcr.Options{}))
		start(t, w, newServer(w, "one", nil))
		informer, _ := start(t, w.Beside(), newServer(w.Beside(), "one", errForbidden))
		start(t, w.Beside(), newServer(w.Beside(), "", nil)) // cluster-wide
		time.Sleep(10 * time.Second)
		if err := w.Err("one"); err != nil {
			t.Errorf("the namespace is not served: %v", err)
		}
		if err := w.Ready(nil); err != nil {
			t.Errorf("it is not ready: %v", err)
		}
		if !informer.HasSynced() || !apierrors.IsForbidden(w.Beside().Err("one")) {
			t.Errorf("of what is beside it is said %v", w.Beside().Err("one"))
		}
		if err := w.Beside().Err(All); err != nil {
			t.Errorf("of what is cluster-wide is said %v", err)
		}
	})
}

// The objects of all namespaces are told of, by their type, and none of one that is forbidden from the start.
func TestNamespacesObjectsAreThoseOfTheCaches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New([]string{"a", "b", "c"}, funcr.New(func(string, string) {}, funcr.Options{}))
		for name, err := range map[string]error{"a": nil, "b": nil, "c": errForbidden} {
			start(t, w, newServer(w, name, err))
		}
		synctest.Wait()
		found := map[string]bool{}
		for _, object := range w.Objects(&corev1.Secret{}) {
			secret, ok := object.(*corev1.Secret)
			if !ok {
				t.Fatalf("a %T is told of", object)
			}
			found[secret.Namespace] = true
		}
		if len(found) != 2 || !found["a"] || !found["b"] {
			t.Errorf("those of %v are told of", found)
		}
		if others := w.Objects(&corev1.Pod{}); len(others) != 0 {
			t.Errorf("%d objects of another type are told of", len(others))
		}
	})
}
