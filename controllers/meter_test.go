package controllers

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// meter counts what an operator does: the requests that it makes of the API server, and how often it asks
// its clock for the time, which each reconcile does. It is the operator's clock for that.
type meter struct {
	mu       sync.Mutex
	requests []string
	// underWay is how many of them have not been answered.
	underWay int
	looks    int
	ahead    time.Duration
}

var _ rotation.Clock = &meter{}

var trueClock = rotation.SystemClock()

// Now implements rotation.Clock.
func (m *meter) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.looks++
	return trueClock.Now().Add(m.ahead)
}

// leap lets time pass at once. What sleeps goes on sleeping.
func (m *meter) leap(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ahead += d
}

// Monotonic implements rotation.Clock.
func (m *meter) Monotonic() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return trueClock.Monotonic() + m.ahead
}

// WithTimeout implements rotation.Clock.
func (m *meter) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return trueClock.WithTimeout(ctx, d)
}

// Sleep implements rotation.Clock.
func (m *meter) Sleep(ctx context.Context, d time.Duration) error { return trueClock.Sleep(ctx, d) }

// wrap puts the meter between the operator and the API server. Watches are not counted.
func (m *meter) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		// A review asks what one may do; it is a POST that writes nothing.
		if request.URL.Query().Get("watch") == "" && !strings.HasSuffix(request.URL.Path, "/selfsubjectaccessreviews") {
			m.mu.Lock()
			m.requests = append(m.requests, request.Method+" "+request.URL.Path)
			m.underWay++
			m.mu.Unlock()
			defer func() {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.underWay--
			}()
		}
		return next.RoundTrip(request)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// waits reports whether an answer of the API server is still to come.
func (m *meter) waits() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.underWay > 0
}

// reading is what a meter showed at one moment.
type reading struct{ requests, looks int }

func (m *meter) read() reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	return reading{len(m.requests), m.looks}
}

// since are the writes and reads since a reading, and how often the clock was looked at.
func (m *meter) since(then reading) (writes, reads []string, looks int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, request := range m.requests[then.requests:] {
		if strings.HasPrefix(request, http.MethodGet) {
			reads = append(reads, request)
		} else {
			writes = append(writes, request)
		}
	}
	return writes, reads, m.looks - then.looks
}

// triesWithin is how often at most something may be tried within a time: it begins with a few tries, and a hot loop makes hundreds.
func triesWithin(d time.Duration) int { return 4 + int(d/(time.Second/2)) }

// paced makes sure that the tries to exchange a token that has failed come with pauses.
func (w *world) paced(token string) {
	w.t.Helper()
	const least = 500 * time.Millisecond
	tries := w.gh.PresentationsOf(token)
	for i := range tries {
		if i > 0 && tries[i].At.Sub(tries[i-1].At) < least {
			w.t.Errorf("try %d came %s after the one before", i+1, tries[i].At.Sub(tries[i-1].At))
		}
	}
}

// quietTime is how long quiet watches. A hot loop shows in far less.
const quietTime = 1500 * time.Millisecond

// quiet watches a world for a while in which nothing is to happen: no write, no exchange, hardly a look. On a
// loaded machine what happened before may still be on its way, so there are some whiles to choose from; a loop
// leaves none quiet.
func (w *world) quiet() {
	w.t.Helper()
	presented := len(w.gh.Presentations())
	for left := 3; ; left-- {
		w.settle()
		then := w.meter.read()
		time.Sleep(quietTime)
		writes, reads, looks := w.meter.since(then)
		if now := len(w.gh.Presentations()); now != presented {
			w.t.Errorf("nothing was due, but %d tokens were presented", now-presented)
		}
		if len(writes) == 0 && len(reads) <= 2 && looks <= 30 {
			return
		}
		if left == 0 {
			w.t.Errorf("nothing was due, but in %s the operator looked %d times, wrote %v and read %v", quietTime, looks, writes, reads)
			return
		}
	}
}

// restTime is for how long the operator must ask nothing of the API server to be at rest, and restLooks how often at least it
// must be seen to: on a machine that gives this process no time neither of the two comes to work.
const (
	restTime  = 300 * time.Millisecond
	restLooks = 15
)

// settle waits until the operator has asked nothing of the API server for a moment: what follows a change comes in
// several steps (a write, its event, the status, an event record). The moment begins when its caches show what there is.
func (w *world) settle() {
	w.t.Helper()
	before, since, looks, knows := w.meter.read(), time.Now(), 0, false
	w.eventually("the operator to come to rest", func() (bool, string) {
		writes, reads, _ := w.meter.since(before)
		if len(writes)+len(reads) > 0 || w.meter.waits() {
			before, knows = w.meter.read(), false
			return false, strings.Join(append(writes, reads...), ", ")
		}
		if !knows {
			unknown := w.unknown()
			knows, since, looks = unknown == "", time.Now(), 0
			return false, unknown
		}
		looks++
		return looks > restLooks && time.Since(since) > restTime, "it is at rest for a moment"
	})
}

// unknown names an object that the operator's caches do not show as it is; empty when there is none, or there are no caches.
func (w *world) unknown() string {
	w.t.Helper()
	if !w.running || w.lags {
		return ""
	}
	for _, namespace := range w.namespaces {
		secrets := func() client.ObjectList {
			list := &metav1.PartialObjectMetadataList{}
			list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
			return list
		}
		tokens := func() client.ObjectList { return &v1alpha1.GitHubUserTokenList{} }
		name := w.differs(tokens(), tokens(), client.InNamespace(namespace))
		if name == "" {
			name = w.differs(secrets(), secrets(), client.InNamespace(namespace), client.HasLabels{v1alpha1.LabelRole})
		}
		if name != "" {
			return "the caches do not show " + namespace + "/" + name + " as it is"
		}
	}
	return ""
}

// differs names an object of a list that is another in the operator's caches than it is; empty when there is none, or the
// operator may not see the list.
func (w *world) differs(cached, live client.ObjectList, options ...client.ListOption) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, deadline)
	defer cancel()
	if w.reconciler.Client.List(ctx, cached, options...) != nil || admin.List(ctx, live, options...) != nil {
		return ""
	}
	known, err := versionsOf(cached)
	w.must(err)
	there, err := versionsOf(live)
	w.must(err)
	for name, version := range there {
		if known[name] != version {
			return name
		}
		delete(known, name)
	}
	for name := range known {
		return name // It is gone.
	}
	return ""
}

// versionsOf are the versions of the objects of a list by name.
func versionsOf(list client.ObjectList) (map[string]string, error) {
	versions := map[string]string{}
	return versions, meta.EachListItem(list, func(object runtime.Object) error {
		accessor, err := meta.Accessor(object)
		if err == nil {
			versions[accessor.GetName()] = accessor.GetResourceVersion()
		}
		return err
	})
}
