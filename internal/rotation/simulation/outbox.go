package simulation

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

var (
	errFull   = errors.New("the outbox has no room")
	errBroken = errors.New("the outbox is broken")
)

// box is an outbox directory: it outlives the processes of one pod, and dies with the pod.
type box struct {
	id      string
	records []rotation.Record
	// full ends at this time.
	full moment
}

// outbox is the rotation.Outbox of one process.
type outbox struct {
	life *life
	box  *box
}

var _ rotation.Outbox = outbox{}

// fileSystem is how long an operation on tmpfs takes.
const fileSystem = 50 * time.Microsecond

// List implements lifecycle.Outbox.
func (o outbox) List() ([]rotation.Record, error) { return slices.Clone(o.box.records), nil }

// Take implements lifecycle.Outbox. There is a place for everybody: what is there when all are taken is for the tests of
// package outbox.
func (o outbox) Take(rotation.Owner) error { return nil }

// Unwanted implements lifecycle.Outbox: it is about metrics.
func (o outbox) Unwanted(string) {}

// Release implements rotation.Outbox.
func (o outbox) Release(rotation.Owner) {}

func (o outbox) Reserve(rotation.Owner) error {
	w := o.life.world
	w.judgeCall(w.current)
	w.rest()
	if w.strikes(OutboxFull, 1000) {
		o.box.full = w.now + w.between(time.Second, 10*time.Minute)
	}
	if w.now < o.box.full {
		w.current.attempt.outboxFull = true
		return errFull
	}
	return nil
}

func (o outbox) Keep(record rotation.Record) error {
	w, f := o.life.world, o.life.world.current.attempt
	f.unkept = false
	if w.cfg.Break == BreakOutboxSkipped {
		return nil
	}
	w.rest()
	if w.strikes(OutboxBroken, 1000) {
		if f.pair != nil && f.pair.heldBy == f {
			f.keepFailed = true
		}
		return errBroken
	}
	o.box.records = append(o.box.records, record)
	f.kept = true
	if p := w.pairIn(record.Reply); p != nil {
		p.kept++
	}
	w.rest()
	return nil
}

func (o outbox) Remove(id string) error {
	w := o.life.world
	w.judgeCall(w.current)
	w.rest()
	i := slices.IndexFunc(o.box.records, func(r rotation.Record) bool { return r.ID == id })
	if i < 0 {
		return nil
	}
	record := o.box.records[i]
	o.box.records = slices.Delete(o.box.records, i, i+1)
	if p := w.pairIn(record.Reply); p != nil {
		p.kept--
		w.judgeLoss(p, "its record was removed from the outbox", fateNone)
	}
	w.rest()
	return nil
}

// corrupt damages records while no process looks: they cannot be read any more.
func (w *world) corrupt(b *box) {
	for i := 0; i < len(b.records); {
		if !w.strikesOn(w.resources[keyOf(b.records[i].Ref)], OutboxCorrupt, 10) {
			i++
			continue
		}
		p := w.pairIn(b.records[i].Reply)
		b.records = slices.Delete(b.records, i, i+1)
		if p != nil {
			p.kept--
			w.judgeLoss(p, "its record was corrupted", fateCorrupted)
		}
	}
}

// destroy is the end of the pod.
func (w *world) destroy(b *box) {
	records := b.records
	b.records = nil
	for _, record := range records {
		if p := w.pairIn(record.Reply); p != nil {
			p.kept--
			w.judgeLoss(p, "its pod was deleted", fateNodeDied)
		}
	}
}

// replied is what stands in a reply.
type replied struct {
	// pair is nil when there is none that can be used.
	pair *issued
	// hasAccessToken says that there is an access token, be it one whose refresh token was cut off.
	hasAccessToken bool
	// rejects says that GitHub does not take the token.
	rejects bool
}

// read looks into a reply, once.
func (w *world) read(reply *github.Reply) replied {
	found, looked := w.replies[reply]
	if looked {
		return found
	}
	tokens, err := reply.Tokens()
	found.hasAccessToken = !tokens.AccessToken.IsZero()
	var failed *github.Error
	if err == nil {
		found.pair = w.gitHub.tokens[tokens.RefreshToken.Reveal()]
	} else {
		found.rejects = errors.As(err, &failed) && failed.Class == github.Rejected
	}
	w.replies[reply] = found
	return found
}

// pairIn is the pair in a reply; nil when it holds none that can be used.
func (w *world) pairIn(reply *github.Reply) *issued { return w.read(reply).pair }

// rest lets a little time pass, in which the process may die.
func (w *world) rest() {
	_ = w.sleep(context.Background(), fileSystem)
}
