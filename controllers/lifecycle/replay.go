package lifecycle

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// replays store what the outbox still holds: of an earlier life of this pod, or of work that has ended in a panic.
type replays struct {
	rotator   *rotation.Rotator
	outbox    Outbox
	resources resourceReader
	reporter  Reporter
	notes     notes
	memory    *memory.Store
	runner    *runner.Runner
	clock     rotation.Clock
	passPanic func(cause any) bool
}

// start starts storing each pair that an earlier life of this pod received and did not store. It is called
// before anything is reconciled, and needs no leader lease: a reply is committed only over the very token that
// it was got for.
func (r *replays) start(log logr.Logger, records []rotation.Record) {
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
		r.memory.Learn(uid, types.NamespacedName{Namespace: owner.Namespace, Name: owner.Name})
		err := r.runner.StartReplay(runner.Subject{UID: uid, Namespace: owner.Namespace}, func() { r.all(log, owner, records) })
		if err != nil {
			log.Error(err, "A pair in the outbox has to wait for the next start", "namespace", owner.Namespace, "name", owner.Name)
		}
	}
}

// all replays the records of one resource.
func (r *replays) all(log logr.Logger, owner rotation.Owner, records []rotation.Record) {
	r.despitePanics(log, owner, func() {
		for _, record := range records {
			r.one(log, record)
		}
	}, func() { r.kept(log, owner) })
}

// despitePanics runs a replay, and after each panic kept, which replays what is in the outbox. A panic must
// not leave what has not been stored yet to the next start, nor the resource to another exchange of the same token:
// what is still in the outbox is tried again after a rest.
func (r *replays) despitePanics(log logr.Logger, owner rotation.Owner, replay, kept func()) {
	for failures := 1; r.panics(replay); failures++ {
		r.reporter.Panicked(types.UID(owner.UID))
		log.Error(errors.New("panic during a replay"), "A pair in the outbox could not be stored; it is tried again. Please report it", "namespace", owner.Namespace, "name", owner.Name)
		r.runner.StandAside(types.UID(owner.UID))
		_ = r.clock.Sleep(context.Background(), panicBackoff.After(failures))
		replay = kept
	}
}

// panics runs a function and reports whether it ended in a panic.
func (r *replays) panics(run func()) (panicked bool) {
	defer func() {
		cause := recover()
		if cause != nil && r.passPanic != nil && r.passPanic(cause) {
			panic(cause)
		}
		panicked = cause != nil
	}()
	run()
	return false
}

// kept replays what an exchange that ended in a panic has left in the outbox, and reports whether a pair
// was stored. It is part of that work.
func (r *replays) kept(log logr.Logger, owner rotation.Owner) (stored bool) {
	records, err := r.outbox.List()
	if err != nil {
		log.Error(err, "Not all of the outbox could be read")
	}
	for _, record := range records {
		if record.Owner == owner {
			stored = r.one(log, record) || stored
		}
	}
	return stored
}

// replayLookTimeout bounds the look for the resource of a replayed pair. What is derived from the pair is written
// later when it cannot be found in time.
const replayLookTimeout = 5 * time.Second

// one reports whether the pair was stored.
func (r *replays) one(log logr.Logger, record rotation.Record) (stored bool) {
	ctx := context.Background()
	host, clientID, _ := strings.Cut(record.App, "/")
	result := r.rotator.Replay(ctx, github.App{Host: host, ClientID: clientID}, record)
	r.reporter.Observed(result)
	r.notes.written(types.UID(record.Owner.UID), result.Pair)
	log.Info("A pair from the outbox was dealt with", "namespace", record.Owner.Namespace, "name", record.Owner.Name,
		"outcome", result.Outcome, "spent", record.Spent.Short())
	if result.Outcome != rotation.Committed {
		return false
	}
	// The old token has been dead since before this process began, so what is derived from the pair is written
	// before there is a leader and a cache.
	looking, cancel := r.clock.WithTimeout(ctx, replayLookTimeout)
	defer cancel()
	token, err := r.resources.Resource(looking, types.NamespacedName{Namespace: record.Owner.Namespace, Name: record.Owner.Name})
	if err == nil && token != nil && string(token.UID) == record.Owner.UID && token.DeletionTimestamp.IsZero() {
		r.reporter.Stored(log, token, result.Pair, true)
	}
	return true
}
