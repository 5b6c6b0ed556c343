package rotation

import (
	"context"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// Moments of an exchange at which the process may be told to stop.
const (
	whenFenced   = "the fence is up"
	whileAsking  = "GitHub is asked"
	whileStoring = "the pair is stored"
)

// shutdown ends the context of the caller at one moment of an exchange. From then on whatever heeds that context
// fails, as requests to GitHub and to the API server would.
type shutdown struct {
	t    *testing.T
	at   string
	stop context.CancelFunc
}

// pass is a moment in which something is done under a context.
func (s *shutdown) pass(ctx context.Context, moment string) {
	s.t.Helper()
	if s.at == moment {
		s.stop()
	}
	if err := ctx.Err(); err != nil {
		s.t.Fatalf("while %s: %v", moment, err) // The commit would be tried without end.
	}
}

type shutdownStore struct {
	*shelf
	*shutdown
}

func (s shutdownStore) Get(ctx context.Context, ref Ref) (*Pair, error) {
	s.pass(ctx, "the Secret is read")
	return s.shelf.Get(ctx, ref)
}

func (s shutdownStore) Update(ctx context.Context, current, next *Pair) (*Pair, error) {
	if next.Intent == nil {
		s.pass(ctx, whileStoring)
		return s.shelf.Update(ctx, current, next)
	}
	fenced, err := s.shelf.Update(ctx, current, next)
	if s.at == whenFenced {
		s.stop()
	}
	return fenced, err
}

type shutdownGitHub struct{ *shutdown }

func (g shutdownGitHub) Exchange(ctx context.Context, _ github.App, _ credential.RefreshToken) (*github.Reply, error) {
	g.pass(ctx, whileAsking)
	return said(pairReply), nil
}

func (g shutdownGitHub) PollDevice(ctx context.Context, _ github.App, _ credential.DeviceCode) (*github.Reply, error) {
	g.pass(ctx, whileAsking)
	return said(pairReply), nil
}

// From the moment in which a token may have been spent only its reply can tell what is left, so that no shutdown ends
// the exchange before the pair is stored.
func TestRotatorFinishesWhatItHasBegunWhenItsContextEnds(t *testing.T) {
	refresh := func(ctx context.Context, w *deviceWorld) Result {
		pair := w.shelf.pair.Clone()
		return w.rotator.Rotate(ctx, Job{
			Owner: deviceOwner, Ref: pair.Ref, App: deviceApp, Pair: pair,
			Decision: Decision{Action: ActionRefresh, Cause: CauseDue, Spends: pair.State.RefreshToken},
		})
	}
	poll := func(ctx context.Context, w *deviceWorld) Result {
		return w.rotator.Poll(ctx, w.job(nil))
	}
	replay := func(ctx context.Context, w *deviceWorld) Result {
		pair := w.shelf.pair
		return w.rotator.Replay(ctx, deviceApp, Record{
			ID: "1", Ref: pair.Ref, Owner: deviceOwner, App: deviceApp.Key(), Spent: pair.State.RefreshToken, SecretUID: pair.UID,
			Base: pair.State, Reply: said(pairReply),
		})
	}
	for name, c := range map[string]struct {
		run func(context.Context, *deviceWorld) Result
		at  string
	}{
		"a refresh that has its fence is sent":                    {refresh, whenFenced},
		"a refresh that was sent is waited for":                   {refresh, whileAsking},
		"a refreshed pair is stored":                              {refresh, whileStoring},
		"the reply to a device code is waited for":                {poll, whileAsking},
		"the pair of a login is stored":                           {poll, whileStoring},
		"a pair from the outbox is stored by a process that ends": {replay, ""},
		"a pair from the outbox is stored when it is about to be": {replay, whileStoring},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w := newDeviceWorld()
			w.shelf.pair = goodChain()
			w.offer(t, w.shelf.pair)
			stop := &shutdown{t: t, at: c.at, stop: cancel}
			w.rotator.Store, w.rotator.Exchanger, w.rotator.Poller = shutdownStore{w.shelf, stop}, shutdownGitHub{stop}, shutdownGitHub{stop}
			if c.at == "" {
				cancel()
			}
			if result := c.run(ctx, w); result.Outcome != Committed {
				t.Errorf("the outcome is %s: %v", result.Outcome, result.Err)
			}
			if ctx.Err() == nil {
				t.Error("the exchange never came to that moment")
			}
			if w.shelf.pair.AccessToken.Reveal() != "ghu_new" || w.shelf.pair.RefreshToken.Reveal() != "ghr_new" {
				t.Error("the pair is not in the Secret")
			}
			if len(w.box.records) != 0 {
				t.Error("the pair is still in the outbox")
			}
		})
	}
}
