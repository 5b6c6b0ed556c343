package weblogin

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// Lifetime is for how long an attempt waits for its code. GitHub lets a code live for as long, from when it gives it out.
const Lifetime = 10 * time.Minute

// AheadBy is by how much an attempt may seem to come from the future by a clock that is right: those of two machines differ a little.
const AheadBy = time.Minute

// Request is what somebody asks for.
type Request struct {
	// ID is made up by whoever asks; empty when nobody does.
	ID string
	// Callback is where GitHub sends the browser back to.
	Callback string
}

// Attempt is the public half of an attempt. What it is bound to besides, the resource's UID, is the beginning of its ID.
type Attempt struct {
	ID string `json:"id"`
	// Request is the ID of the request, and Callback its callback URL.
	Request  string `json:"request"`
	Callback string `json:"callback"`
	// App is the App (host/clientID) that the code is for.
	App string `json:"app"`
	// State and Challenge stand in the address of GitHub's page. They go when the attempt ends.
	State     string `json:"state,omitempty"`
	Challenge string `json:"challenge,omitempty"`
	// Verifier names the verifier, which is in a Secret of its own; see rotation.Owner.CodeRef. It goes as well.
	Verifier credential.Fingerprint `json:"verifier,omitempty"`
	// BeganAt is when it was begun, and ExpiresAt when it ends.
	BeganAt   time.Time `json:"beganAt"`
	ExpiresAt time.Time `json:"expiresAt"`
	// Sent names the code that was sent, or may have been. No other is, nor this one again, unless it is known that GitHub
	// has not looked at it: then this is taken away.
	Sent credential.Fingerprint `json:"sent,omitempty"`
	// Ended is what came of it; empty while it waits, also when its time is over.
	Ended v1alpha1.WebLoginResult `json:"ended,omitempty"`
	// Why is the reason of GitHub's for which it has ended, see github.Reason, or one of those below.
	Why string `json:"why,omitempty"`
	// Followed says that a later login has brought a pair, or this one half of one: the chain that is there is not the one before it.
	Followed bool `json:"followed,omitempty"`
	// Honoured are the IDs of the requests before this one, the newest last, and Codes the codes that were dealt with.
	Honoured []string `json:"honoured,omitempty"`
	Codes    Codes    `json:"codes,omitempty"`
}

// Why an attempt has ended, beside the reasons of GitHub's.
const (
	// WhyForgotten: the pair Secret came back from elsewhere, or was put back to an older state.
	WhyForgotten = "Forgotten"
	// WhyHalf: GitHub's answer has broken off after the access token.
	WhyHalf = "HalfReply"
)

// maxHonoured is how many requests are remembered beside that of the attempt.
const maxHonoured = 8

// NewID is the ID of an attempt of a resource; random is lower-case letters and digits that nobody can guess.
func NewID(uid, random string) string { return uid + "-" + random }

// UIDOf is the UID of the resource for one of whose attempts a Secret brings a code, by the name of the Secret; empty when it is
// the name of none.
func UIDOf(secret string) string {
	id, isCode := strings.CutPrefix(secret, v1alpha1.LoginCodeSecretPrefix)
	end := strings.LastIndexByte(id, '-')
	if !isCode || end < 0 {
		return ""
	}
	return id[:end]
}

// Answers reports whether the attempt was begun for a request: that is not honoured a second time.
func (a *Attempt) Answers(request Request) bool {
	return a != nil && a.Request == request.ID && a.Callback == request.Callback
}

// HasHonoured reports whether a request, or another one with its ID, was honoured before: no attempt is begun for it any more.
func (a *Attempt) HasHonoured(request Request) bool {
	return a != nil && (a.Request == request.ID || slices.Contains(a.Honoured, request.ID))
}

// HasSent reports whether a code was sent, or may have been, and is no more at work: by an attempt before, or by this one.
func (a *Attempt) HasSent(code credential.Fingerprint) bool { return a != nil && a.Codes.Has(code) }

// After is the attempt as it follows a former one, of which it remembers what was honoured and sent.
func (a *Attempt) After(former *Attempt) *Attempt {
	if former == nil {
		return a
	}
	next := *a
	next.Honoured = honoured(former.Honoured, former.Request)
	next.Codes = former.Codes.With(former.Sent)
	return &next
}

// honoured are the last of the requests that were honoured.
func honoured(ids []string, further ...string) []string {
	longer := slices.Clone(ids)
	for _, id := range further {
		if id != "" && !slices.Contains(longer, id) {
			longer = append(longer, id)
		}
	}
	return longer[max(0, len(longer)-maxHonoured):]
}

// Forgotten is what is left of an attempt with which nobody goes on: its request stays honoured, and so does what was sent.
func (a *Attempt) Forgotten() *Attempt {
	next := a.With(v1alpha1.WebLoginSuperseded, WhyForgotten)
	if next != nil && next.Sent != "" && next.Why == WhyForgotten {
		next.Ended, next.Why = v1alpha1.WebLoginLost, ""
	}
	return next
}

// Having is a copy that remembers a code, also when nothing was known of any attempt.
func (a *Attempt) Having(code credential.Fingerprint) *Attempt {
	if code == "" || a.HasSent(code) {
		return a
	}
	next := &Attempt{Ended: v1alpha1.WebLoginLost}
	if a != nil {
		next = new(*a)
	}
	next.Codes = next.Codes.With(code)
	return next
}

