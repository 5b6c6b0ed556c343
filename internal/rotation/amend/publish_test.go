package amend

import (
	"context"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestPublishGivesThePairANumberThatNothingTakesBack(t *testing.T) {
	owner := rotation.Owner{UID: "uid"}
	pair := func(edit ...func(*rotation.Pair)) *rotation.Pair {
		p := &rotation.Pair{Owner: owner, Controlled: true, State: rotation.State{Owner: "uid", AccessToken: "access", RefreshToken: "refresh", Publication: 2}}
		for _, e := range edit {
			e(p)
		}
		return p
	}
	for name, c := range map[string]struct {
		there *rotation.Pair
		// meanwhile is what somebody else writes before the number is written.
		meanwhile func(*rotation.Pair)
		published bool
		number    int64
	}{
		"the pair that was seen":          {there: pair(), published: true, number: 5},
		"a label is edited meanwhile":     {there: pair(), meanwhile: func(p *rotation.Pair) { p.Labels = map[string]string{"a": "b"} }, published: true, number: 5},
		"it has a higher number by now":   {there: pair(), meanwhile: func(p *rotation.Pair) { p.State.Publication = 9 }, published: true, number: 9},
		"another pair is there by now":    {there: pair(), meanwhile: func(p *rotation.Pair) { p.State.AccessToken = "next" }, number: 2},
		"it is being exchanged by now":    {there: pair(), meanwhile: func(p *rotation.Pair) { p.Intent = &rotation.Intent{ID: "i", Spends: "refresh"} }, number: 2},
		"a login is imported beside it":   {there: pair(), meanwhile: func(p *rotation.Pair) { p.Intent = &rotation.Intent{ID: "i", Spends: "seed"} }, published: true, number: 5},
		"it is somebody else's Secret":    {there: pair(func(p *rotation.Pair) { p.Owner.UID = "other" }), number: 2},
		"a newer version has written it":  {there: pair(func(p *rotation.Pair) { p.State.Format = rotation.StateFormat + 1 }), number: 2},
		"the Secret is about to be gone ": {there: pair(func(p *rotation.Pair) { p.Deleting = true }), number: 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.shelf.put(c.there)
			read := w.shelf.pair.Clone()
			if c.meanwhile != nil {
				w.shelf.before = func(s *shelf) { s.edit(c.meanwhile) }
			}
			_, published, err := w.amender.Publish(context.Background(), owner, read, "access", 5)
			if err != nil || published != c.published || w.shelf.pair.State.Publication != c.number {
				t.Errorf("published is %t with number %d (%v), want %t with %d", published, w.shelf.pair.State.Publication, err, c.published, c.number)
			}
		})
	}
}
