package revocation

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Ending is what came of one try to revoke the pair of a resource that stays.
type Ending struct {
	// Revoked reports that GitHub has ended it, and GivenUp that it cannot be brought to, of which an event tells.
	Revoked, GivenUp bool
	// TurnAt is about when it is its turn, by the wall clock; zero when it does not wait for one.
	TurnAt time.Time
}

// EndPair makes one try to revoke the pair in a Secret of a resource that stays, read live. What the Secret's state does not speak of is not of
// the login that is to end, and is left alone. Nobody else must be at work for the resource meanwhile. An error is why GitHub has not ended it; it is worth another try.
func (r *Revoker) EndPair(ctx context.Context, token *v1alpha1.GitHubUserToken, live *rotation.Pair) (Ending, error) {
	app := r.options.App(ctx, token)
	p, issuer := pairOf(live, app)
	if p.access.Fingerprint() != live.State.AccessToken {
		p.access = credential.AccessToken{}
	}
	if p.refresh.Fingerprint() != live.State.RefreshToken {
		p.refresh = credential.RefreshToken{}
	}
	id := string(token.UID)
	err := r.revokePair(ctx, asker{
		who:  restlimit.Caller{UID: types.UID(id), Namespace: token.Namespace},
		turn: func(host string) *waitingError { return r.acquire(host, id, token.Namespace) },
		left: maxTurnTime,
	}, issuer, p)
	if waiting, ok := errors.AsType[*waitingError](err); ok {
		return Ending{TurnAt: waiting.until}, nil
	}
	r.Leave(token.UID)
	switch {
	case err == nil:
		revocations.WithLabelValues(resultRevoked).Inc()
		return Ending{Revoked: true}, nil
	case isHopeless(err):
		r.giveUp(token, remainsOf(p), err)
		return Ending{GivenUp: true}, nil
	default:
		return Ending{}, err
	}
}

// Leave gives up the turn that a resource waits for.
func (r *Revoker) Leave(uid types.UID) { r.cancel(string(uid)) }
