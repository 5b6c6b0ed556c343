package seeds

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

var now = time.Unix(2_000_000, 0)

// setting is an Ownership and what there is around it.
type setting struct {
	*Ownership
	*cluster
	t      *testing.T
	store  *memory.Store
	tokens []*v1alpha1.GitHubUserToken
	chains map[credential.Fingerprint][]Chain
	pairs  map[types.UID]bool
	woken  []string
	// live are pair Secrets as they are, looked the names of those that were read, and lookFails why none can be.
	live      map[rotation.Ref]*rotation.Pair
	looked    []string
	lookFails error
	// chainsFail, resourcesFail and pairsFail are errors of the caches.
	chainsFail, resourcesFail, pairsFail error
	// listed is how often the resources were listed.
	listed int
}

func newSetting(t *testing.T) *setting {
	r, c := newReader()
	store := memory.NewStore()
	v := &setting{cluster: c, t: t, store: store, chains: map[credential.Fingerprint][]Chain{}, pairs: map[types.UID]bool{}, live: map[rotation.Ref]*rotation.Pair{}}
	v.Ownership = NewOwnership(OwnershipOptions{
		Reader: r, Memory: store,
		Chains: func(_ context.Context, token credential.Fingerprint) ([]Chain, error) {
			return v.chains[token], v.chainsFail
		},
		Resources: func(_ context.Context, namespace string) ([]*v1alpha1.GitHubUserToken, error) {
			v.listed++
			return slices.DeleteFunc(slices.Clone(v.tokens), func(t *v1alpha1.GitHubUserToken) bool { return t.Namespace != namespace }), v.resourcesFail
		},
		Resource: func(_ context.Context, name types.NamespacedName) (*v1alpha1.GitHubUserToken, bool) {
			for _, token := range v.tokens {
				if scope.NameOf(token) == name {
					return token, true
				}
			}
			return nil, true
		},
		Now: func() time.Time { return now },
		Pair: func(_ context.Context, ref rotation.Ref) (*rotation.Pair, error) {
			v.looked = append(v.looked, ref.Name)
			if v.lookFails != nil {
				return nil, v.lookFails
			}
			if pair := v.live[ref]; pair != nil {
				return pair, nil
			}
			return nil, rotation.ErrNotFound
		},
		HasPair: func(_ context.Context, token *v1alpha1.GitHubUserToken) (bool, error) {
			return v.pairs[token.UID], v.pairsFail
		},
		Freed: func(_ string, token credential.Fingerprint) {
			for _, name := range v.Wanting(token) {
				v.woken = append(v.woken, name.Name)
			}
		},
	})
	return v
}

// add makes a resource of an age in seconds, with a UID of its name and a seed of its own with that token.
func (v *setting) add(name string, age int, token string) *v1alpha1.GitHubUserToken {
	made := resource()
	made.Name, made.UID = name, types.UID("uid-"+name)
	made.CreationTimestamp = metav1.NewTime(time.Unix(1_000_000-int64(age), 0))
	made.Spec.RefreshTokenRef.Name = name + "-seed"
	v.reseed(name, token)
	v.tokens = append(v.tokens, made)
	return made
}

func (v *setting) reseed(name, token string) {
	v.put(name+"-seed", "uid/"+token, map[string]string{"refresh_token": token})
}

// Forget is the Ownership's, and not the watch's.
func (v *setting) Forget(uid types.UID) { v.Ownership.Forget(uid) }

// claim claims, and returns the name of the owner; empty when it is the resource itself.
func (v *setting) claim(token *v1alpha1.GitHubUserToken, wanted string) string {
	v.t.Helper()
	trouble, err := v.Claim(v.t.Context(), token, fingerprint(wanted))
	if err != nil {
		v.t.Fatal(err)
	}
	return ownerIn(v.t, trouble)
}

// elsewhere is what is said of an owner in another namespace.
const elsewhere = "A GitHubUserToken of another namespace"

