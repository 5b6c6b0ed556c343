package controllers

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/processmetrics"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// sinceStart is a clock of which only the monotonic time is looked at.
type sinceStart struct {
	rotation.Clock

	mono time.Duration
}

func (c *sinceStart) Monotonic() time.Duration { return c.mono }

// gauge is the value of a metric without labels.
func gauge(t *testing.T, name string) float64 {
	t.Helper()
	families, err := metrics.Registry.Gather()
	_ = err // The registry may hold figures of an operator of another test that has ended.
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// A clock that differs from GitHub's shows in the metric at each reply, and is logged once an hour at most.
func TestClockDifferenceOfClocksIsLoggedOnceAndMeasured(t *testing.T) {
	var lines []string
	clock := &sinceStart{}
	tell := processmetrics.WatchClock(funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{}), clock.Monotonic)
	for _, step := range []struct {
		passes, ahead time.Duration
		lines         int
	}{
		{0, 0, 0},
		{time.Minute, 3 * time.Second, 0},
		{time.Minute, 6 * time.Hour, 1},
		{time.Minute, 6 * time.Hour, 1},
		{time.Minute, 0, 1},
		{time.Minute, -6 * time.Hour, 1},
		{time.Hour, -6 * time.Hour, 2},
	} {
		clock.mono += step.passes
		tell("github.com", step.ahead)
		if len(lines) != step.lines {
			t.Errorf("after %s: %d lines, want %d", clock.mono, len(lines), step.lines)
		}
		if got := gauge(t, "githubusertoken_clock_skew_seconds"); got != step.ahead.Seconds() {
			t.Errorf("the metric says %v, want %v", got, step.ahead.Seconds())
		}
	}
	if len(lines) > 0 && (!strings.Contains(lines[0], "6h0m0s") || !strings.Contains(lines[0], "github.com")) {
		t.Errorf("the line does not say how far, and from which host's: %s", lines[0])
	}
}

// nodeClock is the wall clock of a node, which may be wrong. The monotonic clock is right.
type nodeClock struct {
	*meter

	ahead *atomic.Int64
}

func (c nodeClock) Now() time.Time { return c.meter.Now().Add(time.Duration(c.ahead.Load())) }

// The clock of the node was six hours ahead at the exchange, and is set right: with a restart or without one the status tells
// the true expiry, and when it was set while the process lived the refresh comes no later.
func TestClockThatWasAheadAtTheExchangeIsToldAndMovesNoExpiry(t *testing.T) {
	t.Parallel()
	const ahead, lifetime = 6 * time.Hour, 8 * time.Hour
	for name, restarts := range map[string]bool{"set right with a restart": true, "set right without one": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var off atomic.Int64
			off.Store(int64(ahead))
			w := newWorld(t, worldOptions{
				client: func(o *github.Options) {
					o.Now = func() time.Time { return time.Now().Add(time.Duration(off.Load())) }
				},
				controller: func(o *Options) { o.Clock = nodeClock{o.Clock.(*meter), &off} },
			})
			w.start("octocat")
			w.says("octocat", v1alpha1.ConditionReady, "ahead of GitHub's")
			off.Store(0)
			if restarts {
				w.restart()
			}
			w.touch("octocat")
			w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
			w.quiet()
			status, latest := w.get("octocat").Status, time.Now().Add(lifetime+time.Minute)
			if at := status.AccessTokenExpirationTime; at == nil || at.After(latest) {
				t.Errorf("the access token is said to live until %s", at)
			}
			if at := status.NextRefreshTime; at == nil || at.After(latest) {
				t.Errorf("the next refresh is said to be at %s", at)
			}
		})
	}
}
