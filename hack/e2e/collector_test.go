//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// report is what a pod tells: see workload.
type report struct {
	Pod, Event, Fingerprint, Detail string
	At                              time.Time
}

// collector takes the reports of all pods.
type collector struct {
	mu      sync.Mutex
	reports []report
}

func newCollector() *collector { return &collector{} }

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var told report
	if err := json.NewDecoder(r.Body).Decode(&told); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	c.reports = append(c.reports, told)
	c.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// of returns the reports that the given function accepts, in the order of their arrival.
func (c *collector) of(accepts func(report) bool) []report {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []report
	for _, told := range c.reports {
		if accepts(told) {
			found = append(found, told)
		}
	}
	return found
}

// seenBy returns when each of the pods whose names begin with a prefix first saw a token.
func (c *collector) seenBy(prefix, fingerprint string) map[string]time.Time {
	seen := map[string]time.Time{}
	for _, told := range c.of(func(r report) bool {
		return r.Event == "see" && r.Fingerprint == fingerprint && len(r.Pod) > len(prefix) && r.Pod[:len(prefix)] == prefix
	}) {
		if _, ok := seen[told.Pod]; !ok {
			seen[told.Pod] = told.At
		}
	}
	return seen
}
