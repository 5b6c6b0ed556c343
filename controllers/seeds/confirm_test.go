package seeds

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

var confirmOwner = rotation.Owner{Namespace: "team-a", Name: "octocat", UID: "uid-1"}

// laggingCache shows one Secret and the chains of one token, and changes at each look.
type laggingCache struct {
	looks  int
	secret func(look int) *rotation.Pair
	chains func(look int) []Chain
	err    error
}

func (c *laggingCache) Secret(context.Context, rotation.Ref) (*rotation.Pair, error) {
	c.looks++
	return c.secret(c.looks), c.err
}

func (c *laggingCache) ChainsWith(context.Context, credential.Fingerprint) ([]Chain, error) {
	return c.chains(c.looks), nil
}

func TestConfirmWaitsForTheFenceAndLooksForOthers(t *testing.T) {
	fence := &rotation.Pair{Owner: confirmOwner, Version: "7", Intent: &rotation.Intent{ID: "mine", Spends: "t"}, State: rotation.State{PendingSeed: "t"}}
	at := func(version, intent string) *rotation.Pair {
		return &rotation.Pair{Version: version, Intent: &rotation.Intent{ID: intent}}
	}
	own := Chain{UID: types.UID(confirmOwner.UID), Version: "7", Pending: true}
	other := func(version string, pending bool) Chain {
		return Chain{UID: "another", Version: version, Pending: pending}
	}
	after := func(n int, before, then *rotation.Pair) func(int) *rotation.Pair {
		return func(look int) *rotation.Pair {
			if look > n {
				return then
			}
			return before
		}
	}
	always := func(pair *rotation.Pair) func(int) *rotation.Pair { return after(0, nil, pair) }
	chains := func(all ...Chain) func(int) []Chain { return func(int) []Chain { return all } }
	cases := map[string]struct {
		secret func(int) *rotation.Pair
		chains func(int) []Chain
		before *rotation.Pair
		fails  error
		want   error
	}{
		"the fence is shown, and nobody else has it":   {always(at("7", "mine")), chains(own), nil, nil, nil},
		"it is shown in a moment":                      {after(5, nil, at("7", "mine")), chains(own), nil, nil, nil},
		"an older version is shown first":              {after(5, at("6", ""), at("7", "mine")), chains(own), nil, nil, nil},
		"something newer is shown":                     {always(at("9", "")), chains(own), nil, nil, nil},
		"it is never shown":                            {always(at("6", "")), chains(own), nil, nil, errNotShown},
		"there is no Secret":                           {always(nil), chains(own), nil, nil, errNotShown},
		"another chain stands at it":                   {always(at("7", "mine")), chains(own, other("3", false)), nil, nil, rotation.ErrTokenInUse},
		"another chain stands at it since":             {always(at("7", "mine")), chains(own, other("9", false)), nil, nil, rotation.ErrTokenInUse},
		"another fence was written before":             {always(at("7", "mine")), chains(own, other("6", true)), nil, nil, rotation.ErrTokenInUse},
		"another was written later, and stays":         {always(at("7", "mine")), chains(own, other("8", true)), nil, nil, rotation.ErrTokenInUse},
		"another was written after an earlier try":     {always(at("7", "mine")), chains(own, other("6", true)), at("5", "earlier"), nil, rotation.ErrTokenInUse},
		"the cache fails":                              {always(nil), chains(), nil, errFails, errFails},
		"what is not shown is not looked for in vain":  {after(2, nil, at("7", "mine")), func(look int) []Chain { return map[bool][]Chain{true: {other("3", true)}}[look <= 2] }, nil, nil, nil},
		"another was written later, and gives way":     {always(at("7", "mine")), func(look int) []Chain { return map[bool][]Chain{true: {other("8", true)}}[look < 5] }, nil, nil, nil},
		"another, after an earlier try, gives way too": {always(at("7", "mine")), func(look int) []Chain { return map[bool][]Chain{true: {other("6", true)}}[look < 5] }, at("5", "earlier"), nil, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				clock := rotation.SystemClock()
				confirmer := Confirmer{Clock: clock, Cache: &laggingCache{secret: c.secret, chains: c.chains, err: c.fails}}
				if c.before != nil {
					c.before.State.PendingSeed = "t"
				}
				ctx, cancel := clock.WithTimeout(t.Context(), rotation.FenceTimeout)
				defer cancel()
				err := confirmer.Confirm(ctx, rotation.Job{Owner: confirmOwner, Pair: c.before}, fence)
				if !errors.Is(err, c.want) || c.want == nil && err != nil {
					t.Errorf("it says %v, want %v", err, c.want)
				}
				if took := clock.Monotonic(); took > rotation.FenceTimeout {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

var errFails = errors.New("the cache is away")
