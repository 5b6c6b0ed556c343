package restlimit

import (
	"crypto/hmac"
	"crypto/sha256"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

const (
	// maxRefusals is how often a trusted credential may be refused in a row. VerifyAccount asks that often within four
	// seconds, and GitHub refuses good tokens for three.
	maxRefusals = 5
	// doubtsPerHour and doubtsAtOnce are how many refusals a namespace has for its trusted credentials.
	doubtsPerHour, doubtsAtOnce = 60, 30
)

// sent names what authenticates a request, in this process only.
type sent struct {
	kind kind
	name [16]byte
}

// kind is the kind of a credential.
type kind int

const (
	accessToken kind = iota
	clientSecret
	kinds
)

func (c *Client) ofToken(token credential.Fingerprint) sent {
	return c.named(accessToken, string(token))
}

func (c *Client) ofApp(app github.App) sent {
	return c.named(clientSecret, app.Key()+"\x00"+app.ClientSecret.Reveal())
}

func (c *Client) named(k kind, value string) sent {
	hash := hmac.New(sha256.New, c.key[:])
	_, _ = hash.Write([]byte(value))
	s := sent{kind: k}
	copy(s.name[:], hash.Sum(nil))
	return s
}

// note is what is remembered of a resource: of each kind the credential that is trusted.
type note [kinds]standing

// standing is that of one credential. None is trusted when it is zero.
type standing struct {
	name [16]byte
	// refusals counts those in a row.
	refusals int
}

// place is a namespace at a host.
type place struct{ namespace, host string }

// isTrusted reports whether a request needs no turn.
func (c *Client) isTrusted(r *request) (trusted bool) {
	c.notes.Peek(r.who.UID, func(n *note) {
		trusted = n[r.sent.kind] != standing{} && n[r.sent.kind].name == r.sent.name
	})
	return trusted && c.hasDoubts(place{r.who.Namespace, r.host})
}

// trust notes that GitHub knows a credential, and returns whether another one, or none, was trusted before, and how often
// GitHub has refused this one.
func (c *Client) trust(uid types.UID, s sent) (changed bool, refusals int) {
	remember := func(n *note) { changed, refusals = n.trust(s) }
	if !c.notes.Peek(uid, remember) {
		if _, known := c.options.Memory.Name(uid); known { // What is gone must not be remembered anew.
			c.notes.With(uid, remember)
		}
	}
	return changed, refusals
}

// trust begins anew to trust a credential, and returns whether that is news, and how often it was refused.
func (n *note) trust(s sent) (changed bool, refusals int) {
	before := n[s.kind]
	n[s.kind] = standing{name: s.name}
	if before.name != s.name {
		return true, 0
	}
	return false, before.refusals
}

// distrust notes that GitHub has refused a trusted credential.
func (c *Client) distrust(r *request) {
	has := c.doubt(place{r.who.Namespace, r.host}, 1)
	c.notes.Peek(r.who.UID, func(n *note) {
		s := &n[r.sent.kind]
		if s.name != r.sent.name {
			return
		}
		if s.refusals++; s.refusals >= maxRefusals || !has {
			*s = standing{}
		}
	})
}

// absolve gives a namespace back what the refusals of a good credential have cost it.
func (c *Client) absolve(r *request, refusals int) {
	if refusals > 0 {
		c.doubt(place{r.who.Namespace, r.host}, -refusals)
	}
}

// hasDoubts reports whether a namespace has refusals left.
func (c *Client) hasDoubts(p place) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := c.doubts[p]
	return left == nil || left.Tokens() >= 1
}

// doubt takes refusals from a namespace, or gives them back, and reports whether it had them.
func (c *Client) doubt(p place, refusals int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := c.doubts[p]
	if left == nil {
		if refusals < 0 {
			return true
		}
		c.prune()
		left = rate.NewLimiter(rate.Every(time.Hour/doubtsPerHour), doubtsAtOnce)
		c.doubts[p] = left
	}
	return left.AllowN(time.Now(), refusals)
}

// prune forgets namespaces that have all their refusals, when there are twice as many as the last time.
func (c *Client) prune() {
	if len(c.doubts) < 2*c.pruned+16 {
		return
	}
	for p, left := range c.doubts {
		if left.Tokens() >= doubtsAtOnce {
			delete(c.doubts, p)
		}
	}
	c.pruned = len(c.doubts)
}