// IsOver reports whether the time of an attempt is over, by a clock. Where that seems to be far behind the one that has set
// the time, one of the two is wrong, and nobody knows how old a code would be.
func (a *Attempt) IsOver(now time.Time) bool {
	return !now.Before(a.ExpiresAt) || a.ExpiresAt.Sub(now) > Lifetime+AheadBy
}

// IsOpen reports whether there is an attempt of which it was not yet stored what came of it.
func (a *Attempt) IsOpen() bool { return a != nil && a.Ended == "" }

// IsWaiting reports whether a code may still come: none was sent.
func (a *Attempt) IsWaiting(now time.Time) bool {
	return a != nil && a.Ended == "" && a.Sent == "" && !a.IsOver(now)
}

// Result is what came of an attempt, by a clock; empty while it waits, or its code is being redeemed.
func (a *Attempt) Result(now time.Time, beingRedeemed bool) v1alpha1.WebLoginResult {
	switch {
	case a.Ended != "" || beingRedeemed:
		return a.Ended
	case a.Sent != "":
		return v1alpha1.WebLoginLost // What was known of the exchange is gone.
	case a.IsOver(now):
		return v1alpha1.WebLoginExpired
	default:
		return ""
	}
}

// IsDoubtful reports whether GitHub may have given tokens for the code of the attempt that nobody knows, as far as the attempt tells.
func (a *Attempt) IsDoubtful() bool {
	return a != nil && a.Sent != "" && !a.Followed && (a.Ended == "" || a.Ended == v1alpha1.WebLoginLost)
}

// With is a copy with what came of the attempt. That a pair is stored is true whatever was thought before.
func (a *Attempt) With(result v1alpha1.WebLoginResult, why string) *Attempt {
	if a == nil || a.Ended != "" && result != v1alpha1.WebLoginSucceeded {
		return a
	}
	next := *a
	next.Ended, next.Why = result, why
	next.State, next.Challenge, next.Verifier = "", "", ""
	return &next
}

// Ending is a copy with what came of it, if it is the named attempt.
func (a *Attempt) Ending(attempt string, result v1alpha1.WebLoginResult, why string) *Attempt {
	if a == nil || attempt == "" || a.ID != attempt {
		return a
	}
	return a.With(result, why)
}

// AfterLogin is the attempt after a login has brought a pair, or half of one: that of the named attempt, or one by another way.
func (a *Attempt) AfterLogin(attempt string, half bool) *Attempt {
	if a == nil {
		return nil
	}
	next := a
	switch {
	case attempt == "" || a.ID != attempt:
		next = new(*a.With(v1alpha1.WebLoginSuperseded, ""))
	case half:
		next = new(*a.With(v1alpha1.WebLoginLost, WhyHalf))
		next.Ended, next.Why = v1alpha1.WebLoginLost, WhyHalf // Whatever was thought before.
	default:
		return a.With(v1alpha1.WebLoginSucceeded, "")
	}
	next.Followed = true
	return next
}

// Sending is a copy of which a code is being sent, if it is the named attempt; without a code, none was looked at.
func (a *Attempt) Sending(attempt string, code credential.Fingerprint) *Attempt {
	if a == nil || attempt == "" || a.ID != attempt {
		return a
	}
	next := *a
	next.Sent = code
	return &next
}

// Merged is what is known of an attempt by two copies of a state: what the other one knows of the same attempt is not
// forgotten, nor what it knows to be honoured and sent by others.
func (a *Attempt) Merged(other *Attempt) *Attempt {
	switch {
	case other == nil:
		return a
	case a == nil && other.Ended != "":
		return other
	case a == nil: // What is open there is begun anew, if it is still asked for.
		if len(other.Codes)+len(other.Honoured) == 0 && other.Sent == "" {
			return nil
		}
		return &Attempt{Ended: v1alpha1.WebLoginLost, Honoured: other.Honoured, Codes: other.Codes.With(other.Sent)}
	}
	next := *a
	next.Honoured, next.Codes = honoured(other.Honoured, a.Honoured...), other.Codes.With(a.Codes...)
	switch {
	case a.ID == other.ID:
		next.Sent = cmp.Or(a.Sent, other.Sent)
		if next.Ended == "" {
			next.Ended, next.Why = other.Ended, other.Why
		}
		next.Followed = a.Followed || other.Followed
	case other.Ended != "" || other.BeganAt.Before(a.BeganAt):
		next.Honoured, next.Codes = honoured(next.Honoured, other.Request), next.Codes.With(other.Sent)
	default: // That one is later, and is begun anew.
		next.Codes = next.Codes.With(other.Sent)
	}
	if next.Sent == a.Sent && next.Ended == a.Ended && next.Followed == a.Followed && slices.Equal(next.Codes, a.Codes) && slices.Equal(next.Honoured, a.Honoured) {
		return a
	}
	return &next
}

// results are those of an attempt that was begun.
var results = []v1alpha1.WebLoginResult{
	v1alpha1.WebLoginSucceeded, v1alpha1.WebLoginRejected, v1alpha1.WebLoginLost, v1alpha1.WebLoginWrongUser, v1alpha1.WebLoginSuperseded,
}

// Known is an attempt as it was read from a Secret, where anybody may have written it: with a result that there is.
func (a *Attempt) Known() *Attempt {
	if a == nil || a.Ended == "" || slices.Contains(results, a.Ended) {
		return a
	}
	next := *a
	next.Ended, next.Why = v1alpha1.WebLoginLost, ""
	return &next
}
