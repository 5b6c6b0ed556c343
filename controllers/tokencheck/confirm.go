package tokencheck

import (
	"context"
	"time"

	"github.com/go-logr/logr"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const (
	// noticeYoung is for how long after its issue a token is not believed to be dead although GitHub has sent
	// notice that it is: far shorter than without a notice.
	noticeYoung = 5 * time.Second
	// noticeConfirm is the time between the two checks after a notice.
	noticeConfirm = 300 * time.Millisecond
	// noticeTries is how often one token is checked after a notice.
	noticeTries = 6
	// maxNoticePause is the longest wait between two checks after a notice.
	maxNoticePause = 15 * time.Second
)

// noticeBackoff is between two checks after a notice, while GitHub says nothing.
var noticeBackoff = backoff.Backoff{First: time.Second, Max: maxNoticePause}

// Confirm asks GitHub about one token after a webhook's notice that its authorization was revoked, and once more
// when it seems dead: a notice is a reason to ask, no proof. The pair is known by its metadata. It blocks for as
// long as that takes, or until the context ends, and is safe in any replica: what it finds is written under the
// Secret's resourceVersion.
func (c *Checks) Confirm(ctx context.Context, token *v1alpha1.GitHubUserToken, pair *rotation.Pair) {
	if string(token.UID) != pair.Owner.UID || !token.DeletionTimestamp.IsZero() {
		return
	}
	t := target{
		owner: pair.Owner, ref: pair.Ref, app: c.options.App(ctx, token), token: pair.State.AccessToken,
		knownDead: scope.IsAccessTokenDead(&pair.State),
	}
	if t.knownDead || t.app.Key() != pair.State.App || c.options.GitHub.CheckHost(t.app.Host) != nil {
		return
	}
	// It is not begun anew when it has its turn, and must leave the place of the resource's own checks alone.
	t.queueID = "notice " + string(t.uid()) + " " + string(t.token)
	defer c.options.GitHub.Cancel(t.queueID)
	log := logr.FromContextOrDiscard(ctx)
	for try, deaths := 1, 0; ; try++ {
		pause := noticeConfirm
		switch found, retryAfter, _ := c.ask(ctx, t, noticeYoung); found {
		case alive:
			log.Info("GitHub sent a notice, but says that this token is alive")
			return
		case dead:
			if deaths++; deaths == 2 {
				c.markRevoked(ctx, t)
				return
			}
		case waiting:
			pause = min(retryAfter, restlimit.PollEvery) // A turn is held for some seconds only.
		default:
			pause = min(max(noticeBackoff.After(try), retryAfter), maxNoticePause)
		}
		if try == noticeTries || c.options.Clock.Sleep(ctx, pause) != nil {
			log.Info("GitHub sent a notice, but does not say whether this token is alive; the next check or refresh will tell")
			return
		}
	}
}
