package deviceflow

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

var (
	deviceCodes = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "githubusertoken_device_codes_total", Help: "Codes offered to people to enter at GitHub.",
	})
	logins = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "githubusertoken_logins_total",
		Help: "Logins that people were asked for, by method (device) and by how they ended (completed, denied, wrong_user, code_ended: a code that nobody entered in time or that GitHub has ended).",
	}, []string{"method", "outcome"})
)

const methodDevice = "device"

// The outcomes of a login, as values of the metric's label.
const (
	loginCompleted = "completed"
	loginDenied    = "denied"
	loginWrongUser = "wrong_user"
	loginCodeEnded = "code_ended"
)

func init() {
	for _, outcome := range []string{loginCompleted, loginDenied, loginWrongUser, loginCodeEnded} {
		logins.WithLabelValues(methodDevice, outcome)
	}
}

// Metrics are to be registered once in a process.
func Metrics() []prometheus.Collector { return []prometheus.Collector{deviceCodes, logins} }

// countLogin counts what came of a code; an answer after which the code can still be entered is none.
func countLogin(result rotation.Result) {
	outcome := ""
	switch result.Outcome {
	case rotation.Committed, rotation.Superseded:
		outcome = loginCompleted
	case rotation.WrongUser:
		outcome = loginWrongUser
	case rotation.Rejected:
		outcome = loginCodeEnded
		if result.Reason == rotation.ReasonAuthorizationDenied {
			outcome = loginDenied
		}
	default:
		return
	}
	logins.WithLabelValues(methodDevice, outcome).Inc()
}
