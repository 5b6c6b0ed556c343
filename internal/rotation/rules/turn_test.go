package rules

import (
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/turns"
)

func TestDecideTurnOfAChain(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	owner := rotation.Owner{Namespace: "n", Name: "o", UID: "uid"}
	at := func(d time.Duration) time.Time { return now.Add(d) }
	in := func(edit func(*Input)) Input {
		pair := &rotation.Pair{Owner: owner, Controlled: true, State: rotation.State{
			Owner: "uid", App: "github.com/Iv1", AccessToken: "access", RefreshToken: "refresh", IssuedAt: at(-7 * time.Hour), ExpiresAt: at(time.Hour), Revision: 1,
		}}
		in := Input{Owner: owner, App: "github.com/Iv1", Pair: pair, Now: now}
		edit(&in)
		return in
	}
	left := func(d time.Duration) *time.Duration { return &d }
	for name, c := range map[string]struct {
		in     Input
		action rotation.Action
		at     time.Time
	}{
		"alone it is due": {in(func(*Input) {}), rotation.ActionRefresh, time.Time{}},
		"it is not its turn": {in(func(in *Input) {
			in.Turn = turns.Plan{Alternates: true, DueAt: at(30 * time.Minute), NotBefore: at(10 * time.Minute)}
		}), rotation.ActionNone, at(30 * time.Minute)},
		"it is its turn": {in(func(in *Input) { in.Turn = turns.Plan{Alternates: true, DueAt: at(0), NotBefore: at(-time.Minute)} }), rotation.ActionRefresh, time.Time{}},
		"a request waits until nobody holds it": {in(func(in *Input) {
			in.RefreshRequestedAt = "1"
			in.Turn = turns.Plan{Alternates: true, DueAt: at(30 * time.Minute), NotBefore: at(10 * time.Minute)}
		}), rotation.ActionNone, at(10 * time.Minute)},
		"a request is honoured when nobody does": {in(func(in *Input) {
			in.RefreshRequestedAt = "1"
			in.Turn = turns.Plan{Alternates: true, DueAt: at(30 * time.Minute), NotBefore: at(-time.Minute)}
		}), rotation.ActionRefresh, time.Time{}},
		"the monotonic clock does not shorten it": {in(func(in *Input) {
			in.ExpiresIn = left(20 * time.Minute)
			in.Turn = turns.Plan{Alternates: true, DueAt: at(30 * time.Minute), NotBefore: at(10 * time.Minute)}
		}), rotation.ActionNone, at(10 * time.Minute)},
		"nobody holds a token that has expired": {in(func(in *Input) {
			in.ExpiresIn = left(-time.Minute)
			in.Turn = turns.Plan{Alternates: true, DueAt: at(30 * time.Minute), NotBefore: at(10 * time.Minute)}
		}), rotation.ActionRefresh, time.Time{}},
	} {
		decision := Decide(c.in)
		if decision.Action != c.action || !c.at.IsZero() && !decision.At.Equal(c.at) {
			t.Errorf("%s: action %d at %s (%s), want %d at %s", name, decision.Action, decision.At, decision.Rule, c.action, c.at)
		}
	}
}
