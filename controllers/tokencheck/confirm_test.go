package tokencheck

import (
	"errors"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestTokenCheckAfterANotice(t *testing.T) {
	limited := reply{err: &github.Error{Reason: github.RateLimited, RetryAfter: time.Hour}}
	for name, c := range map[string]struct {
		replies []reply
		edit    func(*world)
		asked   int
		marked  int
		slept   []time.Duration
	}{
		"GitHub confirms it":                   {replies: []reply{{}}, asked: 2, marked: 1, slept: []time.Duration{noticeConfirm}},
		"GitHub says that the token is alive":  {replies: []reply{{alive: true}}, asked: 1},
		"GitHub contradicts itself":            {replies: []reply{{}, {alive: true}}, asked: 2, slept: []time.Duration{noticeConfirm}},
		"an outage in between":                 {replies: []reply{{}, {err: errOutage}, {}}, asked: 3, marked: 1, slept: []time.Duration{noticeConfirm, 2 * second}},
		"an outage without end":                {replies: []reply{{err: errOutage}}, asked: noticeTries, slept: []time.Duration{second, 2 * second, 4 * second, 8 * second, 15 * second}},
		"a rate limit is not waited for":       {replies: []reply{limited, {}}, asked: 3, marked: 1, slept: []time.Duration{15 * second, noticeConfirm}},
		"the token is seconds old":             {replies: []reply{{}}, edit: func(w *world) { w.live.State.IssuedAt = w.clock.Now().Add(-second) }, asked: 3, marked: 1, slept: []time.Duration{4 * second, noticeConfirm}},
		"the token is known to be dead":        {edit: func(w *world) { w.live.State.AccessTokenEnded = true }},
		"an exchange has ended the token":      {edit: func(w *world) { w.live.State.Verdict = &rotation.Verdict{Reason: rotation.ReasonReplyLost} }},
		"the pair belongs to another App":      {edit: func(w *world) { w.live.State.App = "github.com/other" }},
		"the host may not be asked":            {edit: func(w *world) { w.hostErr = errors.New("not allowed") }},
		"the resource is another of its name":  {edit: func(w *world) { w.live.Owner.UID = "u0" }},
		"the resource is being deleted":        {edit: func(w *world) { w.token.DeletionTimestamp = &metav1.Time{Time: w.clock.Now()} }},
		"an exchange of it is under way":       {replies: []reply{{}}, edit: func(w *world) { w.busy = true }, asked: 2, slept: []time.Duration{noticeConfirm}},
		"the client secret cannot be read now": {replies: []reply{{}}, edit: func(w *world) { w.secretErr = errStore }, asked: 2, marked: 1, slept: []time.Duration{noticeConfirm}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.replies...)
			if c.edit != nil {
				c.edit(w)
			}
			w.checks.Confirm(t.Context(), w.token, w.scope().Pair)
			if w.asked != c.asked || w.marked != c.marked || !slices.Equal(w.clock.Slept, c.slept) {
				t.Errorf("asked %d times, written down %d times, pauses %v; want %d, %d, %v", w.asked, w.marked, w.clock.Slept, c.asked, c.marked, c.slept)
			}
			if w.memory.Len() != 0 {
				t.Error("a notice leaves something behind")
			}
		})
	}
}

// A place of the resource's own would be given up, or its turn used, for what nobody is woken for.
func TestTokenCheckAfterANoticeWaitsUnderANameOfItsOwn(t *testing.T) {
	w := newWorld(t, reply{alive: true})
	w.turnIn = time.Hour
	w.checks.Confirm(t.Context(), w.token, w.scope().Pair)
	ids := slices.Compact(w.queueIDs)
	if len(ids) != 1 || ids[0] == "" || ids[0] == string(w.token.UID) {
		t.Fatalf("it waits as %q", ids)
	}
	if !slices.Equal(w.canceled, ids) {
		t.Errorf("it waits as %q, and gives up %q", ids, w.canceled)
	}
}
