package revocation

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// quietTries is how many tries may fail before the status tells of it.
const quietTries = 2

// Unadmitted is the Rotator's End: it revokes a pair that was received and must not be stored. It blocks until
// GitHub has done so, or there is no use in asking again, or for two minutes, and for ten where it waits for its turn. The
// exchange that has brought the pair goes on until then, so that no other of its resource begins, and takes no place.
func (r *Revoker) Unadmitted(ctx context.Context, app github.App, record rotation.Record, received github.Tokens) {
	if r.options.Unwanted != nil {
		r.options.Unwanted(record.ID)
	}
	log, err := logr.FromContext(ctx)
	if err != nil {
		log = r.options.Log
	}
	log = log.WithValues("namespace", record.Owner.Namespace, "name", record.Owner.Name)
	token := r.find(ctx, record.Owner)
	if token != nil {
		if known := r.options.App(ctx, token); known.Key() == record.App && !known.ClientSecret.IsZero() {
			app.ClientSecret = known.ClientSecret
		}
	}
	p := pair{
		app: record.App, access: received.AccessToken, refresh: received.RefreshToken,
		issued: record.Reply.SentAt, expires: received.ExpiresAt,
	}
	// It is no resource's own work, so that nobody is woken for it: it comes back when its turn should have come.
	id := "unadmitted " + string(p.tokens().refresh+p.tokens().access)
	asker := asker{
		who:  restlimit.Caller{UID: types.UID(record.Owner.UID), Namespace: record.Owner.Namespace, QueueID: id},
		turn: func(host string) *waitingError { return r.acquire(host, id, record.Owner.Namespace) },
	}
	defer r.cancel(id)
	defer r.options.GitHub.Cancel(id)
	began, most := r.options.Clock.Monotonic(), maxTime
	for failures := 1; ; failures++ {
		asker.left = maxTurnTime - (r.options.Clock.Monotonic() - began)
		err := r.revokePair(ctx, asker, app, p)
		if err == nil {
			revocations.WithLabelValues(resultRevoked).Inc()
			log.Info("A pair that must not be stored was revoked at GitHub")
			return
		}
		pause := pauseAfter(err, failures)
		if waiting, ok := errors.AsType[*waitingError](err); ok {
			asker.secretOnly = waiting.in.only
			// A turn is held for some seconds only, and may come earlier than it was thought. What has waited for one is to have
			// time for its request as well.
			most, pause = maxTurnTime, min(max(time.Until(waiting.until), time.Second), restlimit.PollEvery)
		}
		left := most - (r.options.Clock.Monotonic() - began)
		if isHopeless(err) || left <= 0 {
			log.Info("A pair that must not be stored could not be revoked at GitHub", "why", words.Of(err), "expires", p.expires)
			r.giveUp(token, remainsOf(p), err)
			return
		}
		r.options.Runner.StandAside(types.UID(record.Owner.UID))
		if token != nil && failures > quietTries {
			r.options.ReportTrouble(record.Owner, "GitHub has issued a new pair that must not be stored. Nothing else is exchanged for this resource until the pair is revoked, or for ten minutes at most: "+
				words.Of(err)+". After that the status says why it must not be stored.")
		}
		_ = r.options.Clock.Sleep(ctx, min(pause, left))
	}
}

// find is the resource of an owner's name; nil when there is none, or it cannot be read.
func (r *Revoker) find(ctx context.Context, owner rotation.Owner) *v1alpha1.GitHubUserToken {
	token, err := r.options.Find(ctx, owner)
	if err != nil {
		return nil
	}
	return token
}