func ownerIn(t *testing.T, trouble *problem.Problem) string {
	t.Helper()
	if trouble == nil {
		return ""
	}
	const rest = " owns this refresh token or has spent it; exchanging it here would end its chain. Delete one of the two, stop what copies its pair into this seed, or authorize the App again for this one."
	full, isSo := strings.CutSuffix(trouble.Message, rest)
	if trouble.Reason != v1alpha1.ReasonRefreshTokenInUse || !trouble.Stalled || trouble.Unauthorized || !isSo {
		t.Errorf("the problem is %+v", trouble)
	}
	return strings.TrimPrefix(full, "GitHubUserToken team-a/")
}

func (v *setting) wakes(names ...string) {
	v.t.Helper()
	if !slices.Equal(v.woken, names) {
		v.t.Errorf("woke %v, want %v", v.woken, names)
	}
	v.woken = nil
}

func TestOwnerIsWhoeverHasBegunThenTheOlderThenTheLesserUID(t *testing.T) {
	at := func(age int) time.Time { return time.Unix(1_000_000-int64(age), 0) }
	cases := map[string]struct{ first, second claim }{
		"of two that have not begun, the older":            {claim{uid: "b", created: at(2)}, claim{uid: "a", created: at(1)}},
		"of two of one second, the lesser UID":             {claim{uid: "a", created: at(1)}, claim{uid: "b", created: at(1)}},
		"one that has begun, though it is younger":         {claim{uid: "b", created: at(1), taken: true}, claim{uid: "a", created: at(2)}},
		"of two that have begun, the older":                {claim{uid: "b", created: at(2), taken: true}, claim{uid: "a", created: at(1), taken: true}},
		"whether a claim was presumed makes no difference": {claim{uid: "b", created: at(2), presumed: true}, claim{uid: "a", created: at(1)}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if compare(c.first, c.second) >= 0 || compare(c.second, c.first) <= 0 || compare(c.first, c.first) != 0 {
				t.Errorf("compared as %d and %d", compare(c.first, c.second), compare(c.second, c.first))
			}
		})
	}
}

// The oldest owns the token in whatever order they are reconciled, as long as none has begun.
func TestOwnerIsTheOldestInEveryOrderOfReconciles(t *testing.T) {
	orders := [][]string{{"a", "b", "c"}, {"a", "c", "b"}, {"b", "a", "c"}, {"b", "c", "a"}, {"c", "a", "b"}, {"c", "b", "a"}}
	for _, order := range orders {
		t.Run(strings.Join(order, ""), func(t *testing.T) {
			v := newSetting(t)
			byName := map[string]*v1alpha1.GitHubUserToken{
				"c": v.add("c", 1, "ghr_shared"), "b": v.add("b", 9, "ghr_shared"), "a": v.add("a", 9, "ghr_shared"),
			}
			for _, name := range order {
				want := "a"
				if name == "a" {
					want = ""
				}
				if owner := v.claim(byName[name], "ghr_shared"); owner != want {
					t.Errorf("%s: the owner is %q, want %q", name, owner, want)
				}
			}
			if got := v.Wanting(fingerprint("ghr_shared")); !slices.Equal(got, []types.NamespacedName{in("a"), in("b"), in("c")}) {
				t.Errorf("wanting are %v", got)
			}
			v.wakes()
		})
	}
}

func TestOwnerThatHasBegunIsNotOustedByAnOlderOne(t *testing.T) {
	v := newSetting(t)
	young := v.add("young", 1, "ghr_shared")
	old := v.add("old", 9, "ghr_of-its-own")
	if owner := v.claim(young, "ghr_shared"); owner != "" {
		t.Fatalf("owned by %q", owner)
	}
	v.reseed("old", "ghr_shared")
	for range 2 {
		if owner := v.claim(old, "ghr_shared"); owner != "young" {
			t.Errorf("the older one is told that %q is the owner", owner)
		}
		if owner := v.claim(young, "ghr_shared"); owner != "" {
			t.Errorf("the one that has begun is told that %q is the owner", owner)
		}
	}
	v.wakes()
}

