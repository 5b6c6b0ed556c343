package rotation

import "testing"

func TestAccessTokenIsKnownToBeDead(t *testing.T) {
	for name, c := range map[string]struct {
		state State
		want  bool
	}{
		"nothing speaks against it":                           {State{RefreshToken: "r"}, false},
		"GitHub has said so":                                  {State{AccessTokenEnded: true}, true},
		"an exchange ended it and the reply was lost":         {State{RefreshToken: "r", Verdict: &Verdict{Reason: ReasonReplyLost}}, true},
		"it is the first half of a reply that was cut":        {State{Verdict: &Verdict{Reason: ReasonReplyLost}}, false},
		"the refresh token was refused, which may be its age": {State{RefreshToken: "r", Verdict: &Verdict{Reason: ReasonRefreshTokenRejected}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.state.IsAccessTokenDead(); got != c.want {
				t.Errorf("got %t, want %t", got, c.want)
			}
		})
	}
}
