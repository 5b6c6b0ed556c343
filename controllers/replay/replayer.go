package replay

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// panicBackoff is for how long a replay rests that ended in a panic of the operator.
var panicBackoff = backoff.Backoff{First: time.Minute, Max: retry.Max}

// Reporter is told of what a replay has done; see lifecycle.Reporter.
type Reporter interface {
	Stored(log logr.Logger, token *v1alpha1.GitHubUserToken, pair *rotation.Pair, replayed bool)
	Observed(result rotation.Result)
	Panicked(uid types.UID)
}

// Options are what a Replayer is made of.
type Options struct {
	Rotator *rotation.Rotator
	Outbox  interface {
		// List returns what the outbox holds, also when not all of it can be read.
		List() ([]rotation.Record, error)
	}
	Resources interface {
		// Resource reads a resource live; nil when there is none.
		Resource(ctx context.Context, name types.NamespacedName) (*v1alpha1.GitHubUserToken, error)
	}
	Reporter Reporter
	// Remember is told of the pair Secret as it was written.
	Remember func(uid types.UID, pair *rotation.Pair)
	Memory   *memory.Store
	Runner   *runner.Runner
	Clock    rotation.Clock
	// PassPanic says which panics are not the operator's own and are passed on; nil for none.
	PassPanic func(cause any) bool
}

// Replayer stores what the outbox still holds: of an earlier life of this pod, or of work that has ended in a panic.
type Replayer struct{ Options }

// New makes a Replayer.
func New(options Options) *Replayer { return &Replayer{options} }

// Start starts storing each pair that an earlier life of this pod received and did not store. It is called
// before anything is reconciled, and needs no leader lease: a reply is committed only over the very token that
// it was got for.
func (r *Replayer) Start(log logr.Logger, records []rotation.Record) {
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
		r.Memory.Learn(uid, types.NamespacedName{Namespace: owner.Namespace, Name: owner.Name})
		err := r.Runner.StartReplay(runner.Subject{UID: uid, Namespace: owner.Namespace, Operation: runner.Replay}, func() { r.all(log, owner, records) })
		if err != nil {
			log.Error(err, "A pair in the outbox has to wait for the next start", "namespace", owner.Namespace, "name", owner.Name)
		}
	}
}

// all replays the records of one resource.
func (r *Replayer) all(log logr.Logger, owner rotation.Owner, records []rotation.Record) {
	r.DespitePanics(log, owner, func() {
		for _, record := range records {
			r.one(log, record)
		}
	}, func() { r.Kept(log, owner) })
}

// DespitePanics runs a replay, and after each panic kept, which replays what is in the outbox. A panic must
// not leave what has not been stored yet to the next start, nor the resource to another exchange of the same token:
// what is still in the outbox is tried again after a rest.
func (r *Replayer) DespitePanics(log logr.Logger, owner rotation.Owner, replay, kept func()) {
	for failures := 1; r.panics(replay); failures++ {
		r.Reporter.Panicked(types.UID(owner.UID))
		log.Error(errors.New("panic during a replay"), "A pair in the outbox could not be stored; it is tried again. Please report it", "namespace", owner.Namespace, "name", owner.Name)
		r.Runner.StandAside(types.UID(owner.UID))
		_ = r.Clock.Sleep(context.Background(), panicBackoff.After(failures))
		replay = kept
	}
}

// panics runs a function and reports whether it ended in a panic.
func (r *Replayer) panics(run func()) (panicked bool) {
	defer func() {
		cause := recover()
		if cause != nil && r.PassPanic != nil && r.PassPanic(cause) {
			panic(cause)
		}
		panicked = cause != nil
	}()
	run()
	return false
}

// Kept replays what an exchange that ended in a panic has left in the outbox, and reports whether a pair
// was stored. It is part of that work.
func (r *Replayer) Kept(log logr.Logger, owner rotation.Owner) (stored bool) {
	records, err := r.Outbox.List()
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
func (r *Replayer) one(log logr.Logger, record rotation.Record) (stored bool) {
	ctx := context.Background()
	host, clientID, _ := strings.Cut(record.App, "/")
	result := r.Rotator.Replay(ctx, github.App{Host: host, ClientID: clientID}, record)
	r.Reporter.Observed(result)
	r.Remember(types.UID(record.Owner.UID), result.Pair)
	log.Info("A pair from the outbox was dealt with", "namespace", record.Owner.Namespace, "name", record.Owner.Name,
		"outcome", result.Outcome, "spent", record.Spent.Short())
	if result.Outcome != rotation.Committed {
		return false
	}
	// The old token has been dead since before this process began, so what is derived from the pair is written
	// before there is a leader and a cache.
	looking, cancel := r.Clock.WithTimeout(ctx, replayLookTimeout)
	defer cancel()
	token, err := r.Resources.Resource(looking, types.NamespacedName{Namespace: record.Owner.Namespace, Name: record.Owner.Name})
	if err == nil && token != nil && string(token.UID) == record.Owner.UID && token.DeletionTimestamp.IsZero() {
		r.Reporter.Stored(log, token, result.Pair, true)
	}
	return true
}
