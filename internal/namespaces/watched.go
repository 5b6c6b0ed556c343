package namespaces

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
)

// All is the name that stands for all namespaces.
const All = ""

// errPending: the API server has not answered yet.
var errPending = errors.New("the API server has not listed its objects yet")

// Watched are the namespaces that are watched. Make it with New; it is safe for concurrent use.
type Watched struct {
	names []string
	log   logr.Logger

	mu        sync.Mutex
	informers map[string][]*informer

	beside *Watched
}

// New is for the given namespaces; none means all.
func New(names []string, log logr.Logger) *Watched {
	if len(names) == 0 {
		names = []string{All}
	}
	return &Watched{
		names: slices.Clone(names), log: log, informers: map[string][]*informer{},
		beside: &Watched{names: slices.Clone(names), log: log.WithName("beside"), informers: map[string][]*informer{}},
	}
}

// Beside are the same namespaces for objects that the operator can do without: that these may not be watched keeps no
// namespace from being served. What is watched cluster-wide counts for All.
func (w *Watched) Beside() *Watched { return w.beside }

// Names are the watched namespaces, All for all of them.
func (w *Watched) Names() []string { return slices.Clone(w.names) }

// Err is nil when the caches hold the namespace, as they do from the first complete list on. Otherwise it says why they do
// not. Where all namespaces are watched, any is asked about.
func (w *Watched) Err(namespace string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.names[0] == All {
		namespace = All
	}
	if len(w.informers[namespace]) == 0 {
		return errPending
	}
	for _, i := range w.informers[namespace] {
		if err := i.err(); err != nil {
			return err
		}
	}
	return nil
}

// Refused is what the API server answers when it does not let the operator watch a namespace at this time; nil when it
// does. The caches may hold what stood there before.
func (w *Watched) Refused(namespace string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range w.informers[namespace] {
		if err := i.refused(); err != nil {
			return err
		}
	}
	return nil
}

// Ready is nil when at least one namespace is in the caches and may be watched, and each other one is known to be
// forbidden. It is a check of /readyz.
func (w *Watched) Ready(*http.Request) error {
	served := false
	var problems []string
	for _, name := range w.names {
		refused, err := w.Refused(name), w.Err(name)
		switch {
		case refused != nil:
			problems = append(problems, fmt.Sprintf("%s: %v", title(name), refused))
		case err != nil:
			return fmt.Errorf("%s: %w", title(name), err)
		default:
			served = true
		}
	}
	if !served {
		return fmt.Errorf("no namespace can be watched: %s", strings.Join(problems, "; "))
	}
	return nil
}

// Objects are those in the caches that are of a type, as the caches hold them: they must not be changed. Nothing of them is
// copied.
func (w *Watched) Objects(like runtime.Object) []any {
	w.mu.Lock()
	var informers []*informer
	for _, of := range w.informers {
		informers = append(informers, of...)
	}
	w.mu.Unlock()
	var objects []any
	for _, i := range informers {
		if i.kind == reflect.TypeOf(like) {
			objects = append(objects, i.GetIndexer().List()...)
		}
	}
	return objects
}

func title(name string) string {
	if name == All {
		return "all namespaces"
	}
	return "namespace " + name
}

// add notes whose objects an informer holds.
func (w *Watched) add(namespace string, i *informer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.informers[namespace] = append(w.informers[namespace], i)
}
