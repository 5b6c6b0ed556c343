package controllers

import (
	"cmp"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// claims settles which of several resources with the same refresh token owns it: one that has begun to
// exchange it, and among those that have not, the oldest. The caller sees to it that every older resource
// has claimed before it asks.
type claims struct {
	mu      sync.Mutex
	byToken map[credential.Fingerprint]map[types.UID]claim
	byUID   map[types.UID]credential.Fingerprint
}

// claim is a resource that wants to import a refresh token.
type claim struct {
	name    types.NamespacedName
	created time.Time
	uid     types.UID
	// taken says that the resource has begun to exchange the token.
	taken bool
}

func newClaims() *claims {
	return &claims{byToken: map[credential.Fingerprint]map[types.UID]claim{}, byUID: map[types.UID]credential.Fingerprint{}}
}

// put records which token a resource wants; none when it is empty. It replaces what the resource wanted
// before, and returns those that want that as well: it may be their turn.
func (c *claims) put(wanted claim, token credential.Fingerprint) (others []types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if before, ok := c.byUID[wanted.uid]; ok {
		if before == token {
			return nil
		}
		c.drop(wanted.uid, before)
		others = c.names(before)
	}
	if token == "" {
		return others
	}
	if c.byToken[token] == nil {
		c.byToken[token] = map[types.UID]claim{}
	}
	c.byToken[token][wanted.uid] = wanted
	c.byUID[wanted.uid] = token
	return others
}

// wanting are the resources that want a token.
func (c *claims) wanting(token credential.Fingerprint) []types.NamespacedName {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.names(token)
}

func (c *claims) names(token credential.Fingerprint) []types.NamespacedName {
	var names []types.NamespacedName
	for _, wanting := range c.byToken[token] {
		names = append(names, wanting.name)
	}
	return names
}

// known says whether the resource has claimed a token.
func (c *claims) known(uid types.UID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.byUID[uid]
	return ok
}

// holds says whether it is this token that the resource has claimed.
func (c *claims) holds(uid types.UID, token credential.Fingerprint) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byUID[uid] == token
}

// take asks for the right to exchange the token that the resource claimed, and returns the owner when it
// is another.
func (c *claims) take(uid types.UID) (owner types.NamespacedName, taken bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	token := c.byUID[uid]
	mine, ok := c.byToken[token][uid]
	if !ok {
		return types.NamespacedName{}, false
	}
	first := mine
	for _, other := range c.byToken[token] {
		if before(other, first) {
			first = other
		}
	}
	if first.uid != uid {
		return first.name, false
	}
	mine.taken = true
	c.byToken[token][uid] = mine
	return mine.name, true
}

// forget drops a resource's claim and returns those that wanted the same token: it may be their turn.
func (c *claims) forget(uid types.UID) []types.NamespacedName {
	c.mu.Lock()
	defer c.mu.Unlock()
	token, ok := c.byUID[uid]
	if !ok {
		return nil
	}
	c.drop(uid, token)
	return c.names(token)
}

func (c *claims) drop(uid types.UID, token credential.Fingerprint) {
	delete(c.byUID, uid)
	delete(c.byToken[token], uid)
	if len(c.byToken[token]) == 0 {
		delete(c.byToken, token)
	}
}

// before orders claims: whoever has begun, then the older, then by UID, so that two resources of the same
// second have an order that all replicas agree on.
func before(a, b claim) bool {
	if a.taken != b.taken {
		return a.taken
	}
	if order := a.created.Compare(b.created); order != 0 {
		return order < 0
	}
	return cmp.Less(a.uid, b.uid)
}
