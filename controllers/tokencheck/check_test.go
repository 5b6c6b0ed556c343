package tokencheck

import (
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestTokenCheckWhatThereIsToAsk(t *testing.T) {
	tenSeconds := &metav1.Duration{Duration: 10 * time.Second}
	type asked struct {
		userUnknown bool
		interval    time.Duration
	}
	for name, c := range map[string]struct {
		edit func(*world)
		want asked
	}{
		"nothing, unless asked for":                         {func(w *world) { w.token.Spec.CheckInterval = nil }, asked{}},
		"whether the token is alive":                        {func(*world) {}, asked{interval: 10 * time.Second}},
		"whose it is, too":                                  {func(w *world) { w.live.State.User = nil }, asked{userUnknown: true, interval: 10 * time.Second}},
		"there is no token":                                 {func(w *world) { w.live.State.AccessToken = "" }, asked{}},
		"the Secret is being deleted":                       {func(w *world) { w.live.Deleting = true }, asked{}},
		"the Secret is not the resource's own":              {func(w *world) { w.live.Controlled = false }, asked{}},
		"the chain belongs to another resource":             {func(w *world) { w.live.State.Owner = "u0" }, asked{}},
		"the chain belongs to another App":                  {func(w *world) { w.live.State.App = "github.com/other" }, asked{}},
		"the token has expired":                             {func(w *world) { w.live.State.ExpiresAt = w.clock.Now() }, asked{}},
		"the token never expires":                           {func(w *world) { w.live.State.ExpiresAt = time.Time{} }, asked{interval: 10 * time.Second}},
		"a dead token is checked, in case GitHub was wrong": {func(w *world) { w.live.State.AccessTokenEnded = true }, asked{interval: 10 * time.Second}},
		"but nobody asks whose it is":                       {func(w *world) { w.live.State.AccessTokenEnded, w.live.State.User = true, nil }, asked{interval: 10 * time.Second}},
		"a webhook has told that it is dead":                {func(w *world) { w.live.State.AccessTokenEnded, w.token.Spec.CheckInterval = true, nil }, asked{interval: deadCheck}},
		"the refresh token is refused": {func(w *world) {
			w.live.State.Verdict, w.token.Spec.CheckInterval = &rotation.Verdict{Reason: rotation.ReasonRefreshTokenRejected, Time: w.clock.Now()}, nil
		}, asked{interval: deadCheck}},
		"an exchange has ended the token": {func(w *world) { w.live.State.Verdict = &rotation.Verdict{Reason: rotation.ReasonReplyLost} }, asked{}},
		"an exchange has ended it before its user was known": {func(w *world) {
			w.live.State.Verdict, w.live.State.User = &rotation.Verdict{Reason: rotation.ReasonReplyLost}, nil
		}, asked{}},
		"it is the first half of a reply that was cut": {func(w *world) {
			w.live.State.Verdict, w.live.State.RefreshToken = &rotation.Verdict{Reason: rotation.ReasonReplyLost}, ""
		}, asked{interval: 10 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.token.Spec.CheckInterval = tenSeconds
			c.edit(w)
			found, ok := targetOf(w.scope())
			if got := (asked{found.userUnknown, found.interval}); got != c.want || ok != (c.want != asked{}) {
				t.Errorf("got %+v (%t), want %+v", got, ok, c.want)
			}
		})
	}
}

func TestTokenCheckWhatAnAnswerSays(t *testing.T) {
	ago := func(d time.Duration) func(*world) {
		return func(w *world) { w.live.State.IssuedAt = w.clock.Now().Add(-d) }
	}
	for name, c := range map[string]struct {
		reply      reply
		edit       func(*world)
		want       answer
		retryAfter time.Duration
		unasked    bool
	}{
		"alive":                                 {reply: reply{alive: true}, want: alive},
		"dead":                                  {want: dead},
		"dead, of a young token, says nothing":  {edit: ago(20 * second), want: unknown, retryAfter: 40 * second},
		"dead, of one that is just old enough":  {edit: ago(minute), want: dead},
		"dead, of one from the future, is dead": {edit: ago(-minute), want: dead},
		"an outage says nothing":                {reply: reply{err: errOutage}, want: unknown},
		"a rate limit says when to ask again":   {reply: reply{err: &github.Error{Reason: github.RateLimited, RetryAfter: minute}}, want: unknown, retryAfter: minute},
		"an error of no kind says nothing":      {reply: reply{err: errors.New("broken")}, want: unknown},
		"a wrong client secret is a refusal":    {reply: reply{err: errSecret}, want: refused},
		"the token has just been replaced":      {edit: func(w *world) { w.live.AccessToken = credential.NewAccessToken("ghu_2") }, want: unknown, unasked: true},
		"the Secret cannot be read":             {edit: func(w *world) { w.storeErr = errStore }, want: unknown, unasked: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.reply).checked()
			found, _ := targetOf(w.scope())
			if c.edit != nil {
				c.edit(w)
			}
			got, retryAfter, _ := w.checks.ask(t.Context(), found, youngToken)
			if got != c.want || retryAfter != c.retryAfter {
				t.Errorf("the answer is %s, again in %s; want %s, %s", got, retryAfter, c.want, c.retryAfter)
			}
			if c.unasked != (w.asked == 0) {
				t.Errorf("GitHub was asked %d times", w.asked)
			}
		})
	}
}