func TestOwnerOfAChainThatGoesBackToTheTokenComesFirst(t *testing.T) {
	chain := func(namespace, owner string) Chain {
		return Chain{Namespace: namespace, Owner: owner, UID: types.UID("uid-" + owner)}
	}
	cases := map[string]struct {
		chains []Chain
		owner  string
	}{
		"none":                      {nil, ""},
		"its own":                   {[]Chain{chain("team-a", "mine")}, ""},
		"another's":                 {[]Chain{chain("team-a", "other")}, "other"},
		"its own and another's":     {[]Chain{chain("team-a", "mine"), chain("team-a", "other")}, "other"},
		"two others', in any order": {[]Chain{chain("team-a", "z"), chain("team-a", "b"), chain("team-b", "a")}, "b"},
		"another namespace's":       {[]Chain{chain("team-b", "other")}, elsewhere},
		"its namespace's first":     {[]Chain{chain("earlier", "a"), chain("team-a", "other")}, "other"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			v := newSetting(t)
			mine := v.add("mine", 9, "ghr_shared")
			v.chains[fingerprint("ghr_shared")] = c.chains
			if owner := v.claim(mine, "ghr_shared"); owner != c.owner {
				t.Errorf("the owner is %q, want %q", owner, c.owner)
			}
			if got := v.Wanting(fingerprint("ghr_shared")); !slices.Equal(got, []types.NamespacedName{in("mine")}) {
				t.Errorf("wanting are %v: nobody would be woken when the chain ends", got)
			}
		})
	}
}

func TestOwnerOlderResourcesAreLookedAtOnlyIfTheyMayWantTheToken(t *testing.T) {
	cases := map[string]struct {
		prepare func(v *setting, other *v1alpha1.GitHubUserToken)
		reads   bool
		owner   string
	}{
		"an older one with the same token": {func(*setting, *v1alpha1.GitHubUserToken) {}, true, "other"},
		"an older one with another token": {func(v *setting, _ *v1alpha1.GitHubUserToken) {
			v.reseed("other", "ghr_another")
		}, true, ""},
		"an older one with a bad seed": {func(v *setting, _ *v1alpha1.GitHubUserToken) {
			v.reseed("other", "ghp_bad")
		}, true, ""},
		"an older one without its seed": {func(v *setting, _ *v1alpha1.GitHubUserToken) {
			delete(v.secrets, in("other-seed"))
		}, true, ""},
		"an older one that is suspended wants it all the same": {func(_ *setting, other *v1alpha1.GitHubUserToken) {
			other.Spec.Suspend = true
		}, true, "other"},
		"one of the same second and of a lesser UID": {func(_ *setting, other *v1alpha1.GitHubUserToken) {
			other.CreationTimestamp, other.UID = metav1.NewTime(time.Unix(1_000_000-5, 0)), "uid-a"
		}, true, "other"},
		"a younger one": {func(_ *setting, other *v1alpha1.GitHubUserToken) {
			other.CreationTimestamp = metav1.NewTime(time.Unix(1_000_000-1, 0))
		}, false, ""},
		"one of the same second and of a greater UID": {func(_ *setting, other *v1alpha1.GitHubUserToken) {
			other.CreationTimestamp, other.UID = metav1.NewTime(time.Unix(1_000_000-5, 0)), "uid-z"
		}, false, ""},
		"an older one of the device flow": {func(_ *setting, other *v1alpha1.GitHubUserToken) {
			other.Spec.RefreshTokenRef = nil
		}, false, ""},
		"an older one that is being deleted": {func(_ *setting, other *v1alpha1.GitHubUserToken) {
			other.DeletionTimestamp = new(metav1.Now())
		}, false, ""},
		"an older one with a pair, which the index has": {func(v *setting, other *v1alpha1.GitHubUserToken) {
			v.pairs[other.UID] = true
		}, false, ""},
		"an older one that has claimed already": {func(v *setting, other *v1alpha1.GitHubUserToken) {
			v.claim(other, "ghr_shared")
		}, false, "other"},
		"an older one that has claimed another": {func(v *setting, other *v1alpha1.GitHubUserToken) {
			v.claim(other, "ghr_another")
		}, false, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			v := newSetting(t)
			mine, other := v.add("mine", 5, "ghr_shared"), v.add("other", 9, "ghr_shared")
			c.prepare(v, other)
			v.reads = nil
			if owner := v.claim(mine, "ghr_shared"); owner != c.owner {
				t.Errorf("the owner is %q, want %q", owner, c.owner)
			}
			if reads := len(v.reads) > 0; reads != c.reads {
				t.Errorf("read %v", v.reads)
			}
			if c.owner == "" {
				return
			}
			// What was claimed for the other is known from now on.
			v.reads = nil
			if owner := v.claim(mine, "ghr_shared"); owner != c.owner || len(v.reads) != 0 {
				t.Errorf("the owner is %q the second time, read %v", owner, v.reads)
			}
		})
	}
}

