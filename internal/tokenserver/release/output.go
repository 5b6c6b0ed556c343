package release

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// ScopedOutput is an output of a resource that has a scope, by its name; nil when its spec asks for none.
func ScopedOutput(resource *v1alpha1.GitHubUserToken, name string) *v1alpha1.Output {
	for _, output := range resource.Spec.AllOutputs() {
		if output.Name == name && output.Scope != nil {
			return &output
		}
	}
	return nil
}

// judgeOutput is Decide about an output with a scope, where the user's own token may be given. One that was made of the token before is not given:
// GitHub does not say whether it outlives that, and the next one comes at once.
func judgeOutput(output *Output, pair *rotation.Pair, found Finding, now time.Time) Finding {
	if output == nil || output.Parent != pair.State.AccessToken || output.App != pair.State.App || len(output.Access.Reveal()) > maxToken {
		return later(reasonNotMade, "The output has no token of its scope that was made of the current one. The operator gets one; where that takes long the conditions of the resource say why.")
	}
	token := &found.Token
	token.Access, token.Fingerprint = output.Access, output.Access.Fingerprint()
	if !output.ExpiresAt.IsZero() && (token.ExpiresAt.IsZero() || output.ExpiresAt.Before(token.ExpiresAt)) {
		token.ExpiresAt, found.Verdict = output.ExpiresAt, "" // There is another one before the user's ends.
		if token.NextRefreshAt.After(token.ExpiresAt) {
			token.NextRefreshAt = time.Time{}
		}
	}
	if !token.ExpiresAt.IsZero() && !now.Before(token.ExpiresAt) {
		return later(reasonNotMade, "The token of the output has expired, and the operator gets another one; where that takes long the conditions of the resource say why.")
	}
	return found
}
