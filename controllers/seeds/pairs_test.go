package seeds

import (
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// pairOf is the pair of a resource: bound to an owner, and with a refresh token.
func (v *setting) pairOf(token *v1alpha1.GitHubUserToken, owner types.UID, refresh string) *rotation.Pair {
	pair := &rotation.Pair{
		Ref: scope.PairRefOf(token), Owner: scope.OwnerOf(token), Controlled: true, Version: "1", RefreshToken: credential.NewRefreshToken(refresh),
		State: rotation.State{Owner: string(owner), RefreshToken: fingerprint(refresh)},
	}
	v.live[pair.Ref] = pair
	v.chains[fingerprint(refresh)] = append(v.chains[fingerprint(refresh)], ChainOf(pair, fingerprint(refresh)))
	return pair
}

// claimPair claims a pair, and returns the name of the resource that holds it; empty when nobody else does.
func (v *setting) claimPair(token *v1alpha1.GitHubUserToken, pair *rotation.Pair) string {
	v.t.Helper()
	trouble, err := v.ClaimPair(v.t.Context(), token, pair)
	if err != nil {
		v.t.Fatal(err)
	}
	if trouble == nil {
		return ""
	}
	if trouble.Reason != v1alpha1.ReasonRefreshTokenInUse || !trouble.Stalled || !trouble.Unauthorized {
		v.t.Errorf("the problem is %+v", trouble)
	}
	_, rest, _ := strings.Cut(trouble.Message, "GitHubUserToken team-a/")
	name, _, _ := strings.Cut(rest, " ")
	return name
}

func TestOwnerCopiedPairIsTheOwnersOrTheOlderCopys(t *testing.T) {
	const gone = types.UID("gone")
	for name, c := range map[string]struct {
		mine, other types.UID // to whom the two pairs are bound
		age         int       // of the other; this one's is 5
		arrange     func(v *setting, other *v1alpha1.GitHubUserToken)
		want        string
	}{
		"the other's own chain":                    {mine: "uid-other", other: "uid-other", age: 1, want: "other"},
		"the other's own chain, in an older state": {mine: "uid-other", other: rotation.RolledBack, age: 1, want: "other"},
		"an older copy":                            {mine: gone, other: gone, age: 9, want: "other"},
		"a younger copy":                           {mine: gone, other: gone, age: 1},
		"this one's own chain, and an older copy":  {mine: rotation.RolledBack, other: gone, age: 9},
		"a Secret that holds another token": {mine: gone, other: "uid-other", age: 9, arrange: func(v *setting, other *v1alpha1.GitHubUserToken) {
			v.live[scope.PairRefOf(other)].RefreshToken = credential.NewRefreshToken("ghr_x")
		}},
		"a Secret that is gone":         {mine: gone, other: "uid-other", age: 9, arrange: func(v *setting, other *v1alpha1.GitHubUserToken) { delete(v.live, scope.PairRefOf(other)) }},
		"a resource that is gone":       {mine: gone, other: "uid-other", age: 9, arrange: func(v *setting, _ *v1alpha1.GitHubUserToken) { v.tokens = v.tokens[:1] }},
		"a resource that was made anew": {mine: gone, other: "uid-other", age: 9, arrange: func(_ *setting, other *v1alpha1.GitHubUserToken) { other.UID = "uid-new" }},
		"a Secret in which the token is being imported": {mine: gone, other: "uid-other", age: 1, want: "other", arrange: func(v *setting, other *v1alpha1.GitHubUserToken) {
			pair := v.live[scope.PairRefOf(other)]
			pair.SeedToken, pair.RefreshToken = pair.RefreshToken, credential.RefreshToken{}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			v := newSetting(t)
			mine, other := v.add("mine", 5, ""), v.add("other", c.age, "")
			pair := v.pairOf(mine, c.mine, "ghr_shared")
			v.pairOf(other, c.other, "ghr_shared")
			if c.arrange != nil {
				c.arrange(v, other)
			}
			if got := v.claimPair(mine, pair); got != c.want {
				t.Errorf("the holder is %q, want %q", got, c.want)
			}
			read := len(v.looked)
			if got := v.claimPair(mine, pair); got != c.want || len(v.looked) != read {
				t.Errorf("at the second look the holder is %q, and %d Secrets were read again", got, len(v.looked)-read)
			}
			held, err := v.HeldElsewhere(t.Context(), mine, pair)
			if held != (c.want != "") || err != nil {
				t.Errorf("held elsewhere: %v, %v", held, err)
			}
		})
	}
}

// However many say that they hold a token, a look reads few of them.
func TestOwnerLookAtCopiesReadsAFewAtATime(t *testing.T) {
	v := newSetting(t)
	mine := v.add("mine", 1, "")
	pair := v.pairOf(mine, "gone", "ghr_shared")
	const liars = 2*readsPerClaim + 3
	for i := range liars {
		other := v.add(strings.Repeat("x", i+1), 9, "")
		other.Spec.Secret.Name = other.Name
		v.pairOf(other, other.UID, "ghr_shared").RefreshToken = credential.NewRefreshToken("ghr_none")
	}
	for look := 1; ; look++ {
		before := len(v.looked)
		trouble, err := v.ClaimPair(t.Context(), mine, pair)
		if err != nil {
			t.Fatal(err)
		}
		if read := len(v.looked) - before; read > readsPerClaim {
			t.Errorf("look %d reads %d Secrets", look, read)
		}
		if trouble == nil {
			break
		}
		if trouble.Reason != v1alpha1.ReasonPairUnproven || trouble.Stalled || !trouble.RetryAt.After(now) {
			t.Fatalf("while the look goes on the problem is %+v", trouble)
		}
		if _, err := v.HeldElsewhere(t.Context(), mine, pair); look > 3 || err == nil && look == 1 {
			t.Fatalf("look %d says %v", look, err)
		}
	}
	if len(v.looked) != liars {
		t.Errorf("%d of %d Secrets were read", len(v.looked), liars)
	}
	v.lookFails = errors.New("no answer")
	v.pairOf(v.add("late", 9, ""), "uid-late", "ghr_shared")
	if _, err := v.ClaimPair(t.Context(), mine, pair); !errors.Is(err, v.lookFails) {
		t.Errorf("where one cannot be read the error is %v", err)
	}
}

// The claim to a pair stands while the pair is not the resource's own, whatever the seed says.
func TestOwnerWhoHasACopyIsWokenWhenTheTokenIsFree(t *testing.T) {
	v := newSetting(t)
	mine, other := v.add("mine", 1, ""), v.add("other", 9, "")
	pair, theirs := v.pairOf(mine, "uid-other", "ghr_shared"), v.pairOf(other, other.UID, "ghr_shared")
	if v.claimPair(mine, pair) != "other" {
		t.Fatal("the copy is taken up")
	}
	v.Release(mine, scope.Seed{Version: "mine-seed/refresh_token@uid/2", Fingerprint: fingerprint("ghr_spent")}, pair)
	v.PairChanged("team-a", &theirs.State, &rotation.State{RefreshToken: fingerprint("ghr_next")})
	v.wakes("mine")
}

func TestOwnerPairOfALivingResourceLivesOn(t *testing.T) {
	for name, c := range map[string]struct {
		arrange func(v *setting, original *v1alpha1.GitHubUserToken)
		want    bool
	}{
		"it is in the index": {func(*setting, *v1alpha1.GitHubUserToken) {}, true},
		"it was seen":        {func(v *setting, o *v1alpha1.GitHubUserToken) { clear(v.chains); v.store.Learn(o.UID, scope.NameOf(o)) }, true},
		"it is gone": {func(v *setting, o *v1alpha1.GitHubUserToken) {
			v.store.Learn(o.UID, scope.NameOf(o))
			v.tokens = v.tokens[:1]
		}, false},
		"another has its name by now": {func(v *setting, o *v1alpha1.GitHubUserToken) {
			v.store.Learn(o.UID, scope.NameOf(o))
			o.UID = "uid-new"
		}, false},
		"nobody has ever heard of it": {func(v *setting, _ *v1alpha1.GitHubUserToken) { clear(v.chains) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			v := newSetting(t)
			mine, original := v.add("mine", 1, ""), v.add("original", 9, "")
			pair := v.pairOf(mine, original.UID, "ghr_old")
			v.pairOf(original, original.UID, "ghr_old")
			c.arrange(v, original)
			if got := v.LivesOn(t.Context(), pair); got != c.want {
				t.Errorf("lives on: %v, want %v", got, c.want)
			}
		})
	}
}
