package rules

import (
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Only an exchange can tell whether the refresh token has ended with the access token.
func TestADeadAccessTokenIsRenewedAtOnceButNotWithoutEnd(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	owner := rotation.Owner{Namespace: "team-a", Name: "octocat", UID: "uid"}
	pair := &rotation.Pair{
		Ref: rotation.Ref{Namespace: "team-a", Name: "octocat"}, Owner: owner, UID: "secret", Version: "1", Controlled: true,
		State: rotation.State{
			Owner: owner.UID, OwnerName: owner.Name, App: "github.com/Iv23li", AccessToken: "access", RefreshToken: "refresh",
			IssuedAt: now.Add(-time.Hour), ExpiresAt: now.Add(7 * time.Hour), AccessTokenEnded: true,
		},
	}
	hold := rotation.Policy{HoldUntil: now.Add(6 * time.Hour)}
	decide := func(at time.Time) rotation.Decision {
		return Decide(Input{Owner: owner, App: pair.State.App, Pair: pair, Policy: hold, Now: at})
	}
	if d := decide(now); d.Action != rotation.ActionRefresh || d.Cause != rotation.CauseEnded || d.Spends != pair.State.RefreshToken {
		t.Errorf("a dead token leads to %+v", d)
	}
	pair.State.RenewedAt = now.Add(-renewEvery / 2)
	if d := decide(now); d.Action != rotation.ActionWait || reasonOf(d) != v1alpha1.ReasonAccessTokenEnded || !d.At.Equal(now.Add(renewEvery/2)) {
		t.Errorf("so soon after the last time it leads to %+v", d)
	}
	if d := decide(now.Add(renewEvery / 2)); d.Action != rotation.ActionRefresh || d.Cause != rotation.CauseEnded {
		t.Errorf("later it leads to %+v", d)
	}
	pair.State.RenewedAt = now.Add(8 * time.Hour) // Somebody's clock was wrong.
	if d := decide(now); d.Action != rotation.ActionRefresh || d.Cause != rotation.CauseEnded {
		t.Errorf("where the last time is in the future it leads to %+v", d)
	}
	if d := decide(now.Add(7 * time.Hour)); d.Action != rotation.ActionRefresh || d.Cause != rotation.CauseDue {
		t.Errorf("when it is due it leads to %+v", d)
	}
	pair.State.RenewedAt = time.Time{}
	pair.State.Verdict = &rotation.Verdict{Reason: rotation.ReasonRevoked}
	if d := decide(now); reasonOf(d) != rotation.ReasonRevoked {
		t.Errorf("after the refusal it leads to %+v", d)
	}
}
