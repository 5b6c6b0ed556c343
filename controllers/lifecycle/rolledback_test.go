package lifecycle

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/rules"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/witness"
)

func TestAnOlderStateIsToldFromANewBeginning(t *testing.T) {
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	pair := func(revision int64, token string, issued float64, logins ...string) *rotation.Pair {
		p := &rotation.Pair{Controlled: true, Owner: rotation.Owner{UID: "uid"}, State: rotation.State{
			Owner: "uid", Revision: revision, RefreshCount: revision, AccessToken: credential.Fingerprint("access-" + token),
			RefreshToken: credential.Fingerprint(token), IssuedAt: at(issued),
		}}
		for _, login := range logins {
			p.State.Seeds = append(p.State.Seeds, rotation.SeedRecord{Fingerprint: credential.Fingerprint(login)})
		}
		return p
	}
	told := func(seconds float64, count int64) *v1alpha1.GitHubUserToken {
		status := v1alpha1.GitHubUserTokenStatus{LastRefreshTime: &metav1.Time{Time: at(seconds)}, RefreshCount: count}
		return &v1alpha1.GitHubUserToken{Status: status}
	}
	silent := &v1alpha1.GitHubUserToken{}
	changed := func(p *rotation.Pair, change func(*rotation.Pair)) *rotation.Pair {
		change(p)
		return p
	}
	for name, c := range map[string]struct {
		seen  []*rotation.Pair
		now   *rotation.Pair
		token *v1alpha1.GitHubUserToken
		want  bool
	}{
		"nothing is known":                    {nil, pair(3, "c", 3, "seed"), silent, false},
		"an older state":                      {[]*rotation.Pair{pair(4, "d", 4, "seed")}, pair(3, "c", 3, "seed"), silent, true},
		"the same":                            {[]*rotation.Pair{pair(4, "d", 4, "seed")}, pair(4, "d", 4, "seed"), told(9, 9), false},
		"a newer one, of another replica":     {[]*rotation.Pair{pair(3, "c", 3, "seed")}, pair(4, "d", 4, "seed"), told(3, 3), false},
		"older than what it last saw, late":   {[]*rotation.Pair{pair(4, "d", 4, "seed"), pair(2, "b", 2, "seed")}, pair(3, "c", 3, "seed"), silent, true},
		"a new beginning with another login":  {[]*rotation.Pair{pair(4, "d", 4, "seed")}, pair(1, "z", 5, "another"), told(4, 4), false},
		"an older state before another login": {[]*rotation.Pair{pair(4, "d", 4, "seed", "another")}, pair(3, "c", 3, "seed"), silent, true},
		"the status tells of a later one":     {nil, pair(3, "c", 3, "seed"), told(4, 4), true},
		"of the same":                         {nil, pair(3, "c", 3.7, "seed"), told(3, 3), false},
		"of a later one of the same second":   {nil, pair(3, "c", 3.2, "seed"), told(3, 4), true},
		"of an earlier one":                   {nil, pair(1, "c", 5, "another"), told(4, 7), false},
		"between two that nobody knows":       {[]*rotation.Pair{pair(2, "b", 2, "seed")}, pair(3, "c", 3, "seed"), told(4, 4), true},
		"a state that was computed from the tokens": {
			[]*rotation.Pair{pair(4, "d", 4, "seed")}, changed(pair(0, "c", 3), func(p *rotation.Pair) { p.State.Incomplete = true }), told(9, 9), false,
		},
		"a first fence": {[]*rotation.Pair{pair(4, "d", 4, "seed")}, changed(pair(0, "", 0), func(p *rotation.Pair) { p.State.AccessToken = "" }), told(4, 4), false},
		"one that is not to be trusted anyway": {
			[]*rotation.Pair{pair(4, "d", 4, "seed")}, changed(pair(3, "c", 3, "seed"), func(p *rotation.Pair) { p.State.Owner = rotation.RolledBack }), told(4, 4), false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var m note
			for _, seen := range c.seen {
				m.seesChain(seen)
			}
			for look := range 2 {
				if got := m.isRolledBack(c.now, c.token); got != c.want {
					t.Errorf("look %d: rolled back %v, want %v", look, got, c.want)
				}
			}
		})
	}
	// GitHub's answer settles it, and the same witness counts no more.
	var m note
	old := pair(3, "c", 3, "seed")
	if m.proven, m.proof = tokensOf(&old.State), rules.ProofAlive; m.isRolledBack(old, told(9, 9)) {
		t.Error("a pair that is known to be alive is doubted for the sake of a status")
	}
	m.seesChain(pair(4, "d", 4, "seed"))
	if !m.isRolledBack(old, silent) {
		t.Error("what was alive once is not doubted after a newer pair was seen")
	}
	m.startsChain(old)
	if m.isRolledBack(old, told(9, 9)) {
		t.Error("a pair that was proven is doubted again")
	}
}

// A person may just have entered the code, and the pair of a code reaches us once. A token that was pasted into a new Secret
// looks older than the chain before, and must not take the code with it.
func TestADeviceCodeStaysWithAPairThatIsDisowned(t *testing.T) {
	w := newWorld(t)
	token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: owner.Namespace, Name: owner.Name, UID: uid}}
	code := credential.NewDeviceCode("entered")
	pasted := pairAt("2", func(p *rotation.Pair) {
		p.RefreshToken, p.DeviceCode = credential.NewRefreshToken("pasted"), code
		p.State.Owner, p.State.Revision, p.State.AccessToken, p.State.RefreshToken = string(uid), 0, "", p.RefreshToken.Fingerprint()
		p.State.Device = &rotation.DeviceAuthorization{DeviceCode: code.Fingerprint()}
	})
	w.notes.With(uid, func(m *note) {
		m.chain = witness.Of(&rotation.State{Revision: 3, AccessToken: "access", RefreshToken: "refresh"})
	})
	w.hold(pasted)
	result := w.pairs.disown(t.Context(), &scope.Scope{Token: token, Owner: owner, Ref: inPlace, Pair: pasted, Now: start})
	left, err := w.pairs.rotator.Store.Get(t.Context(), inPlace)
	if err != nil || result.State != Again || left.State.Owner != rotation.RolledBack {
		t.Fatalf("it was not disowned: %+v, %v", result, err)
	}
	if left.DeviceCode != code || left.State.Device == nil {
		t.Error("the code is gone")
	}
}
