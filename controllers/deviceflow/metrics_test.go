package deviceflow

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestDeviceFlowLoginsAreCountedByTheirEnd(t *testing.T) {
	for _, c := range []struct {
		name   string
		result rotation.Result
		want   string
	}{
		{"the pair is stored", rotation.Result{Outcome: rotation.Committed}, loginCompleted},
		{"a newer pair is stored", rotation.Result{Outcome: rotation.Superseded}, loginCompleted},
		{"the person pressed Cancel", rotation.Result{Outcome: rotation.Rejected, Reason: rotation.ReasonAuthorizationDenied}, loginDenied},
		{"the code is over", rotation.Result{Outcome: rotation.Rejected}, loginCodeEnded},
		{"another account", rotation.Result{Outcome: rotation.WrongUser}, loginWrongUser},
		{"nobody has entered it yet", rotation.Result{Outcome: rotation.Untouched}, ""},
		{"no answer", rotation.Result{Outcome: rotation.Unknown}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := map[string]float64{}
			for _, outcome := range []string{loginCompleted, loginDenied, loginCodeEnded, loginWrongUser} {
				before[outcome] = testutil.ToFloat64(logins.WithLabelValues(methodDevice, outcome))
			}
			countLogin(c.result)
			for outcome, count := range before {
				if got := testutil.ToFloat64(logins.WithLabelValues(methodDevice, outcome)) - count; (got == 1) != (outcome == c.want) {
					t.Errorf("%s: %v more", outcome, got)
				}
			}
		})
	}
}
