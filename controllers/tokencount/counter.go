package tokencount

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// rest is how long what is told of an account stays as it is at least.
const rest = 10 * time.Second

// maxName is how long the name of a resource can be. Whose a Secret is stands in its metadata, where anybody can write.
const maxName = 253

// Counter counts. It is safe for concurrent use. Make it with New.
type Counter struct {
	seed maphash.Seed

	mu       sync.Mutex
	accounts map[account]*tokens
	// of is where each Secret stands: of which account it is, and at which place.
	of map[types.UID]place
	// changed are the accounts of which something else may have to be told.
	changed map[account]struct{}
	// scoped are the Secrets that hold scoped tokens, and scopedOf how many each resource has, which are of the account of its pair.
	scoped   map[types.UID]scoped
	scopedOf map[types.NamespacedName]int
	// rescoped are the resources of which that has changed. Whose account it is is found out for all of them at once.
	rescoped map[types.NamespacedName]struct{}
	// begun reports that somebody has asked for advice.
	begun bool
}

// account is a GitHub account at an App. The App is a hash of its key: anybody may write one, of any length.
type account struct {
	app uint64
	id  int64
}

// scoped is what an output holds.
type scoped struct {
	owner types.NamespacedName
	count int
}

type place struct {
	account account
	index   int
}

// tokens are those of one account.
type tokens struct {
	held []token
	// told is what is told of the account; nil while nothing ever was, as of almost all.
	told *told
}

// told is what is told of an account, and by whom; at is since when, by the monotonic clock.
type told struct {
	advice

	at time.Duration
}

// now is what is told of the account.
func (t *tokens) now() advice {
	if t.told == nil {
		return advice{}
	}
	return t.told.advice
}

// token is a pair Secret with a token of an account.
type token struct {
	secret types.UID
	owner  types.NamespacedName
	// created is when the Secret was created, in seconds.
	created int64
	// value is a hash of what names the access token: copies of a Secret hold one token.
	value uint64
}

// advice is what is told of an account, by which resource and for which Secret; zero when there is nothing to tell.
type advice struct {
	level  level
	scoped bool // Scoped tokens are among them.
	newest types.UID
	owner  types.NamespacedName
}

// New makes a Counter.
func New() *Counter {
	return &Counter{
		seed: maphash.MakeSeed(), accounts: map[account]*tokens{}, of: map[types.UID]place{}, changed: map[account]struct{}{},
		scoped: map[types.UID]scoped{}, scopedOf: map[types.NamespacedName]int{}, rescoped: map[types.NamespacedName]struct{}{},
	}
}

// Seen is told of a Secret as it is now, of when it was created, and of how many scoped tokens it holds: a pair holds none, and of an
// output nothing else is looked at.
func (c *Counter) Seen(pair *rotation.Pair, created time.Time, scopedTokens int) {
	c.seeScoped(pair, scopedTokens)
	uid, state := types.UID(pair.UID), &pair.State
	isLiving := state.HasToken() && state.Verdict == nil && state.User != nil
	if !pair.Controlled || !isLiving || len(pair.Owner.Name) > maxName || pair.Ref == pair.Owner.BackupRef() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.drop(uid)
		return
	}
	of := account{c.hash(strings.ToLower(state.App)), state.User.ID}
	seen := token{
		secret: uid, owner: types.NamespacedName{Namespace: pair.Ref.Namespace, Name: pair.Owner.Name},
		created: created.Unix(), value: c.hash(string(state.AccessToken)),
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, known := c.of[uid]; known && at.account == of {
		c.accounts[of].held[at.index] = seen
		c.change(of)
		return
	}
	c.drop(uid)
	if c.accounts[of] == nil {
		c.accounts[of] = &tokens{}
	}
	c.of[uid] = place{of, len(c.accounts[of].held)}
	c.accounts[of].held = append(c.accounts[of].held, seen)
	c.change(of)
}

// Gone is told that a Secret is gone.
func (c *Counter) Gone(uid types.UID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(uid)
	c.setScoped(uid, scoped{})
}

