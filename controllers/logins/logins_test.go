package logins

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestLoginsAreCountedByTheirEnd(t *testing.T) {
	for _, c := range []struct {
		name   string
		result rotation.Result
		want   Outcome
	}{
		{"the pair is stored", rotation.Result{Outcome: rotation.Committed}, Completed},
		{"a newer pair is stored", rotation.Result{Outcome: rotation.Superseded}, Completed},
		{"the person pressed Cancel", rotation.Result{Outcome: rotation.Rejected, Reason: rotation.ReasonAuthorizationDenied}, Denied},
		{"the code is over", rotation.Result{Outcome: rotation.Rejected}, CodeEnded},
		{"half a pair has come", rotation.Result{Outcome: rotation.Rejected, Reason: rotation.ReasonReplyLost}, Lost},
		{"another account", rotation.Result{Outcome: rotation.WrongUser}, WrongUser},
		{"nobody has entered it yet", rotation.Result{Outcome: rotation.Untouched}, ""},
		{"no answer", rotation.Result{Outcome: rotation.Unknown}, ""},
	} {
		for _, method := range []Method{Device, Web} {
			t.Run(string(method)+", "+c.name, func(t *testing.T) {
				before := map[Outcome]float64{}
				for _, outcome := range []Outcome{Completed, Denied, CodeEnded, WrongUser, Lost} {
					before[outcome] = testutil.ToFloat64(logins.WithLabelValues(string(method), string(outcome)))
				}
				Count(method, c.result)
				for outcome, count := range before {
					if got := testutil.ToFloat64(logins.WithLabelValues(string(method), string(outcome))) - count; (got == 1) != (outcome == c.want) {
						t.Errorf("%s: %v more", outcome, got)
					}
				}
			})
		}
	}
}
