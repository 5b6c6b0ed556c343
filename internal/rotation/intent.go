package rotation

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/jsonfields"
)

// Holder says who is at work: a process, and the outbox it keeps replies in. The outbox outlives the
// process when a container is restarted, so a process knows the intents of its own earlier lives: once
// the outbox has been replayed nothing more can come from them.
type Holder struct {
	Outbox  string `json:"outbox"`
	Process string `json:"process"`
}

// Intent is the note, written before an exchange, that it is about to happen. It stands in an annotation
// of the pair Secret.
type Intent struct {
	// Format is the version of this format in which it was written; see StateFormat.
	Format int `json:"format,omitempty"`
	// ID names this one exchange.
	ID string `json:"id"`
	// Holder is who began it.
	Holder Holder `json:"holder"`
	// Spends names the token that is exchanged.
	Spends credential.Fingerprint `json:"spends"`
	// Login says that it is the token of a login and stands in the seed, and not in this Secret.
	Login bool `json:"login,omitempty"`
	// Attempt is the attempt to log in by the web flow whose code is redeemed; see weblogin.Attempt. Then Spends names the code. An
	// older version takes it for a login whose token the seed does not hold any more, and gives it up.
	Attempt string `json:"attempt,omitempty"`
	// App is the App (host/clientID) to which the token is sent.
	App string `json:"app,omitempty"`
	// Unresolved counts the earlier exchanges of the same token with the same App whose outcome is not known. A
	// refusal after one of those means that GitHub's reply was lost.
	Unresolved int `json:"unresolved,omitempty"`
	// StartedAt is the holder's clock, for people to read. It is never compared with another clock.
	StartedAt time.Time `json:"startedAt"`

	// unknown are fields of a version that this one does not know. They are written back as they were read.
	unknown jsonfields.Unknown
}

// Standing says what an intent means to the process that looks at it.
type Standing int

const (
	// StandingOwn is an intent of this very process, which is no longer at work on it.
	StandingOwn Standing = iota
	// StandingEarlierLife is an intent of a dead process that used the same outbox.
	StandingEarlierLife
	// StandingForeign is an intent of somebody else, who may still be at work.
	StandingForeign
)

// Standing compares the intent's holder with the given one.
func (i *Intent) Standing(me Holder) Standing {
	switch {
	case i.Holder == me:
		return StandingOwn
	case i.Holder.Outbox == me.Outbox && me.Outbox != "":
		return StandingEarlierLife
	default:
		return StandingForeign
	}
}
