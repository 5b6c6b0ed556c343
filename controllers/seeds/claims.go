package seeds

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
)

// claim is a resource's wish to import a refresh token. There is at most one of each resource.
type claim struct {
	uid     types.UID
	name    types.NamespacedName
	created time.Time
	token   credential.Fingerprint
	// taken reports that the resource has begun to exchange the token.
	taken bool
	// presumed reports that the claim was entered for the resource before it claimed anything itself.
	presumed bool
}

func claimOf(token *v1alpha1.GitHubUserToken, wanted credential.Fingerprint) claim {
	return claim{uid: token.UID, name: scope.NameOf(token), created: token.CreationTimestamp.Time, token: wanted}
}

// compare orders claims to one token: whoever has begun, then the older, then by UID, so that two resources of
// the same second have an order that all replicas agree on.
func compare(a, b claim) int {
	if a.taken != b.taken {
		if a.taken {
			return -1
		}
		return 1
	}
	return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.uid, b.uid))
}

// claims are all claims. Each stands in the memory of its resource. The index by token holds names only: one
// whose resource has been forgotten, or wants another token by now, counts for nothing.
type claims struct {
	mu      sync.Mutex // Taken before the memory's own lock.
	own     memory.Slot[claim]
	byToken map[credential.Fingerprint]map[types.UID]struct{}
	// indexed is the token under which a resource stands in that index: one at most.
	indexed map[types.UID]credential.Fingerprint
	// settled has, by namespace, the youngest resource up to which all older ones of it have been looked at.
	settled map[string]claim
	// losses counts what has ended a horizon, and lost has, by namespace, which was the last of it. forgotten is the latest of
	// those that are not known by namespace any more.
	losses, forgotten uint64
	lost              map[string]uint64
}

// maxLost is of how many namespaces it is known when they have lost a horizon. A look at older resources takes no time in which
// so many do.
const maxLost = 1000

// horizon is the youngest resource of a namespace up to which every older one there was found to have a claim, a pair,
// or no token, so that none of those has to be looked at; ok is false when there is none.
func (c *claims) horizon(namespace string) (youngest claim, losses uint64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	youngest, ok = c.settled[namespace]
	return youngest, c.losses, ok
}

// settle notes that they were, unless that has changed in the namespace since the look at them began. losses is how many there
// were then.
func (c *claims) settle(mine claim, losses uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if lost, known := c.lost[mine.name.Namespace]; losses < c.forgotten || known && losses < lost {
		return
	}
	if youngest, ok := c.settled[mine.name.Namespace]; !ok || compare(mine, youngest) > 0 {
		c.settled[mine.name.Namespace] = mine
	}
}

// unsettle notes that resources of a namespace may want tokens that nobody knows of.
func (c *claims) unsettle(namespace string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lose(namespace)
}

func (c *claims) lose(namespace string) {
	c.losses++
	delete(c.settled, namespace)
	if _, known := c.lost[namespace]; !known && len(c.lost) >= maxLost {
		clear(c.lost)
		c.forgotten = c.losses
	}
	c.lost[namespace] = c.losses
}

func newClaims(store *memory.Store) *claims {
	return &claims{
		own: memory.NewSlot[claim](store), byToken: map[credential.Fingerprint]map[types.UID]struct{}{}, indexed: map[types.UID]credential.Fingerprint{},
		settled: map[string]claim{}, lost: map[string]uint64{},
	}
}

// enter records which token a resource wants; none when it is empty. It replaces what the resource wanted
// before, and returns that if others want it as well: it may be their turn.
func (c *claims) enter(wanted claim) (left credential.Fingerprint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, ok := c.of(wanted.uid)
	if ok && before.token == wanted.token {
		before.presumed = false
		c.set(before)
		return ""
	}
	if ok {
		c.drop(before)
		left = c.ifIndexed(before.token)
	}
	if wanted.token != "" {
		c.set(wanted)
	}
	return left
}

// presume enters a claim for a resource that has none, and reports whether it did. What a resource has claimed
// itself stands: it is of later knowledge, and may be taken.
func (c *claims) presume(wanted claim) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.of(wanted.uid); ok || wanted.token == "" {
		return false
	}
	wanted.presumed = true
	c.set(wanted)
	return true
}

