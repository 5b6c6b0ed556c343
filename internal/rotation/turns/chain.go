package turns

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Chain is one of two.
type Chain struct {
	// Owner is the UID of the resource that the chain is bound to.
	Owner string
	// Pair is its pair Secret's metadata; nil when there is none.
	Pair *rotation.Pair
	// App is the App of the resource, as states name it.
	App string
	// User is the account's id that the chain must be of; zero when any will do.
	User int64
	// Doubtful says that it is not known whether the pair is the current one.
	Doubtful bool
}

// Grade is what a chain is good for.
type Grade int

const (
	// Useless: it has no access token that works, as far as is known.
	Useless Grade = iota
	// Expired: its access token has expired, and it can be exchanged for the next.
	Expired
	// Unsettled: an exchange of its refresh token is under way, as far as is known.
	Unsettled
	// Ending: its access token works until it expires, and nobody can get another one.
	Ending
	// Lasting: its access token works, and it can be exchanged for the next.
	Lasting
)

// Grade says what the chain is good for now.
func (c Chain) Grade(now time.Time) Grade {
	if c.Pair == nil || !c.Pair.Controlled || c.Pair.Owner.UID != c.Owner || c.Doubtful {
		return Useless
	}
	state := &c.Pair.State
	switch {
	case state.Owner != c.Owner || state.App != c.App || !state.HasToken() || state.AccessTokenEnded:
		return Useless
	case c.User != 0 && (state.User == nil || state.User.ID != c.User):
		return Useless
	case c.isSpending() && c.Pair.Intent.Unresolved > 0:
		return Useless // Somebody may have exchanged it long ago.
	case state.Expires() && !now.Before(state.ExpiresAt) && (state.Verdict != nil || state.RefreshToken == ""):
		return Useless
	case state.Expires() && !now.Before(state.ExpiresAt):
		return Expired
	case c.isSpending():
		return Unsettled
	case state.Verdict != nil:
		return Ending
	case state.Expires() && state.RefreshToken == "":
		return Ending
	default:
		return Lasting
	}
}

// IsGood reports whether nobody has to log in for the chain.
func (g Grade) IsGood() bool { return g == Lasting || g == Unsettled || g == Expired }

// isSpending reports whether an exchange of the chain's refresh token stands.
func (c Chain) isSpending() bool {
	return c.Pair.Intent != nil && c.Pair.Intent.Spends == c.Pair.State.RefreshToken
}

// publication is the number of the chain's pair.
func (c Chain) publication() int64 {
	if c.Pair == nil {
		return 0
	}
	return c.Pair.State.Publication
}

// Leads reports whether the token of the first of two chains is the published one, and not that of the other one: that of the pair with the
// higher number, and of the first where they have none.
func Leads(first, other Chain) bool { return first.publication() >= other.publication() }
