package processmetrics

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
)

// An App has series of its own when it is proven, and there are not any number of them.
func TestMetricsOfAppsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limiter := ratelimit.New(ratelimit.Options{PerHour: 3600, UnprovenPerHour: 1})
		for i := range maxApps + 10 {
			app := fmt.Sprintf("github.com/%04d", i)
			limiter.Succeeded(app)
			limiter.Acquire(app, ratelimit.Request{ID: fmt.Sprint(i), Namespace: "a"})
			time.Sleep(time.Millisecond)
		}
		limiter.Acquire("github.com/made-up", ratelimit.Request{ID: "x", Namespace: "a"})
		limiter.Acquire("github.com/made-up", ratelimit.Request{ID: "y", Namespace: "a"})
		stats := byApp(limiter)
		if len(stats) != maxApps+1 || stats[0].App != "github.com/0000" || stats[maxApps-1].App != fmt.Sprintf("github.com/%04d", maxApps-1) {
			t.Fatalf("%d Apps are told of, the first is %s", len(stats), stats[0].App)
		}
		if others := stats[maxApps]; others.App != otherApps || others.Turns != 11 || others.Waiting != 1 {
			t.Errorf("of all others is told: %+v", others)
		}
	})
}

func TestMetricsOfCallsHaveTheCodesThatThereAre(t *testing.T) {
	t.Parallel()
	for status, code := range map[int]string{0: "none", 200: "200", 503: "503", 299: "other", 999: "other"} {
		before := testutil.ToFloat64(githubRequests.WithLabelValues(string(github.EndpointRevokeToken), code))
		CountCall(github.Call{Endpoint: github.EndpointRevokeToken, Status: status, Duration: time.Second})
		if got := testutil.ToFloat64(githubRequests.WithLabelValues(string(github.EndpointRevokeToken), code)); got <= before {
			t.Errorf("the status %d is not counted as %s", status, code)
		}
	}
}
