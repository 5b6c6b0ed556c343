package rotation

import (
	"slices"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/verdict"
)

// seriesReasons are the reasons for which a series of device codes ends: nobody entered one, or somebody did whose pair is
// not taken.
var seriesReasons = []string{
	ReasonAuthorizationDenied, v1alpha1.ReasonAuthorizationExpired, ReasonWrongUser, ReasonUserUnknown, ReasonRevoked,
}

// withKnownReasons takes no reason from a Secret but those that the operator writes there itself. They become reasons of
// conditions, which the API server would refuse with the whole status, and anybody may have written others. A verdict
// stays one: the token is not presented.
func (s *State) withKnownReasons() {
	for _, found := range []*Verdict{s.Verdict, s.SeedVerdict} {
		if found != nil && !verdict.IsKnown(found.Reason) {
			found.Reason = ReasonRefreshTokenRejected
		}
	}
	s.Web = s.Web.Known()
	if s.Device != nil && s.Device.Ended != "" && !slices.Contains(seriesReasons, s.Device.Ended) {
		s.Device.Ended = v1alpha1.ReasonAuthorizationExpired
	}
}
