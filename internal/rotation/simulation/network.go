package simulation

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// storeTimeout ends every call to the API server, whatever the context says.
const storeTimeout = 15 * time.Second

var (
	errUnreachable = errors.New("the API server cannot be reached")
	errNoAnswer    = errors.New("the API server did not answer")
)

// store is the rotation.Store of one process: the API server behind a network.
type store struct{ life *life }

var _ rotation.Store = store{}

func (s store) Get(ctx context.Context, ref rotation.Ref) (pair *rotation.Pair, err error) {
	s.life.world.report.Reads++
	failed := s.call(ctx, false, func() { pair, err = s.api().get(ref) })
	if failed != nil {
		return nil, failed
	}
	return pair, err
}

// Locate implements rotation.Store.
func (s store) Locate(ctx context.Context, owner rotation.Owner) (refs []rotation.Ref, err error) {
	s.life.world.report.Reads++
	err = s.call(ctx, false, func() {
		for _, ref := range s.life.world.resources[owner.Namespace].refs() {
			isBackup := !slices.Contains(pairNames[:], ref.Name)
			o := s.api().secrets[ref]
			if o != nil && o.labelled && (owner.UID == "" || !isBackup && o.pair.Controlled && o.pair.Owner.UID == owner.UID) {
				refs = append(refs, ref)
			}
		}
	})
	return refs, err
}

func (s store) Create(ctx context.Context, pair *rotation.Pair) (created *rotation.Pair, err error) {
	var gone bool
	owner := &rotation.Pair{Ref: pair.Ref, Owner: pair.Owner, Controlled: true}
	isFirst := pair.Intent != nil && pair.AccessToken.IsZero() && pair.RefreshToken.IsZero() && pair.Owner.UID != "" && pair.Ref != pair.Owner.BackupRef()
	if !isFirst { // As pairsecret.Store has it.
		if failed := s.call(ctx, false, func() { gone = s.api().ownerGone(owner) }); failed != nil {
			return nil, failed
		}
		if gone {
			return nil, rotation.ErrOwnerGone
		}
	}
	f := s.life.world.current.attempt
	if s.life.world.strikes(APINotFound, 100) {
		return nil, rotation.ErrTerminating // It is not so: admission may answer anything.
	}
	failed := s.call(ctx, true, func() {
		created, err = s.api().create(s.writer(), pair)
		if err == nil && isFence(&rotation.Pair{}, pair) {
			f.fenced(pair.Intent, created.Intent)
		}
	})
	if failed != nil {
		return nil, failed
	}
	if err != nil {
		return nil, err
	}
	created.MayBeElsewhere = pair.Intent != nil
	_ = s.call(ctx, false, func() {
		if gone = s.api().ownerGone(owner); !gone {
			created.MayBeElsewhere = pair.Intent != nil && s.life.world.resources[pair.Ref.Namespace].token.Generation > 1
		}
	})
	f.forNobody = gone
	if gone && s.life.world.cfg.Break != BreakCreatedForNobody {
		return nil, errors.Join(rotation.ErrOwnerGone, s.Remove(ctx, created))
	}
	return created, nil
}

func (s store) Update(ctx context.Context, current, next *rotation.Pair) (updated *rotation.Pair, err error) {
	current, next = current.Clone(), next.Clone()
	if s.life.world.cfg.Break == BreakFenceUnconditional && isFence(current, next) {
		current.Version = s.life.world.api.versionOf(current.Ref)
	}
	if s.life.world.cfg.Break == BreakFenceDropped && isFence(current, next) {
		return s.pretendFence(ctx, current, next)
	}
	if next.Controlled && !current.Controlled {
		gone := false
		if failed := s.call(ctx, false, func() { gone = s.life.world.departs(next.Owner) }); failed != nil {
			return nil, failed
		}
		if gone {
			return nil, rotation.ErrOwnerGone
		}
	}
	f := s.life.world.current.attempt
	failed := s.call(ctx, true, func() {
		updated, err = s.api().update(s.writer(), current, next, false)
		if err == nil && isFence(current, next) {
			f.fenced(next.Intent, updated.Intent)
		}
	})
	if failed != nil {
		return nil, failed
	}
	return updated, err
}

// Try implements lifecycle.API.
func (s store) Try(ctx context.Context, current, next *rotation.Pair) (would *rotation.Pair, err error) {
	failed := s.call(ctx, false, func() {
		would, err = s.api().update(s.writer(), current.Clone(), next.Clone(), true)
		s.life.world.resources[keyOf(current.Ref)].tried = s.life.world.now
	})
	if failed != nil {
		return nil, failed
	}
	return would, err
}

// Gone implements rotation.Store.
func (s store) Gone(ctx context.Context, owner rotation.Owner) (gone bool, err error) {
	err = s.call(ctx, false, func() {
		res := s.life.world.resources[owner.Namespace]
		gone = !res.is(owner.UID) || s.life.world.now < res.namespaceGone
	})
	return gone, err
}