func TestOwnerIsNotSettledWhileSomethingCannotBeLookedAt(t *testing.T) {
	away := errors.New("the API server is away")
	cases := map[string]struct {
		spoil func(v *setting)
		says  string
	}{
		"the chains":    {func(v *setting) { v.chainsFail = away }, "look for other chains of the same refresh token: the API server is away"},
		"the resources": {func(v *setting) { v.resourcesFail = away }, "look for older resources: the API server is away"},
		"an older pair": {func(v *setting) { v.pairsFail = away }, "look for the pair of an older resource: the API server is away"},
		"an older seed": {func(v *setting) { v.fails = away }, "read the seed: the API server is away"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			v := newSetting(t)
			mine, _ := v.add("mine", 5, "ghr_shared"), v.add("other", 9, "ghr_shared")
			c.spoil(v)
			if trouble, err := v.Claim(t.Context(), mine, fingerprint("ghr_shared")); trouble != nil || err == nil || err.Error() != c.says {
				t.Errorf("claimed with %v, %v", trouble, err)
			}
			v.chainsFail, v.resourcesFail, v.pairsFail, v.fails, v.reading = nil, nil, nil, nil, nil
			if owner := v.claim(mine, "ghr_shared"); owner != "other" {
				t.Errorf("the owner is %q", owner)
			}
		})
	}
}

