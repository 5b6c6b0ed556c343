package lifecycle

import (
	"context"
	"errors"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// versions is a Store whose writes come out in a version.
type versions struct {
	rotation.Store
	next string
	err  error
}

func (v *versions) Create(_ context.Context, pair *rotation.Pair) (*rotation.Pair, error) {
	return v.Update(context.Background(), nil, pair)
}

func (v *versions) Update(_ context.Context, _, next *rotation.Pair) (*rotation.Pair, error) {
	if v.err != nil {
		return nil, v.err
	}
	written := next.Clone()
	written.Version = v.next
	return written, nil
}

func TestStoreWhichWritesAreTheOperatorsOwn(t *testing.T) {
	const seen, own = "5", "6"
	for name, c := range map[string]struct {
		over    string // The version that is written over; empty for a creation.
		becomes string
		change  func(*rotation.Pair)
		err     error
		unknown bool // Nothing was looked at yet.
		want    string
	}{
		"a new Secret":                        {becomes: "9", want: "9"},
		"a write over what was looked at":     {over: seen, becomes: "9", want: "9"},
		"a write over an own one":             {over: own, becomes: "9", want: "9"},
		"no write over somebody else's edit":  {over: "8", becomes: "9", want: own},
		"the first write after a start":       {over: "8", becomes: "9", unknown: true, want: "9"},
		"no write that has changed nothing":   {over: "8", becomes: "8", unknown: true, want: ""},
		"no write that has failed":            {over: seen, becomes: "9", err: errors.New("no"), want: own},
		"no write to the backup":              {over: seen, becomes: "9", change: func(p *rotation.Pair) { p.Ref = owner.BackupRef() }, want: own},
		"no write to a Secret without owners": {over: seen, becomes: "9", change: func(p *rotation.Pair) { p.Owner = rotation.Owner{} }, want: own},
	} {
		t.Run(name, func(t *testing.T) {
			n, _ := newNotes()
			if !c.unknown {
				n.With(uid, func(m *note) { m.seenVersion, m.ownVersion = seen, own })
			}
			store := ownStore{&versions{next: c.becomes, err: c.err}, n, noVersions{}}
			next := pairAt(c.over)
			if c.change != nil {
				c.change(next)
			}
			var err error
			if c.over == "" {
				_, err = store.Create(t.Context(), next)
			} else {
				_, err = store.Update(t.Context(), pairAt(c.over), next)
			}
			if !errors.Is(err, c.err) {
				t.Errorf("got the error %v", err)
			}
			got := ""
			n.Peek(uid, func(m *note) { got = m.ownVersion })
			if got != c.want {
				t.Errorf("the operator's own version is %q, want %q", got, c.want)
			}
		})
	}
}
