package lifecycle

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Replay starts storing each pair that an earlier life of this pod received and did not store. It is called
// before anything is reconciled, and needs no leader lease: a reply is committed only over the very token that
// it was got for.
func (c *Controller) Replay(log logr.Logger, records []rotation.Record) {
	var owners []types.UID
	byOwner := map[types.UID][]rotation.Record{}
	for _, record := range records {
		uid := types.UID(record.Owner.UID)
		if byOwner[uid] == nil {
			owners = append(owners, uid)
		}
		byOwner[uid] = append(byOwner[uid], record)
	}
	for _, uid := range owners {
		records := byOwner[uid]
		owner := records[0].Owner
		c.memory.Learn(uid, types.NamespacedName{Namespace: owner.Namespace, Name: owner.Name})
		err := c.runner.StartReplay(uid, func() { c.replayAll(log, owner, records) })
		if err != nil {
			log.Error(err, "A pair in the outbox has to wait for the next start", "namespace", owner.Namespace, "name", owner.Name)
		}
	}
}

// replayAll replays the records of one resource.
func (c *Controller) replayAll(log logr.Logger, owner rotation.Owner, records []rotation.Record) {
	c.replayDespitePanics(log, owner, func() {
		for _, record := range records {
			c.replayOne(log, record)
		}
	}, func() { c.replayKept(log, owner) })
}

// replayDespitePanics runs a replay, and after each panic kept, which replays what is in the outbox. A panic must
// not leave what has not been stored yet to the next start, nor the resource to another exchange of the same token:
// what is still in the outbox is tried again after a rest.
func (c *Controller) replayDespitePanics(log logr.Logger, owner rotation.Owner, replay, kept func()) {
	for failures := 1; c.panics(replay); failures++ {
		c.reporter.Panicked(types.UID(owner.UID))
		log.Error(errors.New("panic during a replay"), "A pair in the outbox could not be stored; it is tried again. Please report it", "namespace", owner.Namespace, "name", owner.Name)
		c.runner.StandAside(types.UID(owner.UID))
		_ = c.clock.Sleep(context.Background(), panicBackoff.After(failures))
		replay = kept
	}
}

// panics runs a function and reports whether it ended in a panic.
func (c *Controller) panics(run func()) (panicked bool) {
	defer func() {
		cause := recover()
		if cause != nil && c.passPanic != nil && c.passPanic(cause) {
			panic(cause)
		}
		panicked = cause != nil
	}()
	run()
	return false
}

// replayKept replays what an exchange that ended in a panic has left in the outbox, and reports whether a pair
// was stored. It is part of that work.
func (c *Controller) replayKept(log logr.Logger, owner rotation.Owner) (stored bool) {
	records, err := c.outbox.List()
	if err != nil {
		log.Error(err, "Not all of the outbox could be read")
	}
	for _, record := range records {
		if record.Owner == owner {
			stored = c.replayOne(log, record) || stored
		}
	}
	return stored
}

// replayLookTimeout bounds the look for the resource of a replayed pair. What is derived from the pair is written
// later when it cannot be found in time.
const replayLookTimeout = 5 * time.Second

// replayOne reports whether the pair was stored.
func (c *Controller) replayOne(log logr.Logger, record rotation.Record) (stored bool) {
	ctx := context.Background()
	host, clientID, _ := strings.Cut(record.App, "/")
	result := c.rotator.Replay(ctx, github.App{Host: host, ClientID: clientID}, record)
	c.reporter.Observed(result)
	c.notes.written(types.UID(record.Owner.UID), result.Pair)
	log.Info("A pair from the outbox was dealt with", "namespace", record.Owner.Namespace, "name", record.Owner.Name,
		"outcome", result.Outcome, "spent", record.Spent.Short())
	if result.Outcome != rotation.Committed {
		return false
	}
	// The old token has been dead since before this process began, so what is derived from the pair is written
	// before there is a leader and a cache.
	looking, cancel := c.clock.WithTimeout(ctx, replayLookTimeout)
	defer cancel()
	token, err := c.api.Resource(looking, types.NamespacedName{Namespace: record.Owner.Namespace, Name: record.Owner.Name})
	if err == nil && token != nil && string(token.UID) == record.Owner.UID && token.DeletionTimestamp.IsZero() {
		c.reporter.Stored(log, token, result.Pair, true)
	}
	return true
}