func TestTokenCheckARevocationIsFoundWithinTheInterval(t *testing.T) {
	w := newWorld(t, reply{}).checked()
	w.pass(10 * time.Second)
	if w.marked != 1 || w.asked != 2 || w.woken != 1 || w.remembered != 1 {
		t.Fatalf("after the interval: written down %d times after %d checks, woken %d times", w.marked, w.asked, w.woken)
	}
	// From now on a mistake is looked for, seldom: GitHub shuts out who presents bad tokens too often.
	asked := w.asked
	w.pass(4 * deadCheck)
	if more := w.asked - asked; more < 3 || more > 4 {
		t.Errorf("in an hour a dead token was presented %d times", more)
	}
	if w.marked != 1 {
		t.Errorf("it was written down %d times", w.marked)
	}
	w.replies = []reply{{alive: true}}
	w.pass(deadCheck)
	if w.cleared != 1 || w.live.State.AccessTokenEnded {
		t.Errorf("it was taken back %d times", w.cleared)
	}
}

func TestTokenCheckOneAnswerIsNotBelieved(t *testing.T) {
	for name, replies := range map[string][]reply{
		"a dead answer among living ones":  {{alive: true}, {}, {alive: true}, {}, {alive: true}},
		"an outage":                        {{err: errOutage}},
		"a refusal":                        {{err: errSecret}},
		"a dead answer, and a long outage": {{}, {err: errOutage}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, replies...).checked()
			w.pass(10 * minute)
			if w.marked != 0 {
				t.Error("it was taken for a revocation")
			}
			if w.asked < len(replies) {
				t.Errorf("GitHub was asked %d times only", w.asked)
			}
		})
	}
}

func TestTokenCheckDeadAnswersCountAcrossAnOutage(t *testing.T) {
	w := newWorld(t, reply{}, reply{err: errOutage}, reply{err: errOutage}, reply{}).checked()
	w.pass(minute)
	if w.marked != 1 {
		t.Errorf("it was written down %d times after %d checks", w.marked, w.asked)
	}
}

// An exchange ends the token before the new one is stored.
func TestTokenCheckNothingIsBelievedDuringAnExchange(t *testing.T) {
	w := newWorld(t, reply{}).checked()
	w.busy = true
	w.pass(minute)
	if w.marked != 0 || w.asked < 2 {
		t.Errorf("after %d checks it was written down %d times", w.asked, w.marked)
	}
	w.busy = false
	w.pass(minute)
	if w.marked != 1 {
		t.Errorf("after the exchange it was written down %d times", w.marked)
	}
}

func TestTokenCheckWhatCouldNotBeWrittenIsFoundAgain(t *testing.T) {
	w := newWorld(t, reply{}).checked()
	w.writeErr = errStore
	w.pass(minute)
	w.writeErr = nil
	w.pass(minute)
	if w.marked != 1 {
		t.Errorf("it was written down %d times", w.marked)
	}
}

// Wrong credentials are not sent again and again, and corrected ones are used at once.
func TestTokenCheckARefusalIsRepeatedLessAndLess(t *testing.T) {
	w := newWorld(t, reply{err: errSecret}).checked()
	w.live.State.ExpiresAt = time.Time{}
	w.pass(24 * time.Hour)
	if w.asked > 60 {
		t.Errorf("wrong credentials were sent %d times in a day", w.asked)
	}
	asked := w.asked
	w.checks.Reconsider("u1")
	w.replies = []reply{{alive: true}}
	w.sync()
	if w.asked != asked+1 {
		t.Error("corrected credentials were not used at once")
	}
	w.checks.Reconsider("u1")
	w.sync()
	if w.asked != asked+1 {
		t.Error("what GitHub has answered was asked again at once")
	}
	w.checks.Reconsider("somebody else")
	if w.memory.Len() != 1 {
		t.Error("a change to a Secret has made a note of a resource that is not checked")
	}
}

func TestTokenCheckWithoutAClientSecretTheTokenItselfIsTried(t *testing.T) {
	w := newWorld(t, reply{alive: true}).checked()
	w.pass(10 * time.Second)
	w.secretErr = errStore
	w.pass(10 * time.Second)
	if n := len(w.secretsSent); n < 2 || w.secretsSent[0].IsZero() || !w.secretsSent[n-1].IsZero() {
		t.Errorf("of %d checks the first was with a secret: %t, the last: %t", n, !w.secretsSent[0].IsZero(), !w.secretsSent[n-1].IsZero())
	}
}

func TestTokenCheckTheAccountIsLearntOnce(t *testing.T) {
	w := newWorld(t, reply{err: errOutage}, reply{err: errInvalid}, reply{user: github.User{Login: "octocat", ID: 7}})
	w.live.State.User = nil
	w.pass(10 * minute)
	if w.asked != 3 || w.learnt != 1 || w.learntUser != (rotation.User{Login: "octocat", ID: 7}) || w.remembered != 1 {
		t.Errorf("after %d questions learnt %d times: %+v", w.asked, w.learnt, w.learntUser)
	}
	if w.memory.Len() != 0 {
		t.Error("something is remembered of a resource about which there is nothing to ask")
	}
}

func TestTokenCheckAnAccountThatCannotBeLearntIsAskedForLessAndLess(t *testing.T) {
	w := newWorld(t, reply{err: errOutage})
	w.live.State.User, w.live.State.ExpiresAt = nil, time.Time{}
	w.pass(24 * time.Hour)
	if w.asked < 40 || w.asked > 60 {
		t.Errorf("GitHub was asked %d times in a day", w.asked)
	}
}

func TestTokenCheckTheAccountIsOfTheTokenThatTold(t *testing.T) {
	w := newWorld(t, reply{user: github.User{Login: "octocat", ID: 7}})
	w.live.State.User = nil
	s := w.scope()
	w.live.AccessToken = credential.NewAccessToken("ghu_2") // It is replaced before the question.
	found, _ := targetOf(s)
	w.checks.learnUser(t.Context(), found)
	if w.asked != 0 || w.learnt != 0 {
		t.Error("GitHub was asked about a token that is not the one of the scope")
	}
}
