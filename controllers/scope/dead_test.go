package scope

import (
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestAccessTokenIsKnownToBeDead(t *testing.T) {
	for name, c := range map[string]struct {
		state rotation.State
		want  bool
	}{
		"nothing speaks against it":                           {rotation.State{RefreshToken: "r"}, false},
		"GitHub has said so":                                  {rotation.State{AccessTokenEnded: true}, true},
		"an exchange ended it and the reply was lost":         {rotation.State{RefreshToken: "r", Verdict: &rotation.Verdict{Reason: rotation.ReasonReplyLost}}, true},
		"it is the first half of a reply that was cut":        {rotation.State{Verdict: &rotation.Verdict{Reason: rotation.ReasonReplyLost}}, false},
		"the refresh token was refused, which may be its age": {rotation.State{RefreshToken: "r", Verdict: &rotation.Verdict{Reason: rotation.ReasonRefreshTokenRejected}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := IsAccessTokenDead(&c.state); got != c.want {
				t.Errorf("got %t, want %t", got, c.want)
			}
		})
	}
}
