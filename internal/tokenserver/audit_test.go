package tokenserver

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// Events of new readers are told of once, and at a bounded rate for each namespace; who was left out is told of later.
func TestTokenServerTellsOfNewReadersAtABoundedRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		of := func(namespace, uid string) *v1alpha1.GitHubUserToken {
			return &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, UID: types.UID(uid)}}
		}
		r, mine := newReaders(), of("team-a", uid)
		told := 0
		for i := range 1000 {
			if r.isNew(mine, fmt.Sprint(i)) {
				told++
			}
		}
		if told != eventsAtOnce {
			t.Errorf("%d were told of at once", told)
		}
		if r.isNew(mine, "0") || r.isNew(mine, "999") {
			t.Error("one was told of twice, or beyond the rate")
		}
		if !r.isNew(of("team-b", "other"), "0") {
			t.Error("who has many readers has kept those of another namespace from being told of")
		}
		time.Sleep(time.Second)
		if r.isNew(mine, "0") || !r.isNew(mine, "999") || r.isNew(mine, "999") {
			t.Error("one was told of twice, or one that was left out is not told of")
		}
		time.Sleep(time.Second)
		if !r.isNew(of("team-a", "another resource"), "0") {
			t.Error("a reader of another resource is not told of")
		}
	})
}

// sink is what an API server has of events.
type sink struct {
	mu   sync.Mutex
	have []*eventsv1.Event
}

func (s *sink) Create(_ context.Context, event *eventsv1.Event) (*eventsv1.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.have = append(s.have, event.DeepCopy())
	return event, nil
}

func (s *sink) Update(_ context.Context, event *eventsv1.Event) (*eventsv1.Event, error) {
	return event, nil
}

func (s *sink) Patch(_ context.Context, event *eventsv1.Event, _ []byte) (*eventsv1.Event, error) {
	return event, nil
}

// The recorder makes one of events that are alike but for what they say, and keeps what the first has said: each reader has one of their own.
func TestTokenServerTellsOfEachReaderInAnEventOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.namespaces["other"] = "others"
		scheme := runtime.NewScheme()
		if err := v1alpha1.AddToScheme(scheme); err != nil {
			t.Fatal(err)
		}
		have := &sink{}
		broadcaster := events.NewBroadcaster(have)
		ctx, cancel := context.WithCancel(t.Context())
		if err := broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
			t.Fatal(err)
		}
		recorder := broadcaster.NewRecorder(scheme, "token-server")
		w.server.options.Events = recorder.WithLogger(logr.Discard())
		for _, shown := range []string{"first", "other", "first"} {
			w.expect(w.askAs(shown, ""), 200, canaryAccess, 0)
			synctest.Wait()
		}
		have.mu.Lock()
		var notes []string
		for _, event := range have.have {
			notes = append(notes, event.Related.Kind+" "+event.Related.Namespace+"/"+event.Related.Name)
			if !strings.Contains(event.Note, "system:serviceaccount:"+event.Related.Namespace+":runner") {
				t.Errorf("it says %q of %v", event.Note, event.Related)
			}
		}
		have.mu.Unlock()
		slices.Sort(notes)
		if strings.Join(notes, ", ") != "ServiceAccount agents/runner, ServiceAccount others/runner" {
			t.Errorf("the events are of %q", notes)
		}
		cancel()
		broadcaster.Shutdown()
	})
}