func TestOwnerHandsTheTokenOver(t *testing.T) {
	cases := map[string]struct {
		change func(v *setting, owner *v1alpha1.GitHubUserToken)
		handed bool
	}{
		"when it claims another": {func(v *setting, owner *v1alpha1.GitHubUserToken) {
			v.reseed("owner", "ghr_another")
			v.claim(owner, "ghr_another")
		}, true},
		"when another is in its seed": {func(v *setting, owner *v1alpha1.GitHubUserToken) {
			v.reseed("owner", "ghr_another")
			v.Release(owner, scope.Seed{Version: "owner-seed/refresh_token@uid/2", Fingerprint: fingerprint("ghr_another")}, nil)
		}, true},
		"when its seed has become unusable": {func(v *setting, owner *v1alpha1.GitHubUserToken) {
			v.reseed("owner", "ghp_bad")
			v.Release(owner, scope.Seed{Version: "owner-seed/refresh_token@uid/2", Problem: &problem.Problem{}}, nil)
		}, true},
		"when its seed was deleted": {func(v *setting, owner *v1alpha1.GitHubUserToken) {
			delete(v.secrets, in("owner-seed"))
			v.Release(owner, scope.Seed{Problem: &problem.Problem{}}, nil)
		}, true},
		"when its spec names no seed any more": {func(v *setting, owner *v1alpha1.GitHubUserToken) {
			owner.Spec.RefreshTokenRef = nil
			v.Release(owner, scope.Seed{}, nil)
		}, true},
		"when it is forgotten": {func(v *setting, owner *v1alpha1.GitHubUserToken) {
			v.tokens = v.tokens[1:]
			v.Forget(owner.UID)
		}, true},
		"when it is forgotten after the memory has": {func(v *setting, owner *v1alpha1.GitHubUserToken) {
			v.tokens = v.tokens[1:]
			v.store.Forget(owner.UID)
			v.Forget(owner.UID)
		}, true},
		"not when the token is still in its seed": {func(v *setting, owner *v1alpha1.GitHubUserToken) {
			v.Release(owner, scope.Seed{Version: "owner-seed/refresh_token@uid/2", Fingerprint: fingerprint("ghr_shared")}, nil)
		}, false},
		"not when its seed was not looked at": {func(v *setting, owner *v1alpha1.GitHubUserToken) {
			v.Release(owner, scope.Seed{}, nil)
		}, false},
		"not when it claims the same again": {func(v *setting, owner *v1alpha1.GitHubUserToken) {
			v.claim(owner, "ghr_shared")
		}, false},
		"not when somebody else is forgotten": {func(v *setting, _ *v1alpha1.GitHubUserToken) {
			v.Forget("somebody")
		}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			v := newSetting(t)
			owner := v.add("owner", 9, "ghr_shared")
			second, third := v.add("second", 5, "ghr_shared"), v.add("third", 1, "ghr_shared")
			if v.claim(owner, "ghr_shared") != "" || v.claim(third, "ghr_shared") != "owner" || v.claim(second, "ghr_shared") != "owner" {
				t.Fatal("the oldest does not own it")
			}
			v.wakes()
			c.change(v, owner)
			if !c.handed {
				v.wakes()
				if got := v.claim(second, "ghr_shared"); got != "owner" {
					t.Errorf("the owner is %q", got)
				}
				return
			}
			v.wakes("second", "third")
			if got := v.claim(third, "ghr_shared"); got != "second" {
				t.Errorf("the youngest is told that %q is the owner", got)
			}
			if got := v.claim(second, "ghr_shared"); got != "" {
				t.Errorf("the second is told that %q is the owner", got)
			}
		})
	}
}

func TestOwnerThatWasPresumedReleasesLikeAnyOther(t *testing.T) {
	v := newSetting(t)
	mine, other := v.add("mine", 1, "ghr_shared"), v.add("other", 9, "ghr_shared")
	if v.claim(mine, "ghr_shared") != "other" {
		t.Fatal("the older one does not own it")
	}
	if name, known := v.store.Name(other.UID); !known || name != in("other") {
		t.Error("nobody would forget the older one if it went before its first reconcile")
	}
	v.Release(other, scope.Seed{Version: "other-seed/refresh_token@uid/2", Fingerprint: fingerprint("ghr_another")}, nil)
	v.wakes("mine")
}

// A resource may go while its seed is being read for another, and is forgotten before the claim is entered.
func TestOwnerThatIsGoneKeepsTheTokenFromNobody(t *testing.T) {
	cases := map[string]func(v *setting, gone *v1alpha1.GitHubUserToken){
		"removed by force":    func(v *setting, _ *v1alpha1.GitHubUserToken) { v.tokens = v.tokens[:1] },
		"about to be removed": func(_ *setting, gone *v1alpha1.GitHubUserToken) { gone.DeletionTimestamp = new(metav1.Now()) },
	}
	for name, leave := range cases {
		t.Run(name, func(t *testing.T) {
			v := newSetting(t)
			mine, gone := v.add("mine", 1, "ghr_shared"), v.add("gone", 9, "ghr_shared")
			v.reading = func(types.NamespacedName) {
				v.store.Forget(gone.UID)
				v.Forget(gone.UID)
				leave(v, gone)
			}
			if owner := v.claim(mine, "ghr_shared"); owner != "" {
				t.Errorf("the owner is %q", owner)
			}
			if got := v.Wanting(fingerprint("ghr_shared")); !slices.Equal(got, []types.NamespacedName{in("mine")}) {
				t.Errorf("wanting are %v", got)
			}
			if v.claims.own.Peek(gone.UID, func(*claim) {}) {
				t.Error("something is remembered of the one that is gone")
			}
		})
	}
}