// Remove takes the finalizer off under the version that was read, so that nothing newer goes with it, and
// deletes what is left under the version that this has brought about.
func (s store) Remove(ctx context.Context, pair *rotation.Pair) (err error) {
	version := pair.Version
	if s.life.world.cfg.Break == BreakRemoveByUID {
		version = ""
	}
	var left *rotation.Pair
	if failed := s.call(ctx, true, func() { left, err = s.api().release(s.writer(), pair.Ref, version) }); failed != nil {
		return failed
	}
	if err == nil && left != nil {
		if failed := s.call(ctx, true, func() { err = s.api().remove(s.writer(), pair.Ref, pair.UID, left.Version) }); failed != nil {
			return failed
		}
	}
	if errors.Is(err, rotation.ErrNotFound) {
		return nil
	}
	return err
}

// Release implements lifecycle.API.
func (s store) Release(ctx context.Context, pair *rotation.Pair) (left *rotation.Pair, err error) {
	failed := s.call(ctx, true, func() {
		if o := s.api().secrets[pair.Ref]; o != nil && !o.protected && o.pair.Version == pair.Version {
			left = pair // Nothing is to be taken off.
			return
		}
		left, err = s.api().release(s.writer(), pair.Ref, pair.Version)
	})
	switch {
	case failed != nil:
		return nil, failed
	case errors.Is(err, rotation.ErrNotFound):
		return nil, nil //nolint:nilnil // it is gone, which is no error
	default:
		return left, err
	}
}

func (s store) api() *apiServer { return s.life.world.api }

func (s store) writer() writer { return writer{life: s.life} }

// call carries one request over the network. A nil error means that the effect took place and its result
// came back.
func (s store) call(ctx context.Context, write bool, effect func()) error {
	w := s.life.world
	w.judgeCall(w.current)
	w.panics()
	if err := ctx.Err(); err != nil {
		return err
	}
	limit := deadlineOf(ctx, w.now, storeTimeout)
	if w.now < w.api.down || w.now < s.life.replica.cutOff {
		if w.chance().IntN(2) == 0 {
			_ = w.sleep(ctx, w.between(0, 100*time.Millisecond))
			return errUnreachable
		}
		w.roundTrip(ctx, limit, -1, -1, nil)
		return errNoAnswer
	}
	out, back := w.mostly(5*time.Millisecond, 50*time.Millisecond), w.mostly(5*time.Millisecond, 50*time.Millisecond)
	reset := false
	switch {
	case w.strikes(APISlow, 100):
		out, back = w.between(0, 8*time.Second), w.between(0, 8*time.Second)
	case w.strikes(APIRequestLost, 150):
		out = -1
	case write && w.strikes(APIReplyLost, 80):
		if reset = w.chance().IntN(2) == 0; !reset {
			back = -1
		}
	case write && w.strikes(APIAppliedLate, 150):
		out = limit - w.now + w.between(0, 40*time.Second)
	case w.strikes(APIOutage, 5000):
		w.api.down = w.now + w.mostly(time.Minute, 30*time.Minute)
	case w.strikes(APIPartition, 2000):
		s.life.replica.cutOff = w.now + w.mostly(time.Minute, 20*time.Minute)
		w.elect(s.life)
	}
	answered := w.roundTrip(ctx, limit, out, back, effect)
	w.panics()
	switch {
	case ctx.Err() != nil && !answered:
		return ctx.Err()
	case !answered:
		return errNoAnswer
	case reset:
		return errUnreachable
	}
	return nil
}

// exchanger is the rotation.Exchanger of one process: GitHub behind a network. Like the real client it is
// strict about the deadline: once it has passed nothing is sent.
type exchanger struct{ life *life }

var _ rotation.Exchanger = exchanger{}

func isFence(current, next *rotation.Pair) bool {
	return next.Intent != nil && (current.Intent == nil || current.Intent.ID != next.Intent.ID)
}

// fenced is told that the fence of an attempt was written, and of what is stored.
func (f *attempt) fenced(intent, stored *rotation.Intent) {
	f.forNobody = false
	if f.unfenced = !isIntact(intent, stored); f.unfenced {
		return
	}
	f.fencedAt = f.life.world.now
	f.res.goesOn(f.life)
	if p := f.life.world.gitHub.names[intent.Spends]; p != nil {
		p.fences = append(p.fences, f)
	}
}

func (a *apiServer) versionOf(ref rotation.Ref) string {
	if o := a.secrets[ref]; o != nil {
		return o.pair.Version
	}
	return ""
}

// pretendFence is a deliberate break: the fence is not written.
func (s store) pretendFence(ctx context.Context, current, next *rotation.Pair) (*rotation.Pair, error) {
	live, err := s.Get(ctx, current.Ref)
	if err != nil {
		return nil, err
	}
	s.life.world.current.attempt.fenced(next.Intent, next.Intent)
	live.Intent, live.State = next.Intent, next.State
	return live, nil
}