// presumed are the claims to a token that were presumed.
func (c *claims) presumed(token credential.Fingerprint) []claim {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(c.unordered(token), func(wanted claim) bool { return !wanted.presumed })
}

// withdraw drops a presumed claim and returns its token if others want it: it may be their turn.
func (c *claims) withdraw(uid types.UID) (left credential.Fingerprint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	mine, ok := c.of(uid)
	if !ok || !mine.presumed {
		return ""
	}
	c.drop(mine)
	return c.ifIndexed(mine.token)
}

// take asks for the right to exchange a token that a resource has claimed. It returns the claim of the owner,
// which is the resource's own when it has the right. ok is false when the resource does not claim the token.
func (c *claims) take(uid types.UID, token credential.Fingerprint) (owner claim, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	mine, ok := c.of(uid)
	if !ok || mine.token != token {
		return claim{}, false
	}
	if first := slices.MinFunc(c.unordered(token), compare); first.uid != uid {
		return first, true
	}
	mine.taken = true
	c.set(mine)
	return mine, true
}

// forget drops a resource's claim and returns its token if others want it: it may be their turn. The namespace is that of the
// resource, empty when the memory has forgotten it already.
func (c *claims) forget(uid types.UID) (namespace string, left credential.Fingerprint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if mine, ok := c.of(uid); ok {
		c.drop(mine)
		return mine.name.Namespace, c.ifIndexed(mine.token)
	}
	if token, ok := c.indexed[uid]; ok { // The memory has forgotten it already.
		c.unindex(uid, token)
		return "", c.ifIndexed(token)
	}
	return "", ""
}

// wanted is the token if a resource wants it, or did when it was forgotten; otherwise empty.
func (c *claims) wanted(token credential.Fingerprint) credential.Fingerprint {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ifIndexed(token)
}

// ifIndexed is the token if anybody stands under it in the index. It costs the same however many do.
func (c *claims) ifIndexed(token credential.Fingerprint) credential.Fingerprint {
	if len(c.byToken[token]) == 0 {
		return ""
	}
	return token
}

// held is the token that a resource has claimed; empty when it has claimed none.
func (c *claims) held(uid types.UID) credential.Fingerprint {
	c.mu.Lock()
	defer c.mu.Unlock()
	mine, _ := c.of(uid)
	return mine.token
}

// names are those of the resources that want a token, the first in order first.
func (c *claims) names(token credential.Fingerprint) []types.NamespacedName {
	found := c.wanting(token)
	slices.SortFunc(found, compare)
	var names []types.NamespacedName
	for _, c := range found {
		names = append(names, c.name)
	}
	return names
}

// wanting are the claims to a token.
func (c *claims) wanting(token credential.Fingerprint) []claim {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unordered(token)
}

// unordered are the claims to a token. What does not count in the index is dropped.
func (c *claims) unordered(token credential.Fingerprint) []claim {
	var found []claim
	for uid := range c.byToken[token] {
		if mine, ok := c.of(uid); ok && mine.token == token {
			found = append(found, mine)
		} else {
			c.unindex(uid, token)
		}
	}
	return found
}

func (c *claims) of(uid types.UID) (found claim, ok bool) {
	ok = c.own.Peek(uid, func(mine *claim) { found = *mine })
	return found, ok
}

func (c *claims) set(wanted claim) {
	c.own.With(wanted.uid, func(mine *claim) { *mine = wanted })
	if c.byToken[wanted.token] == nil {
		c.byToken[wanted.token] = map[types.UID]struct{}{}
	}
	c.byToken[wanted.token][wanted.uid] = struct{}{}
	c.indexed[wanted.uid] = wanted.token
}

func (c *claims) drop(mine claim) {
	c.own.Drop(mine.uid)
	c.unindex(mine.uid, mine.token)
	c.lose(mine.name.Namespace)
}

func (c *claims) unindex(uid types.UID, token credential.Fingerprint) {
	delete(c.byToken[token], uid)
	if c.indexed[uid] == token {
		delete(c.indexed, uid)
	}
	if len(c.byToken[token]) == 0 {
		delete(c.byToken, token)
	}
}