// While its seed is read for another, the older resource itself claims what is in there by then.
func TestOwnerClaimOfTheResourceItselfStands(t *testing.T) {
	v := newSetting(t)
	mine, other := v.add("mine", 1, "ghr_shared"), v.add("other", 9, "ghr_shared")
	v.reading = func(types.NamespacedName) {
		v.reading = nil
		v.reseed("other", "ghr_new")
		v.claim(other, "ghr_new")
	}
	if owner := v.claim(mine, "ghr_shared"); owner != "" {
		t.Errorf("the owner is %q", owner)
	}
	third := v.add("third", 20, "ghr_new")
	if owner := v.claim(third, "ghr_new"); owner != "other" {
		t.Errorf("%q may exchange the token that another has begun to exchange", owner)
	}
}

func TestOwnerIsNotOneWhoseClaimWasGivenUpMeanwhile(t *testing.T) {
	v := newSetting(t)
	mine := v.add("mine", 1, "ghr_shared")
	v.add("other", 9, "ghr_another")
	v.reading = func(types.NamespacedName) { v.Forget(mine.UID) }
	if trouble, err := v.Claim(t.Context(), mine, fingerprint("ghr_shared")); trouble != nil || !errors.Is(err, errGivenUp) {
		t.Errorf("claimed with %v, %v", trouble, err)
	}
}

func TestOwnerMemoryHoldsNoMoreThanThereIs(t *testing.T) {
	cases := map[string]func(v *setting, uid types.UID){
		"forgotten here first":          func(v *setting, uid types.UID) { v.Forget(uid); v.store.Forget(uid) },
		"forgotten by the memory first": func(v *setting, uid types.UID) { v.store.Forget(uid); v.Forget(uid) },
	}
	for name, forget := range cases {
		t.Run(name, func(t *testing.T) {
			v := newSetting(t)
			mine := v.add("mine", 9, "ghr_0")
			for i := range 300 {
				token := fmt.Sprintf("ghr_%d", i)
				v.reseed("mine", token)
				if owner := v.claim(mine, token); owner != "" {
					t.Fatalf("owned by %q", owner)
				}
			}
			if n := len(v.claims.byToken); n != 1 || v.store.Len() != 1 {
				t.Errorf("%d tokens are indexed and %d resources remembered", n, v.store.Len())
			}
			forget(v, mine.UID)
			if n := len(v.claims.byToken); n != 0 || v.store.Len() != 0 {
				t.Errorf("%d tokens are indexed and %d resources remembered of a resource that is gone", n, v.store.Len())
			}
			v.wakes()
		})
	}
}

func TestOwnerClaimsThatWerePresumedOnlyAreWithdrawn(t *testing.T) {
	wanted := claim{uid: "u", name: in("octocat"), token: "t"}
	cases := map[string]struct {
		enter func(c *claims)
		left  credential.Fingerprint
	}{
		"one that was presumed":                          {func(c *claims) { c.presume(wanted) }, ""},
		"not one that the resource entered itself":       {func(c *claims) { c.enter(wanted) }, "t"},
		"not one that it entered after it was presumed":  {func(c *claims) { c.presume(wanted); c.enter(wanted) }, "t"},
		"not one that it entered before it was presumed": {func(c *claims) { c.enter(wanted); c.presume(wanted) }, "t"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			all := newClaims(memory.NewStore())
			c.enter(all)
			all.withdraw("u")
			if held := all.held("u"); held != c.left {
				t.Errorf("the claim is to %q, want %q", held, c.left)
			}
		})
	}
}

func TestOwnerIndexHoldsNamesOnly(t *testing.T) {
	store := memory.NewStore()
	c := newClaims(store)
	c.enter(claim{uid: "u", name: in("octocat"), token: "t"})
	store.Forget("u") // And nobody has told the claims of it.
	c.enter(claim{uid: "u", name: in("octocat"), token: "s"})
	if got := c.names("t"); len(got) != 0 || len(c.byToken) != 1 {
		t.Errorf("wanting are %v, of %d tokens that are indexed", got, len(c.byToken))
	}
}

