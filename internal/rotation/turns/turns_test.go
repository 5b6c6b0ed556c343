package turns

import (
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const (
	app      = "github.com/Iv1"
	lifetime = 8 * time.Hour
)

var start = time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)

// chainOf is a chain with a good pair of a number that was got at a time.
func chainOf(owner string, number int64, issued time.Time, edit ...func(*rotation.Pair)) Chain {
	pair := &rotation.Pair{
		Controlled: true, Owner: rotation.Owner{UID: owner},
		State: rotation.State{
			Owner: owner, App: app, AccessToken: "access", RefreshToken: "refresh", IssuedAt: issued, ExpiresAt: issued.Add(lifetime), Publication: number,
			User: &rotation.User{Login: "octocat", ID: 1},
		},
	}
	for _, e := range edit {
		e(pair)
	}
	return Chain{Owner: owner, Pair: pair, App: app, User: 1}
}

func TestGrade(t *testing.T) {
	intent := func(spends string, unresolved int) func(*rotation.Pair) {
		return func(p *rotation.Pair) {
			p.Intent = &rotation.Intent{Spends: p.State.RefreshToken, Unresolved: unresolved}
			if spends != "" {
				p.Intent.Spends = "another"
			}
		}
	}
	for name, c := range map[string]struct {
		chain Chain
		want  Grade
	}{
		"good":                                   {chainOf("a", 1, start), Lasting},
		"no Secret":                              {Chain{Owner: "a", App: app}, Useless},
		"somebody else's Secret":                 {chainOf("a", 1, start, func(p *rotation.Pair) { p.Owner.UID = "b" }), Useless},
		"held by nobody":                         {chainOf("a", 1, start, func(p *rotation.Pair) { p.Controlled = false }), Useless},
		"of a former resource, not proven":       {chainOf("a", 1, start, func(p *rotation.Pair) { p.State.Owner = "former" }), Useless},
		"of another App":                         {chainOf("a", 1, start, func(p *rotation.Pair) { p.State.App = "github.com/Iv2" }), Useless},
		"of another account":                     {chainOf("a", 1, start, func(p *rotation.Pair) { p.State.User.ID = 2 }), Useless},
		"of an account that is not known":        {chainOf("a", 1, start, func(p *rotation.Pair) { p.State.User = nil }), Useless},
		"without an access token":                {chainOf("a", 1, start, func(p *rotation.Pair) { p.State.AccessToken = "" }), Useless},
		"expired, and refused":                   {chainOf("a", 1, start.Add(-lifetime), func(p *rotation.Pair) { p.State.Verdict = &rotation.Verdict{Reason: "x"} }), Useless},
		"ended at GitHub":                        {chainOf("a", 1, start, func(p *rotation.Pair) { p.State.AccessTokenEnded = true }), Useless},
		"expired":                                {chainOf("a", 1, start.Add(-lifetime)), Expired},
		"being exchanged":                        {chainOf("a", 1, start, intent("", 0)), Unsettled},
		"of an exchange that was tried before":   {chainOf("a", 1, start, intent("", 1)), Useless},
		"while a login is imported beside it":    {chainOf("a", 1, start, intent("another", 1)), Lasting},
		"refused":                                {chainOf("a", 1, start, func(p *rotation.Pair) { p.State.Verdict = &rotation.Verdict{Reason: "x"} }), Ending},
		"without a refresh token":                {chainOf("a", 1, start, func(p *rotation.Pair) { p.State.RefreshToken = "" }), Ending},
		"of an App whose tokens do not expire":   {chainOf("a", 1, start, func(p *rotation.Pair) { p.State.ExpiresAt, p.State.RefreshToken = time.Time{}, "" }), Lasting},
		"put back to an older state, perhaps so": {func() Chain { c := chainOf("a", 1, start); c.Doubtful = true; return c }(), Useless},
	} {
		if got := c.chain.Grade(start); got != c.want {
			t.Errorf("%s: it is %d, want %d", name, got, c.want)
		}
	}
}

func TestOverlapOf(t *testing.T) {
	for _, c := range []struct {
		asked, want time.Duration
		tooLong     bool
	}{
		{0, 2 * time.Hour, false},
		{time.Hour, time.Hour, false},
		{3 * time.Hour, 3 * time.Hour, false},
		{3*time.Hour + time.Second, 2 * time.Hour, true},
	} {
		if got, tooLong := OverlapOf(c.asked, lifetime); got != c.want || tooLong != c.tooLong {
			t.Errorf("of %s asked for %s is kept (%t), want %s", c.asked, got, tooLong, c.want)
		}
	}
}

// of is the view of the primary, or of the other chain, of two good chains: the primary's of the first number, the other one's of the second.
func of(isPrimary bool, primary, other Chain, seen Seen, now time.Time) Of {
	if isPrimary {
		return Of{Own: primary, Other: other, IsPrimary: true, Seen: seen, Now: now}
	}
	return Of{Own: other, Other: primary, Seen: seen, Now: now}
}

