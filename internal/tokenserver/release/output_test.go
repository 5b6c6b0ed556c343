package release

import (
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Of an output that is asked for by its name nothing else is given than what it holds, made of the current token and for its scope.
func TestTokenServerDecidesAboutOutputs(t *testing.T) {
	scoped := credential.NewAccessToken("ghu_scoped")
	soon, late := epoch.Add(2*time.Hour), epoch.Add(9*time.Hour)
	for name, c := range map[string]struct {
		change  func(*scene)
		kind    Kind
		reason  string
		expires time.Time
	}{
		"it is of the current token":             {kind: Give, expires: epoch.Add(8 * time.Hour)},
		"it expires before that":                 {change: func(s *scene) { s.read.Output.ExpiresAt = soon }, kind: Give, expires: soon},
		"it says that it expires after that":     {change: func(s *scene) { s.read.Output.ExpiresAt = late }, kind: Give, expires: epoch.Add(8 * time.Hour)},
		"it has expired":                         {change: func(s *scene) { s.read.Output.ExpiresAt, s.now = soon, soon }, kind: Later, reason: reasonNotMade},
		"it is of the token before":              {change: func(s *scene) { s.read.Output.Parent = "before" }, kind: Later, reason: reasonNotMade},
		"it is of another App":                   {change: func(s *scene) { s.read.Output.App = "github.com/other" }, kind: Later, reason: reasonNotMade},
		"there is none yet":                      {change: func(s *scene) { s.read.Output = nil }, kind: Later, reason: reasonNotMade},
		"the spec asks for no such output":       {change: func(s *scene) { s.resource().Spec.Outputs = nil }, kind: Absent},
		"the output has no scope":                {change: func(s *scene) { s.resource().Spec.Outputs[0].Scope = nil }, kind: Absent},
		"there is no such output, nor a token":   {change: func(s *scene) { s.resource().Spec.Outputs, s.read.Pairs = nil, nil }, kind: Absent},
		"its user's token is being exchanged":    {change: func(s *scene) { s.pair.Intent = &rotation.Intent{ID: "i"} }, kind: Later, reason: v1alpha1.ReasonOutcomeUnknown},
		"its user has revoked the authorization": {change: func(s *scene) { s.pair.State.Verdict = &rotation.Verdict{Reason: rotation.ReasonRevoked} }, kind: Never, reason: rotation.ReasonRevoked},
		"it is withheld":                         {change: func(s *scene) { s.read.Withheld = "The App forbids it." }, kind: Never, reason: reasonWithheld},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scene{pair: pair(), now: epoch.Add(time.Hour)}
			s.read = Read{Resource: resource(), Pairs: []*rotation.Pair{s.pair}, Named: "agent"}
			s.resource().Spec.Outputs = []v1alpha1.Output{{Name: "agent", Scope: &v1alpha1.OutputScope{}}}
			s.read.Output = &Output{Access: scoped, Parent: s.pair.State.AccessToken, App: s.pair.State.App}
			if c.change != nil {
				c.change(s)
			}
			found := Decide(s.read, s.now)
			if found.Kind != c.kind || found.Reason != c.reason {
				t.Fatalf("got %d, %q (%s), want %d, %q", found.Kind, found.Reason, found.Message, c.kind, c.reason)
			}
			token := found.Token
			if found.Kind != Give {
				if !token.Access.IsZero() {
					t.Error("there is a token beside what says that there is none")
				}
				return
			}
			if token.Access != scoped || token.Fingerprint != scoped.Fingerprint() || !token.ExpiresAt.Equal(c.expires) || token.NextRefreshAt.After(c.expires) {
				t.Errorf("got %+v", token)
			}
		})
	}
}
