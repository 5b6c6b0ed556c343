package rotation

import (
	"cmp"
	"slices"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/jsonfields"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/devicelogin"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/origin"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/verdict"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

// MaxSeeds is how many logins a chain remembers. A seed that GitOps re-applies is recognised among them.
const MaxSeeds = 32

// State is what is known about a pair without any secret. It stands in an annotation of the pair Secret,
// so that Decide needs no Secret data and caches need hold none.
type State struct {
	// Format is the version of this format in which it was written; see StateFormat.
	Format int `json:"format,omitempty"`
	// Owner is the UID of the resource that the chain is bound to.
	Owner string `json:"owner,omitempty"`
	// OwnerName is that resource's name: a retained pair is taken up again by name.
	OwnerName string `json:"ownerName,omitempty"`
	// App is the App (host/clientID) that the tokens belong to.
	App string `json:"app,omitempty"`
	// Revision counts the commits to this chain over all its logins. Of two copies the higher is newer.
	Revision int64 `json:"revision,omitempty"`
	// Claims counts how often a copy was written only to make sure that nobody removes it meanwhile.
	Claims int64 `json:"claims,omitempty"`
	// RefreshCount counts the pairs stored since the last login.
	RefreshCount int64 `json:"refreshCount,omitempty"`
	// AccessToken and RefreshToken name the tokens in the Secret's data.
	AccessToken  credential.Fingerprint `json:"accessToken,omitempty"`
	RefreshToken credential.Fingerprint `json:"refreshToken,omitempty"`
	// IssuedAt is the local time at which the request for the pair was sent.
	IssuedAt time.Time `json:"issuedAt,omitzero"`
	// ExpiresAt is when the access token expires; zero when it never does.
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
	// Shortened is by how much ExpiresAt is earlier than by the local clock: that was ahead of GitHub's.
	Shortened time.Duration `json:"shortened,omitempty"`
	// RefreshTokenExpiresAt is when the refresh token expires; zero when that is not known.
	RefreshTokenExpiresAt time.Time `json:"refreshTokenExpiresAt,omitzero"`
	// Seeds are the logins that were imported or refused, oldest first.
	Seeds []SeedRecord `json:"seeds,omitempty"`
	// Former are the chain's last refresh tokens before this one, which it has spent or left for a later login.
	Former credential.Trail `json:"former,omitempty"`
	// Incomplete says that the state was once computed from the tokens, so that logins before are not known. Without an App
	// it is just that; see Pair.LacksState.
	Incomplete bool `json:"incomplete,omitempty"`
	// PendingSeed names the token of a login that is being imported: from the seed, where the intent says so, or from the
	// Secret's own data.
	PendingSeed credential.Fingerprint `json:"pendingSeed,omitempty"`
	// Unanswered are the tokens of logins that are not being imported any more, and of which nobody knows whether GitHub has
	// exchanged them. One that comes back with the seed has been tried before. Codes of the web flow are in Web.
	Unanswered credential.Trail `json:"unanswered,omitempty"`
	// SeedVersion says which version of the seed Secret was last examined, so that it is not read again.
	SeedVersion string `json:"seedVersion,omitempty"`
	// SeedVerdict says why the newest login was refused, while the chain before it goes on.
	SeedVerdict *Verdict `json:"seedVerdict,omitempty"`
	// RefreshRequestedAt is the last honoured value of the annotation refresh-requested-at.
	RefreshRequestedAt string `json:"refreshRequestedAt,omitempty"`
	// AccessTokenEnded says that GitHub does not take the access token any more, ahead of its expiry.
	AccessTokenEnded bool `json:"accessTokenEnded,omitempty"`
	// RenewedAt is when a pair was last got because the access token before it had ended so.
	RenewedAt time.Time `json:"renewedAt,omitzero"`
	// Verdict says why a human must act; nil while the refresh token is believed to be good.
	Verdict *Verdict `json:"verdict,omitempty"`
	// Publication counts, over both chains of a resource that alternates, which pair is the newest one, so that its token is published.
	Publication int64 `json:"publication,omitempty"`
	// Retained marks a pair whose resource was deleted with deletionPolicy Retain.
	Retained bool `json:"retained,omitempty"`
	// RetainedAs is the UID of the Secret that was retained. A copy of it that comes from a backup has another.
	RetainedAs string `json:"retainedAs,omitempty"`
	// RetainedBy names the write that has let go of a retained pair, so that its writer knows it again when the answer was lost.
	RetainedBy string `json:"retainedBy,omitempty"`
	// Restored marks a pair that came back from a backup, until one is stored that was got for it.
	Restored bool `json:"restored,omitempty"`
	// User is the account that the chain belongs to, once it is known.
	User *User `json:"user,omitempty"`
	// Device is the public half of a device authorization that waits for a person.
	Device *DeviceAuthorization `json:"device,omitempty"`
	// Web is the attempt to log in by the web flow that was begun last.
	Web *weblogin.Attempt `json:"web,omitempty"`
	// Login is the login that the chain goes back to; nil while it is not known. See LoginName.
	Login *origin.Login `json:"login,omitempty"`

	// unknown are fields of a version that this one does not know. They are written back as they were read.
	unknown jsonfields.Unknown
}

// User is a GitHub account.
type User = origin.User

// DeviceAuthorization is the public half of a device authorization.
type DeviceAuthorization = devicelogin.Authorization

// SeedRecord is a login that was dealt with.
type SeedRecord struct {
	Fingerprint credential.Fingerprint `json:"fingerprint"`
	// RefusedFor is the App (host/clientID) with which GitHub refused it, or RefusedForAll; empty when it was
	// imported. A seed refused for one App may be right for another, after spec.app has been corrected.
	RefusedFor string `json:"refusedFor,omitempty"`
}

// RefusedForAll says of a login that it was exchanged and its pair not wanted: no App can make it good again.
const RefusedForAll = "*"

// Verdict says that a token is of no more use.
type Verdict = verdict.Verdict

// KnowsSeed reports whether a login was already dealt with for this App.
func (s *State) KnowsSeed(seed credential.Fingerprint, app string) bool {
	if s.HasHeld(seed) {
		return true
	}
	return slices.ContainsFunc(s.Seeds, func(r SeedRecord) bool {
		return r.Fingerprint == seed && (r.RefusedFor == "" || r.RefusedFor == app || r.RefusedFor == RefusedForAll)
	})
}

// HasHeld reports whether a refresh token is the chain's own, now or before: a seed with it was copied from the pair Secret.
func (s *State) HasHeld(token credential.Fingerprint) bool {
	return token != "" && (token == s.RefreshToken || s.Former.Has(token))
}

// HasImported reports whether a login stands at the root of this chain or of one before it.
func (s *State) HasImported(seed credential.Fingerprint) bool {
	return slices.Contains(s.Seeds, SeedRecord{Fingerprint: seed})
}

// hasLoginBeyond reports whether this chain knows of an imported login that the other one does not know.
func (s *State) hasLoginBeyond(other *State) bool { return s.hasLoginThat(other, other.HasImported) }

// hasNewLogin reports whether this chain has imported a login that the other one has not even heard of.
func (s *State) hasNewLogin(other *State) bool { return s.hasLoginThat(other, other.HasHeardOf) }

// hasLoginThat reports whether this chain has imported a login that the other one does not know, and has not forgotten either.
func (s *State) hasLoginThat(other *State, knows func(credential.Fingerprint) bool) bool {
	return slices.ContainsFunc(s.Seeds[s.forgottenBy(other):], func(r SeedRecord) bool { return r.RefusedFor == "" && !knows(r.Fingerprint) })
}

// forgottenBy is how many of this chain's logins, of the oldest on, may be among those that the other one has forgotten, because it
// has had more than MaxSeeds: all up to the last one that both know, as they stand in order.
func (s *State) forgottenBy(other *State) int {
	if len(other.Seeds) < MaxSeeds {
		return 0
	}
	for i, record := range slices.Backward(s.Seeds) {
		if slices.ContainsFunc(other.Seeds, func(r SeedRecord) bool { return r.Fingerprint == record.Fingerprint }) {
			return i + 1
		}
	}
	if s.Revision < other.Revision {
		return len(s.Seeds) // It has had as many since.
	}
	return 0
}

// HasHeardOf reports whether a login was imported, refused, or given up.
func (s *State) HasHeardOf(login credential.Fingerprint) bool {
	return s.Unanswered.Has(login) || s.Web.HasSent(login) || slices.ContainsFunc(s.Seeds, func(r SeedRecord) bool { return r.Fingerprint == login })
}

// recordSeed remembers a login and forgets the oldest beyond MaxSeeds.
func (s *State) recordSeed(record SeedRecord) {
	seeds := slices.DeleteFunc(slices.Clone(s.Seeds), func(r SeedRecord) bool { return r.Fingerprint == record.Fingerprint })
	seeds = append(seeds, record)
	s.Seeds = seeds[max(0, len(seeds)-MaxSeeds):]
}

// isGuessed reports whether the state was computed from the tokens, and no pair was stored since.
func (s *State) isGuessed() bool { return s.Incomplete && s.Revision <= 1 }

// LoginName names the login that the chain goes back to. Where that is not known it is the pair, and stays so.
func (s *State) LoginName() credential.Fingerprint {
	if s.Login != nil {
		return s.Login.First
	}
	return cmp.Or(s.AccessToken, s.RefreshToken)
}

// HasToken reports whether the Secret holds an access token.
func (s *State) HasToken() bool { return s.AccessToken != "" }

// Expires reports whether the access token expires at all.
func (s *State) Expires() bool { return !s.ExpiresAt.IsZero() }

// Clone copies the state so that the copy can be changed.
func (s *State) Clone() State {
	next := *s
	next.unshare()
	return next
}

// unshare makes a plain copy independent of what it was copied from.
func (s *State) unshare() {
	s.Seeds = slices.Clip(s.Seeds) // Records are never changed in place, and what is appended goes to a copy.
	s.Verdict, s.SeedVerdict, s.User, s.Device, s.Web = copied(s.Verdict), copied(s.SeedVerdict), copied(s.User), copied(s.Device), copied(s.Web)
}

// copied is a copy that can be changed; nil of nil.
func copied[T any](of *T) *T {
	if of == nil {
		return nil
	}
	return new(*of)
}
