package simulation

import (
	"cmp"
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/lifecycle"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// watch is the caches of one process, fed by events that arrive in order and late, or not at all.
type watch struct {
	life *life
	// secrets are those with the operator's label, by namespace and name.
	secrets map[string]map[string]*rotation.Pair
	codes   map[rotation.Ref]bool
	tokens  map[string]*v1alpha1.GitHubUserToken
	// versions are those of all Secrets that a resource names; empty for one that is gone.
	versions map[types.NamespacedName]string
	// pairs are the events on their way about Secrets of the operator's, others those about resources and seeds. lists
	// counts the lists: what was on its way at a list is not delivered any more.
	pairs, others stream
	lists         int
	// lost says that an event was lost since the last list, which no real watch does: what the cache shows is not what was
	// there at any one time.
	lost bool
}

// stream is one watch: its events arrive in order, and not before or after those of another.
type stream struct {
	// last is when the last event on its way arrives: the next one arrives after it.
	last  moment
	queue []func()
}

var (
	_ lifecycle.Cache = (*watch)(nil)
	_ seeds.Versions  = (*watch)(nil)
)

// newWatch begins with a list.
func newWatch(l *life) *watch {
	wa := &watch{life: l}
	wa.list()
	return wa
}

// list takes everything over as it is.
func (wa *watch) list() {
	w := wa.life.world
	wa.lists++
	wa.lost = false
	wa.pairs.queue, wa.others.queue = nil, nil
	wa.secrets = map[string]map[string]*rotation.Pair{}
	wa.versions = map[types.NamespacedName]string{}
	for ref, o := range w.api.secrets {
		wa.versions[types.NamespacedName(ref)] = versionOf(o.pair)
		if o.labelled {
			wa.set(ref, o.seen())
		}
	}
	wa.codes = map[rotation.Ref]bool{}
	for ref := range w.api.codes {
		wa.codes[ref] = true
	}
	wa.tokens = map[string]*v1alpha1.GitHubUserToken{}
	for _, res := range w.all {
		if res.token != nil {
			wa.tokens[res.namespace] = res.token
		}
		if res.seedVersion != "" {
			wa.versions[types.NamespacedName{Namespace: res.namespace, Name: seedName}] = seedUID(res) + "/" + res.seedVersion
		}
	}
}

// tell is the end of a list: the process is told of every Secret.
func (wa *watch) tell() {
	for _, res := range wa.life.world.all {
		for _, ref := range res.refs() {
			if pair := wa.secrets[ref.Namespace][ref.Name]; pair != nil {
				wa.life.controller.PairSeen(pair)
			}
		}
	}
}

func (wa *watch) set(ref rotation.Ref, pair *rotation.Pair) {
	if wa.secrets[ref.Namespace] == nil {
		wa.secrets[ref.Namespace] = map[string]*rotation.Pair{}
	}
	wa.secrets[ref.Namespace][ref.Name] = pair
}

// secretChanged brings an event about a Secret.
func (wa *watch) secretChanged(ref rotation.Ref, after *object) {
	version := ""
	var seen *rotation.Pair
	if after != nil {
		version = versionOf(after.pair)
		if after.labelled {
			seen = after.seen()
		}
	}
	wa.deliver(&wa.pairs, keyOf(ref), func() {
		l := wa.life
		if known := wa.secrets[ref.Namespace][ref.Name]; known != nil || seen != nil {
			if seen != nil {
				wa.set(ref, seen)
			} else {
				delete(wa.secrets[ref.Namespace], ref.Name)
			}
			switch {
			case known != nil:
				l.controller.PairChanged(known, seen)
			case seen != nil:
				l.controller.PairSeen(seen)
			}
			l.queue.add(keyOf(ref))
		}
		wa.named(types.NamespacedName(ref), version)
	})
}

// named brings an event about a Secret, ours or not, that a resource may name.
func (wa *watch) named(name types.NamespacedName, version string) {
	token := wa.tokens[name.Namespace]
	if token == nil || name.Name != seedName && name.Name != token.Spec.Secret.Name {
		delete(wa.versions, name)
		return
	}
	before, known := wa.versions[name]
	wa.versions[name] = version
	if !known || before != version {
		wa.life.controller.NamedSecretChanged(token, name.Name)
		wa.life.queue.add(name.Namespace)
	}
}

func (wa *watch) tokenChanged(res *resource) {
	seen := res.token
	wa.deliver(&wa.others, res.namespace, func() {
		if seen == nil {
			delete(wa.tokens, res.namespace)
		} else {
			wa.tokens[res.namespace] = seen
		}
		wa.life.queue.add(res.namespace)
	})
}

func (wa *watch) seedChanged(res *resource) {
	version := ""
	if res.seedVersion != "" {
		version = seedUID(res) + "/" + res.seedVersion
	}
	wa.deliver(&wa.others, res.namespace, func() {
		wa.named(types.NamespacedName{Namespace: res.namespace, Name: seedName}, version)
	})
}

// deliver has an event arrive.
func (wa *watch) deliver(s *stream, key string, apply func()) {
	l, w := wa.life, wa.life.world
	res := w.resources[key]
	if w.strikesOn(res, WatchDropped, 500) {
		wa.lost = true
		// The watch is found broken later, and everything is listed anew.
		l.after(w.between(10*time.Second, 10*time.Minute), func() {
			wa.list()
			wa.tell()
			wa.pairs.last, wa.others.last = max(wa.pairs.last, w.now), max(wa.others.last, w.now)
			l.reconcileAll()
		})
		return
	}
	delay := w.mostly(10*time.Millisecond, 200*time.Millisecond)
	if w.strikesOn(res, WatchHeld, 300) {
		delay = w.mostly(10*time.Second, 5*time.Minute)
	}
	s.last = max(s.last+1, w.now+delay)
	s.queue = append(s.queue, apply)
	of := wa.lists
	l.after(s.last-w.now, func() {
		// A process that was stopped and resumed gets them in their order, too.
		if of == wa.lists {
			first := s.queue[0]
			s.queue = s.queue[1:]
			first()
		}
	})
}

// Version implements seeds.Versions.
func (wa *watch) Version(name types.NamespacedName) (version string, known bool) {
	version, known = wa.versions[name]
	return version, known
}

// Learn implements seeds.Versions.
func (wa *watch) Learn(name types.NamespacedName, version string) {
	if _, known := wa.versions[name]; !known {
		wa.versions[name] = version
	}
}

// Forget implements seeds.Versions.
func (wa *watch) Forget(name types.NamespacedName) { delete(wa.versions, name) }

// Secret implements lifecycle.Cache.
func (wa *watch) Secret(_ context.Context, ref rotation.Ref) (*rotation.Pair, error) {
	return wa.secrets[ref.Namespace][ref.Name], nil
}

// PairsOf implements lifecycle.Cache.
func (wa *watch) PairsOf(_ context.Context, owner rotation.Owner) ([]*rotation.Pair, error) {
	var found []*rotation.Pair
	for _, name := range pairNames {
		if pair := wa.secrets[owner.Namespace][name]; pair != nil && pair.Controlled && pair.Owner.UID == owner.UID {
			found = append(found, pair)
		}
	}
	return found, nil
}

// SecretsFor implements lifecycle.Cache.
func (wa *watch) SecretsFor(_ context.Context, name types.NamespacedName) ([]*rotation.Pair, error) {
	var found []*rotation.Pair
	for _, pair := range wa.secrets[name.Namespace] {
		found = append(found, pair)
	}
	slices.SortFunc(found, func(a, b *rotation.Pair) int { return cmp.Compare(a.Ref.Name, b.Ref.Name) })
	return found, nil
}

// ChainsWith implements lifecycle.Cache. A token is used by the resource that it was issued to, and by those into whose
// seeds a person has copied it.
func (wa *watch) ChainsWith(_ context.Context, token credential.Fingerprint) ([]seeds.Chain, error) {
	p := wa.life.world.gitHub.names[token]
	if p == nil {
		return nil, nil
	}
	var found []seeds.Chain
	for _, res := range append(slices.Clone(p.thieves), p.res) {
		for _, pair := range wa.secrets[res.namespace] {
			chain := seeds.ChainOf(pair, token)
			if pair.Controlled && slices.Contains(seeds.ChainTokens(&pair.State), string(token)) && !slices.Contains(found, chain) {
				found = append(found, chain)
			}
		}
	}
	slices.SortFunc(found, func(a, b seeds.Chain) int {
		return cmp.Or(cmp.Compare(a.UID, b.UID), cmp.Compare(a.Version, b.Version))
	})
	return found, nil
}

// Resource implements lifecycle.Cache.
func (wa *watch) Resource(_ context.Context, name types.NamespacedName) (*v1alpha1.GitHubUserToken, bool) {
	return wa.tokens[name.Namespace], true
}

// Resources implements lifecycle.Cache.
func (wa *watch) Resources(_ context.Context, namespace string) ([]*v1alpha1.GitHubUserToken, error) {
	if token := wa.tokens[namespace]; token != nil {
		return []*v1alpha1.GitHubUserToken{token}, nil
	}
	return nil, nil
}

// versionOf names one version of one Secret, and seedUID one seed Secret.
func versionOf(pair *rotation.Pair) string { return pair.UID + "/" + pair.Version }

func seedUID(res *resource) string { return "seed-" + res.namespace }
