package explain

import (
	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/rules"
)

// Decision puts what Decide found in the way into words; nil when nothing is.
func Decision(s *scope.Scope, decision rotation.Decision) *problem.Problem {
	found := decision.Problem
	switch {
	case found == nil:
		return nil
	case found.Message != "":
		return found
	case found.Reason == v1alpha1.ReasonSecretNotOwned && isOfFormer(s):
		return words.OfFormer(s.Ref.Name, s.Pair.State.App == s.Input.App)
	case found.Reason == v1alpha1.ReasonSecretNotOwned:
		return words.NotOwned(s.Ref.Name)
	case decision.Rule == rules.NoPair && s.Seed.Problem != nil:
		return s.Seed.Problem
	case found.Unauthorized:
		human := words.NeedsHuman(s.Token, found.Reason)
		human.Message = Verdict(s, found.Reason)
		if state := s.Stored(); decision.Rule == rules.Condemned && state != nil {
			human.Message += words.Again(rules.AgainAt(s.Input, state.Verdict))
		}
		return human
	}
	told := *found
	switch found.Reason {
	case v1alpha1.ReasonStateFormatTooNew:
		told.Message = "A newer version of the operator has written this pair Secret, so this version exchanges nothing and changes nothing in it. Upgrade the operator again."
	case v1alpha1.ReasonSuspended:
		told.Message = "spec.suspend stops all exchanges."
	case v1alpha1.ReasonOutcomeUnknown:
		told.Message = "Another replica has begun an exchange. It is left alone for as long as it may still be running."
		if s.Input.IntentAtWork {
			told.Message = "The operator is still at work on an exchange that it has begun for this resource, or for a former one of its name. It goes on when that has ended."
		}
	case v1alpha1.ReasonExchanging:
		told.Message = "Two Secrets hold the pair, because it could not be moved to the current spec.secret.name in one go. Nothing is exchanged until they are one again, which is tried again."
	case v1alpha1.ReasonAccessTokenEnded:
		told.Message = "GitHub no longer accepts the access token, and did not accept the one before it either a short time ago. The operator requests a new one later."
	}
	return &told
}

// isOfFormer reports whether the Secret in the pair's place holds the pair of a former resource of this name: one that was retained, or
// that has come from a backup.
func isOfFormer(s *scope.Scope) bool {
	pair := s.Pair
	return pair != nil && !pair.Controlled && pair.State.OwnerName == s.Owner.Name && (pair.Orphan || pair.Owner.Name == s.Owner.Name)
}