// A hundred thousand resources are deleted beside a hundred thousand claims.
func TestOwnerIndexIsNotSearchedForAResourceWithoutAClaim(t *testing.T) {
	store := memory.NewStore()
	c := newClaims(store)
	for n := range 1000 {
		c.enter(claim{uid: types.UID(fmt.Sprint(n)), name: in("octocat"), token: credential.Fingerprint(fmt.Sprint(n % 500))})
	}
	if len(c.indexed) != 1000 {
		t.Fatalf("%d resources are indexed", len(c.indexed))
	}
	for n := range 500 {
		uid := types.UID(fmt.Sprint(n))
		store.Forget(uid)
		if _, left := c.forget(uid); left != credential.Fingerprint(uid) {
			t.Fatalf("others want the token of %s, and told are those of %q", uid, left)
		}
		if _, indexed := c.indexed[uid]; indexed {
			t.Fatalf("%s is indexed still", uid)
		}
	}
	if _, left := c.forget("of no claim"); left != "" {
		t.Error("somebody waits for a resource without a claim")
	}
}

func TestOwnerIsNeverAskedForWithoutAToken(t *testing.T) {
	store := memory.NewStore()
	c := newClaims(store)
	if c.presume(claim{uid: "u"}) || c.enter(claim{uid: "u"}) != "" || store.Len() != 0 || len(c.byToken) != 0 {
		t.Error("there is a claim to no token")
	}
}

// An event about a pair is received in one line with those of all namespaces. However many want its token, that costs one word
// there, and so does each of them that gives the token up.
func TestOwnerTellsOnceOfATokenThatManyWant(t *testing.T) {
	v := newSetting(t)
	var told []string
	v.options.Freed = func(namespace string, token credential.Fingerprint) { told = append(told, namespace+"/"+string(token)) }
	const many = 200
	v.chains[fingerprint("ghr_shared")] = []Chain{{Namespace: "team-a", Owner: "holder", UID: "uid-holder"}}
	for i := range many {
		name := fmt.Sprint(i)
		if v.claim(v.add(name, i, "ghr_shared"), "ghr_shared") != "holder" {
			t.Fatal("the chain does not own it")
		}
	}
	held := &rotation.State{RefreshToken: fingerprint("ghr_shared")}
	v.PairChanged("team-b", held, nil)
	v.PairChanged("team-b", held, held)
	v.Forget("uid-0")
	if want := []string{"team-b/" + string(held.RefreshToken), "team-a/" + string(held.RefreshToken)}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
	if n := len(v.Wanting(held.RefreshToken)); n != many-1 {
		t.Errorf("%d want it", n)
	}
}

func TestOwnerIsOneHoweverManyClaimAtOnce(t *testing.T) {
	c := newClaims(memory.NewStore())
	var group sync.WaitGroup
	var taken atomic.Int32
	for i := range 50 {
		group.Go(func() {
			uid := types.UID(fmt.Sprint(i))
			c.enter(claim{uid: uid, token: "t", created: time.Unix(int64(-i), 0)})
			if owner, ok := c.take(uid, "t"); ok && owner.uid == uid {
				taken.Add(1)
			}
		})
	}
	group.Wait()
	if taken.Load() != 1 {
		t.Errorf("%d have taken the token", taken.Load())
	}
}

func TestOwnerListsTheResourcesOnceWhereNobodyIsPresumed(t *testing.T) {
	v := newSetting(t)
	mine, other := v.add("mine", 1, "ghr_a"), v.add("other", 9, "ghr_b")
	v.claim(other, "ghr_b")
	v.listed = 0
	v.claim(mine, "ghr_a")
	if v.listed != 1 {
		t.Errorf("listed %d times", v.listed)
	}
}

