//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// report is what a pod tells: see workload.
type report struct {
	Pod, Event, Fingerprint, Detail string
	At                              time.Time
	Count                           int
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

// lastOf describes the last report of the pods whose names begin with a prefix, for a failure.
func (c *collector) lastOf(prefix string) string {
	told := c.of(func(r report) bool { return strings.HasPrefix(r.Pod, prefix) })
	if len(told) == 0 {
		return "they have told nothing"
	}
	last := told[len(told)-1]
	return fmt.Sprintf("the last of %d reports is %q of token %s, %s ago: %s",
		len(told), last.Event, last.Fingerprint, time.Since(last.At).Round(time.Millisecond), last.Detail)
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
