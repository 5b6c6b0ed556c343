package lifecycle

import (
	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// hostChecker knows which hosts may be connected to.
type hostChecker interface {
	// CheckHost is that of GitHub.
	CheckHost(host string) error
}

// checkApp is why nothing may be asked of GitHub for an App; nil when it may.
func checkApp(hosts hostChecker, app scope.App) *problem.Problem {
	if app.Problem != nil {
		return app.Problem
	}
	err := hosts.CheckHost(app.Host)
	if err == nil {
		return nil
	}
	return &problem.Problem{
		Reason: v1alpha1.ReasonHostNotAllowed, Stalled: true, OfApp: true,
		Message: words.Sentence(err.Error()) + " The operator's administrator sets them with --allowed-hosts.",
	}
}
