package tokenserver

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/fair"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/callers"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/reading"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/release"
)

// maxRequests is how many requests of those who may are answered at once. Namespaces share them fairly.
const maxRequests = 256

// Callers say who asks, and whether they may; see callers.Callers.
type Callers interface {
	Known(token string) (callers.Identity, bool)
	Identify(ctx context.Context, token string) (callers.Identity, error)
	KnownAccess(who callers.Identity, of types.NamespacedName) (callers.Access, bool)
	Authorize(ctx context.Context, who callers.Identity, of types.NamespacedName) (callers.Access, error)
}

// Reads read resources; see reading.Shared.
type Reads interface {
	Get(ctx context.Context, of release.Of) (read release.Read, began time.Time, err error)
}

// Changes tell of changes; see reading.Changes.
type Changes interface {
	Subscribe(name types.NamespacedName) (changed <-chan struct{}, cancel func())
	Watched() bool
}

// Events tell of what happens to a resource.
type Events interface {
	Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any)
}

// Options configure a Server. All are needed.
type Options struct {
	Callers Callers
	Reads   Reads
	Changes Changes
	Events  Events
	// Log takes messages, and Audit a line for each token that is given out. Nothing may drop those.
	Log, Audit logr.Logger
}

// Server is the token server. It is an http.Handler; make it with New.
type Server struct {
	options  Options
	requests *fair.Places
	waits    *waits
	reviews  *reviews
	readers  *readers
	metrics  *serverMetrics

	// stopping is closed when the server is to stop.
	stopping chan struct{}
	stop     sync.Once
}

// New makes a Server.
func New(options Options) *Server {
	return &Server{
		options: options, requests: fair.NewPlaces(maxRequests), waits: newWaits(),
		reviews: newReviews(options.Callers), readers: newReaders(), metrics: newMetrics(), stopping: make(chan struct{}),
	}
}

// Stop has those who wait be answered, so that they ask another replica.
func (s *Server) Stop() { s.stop.Do(func() { close(s.stopping) }) }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	a := s.answer(w, r)
	s.metrics.count(a, time.Since(began))
	a.write(w)
}

// answer has somebody answer. A panic is answered as well, and what it says is not logged: it may quote what was read.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) (a *answer) {
	defer func() {
		if recover() != nil {
			s.options.Log.Info("A request to the token server has panicked")
			a = failed()
		}
	}()
	asked, wrong := parse(r)
	if wrong != nil {
		return wrong
	}
	who, may, no := s.admit(r, asked)
	if no != nil {
		return no
	}
	place := fair.Key{Namespace: who.Caller.Namespace}
	if !s.requests.Take(place) {
		return tooMany("This server has too many requests of your namespace under way.")
	}
	v := &visit{server: s, w: w, request: asked, caller: who.Caller, reviewed: earlier(who.Asked, may.Asked), began: time.Now(), place: place}
	defer v.leave()
	return v.serve(r.Context())
}

// say writes down why somebody was not answered, but not each time: that is counted.
func (s *Server) say(what string, details ...any) {
	if s.metrics.maySay() {
		s.options.Log.Info(what, details...)
	}
}

// away is the answer where the API server cannot be asked. Why, the log says: errors of it are none of whoever asks.
func (s *Server) away(what string, err error) *answer {
	s.say(what, "reason", reading.ReasonOf(err))
	return unavailable(outcomeAPIServer, "The cluster's API server cannot be asked at present.", patience)
}