func trail(numbers ...int) (made credential.Trail) {
	for _, number := range numbers {
		made = made.With(fingerprint(fmt.Sprint(number)))
	}
	return made
}

func TestOwnerChainTokensAreThoseThatAChainGoesBackToOrHolds(t *testing.T) {
	cases := map[string]struct {
		state *rotation.State
		want  []string
	}{
		"no state":                       {nil, nil},
		"an empty state":                 {&rotation.State{}, nil},
		"imported logins":                {&rotation.State{Seeds: []rotation.SeedRecord{{Fingerprint: "a"}, {Fingerprint: "b"}}}, []string{"b", "a"}},
		"no more than a state remembers": {&rotation.State{Seeds: slices.Repeat([]rotation.SeedRecord{{Fingerprint: "a"}}, 10_000), RefreshToken: "r"}, []string{"r", "a"}},
		"nothing that is no fingerprint": {&rotation.State{RefreshToken: credential.Fingerprint(strings.Repeat("r", 33))}, nil},
		"no refused logins":              {&rotation.State{Seeds: []rotation.SeedRecord{{Fingerprint: "a", RefusedFor: rotation.RefusedForAll}, {Fingerprint: "b", RefusedFor: "github.com/x"}}}, nil},
		"what is held":                   {&rotation.State{RefreshToken: "r", AccessToken: "x"}, []string{"r"}},
		"what was held last":             {&rotation.State{RefreshToken: "r", Former: trail(1, 2, 3)}, []string{"r", string(trail(3)), string(trail(2))}},
		"what is imported":               {&rotation.State{PendingSeed: "p"}, []string{"p"}},
		"all, and each once":             {&rotation.State{Seeds: []rotation.SeedRecord{{Fingerprint: "a"}}, RefreshToken: "r", PendingSeed: "a"}, []string{"r", "a"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := ChainTokens(c.state); !slices.Equal(got, c.want) {
				t.Errorf("they are %v, want %v", got, c.want)
			}
		})
	}
}

func TestOwnerChainIsIndexedByAFewTokens(t *testing.T) {
	forged := &rotation.State{}
	for i := range 10_000 {
		forged.Seeds = append(forged.Seeds, rotation.SeedRecord{Fingerprint: fingerprint(fmt.Sprint(i))})
	}
	if n := len(ChainTokens(forged)); n != maxChainTokens {
		t.Errorf("a state with 10,000 logins is indexed by %d tokens", n)
	}
}

func TestOwnerChangeOfAPairWakesThoseThatWantWhatItHoldsNoLonger(t *testing.T) {
	held := func(seed, refresh string) *rotation.State {
		return &rotation.State{Seeds: []rotation.SeedRecord{{Fingerprint: fingerprint(seed)}}, RefreshToken: fingerprint(refresh)}
	}
	cases := map[string]struct {
		before, after *rotation.State
		woken         []string
	}{
		"made":                   {nil, held("ghr_a", "ghr_b"), nil},
		"changed in nothing":     {held("ghr_a", "ghr_b"), held("ghr_a", "ghr_b"), nil},
		"rotated":                {held("ghr_a", "ghr_b"), held("ghr_a", "ghr_c"), []string{"b"}},
		"with a new login":       {held("ghr_a", "ghr_b"), held("ghr_c", "ghr_b"), []string{"a1", "a2"}},
		"deleted, or set free":   {held("ghr_a", "ghr_b"), nil, []string{"b", "a1", "a2"}},
		"of tokens nobody wants": {held("ghr_x", "ghr_y"), nil, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			v := newSetting(t)
			for i, name := range []string{"a1", "a2", "b"} {
				wanted := "ghr_" + name[:1]
				v.chains[fingerprint(wanted)] = []Chain{{Namespace: "team-a", Owner: "holder", UID: "uid-holder"}}
				if v.claim(v.add(name, 9-i, wanted), wanted) != "holder" {
					t.Fatal("the chain does not own it")
				}
			}
			v.PairChanged("team-a", c.before, c.after)
			v.wakes(c.woken...)
		})
	}
}
