package controllers

import (
	"context"
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Replay begins a flight for each pair that an earlier life of this pod received and did not store. It is
// called before the manager starts, and needs no leader lease: a reply is committed only over the very
// token that it was got for.
func (r *Reconciler) Replay(log logr.Logger, records []rotation.Record) {
	byOwner := map[types.UID][]rotation.Record{}
	for _, record := range records {
		uid := types.UID(record.Owner.UID)
		byOwner[uid] = append(byOwner[uid], record)
	}
	for uid, records := range byOwner {
		err := r.Flights.StartReplay(uid, func() {
			for _, record := range records {
				r.replayOne(log, record)
			}
		})
		if err != nil {
			log.Error(err, "A pair in the outbox has to wait for the next start", "namespace", records[0].Owner.Namespace, "name", records[0].Owner.Name)
		}
	}
}

// replayKept replays what a flight that ended in a panic has left in the outbox, and says whether a pair was
// stored. It is part of that flight.
func (r *Reconciler) replayKept(log logr.Logger, owner rotation.Owner) (stored bool) {
	records, err := r.Outbox.List()
	if err != nil {
		log.Error(err, "Not all of the outbox could be read")
	}
	for _, record := range records {
		if record.Owner == owner {
			stored = r.replayOne(log, record) || stored
		}
	}
	return stored
}

// replayOne says whether the pair was stored.
func (r *Reconciler) replayOne(log logr.Logger, record rotation.Record) (stored bool) {
	name := types.NamespacedName{Namespace: record.Owner.Namespace, Name: record.Owner.Name}
	host, clientID, _ := strings.Cut(record.App, "/")
	result := r.Rotator.Replay(context.Background(), github.App{Host: host, ClientID: clientID}, record)
	observe(result)
	r.memories.remember(types.UID(record.Owner.UID), result.Pair)
	log.Info("A pair from the outbox was dealt with", "namespace", name.Namespace, "name", name.Name,
		"outcome", result.Outcome, "spent", record.Spent.Short())
	if result.Outcome != rotation.Committed {
		return false
	}
	r.publishReplayed(log, record.Owner, result.Pair)
	return true
}
