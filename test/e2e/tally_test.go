//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// tally counts what agents tell: see agent.
type tally struct {
	mu   sync.Mutex
	pods map[string]*agentCalls
}

// agentCalls are those of a pod.
type agentCalls struct {
	succeeded int
	last      time.Time // when the last began that has succeeded
	failed    []failedCall
}

type failedCall struct {
	began, ended time.Time
	detail       string
}

func newTally() *tally { return &tally{pods: map[string]*agentCalls{}} }

func (c *tally) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var told struct {
		Pod, Failed                         string
		Succeeded                           int
		LastBegan, FailedBegan, FailedEnded time.Time
	}
	if err := json.NewDecoder(r.Body).Decode(&told); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := c.pods[told.Pod]
	if calls == nil {
		calls = &agentCalls{}
		c.pods[told.Pod] = calls
	}
	calls.succeeded += told.Succeeded
	if told.LastBegan.After(calls.last) {
		calls.last = told.LastBegan
	}
	if told.Failed != "" {
		calls.failed = append(calls.failed, failedCall{told.FailedBegan, told.FailedEnded, told.Failed})
	}
	w.WriteHeader(http.StatusNoContent)
}

// of are the calls of the pods of a Deployment, by pod.
func (c *tally) of(deployment string) map[string]agentCalls {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := map[string]agentCalls{}
	for pod, calls := range c.pods {
		parts := strings.Split(pod, "-")
		if len(parts) > 2 && strings.Join(parts[:len(parts)-2], "-") == deployment {
			found[pod] = agentCalls{calls.succeeded, calls.last, slices.Clone(calls.failed)}
		}
	}
	return found
}

// awaitCalls waits until each pod of a Deployment has made a call that has succeeded and began after a moment.
func (c *tally) awaitCalls(t *testing.T, deployment string, pods int, after time.Time) {
	t.Helper()
	eventually(t, 2*time.Minute, "each pod of "+deployment+" makes a call that succeeds", func() error {
		calls := c.of(deployment)
		late := ""
		for pod, made := range calls {
			if !made.last.After(after) {
				late = pod
				if len(made.failed) > 0 {
					late += ": " + made.failed[len(made.failed)-1].detail
				}
			}
		}
		if len(calls) < pods || late != "" {
			return fmt.Errorf("%d of %d pods have told of calls; none succeeded of %s", len(calls), pods, late)
		}
		return nil
	})
}

// failures is how many calls of a Deployment have succeeded and failed, why, and how long after a rotation the last of them began.
type failures struct {
	succeeded, failed int
	details           map[string]int
	longest           time.Duration
}

// judge counts the calls of a Deployment. A call that failed though no rotation was before it is an error.
func (c *tally) judge(t *testing.T, deployment string, died []time.Time) failures {
	t.Helper()
	f := failures{details: map[string]int{}}
	for pod, calls := range c.of(deployment) {
		f.succeeded += calls.succeeded
		f.failed += len(calls.failed)
		for _, failed := range calls.failed {
			f.details[failed.detail]++
			after := mostOutage
			for _, at := range died {
				if at.Before(failed.ended) { // It may have begun before, and met the end.
					after = max(failed.began.Sub(at), 0)
				}
			}
			if after >= mostOutage {
				t.Errorf("a call of %s failed though no token had just ended: %s", pod, failed.detail)
			}
			f.longest = max(f.longest, after)
		}
	}
	return f
}

// mostOutage bounds for how long after the end of a token calls of those fail who do not try again.
const mostOutage = 20 * time.Second

func (f failures) String() string {
	text := fmt.Sprintf("%d calls succeeded, %d failed", f.succeeded, f.failed)
	if f.failed == 0 {
		return text
	}
	text += fmt.Sprintf(", the last %s after the end of a token", f.longest.Round(time.Millisecond))
	for _, detail := range slices.Sorted(maps.Keys(f.details)) {
		text += fmt.Sprintf("; %d times %q", f.details[detail], detail)
	}
	return text
}
