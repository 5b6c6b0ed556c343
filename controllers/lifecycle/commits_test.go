package lifecycle

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func (c *cluster) CommitRetried() {}

// The status tells what is so: of a verdict that cannot be written it does not say that a pair is kept.
func TestWhatIsToldOfWhatCannotBeWritten(t *testing.T) {
	refused := fmt.Errorf("%w: no writes on Sundays", rotation.ErrDenied)
	for name, c := range map[string]struct {
		what    rotation.Unwritten
		err     error
		retries int
		says    string
	}{
		"a pair that is refused":                    {rotation.UnwrittenPair, refused, 1, "is kept safe, but the API server does not store it: the API server refused the write: no writes on Sundays"},
		"a pair that meets one conflict":            {rotation.UnwrittenPair, rotation.ErrConflict, 1, ""},
		"a pair that meets nothing but conflicts":   {rotation.UnwrittenPair, rotation.ErrConflict, 4, "does not store it"},
		"a pair in what may be an outage":           {rotation.UnwrittenPair, errors.New("timeout"), 3, ""},
		"a pair whose backup is somebody else's":    {rotation.UnwrittenPair, rotation.ErrNotOwned, 1, "belongs to somebody else"},
		"a verdict":                                 {rotation.UnwrittenVerdict, refused, 10, ""},
		"that a pair of another account is no good": {rotation.UnwrittenRefusal, refused, 1, "must not be stored"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var work []func()
			run := runner.New(runner.Options{Limit: 1, Go: func(_ types.UID, do func()) { work = append(work, do) }})
			if err := run.Start(runner.Subject{UID: uid, Namespace: owner.Namespace}, func() {}); err != nil {
				t.Fatal(err)
			}
			commits := commits{notes: w.notes, reporter: w.cluster, standAside: run.StandAside, wake: func(name types.NamespacedName) { w.woken = append(w.woken, name) }}
			for range c.retries {
				commits.retried(owner, c.what, c.err)
			}
			if run.Full(runner.Subject{UID: "another", Namespace: "another"}) || !run.Busy(uid) {
				t.Error("what waits takes the only place, or another exchange of the resource may begin")
			}
			var told *problem.Problem
			w.notes.Peek(uid, func(m *note) { told = m.committing })
			switch {
			case c.says == "" && told != nil:
				t.Errorf("it says: %s", told.Message)
			case c.says != "" && told != nil && !strings.Contains(told.Message, "It is tried again within half a minute."):
				t.Errorf("it does not say when it is tried again, which is after 30 s at most: %s", told.Message)
			case c.says != "" && told != nil && !strings.Contains(told.Message, "do not delete the operator's pod"):
				t.Errorf("it does not say that the only copy may be in the pod: %s", told.Message)
			case c.says != "" && (told == nil || told.Reason != v1alpha1.ReasonCommitting || !strings.Contains(told.Message, c.says) || len(w.woken) == 0):
				t.Errorf("it says: %+v", told)
			}
		})
	}
}

// A verdict that could not be written is tried again later each time, and the resource says that a login is needed
// unless an older chain may still be good.
func TestAVerdictThatWasGivenUpIsTriedAgainLater(t *testing.T) {
	result := rotation.Result{Outcome: rotation.Unrecorded, Err: fmt.Errorf("%w: immutable", rotation.ErrDenied)}
	for name, c := range map[string]struct {
		pair   *rotation.Pair
		needed bool
	}{
		"the first login":            {nil, true},
		"the chain":                  {&rotation.Pair{State: rotation.State{RefreshToken: "spent"}}, true},
		"a new login beside a chain": {&rotation.Pair{State: rotation.State{RefreshToken: "another", PendingSeed: "spent"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: owner.Namespace, Name: owner.Name, UID: uid}}
			job := rotation.Job{Owner: owner, App: github.App{}, Pair: c.pair, Decision: rotation.Decision{Spends: "spent"}}
			before := time.Duration(0)
			for try := range 4 {
				w.exchanges.outcomes.record(logr.Discard(), token, job, result)
				var failed *failure
				w.notes.Peek(uid, func(m *note) { failed = m.failure })
				if failed == nil || failed.problem.Reason != v1alpha1.ReasonRefreshTokenRejected || failed.problem.Unauthorized != c.needed ||
					failed.problem.Stalled || strings.Contains(failed.problem.Message, "kept safe") {
					t.Fatalf("%+v", failed)
				}
				pause := failed.problem.RetryAt.Sub(w.clock.Now())
				if pause <= before {
					t.Errorf("try %d waits %v, the one before waited %v", try, pause, before)
				}
				before = pause
			}
		})
	}
}