// seeScoped counts the scoped tokens of an output.
func (c *Counter) seeScoped(pair *rotation.Pair, count int) {
	seen := scoped{}
	if count > 0 && pair.Controlled && len(pair.Owner.Name) <= maxName {
		seen = scoped{types.NamespacedName{Namespace: pair.Ref.Namespace, Name: pair.Owner.Name}, count}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setScoped(types.UID(pair.UID), seen)
}

func (c *Counter) setScoped(uid types.UID, seen scoped) {
	before := c.scoped[uid]
	if before == seen {
		return
	}
	for _, of := range []scoped{{before.owner, -before.count}, seen} {
		if of.count == 0 {
			continue
		}
		if c.scopedOf[of.owner] += of.count; c.scopedOf[of.owner] == 0 {
			delete(c.scopedOf, of.owner)
		}
		c.rescoped[of.owner] = struct{}{}
	}
	if c.scoped[uid] = seen; seen.count == 0 {
		delete(c.scoped, uid)
	}
}

// changeScoped is change for the accounts of resources that have another number of scoped tokens.
func (c *Counter) changeScoped() {
	if len(c.rescoped) == 0 {
		return
	}
	for which, of := range c.accounts {
		if slices.ContainsFunc(of.held, func(t token) bool { _, is := c.rescoped[t.owner]; return is }) {
			c.change(which)
		}
	}
	clear(c.rescoped)
}

// scopedOfAll is how many scoped tokens the resources of an account have.
func (c *Counter) scopedOfAll(of *tokens) (count int) {
	if len(c.scopedOf) == 0 {
		return 0
	}
	seen := map[types.NamespacedName]bool{}
	for i := range of.held {
		if owner := of.held[i].owner; !seen[owner] {
			seen[owner] = true
			count += c.scopedOf[owner]
		}
	}
	return count
}

func (c *Counter) hash(text string) uint64 { return maphash.String(c.seed, text) }

// drop takes a Secret out. The last of its account takes its place.
func (c *Counter) drop(uid types.UID) {
	at, known := c.of[uid]
	if !known {
		return
	}
	delete(c.of, uid)
	of := c.accounts[at.account]
	last := len(of.held) - 1
	if at.index != last {
		of.held[at.index] = of.held[last]
		c.of[of.held[at.index].secret] = at
	}
	of.held[last] = token{}
	if of.held = of.held[:last]; cap(of.held) > max(WarnFrom, 4*last) {
		of.held = slices.Clone(of.held) // What moves on to another account leaves no room here.
	}
	c.change(at.account)
}

// change notes that an account has changed, where that may make a difference, and forgets one that has nothing left.
func (c *Counter) change(which account) {
	switch of := c.accounts[which]; {
	case len(of.held)+c.scopedOfAll(of) >= WarnFrom || of.now().level > few:
		c.changed[which] = struct{}{}
	case len(of.held) == 0:
		delete(c.accounts, which)
		delete(c.changed, which)
	}
}

// Advice is what the resource of a pair Secret is to tell: that the account has many tokens of the App, when this Secret is the
// newest of them. Otherwise it is empty. It begins with a blank.
func (c *Counter) Advice(secret types.UID) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.begun { // Resources are reconciled when all Secrets that there are have been seen.
		c.tell(0)
	}
	at, known := c.of[secret]
	if !known || c.accounts[at.account].now().newest != secret {
		return ""
	}
	told := c.accounts[at.account].now()
	if told.scoped {
		return told.level.sentence() + saysScoped
	}
	return told.level.sentence()
}

// saysScoped is said where some of the tokens are scoped.
const saysScoped = " Tokens of scoped outputs are among them: should GitHub count those as well, leave some out."

// Round brings what is told up to date, and returns the resources for which that is another now. Before anybody has asked for
// advice it does nothing: after a start not all Secrets have been seen, and what is told would change with each of them.
func (c *Counter) Round(mono time.Duration) []types.NamespacedName {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.begun {
		return nil
	}
	return c.tell(mono)
}

func (c *Counter) tell(mono time.Duration) (concerned []types.NamespacedName) {
	concern := func(owner types.NamespacedName) {
		if owner.Name != "" && !slices.Contains(concerned[max(0, len(concerned)-1):], owner) {
			concerned = append(concerned, owner)
		}
	}
	c.changeScoped()
	for which := range c.changed {
		of := c.accounts[which]
		if of.told != nil && of.told.at != 0 && mono-of.told.at < rest {
			continue // Its time comes.
		}
		delete(c.changed, which)
		if before, next := of.now(), of.advice(c.scopedOfAll(of)); next != before {
			of.told = &told{next, mono}
			concern(before.owner)
			concern(next.owner)
		}
		if len(of.held) == 0 {
			delete(c.accounts, which)
		}
	}
	c.begun = true
	return concerned
}

// advice is what is to be told of an account that has so many scoped tokens beside those of its pairs.
func (t *tokens) advice(scopedTokens int) advice {
	if len(t.held) == 0 {
		return advice{}
	}
	l := levelOf(t.distinct() + scopedTokens)
	if l == few {
		return advice{}
	}
	newest := slices.MaxFunc(t.held, func(a, b token) int {
		// Times are whole seconds; between equals the UID decides.
		if a.created != b.created {
			return int(min(1, max(-1, a.created-b.created)))
		}
		return strings.Compare(string(a.secret), string(b.secret))
	})
	return advice{level: l, scoped: scopedTokens > 0, newest: newest.secret, owner: newest.owner}
}

// distinct counts the tokens of an account, up to one more than Limit.
func (t *tokens) distinct() int {
	values := make([]uint64, 0, Limit+1)
	for i := range t.held {
		if value := t.held[i].value; !slices.Contains(values, value) {
			if values = append(values, value); len(values) > Limit {
				break
			}
		}
	}
	return len(values)
}
