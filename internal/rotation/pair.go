package rotation

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// Ref names a Secret.
type Ref struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// Owner names the resource that a pair belongs to.
type Owner struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid"`
}

// BackupRef names the Secret that keeps the owner's pair safe while the pair Secret is replaced.
func (o Owner) BackupRef() Ref {
	return Ref{Namespace: o.Namespace, Name: "github-user-token-backup-" + o.UID}
}

// CodePrefix begins the names of the Secrets that hold the device codes of the owner.
func (o Owner) CodePrefix() string { return "github-user-token-login-" + o.UID + "-" }

// CodeRef names the Secret that holds a device code of the owner.
func (o Owner) CodeRef(code credential.Fingerprint) Ref {
	return Ref{Namespace: o.Namespace, Name: o.CodePrefix() + string(code)}
}

// Pair is the pair Secret. The tokens are empty when only its metadata was read.
type Pair struct {
	Ref   Ref
	Owner Owner
	// UID and Version identify the stored object; both are empty before it is created.
	UID     string
	Version string
	// Controlled reports that the object's controller is Owner: the operator may write to it.
	Controlled bool
	// Orphan reports that the object has no controller at all.
	Orphan bool
	// Deleting reports that somebody has deleted the object and only the finalizer holds it.
	Deleting bool
	// Immutable reports that the object's data cannot be changed.
	Immutable bool

	// MayBeElsewhere is set by Store.Create of a Secret with an intent: the resource's spec was changed before the
	// Secret was there, or nobody can tell, so that its pair may stand under another name than the one just created.
	MayBeElsewhere bool

	State State
	// StateLost reports that the state was missing or could not be read, and is empty, or was computed from the data.
	StateLost bool
	Intent    *Intent
	// NextRefreshAt is when the pair will be replaced; zero when that is not known.
	NextRefreshAt time.Time

	AccessToken  credential.AccessToken
	RefreshToken credential.RefreshToken
	TokenType    string
	// SeedToken is the refresh token of a login that waits in the Secret itself: somebody has put it there, or a version of
	// the operator from before Intent.Login.
	SeedToken credential.RefreshToken
	// DeviceCode is a device code that an older version has stored here. Now each stands in a Secret of its own; see Codes.
	DeviceCode credential.DeviceCode

	// Labels and Annotations are extra metadata that the resource asks for.
	Labels      map[string]string
	Annotations map[string]string
}

// LacksState reports that the state was lost, or was computed from the tokens by somebody who had something else to write
// with it: what the resource knows is still to be put into it.
func (p *Pair) LacksState() bool { return p.StateLost || p.State.Incomplete && p.State.App == "" }

// AsRetained is the pair as it is left behind for the next resource of its owner's name. One that was restored from a
// backup and never proven is not trusted by the next one either.
func (p *Pair) AsRetained() *Pair {
	next := p.Clone()
	next.Owner, next.Controlled, next.Orphan = Owner{}, false, true
	next.State.Retained = true
	if p.DeviceCode.IsZero() {
		next.State.Device = nil // Its code stands in a Secret of the resource's, and goes with it.
	}
	next.State.Web = next.State.Web.Forgotten() // It was the resource's.
	if p.isBound() {
		next.State.RetainedAs = p.UID
	}
	return next
}

// GoesWith reports whether the pair goes with a resource that is deleted: it is its controller, or was until somebody has had
// its Secrets orphaned (kubectl delete --cascade=orphan), which does not let go of a pair.
func (p *Pair) GoesWith(uid string) bool {
	return p.Controlled && p.Owner.UID == uid || p.Orphan && !p.State.Retained && p.State.Owner == uid
}

// IsRetained reports whether this is the very Secret that was retained, and not a copy of it that came from a backup.
func (p *Pair) IsRetained() bool { return p.State.Retained && p.State.RetainedAs == p.UID }

// Clone copies the pair so that the copy can be changed.
func (p *Pair) Clone() *Pair {
	next := new(*p)
	next.State.unshare()
	next.Intent = copied(p.Intent)
	return next
}

// WithoutTokens is a copy of the pair's metadata: what may be kept in memory.
func (p *Pair) WithoutTokens() *Pair {
	stripped := p.Clone()
	stripped.AccessToken, stripped.RefreshToken = credential.AccessToken{}, credential.RefreshToken{}
	stripped.SeedToken, stripped.DeviceCode = credential.RefreshToken{}, credential.DeviceCode{}
	stripped.TokenType = ""
	return stripped
}

// Holds reports whether the stored data holds a refresh token: that of the chain, or of a login that waits there.
func (p *Pair) Holds(spent credential.Fingerprint) bool {
	_, held := p.token(spent)
	return held
}

// isAt reports whether the Secret stands at what an exchange spends: it holds it, is importing it from the seed, or redeems it.
func (p *Pair) isAt(spent credential.Fingerprint) bool {
	return p.Holds(spent) || spent != "" && spent == p.LoginElsewhere()
}

// isAtSpentOf reports whether the Secret still stands at what a reply was got for.
func (p *Pair) isAtSpentOf(record *Record) bool {
	if record.Code {
		return p.offers(record.Spent)
	}
	return p.isAt(record.Spent)
}

// holdsPairOf reports whether both tokens of another pair are stored, and are those that the state speaks of. One of
// them alone does not tell: a reply may repeat the other.
func (p *Pair) holdsPairOf(other *Pair) bool { return p.names(other) && p.isWhole() }

// names reports whether the state speaks of the same two tokens as another pair's.
func (p *Pair) names(other *Pair) bool {
	return p.State.AccessToken == other.State.AccessToken && p.State.RefreshToken == other.State.RefreshToken
}

// isWhole reports whether the tokens are those that the state speaks of.
func (p *Pair) isWhole() bool {
	return p.AccessToken.Fingerprint() == p.State.AccessToken && p.RefreshToken.Fingerprint() == p.State.RefreshToken
}

// token returns the refresh token with that fingerprint.
func (p *Pair) token(spent credential.Fingerprint) (credential.RefreshToken, bool) {
	switch spent {
	case "":
		return credential.RefreshToken{}, false
	case p.RefreshToken.Fingerprint():
		return p.RefreshToken, true
	case p.SeedToken.Fingerprint():
		return p.SeedToken, true
	default:
		return credential.RefreshToken{}, false
	}
}
