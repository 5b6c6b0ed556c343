package rotation

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// trap fails one call that a rotation makes, or has it end in a panic. GitHub gives out a pair, or refuses.
type trap struct {
	*shelf
	*box
	// left is how many calls still go well, and sprung says that one did not.
	left   int
	sprung bool
	// withoutPlace says that a call was made while no place was held for the reply.
	withoutPlace bool
	panics       bool
	refuses      bool
}

var errTrap = errors.New("something is wrong")

func (p *trap) step() error {
	p.withoutPlace = p.withoutPlace || p.reserved != 1
	if p.left--; p.left != -1 {
		return nil
	}
	p.sprung = true
	if p.panics {
		panic(errTrap)
	}
	return errTrap
}

func (p *trap) Get(ctx context.Context, ref Ref) (*Pair, error) {
	if err := p.step(); err != nil {
		return nil, err
	}
	return p.shelf.Get(ctx, ref)
}

func (p *trap) Update(ctx context.Context, current, next *Pair) (*Pair, error) {
	if err := p.step(); err != nil {
		return nil, err
	}
	return p.shelf.Update(ctx, current, next)
}

func (p *trap) answer() (*github.Reply, error) {
	switch err := p.step(); {
	case err != nil:
		return nil, &github.Error{Class: github.Ambiguous, Reason: github.NoReply}
	case p.refuses:
		return nil, &github.Error{Class: github.Rejected, Reason: github.AccessDenied}
	default:
		return said(pairReply), nil
	}
}

func (p *trap) Exchange(context.Context, github.App, credential.RefreshToken) (*github.Reply, error) {
	return p.answer()
}

func (p *trap) PollDevice(context.Context, github.App, credential.DeviceCode) (*github.Reply, error) {
	return p.answer()
}

func (p *trap) Keep(record Record) error { return errors.Join(p.step(), p.box.Keep(record)) }

// trapOutbox and trapStore tell the two methods apart that both have.
type (
	trapOutbox struct{ *trap }
	trapStore  struct{ *trap }
)

func (o trapOutbox) Remove(id string) error {
	if err := o.step(); err != nil {
		return err
	}
	return o.box.Remove(id)
}

func (s trapStore) Remove(ctx context.Context, pair *Pair) error { return s.shelf.Remove(ctx, pair) }

// Whichever call fails or ends in a panic, the place in the outbox is held while the exchange is under way, and is given
// back when it ends.
func TestAnExchangeGivesItsPlaceInTheOutboxBack(t *testing.T) {
	for name, c := range map[string]struct {
		run             func(*deviceWorld) Result
		panics, refuses bool
	}{
		"a refresh, and a call that fails":             {refreshDue, false, false},
		"a refresh, and a panic":                       {refreshDue, true, false},
		"a refresh that is refused, and a panic":       {refreshDue, true, true},
		"a refusal, and a call that fails":             {refreshDue, false, true},
		"a device code, and a call that fails":         {pollOffered, false, false},
		"a device code, and a panic":                   {pollOffered, true, false},
		"a refused device code, and a panic":           {pollOffered, true, true},
		"a refused device code, and a call that fails": {pollOffered, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for calls := 0; ; calls++ {
					w := newDeviceWorld()
					w.shelf.pair = goodChain()
					w.offer(t, w.shelf.pair)
					p := &trap{shelf: w.shelf, box: w.box, left: calls, panics: c.panics, refuses: c.refuses}
					w.rotator.Store, w.rotator.Outbox, w.rotator.Exchanger, w.rotator.Poller = trapStore{p}, trapOutbox{p}, p, p
					func() {
						defer func() {
							if cause := recover(); cause != nil && cause != any(errTrap) {
								panic(cause)
							}
						}()
						c.run(w)
					}()
					if p.withoutPlace {
						t.Error("the place is given back too early")
					}
					if w.box.reserved != 0 || w.box.begun != 1 {
						t.Errorf("after call %d went wrong %d of %d places are taken", calls, w.box.reserved, w.box.begun)
					}
					if !p.sprung {
						if calls < 3 {
							t.Errorf("only %d calls were made to go wrong", calls)
						}
						return
					}
				}
			})
		})
	}
}

func refreshDue(w *deviceWorld) Result { return w.rotator.Rotate(context.Background(), dueJob(w)) }

func pollOffered(w *deviceWorld) Result { return w.rotator.Poll(context.Background(), w.job(nil)) }
