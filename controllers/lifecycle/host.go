package lifecycle

import (
	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// hostChecker knows which hosts may be connected to.
type hostChecker interface {
	// CheckHost is that of GitHub.
	CheckHost(host string) error
}

// checkHost reports whether the operator's administrator allows a host.
func checkHost(hosts hostChecker, host string) *problem.Problem {
	err := hosts.CheckHost(host)
	if err == nil {
		return nil
	}
	return &problem.Problem{
		Reason: v1alpha1.ReasonHostNotAllowed, Stalled: true,
		Message: words.Sentence(err.Error()) + " The operator's administrator sets them with --allowed-hosts.",
	}
}