func TestPlanOfTheChainThatWasReplaced(t *testing.T) {
	replaced, published := chainOf("a", 2, start.Add(-3*time.Hour)), chainOf("b", 3, start)
	for name, c := range map[string]struct {
		seen      Seen
		now       time.Time
		notBefore time.Time
		dueAt     time.Time
		exactly   bool
	}{
		"is held until its own expiry while nobody is seen to read the other token": {Seen{Publication: 2, For: time.Hour}, start.Add(time.Hour), start.Add(5 * time.Hour), start.Add(5 * time.Hour), true},
		"is held for the overlap from the sight of the other token":                 {Seen{Publication: 3, For: 10 * time.Minute}, start.Add(20 * time.Minute), start.Add(130 * time.Minute), start.Add(3 * time.Hour), false},
		"is held from the other pair's own time where the sight is earlier":         {Seen{Publication: 3, For: 9 * time.Hour}, start.Add(time.Hour), start.Add(2 * time.Hour), start.Add(3 * time.Hour), false},
		"is held anew after a restart":                                              {Seen{Publication: 3}, start.Add(170 * time.Minute), start.Add(290 * time.Minute), start.Add(290 * time.Minute), true},
		"is not held after its own expiry":                                          {Seen{Publication: 3}, start.Add(4 * time.Hour), start.Add(5 * time.Hour), start.Add(5 * time.Hour), true},
	} {
		plan := PlanOf(of(true, replaced, published, c.seen, c.now))
		if !plan.Alternates || plan.IsPublished || plan.Mark != 0 || !plan.NotBefore.Equal(c.notBefore) {
			t.Errorf("it %s: %+v, want it held until %s", name, plan, c.notBefore)
		}
		if early := c.dueAt.Sub(plan.DueAt); early < 0 || c.exactly && early != 0 || early > 15*time.Minute || plan.DueAt.Before(plan.NotBefore) {
			t.Errorf("it %s: due at %s, want %s", name, plan.DueAt, c.dueAt)
		}
	}
}

func TestPlanOfThePublishedChain(t *testing.T) {
	published, replaced := chainOf("a", 2, start), chainOf("b", 1, start.Add(-3*time.Hour))
	plan := PlanOf(of(true, published, replaced, Seen{2, time.Hour}, start.Add(time.Hour)))
	last := start.Add(lifetime - lifetime/64)
	if !plan.Alternates || !plan.IsPublished || plan.Mark != 0 || !plan.DueAt.Equal(last) || !plan.NotBefore.Equal(last) {
		t.Errorf("it is %+v, want it due a moment before it expires", plan)
	}
	// While the other one is being exchanged it is not alone.
	replaced.Pair.Intent = &rotation.Intent{Spends: replaced.Pair.State.RefreshToken}
	if plan = PlanOf(of(true, published, replaced, Seen{2, time.Hour}, start.Add(time.Hour))); !plan.Alternates || !plan.NotBefore.Equal(last) {
		t.Errorf("while the other one is exchanged it is %+v", plan)
	}
	// It is alone when the other one has ended.
	replaced.Pair.Intent, replaced.Pair.State.Verdict = nil, &rotation.Verdict{Reason: "x"}
	if plan = PlanOf(of(true, published, replaced, Seen{2, time.Hour}, start.Add(time.Hour))); plan.Alternates || !plan.IsPublished {
		t.Errorf("alone it is %+v", plan)
	}
}

func TestPlanHoldPutsATurnOffAsLongAsThePublishedTokenWorksForTheOverlap(t *testing.T) {
	replaced, published := chainOf("a", 2, start.Add(-3*time.Hour)), chainOf("b", 3, start)
	look := of(true, replaced, published, Seen{3, time.Hour}, start.Add(time.Hour))
	for hold, want := range map[time.Duration]time.Duration{4 * time.Hour: 4 * time.Hour, 7 * time.Hour: 6 * time.Hour} {
		look.HoldUntil = start.Add(hold)
		if plan := PlanOf(look); !plan.DueAt.Equal(start.Add(want)) {
			t.Errorf("held for %s it is due at %s, want %s", hold, plan.DueAt, start.Add(want))
		}
	}
}

func TestMarkPublishesTheBetterChain(t *testing.T) {
	ended := func(p *rotation.Pair) { p.State.AccessTokenEnded = true }
	refused := func(p *rotation.Pair) { p.State.Verdict = &rotation.Verdict{Reason: "x"} }
	under := func(p *rotation.Pair) { p.Intent = &rotation.Intent{Spends: p.State.RefreshToken} }
	for name, c := range map[string]struct {
		primary, other Chain
		// marks are the numbers that the primary and the other one get.
		marks [2]int64
	}{
		"both are good":                        {chainOf("a", 2, start), chainOf("b", 3, start), [2]int64{}},
		"the published one has ended":          {chainOf("a", 2, start), chainOf("b", 3, start, ended), [2]int64{4, 0}},
		"the published one ends":               {chainOf("a", 4, start, refused), chainOf("b", 3, start), [2]int64{0, 5}},
		"the published one is being exchanged": {chainOf("a", 2, start), chainOf("b", 3, start, under), [2]int64{}},
		"the other one has ended":              {chainOf("a", 4, start), chainOf("b", 3, start, ended), [2]int64{}},
		"both end":                             {chainOf("a", 4, start, refused), chainOf("b", 3, start, refused), [2]int64{}},
	} {
		got := [2]int64{PlanOf(of(true, c.primary, c.other, Seen{}, start)).Mark, PlanOf(of(false, c.primary, c.other, Seen{}, start)).Mark}
		if got != c.marks {
			t.Errorf("%s: the numbers are %v, want %v", name, got, c.marks)
		}
	}
}

func TestNextIsHigherThanBothAndNeverTheSameForBoth(t *testing.T) {
	for a := range int64(6) {
		for b := range int64(6) {
			primary, other := chainOf("a", a, start), chainOf("b", b, start)
			ofPrimary, ofOther := of(true, primary, other, Seen{}, start).Next(), of(false, primary, other, Seen{}, start).Next()
			if ofPrimary <= max(a, b) || ofOther <= max(a, b) || ofPrimary == ofOther || ofPrimary%2 != 0 || ofOther%2 != 1 {
				t.Errorf("after %d and %d come %d and %d", a, b, ofPrimary, ofOther)
			}
		}
	}
}
