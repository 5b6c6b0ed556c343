package handoff

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// podServer stands in for the manager, and for an API server that has one pod.
type podServer struct {
	t *testing.T
	*httptest.Server
	permits   atomic.Bool
	runnables []manager.Runnable
}

func newPodServer(t *testing.T) *podServer {
	s := &podServer{t: t}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *podServer) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	answer := func(code int, body any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		if err := json.NewEncoder(w).Encode(body); err != nil {
			s.t.Error(err)
		}
	}
	refuse := func(code int, reason metav1.StatusReason) {
		answer(code, metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: int32(code), Reason: reason})
	}
	query := request.URL.Query()
	switch {
	case !s.permits.Load():
		refuse(http.StatusForbidden, metav1.StatusReasonForbidden)
	case query.Get("sendInitialEvents") != "":
		refuse(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid)
	case query.Get("watch") != "":
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-request.Context().Done()
	default:
		answer(http.StatusOK, corev1.PodList{
			TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}, ListMeta: metav1.ListMeta{ResourceVersion: "1"},
			Items: []corev1.Pod{changed(runningPod("reader", "pair"), func(pod *corev1.Pod) { pod.Labels = map[string]string{"app": "web"} })},
		})
	}
}

func (s *podServer) GetConfig() *rest.Config     { return &rest.Config{Host: s.URL} }
func (s *podServer) GetHTTPClient() *http.Client { return s.Client() }
func (s *podServer) GetScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		s.t.Fatal(err)
	}
	return scheme
}
func (s *podServer) GetRESTMapper() meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{corev1.SchemeGroupVersion})
	for _, kind := range []string{"Pod", "PodList"} { // As discovery maps them.
		mapper.Add(corev1.SchemeGroupVersion.WithKind(kind), meta.RESTScopeNamespace)
	}
	return mapper
}
func (s *podServer) Add(runnable manager.Runnable) error {
	s.runnables = append(s.runnables, runnable)
	return nil
}

func TestHandoffSeesPodsAsSoonAsItMay(t *testing.T) {
	server := newPodServer(t)
	h, err := New(server, Options{Clock: rotation.SystemClock(), Memory: memory.NewStore(), Client: newAPIServer()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	for _, runnable := range server.runnables {
		if electing, ok := runnable.(manager.LeaderElectionRunnable); ok && !electing.NeedLeaderElection() {
			t.Error("it runs on more than the leader")
		}
		group.Go(func() {
			if err := runnable.Start(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	var forbidden *ForbiddenError
	if err := h.pods.listable(ctx, "team-a"); !errors.As(err, &forbidden) || *forbidden != (ForbiddenError{"list", "pods", "team-a"}) {
		t.Errorf("without the permission: %v", err)
	}
	server.permits.Store(true)
	deadline := time.Now().Add(time.Minute)
	for err = h.pods.listable(ctx, "team-a"); err != nil && time.Now().Before(deadline); err = h.pods.listable(ctx, "team-a") {
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		t.Fatalf("with the permission: %v", err)
	}
	found, err := h.pods.cacheOf("team-a").mounting(ctx, "team-a", []string{"unrelated", "pair"})
	if err != nil || len(found) != 1 || found[0].Name != "reader" {
		t.Fatalf("found %v, error %v", found, err)
	}
	if len(found[0].Labels) > 0 {
		t.Error("the cache keeps more of a pod than a handoff looks at")
	}
}

func TestHandoffHasACacheForEachWatchedNamespace(t *testing.T) {
	server := newPodServer(t)
	h, err := New(server, Options{Clock: rotation.SystemClock(), Memory: memory.NewStore(), Namespaces: []string{"team-a", "team-b"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(server.runnables) != 2 || h.pods.cacheOf("team-a") == h.pods.cacheOf("team-b") || h.pods.cacheOf("team-c") != nil {
		t.Errorf("%d caches for two namespaces", len(server.runnables))
	}
}
