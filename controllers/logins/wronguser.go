package logins

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Events records events about a resource.
type Events interface {
	Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any)
}

// Tell counts what came of a code of the web flow, as Count does, and tells by an event of a login with another account than the
// resource asks for: what else says so goes with the next login. Whose account it was is told to nobody.
func Tell(events Events, token *v1alpha1.GitHubUserToken, result rotation.Result) {
	Count(Web, result)
	user := token.Spec.User
	if result.Outcome != rotation.WrongUser || user == nil {
		return
	}
	wanted := user.Login
	if wanted == "" {
		wanted = fmt.Sprintf("the account with the id %d", user.ID)
	}
	events.Eventf(token, nil, "Warning", v1alpha1.ReasonWrongUser, "Authorize",
		"A login in a browser was refused, as it was with another account than spec.user asks for. Its tokens were not stored, and are being revoked. Sign in to GitHub as %s, or use a private window, and log in again.", wanted)
}
