// Package logins counts how logins end that people were asked for, by whichever method, and tells of those with a wrong account.
package logins

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Method is how a person logs in, as a value of the metric's label.
type Method string

// The methods.
const (
	Device Method = "device"
	Web    Method = "web"
)

// Outcome is how a login has ended, as a value of the metric's label.
type Outcome string

// The outcomes. A login is lost when what GitHub gave for it, or half of that, has not arrived: a code of the web flow is not sent again,
// and a device code of unknown outcome is asked about again.
const (
	Completed Outcome = "completed"
	Denied    Outcome = "denied"
	WrongUser Outcome = "wrong_user"
	CodeEnded Outcome = "code_ended"
	Lost      Outcome = "lost"
)

var logins = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "githubusertoken_logins_total",
	Help: "Logins that people were asked for, by method (device, web) and by how they ended (completed, denied, wrong_user, lost, code_ended: a code that nobody entered or brought in time, that is none, or that GitHub has ended).",
}, []string{"method", "outcome"})

func init() {
	for _, outcome := range []Outcome{Completed, Denied, WrongUser, CodeEnded, Lost} {
		logins.WithLabelValues(string(Device), string(outcome))
	}
	for _, outcome := range []Outcome{Completed, WrongUser, CodeEnded, Lost} {
		logins.WithLabelValues(string(Web), string(outcome))
	}
}

// Metrics are to be registered once in a process.
func Metrics() []prometheus.Collector { return []prometheus.Collector{logins} }

// Count counts what came of a code; a result after which the code may still bring a pair is none.
func Count(method Method, result rotation.Result) {
	if outcome := outcomeOf(result); outcome != "" {
		CountAs(method, outcome)
	}
}

// CountAs counts a login that has ended so.
func CountAs(method Method, outcome Outcome) {
	logins.WithLabelValues(string(method), string(outcome)).Inc()
}

func outcomeOf(result rotation.Result) Outcome {
	switch result.Outcome {
	case rotation.Committed, rotation.Superseded:
		return Completed
	case rotation.WrongUser:
		return WrongUser
	case rotation.Rejected:
		switch result.Reason {
		case rotation.ReasonAuthorizationDenied:
			return Denied
		case rotation.ReasonReplyLost:
			return Lost
		default:
			return CodeEnded
		}
	default:
		return ""
	}
}
