package revocation

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// errAppUnknown: it is not known which host a pair belongs to, so that it is shown to none.
var errAppUnknown = errors.New("it is not known which App the token belongs to: the one that spec.app refers to cannot be used, and the Secret does not say")

// errCodeUnknown: nobody has the tokens that GitHub may have given for a code, so that they cannot be revoked here.
var errCodeUnknown = errors.New("the code of a login by the web flow was sent to GitHub and no answer is known, so that tokens that it may have given for it were not revoked")

// revokeEach revokes the pairs in all Secrets of a resource. It returns what is left of one that it could not
// revoke, if it can one that is worth another try.
func (r *Revoker) revokeEach(ctx context.Context, token *v1alpha1.GitHubUserToken) (remains, error) {
	refs, err := r.options.Refs(ctx, token)
	if err != nil {
		return remains{}, err
	}
	app := r.options.App(ctx, token)
	asker := asker{
		who: restlimit.Caller{UID: token.UID, Namespace: token.Namespace}, turn: r.turnOf(token), left: r.leftFor(token, maxTurnTime),
	}
	var living remains
	var failed error
	for _, ref := range refs {
		live, err := r.options.Store.Get(ctx, ref)
		switch {
		case errors.Is(err, rotation.ErrNotFound):
			continue
		case err != nil:
			return remains{}, err
		case !live.GoesWith(string(token.UID)):
			continue
		}
		if live.State.App == "" && app.ClientID == "" {
			living, failed = remains{access: !live.AccessToken.IsZero(), refresh: !live.RefreshToken.IsZero(), expires: live.State.ExpiresAt}, errAppUnknown
			continue
		}
		p, issuer := pairOf(live, app)
		if web := live.State.Web; failed == nil && web.IsDoubtful() && !live.State.HasImported(web.Sent) {
			living, failed = remains{host: p.host(), refresh: true}, errCodeUnknown
		}
		if r.hasRevoked(token.UID, p) {
			continue
		}
		held, err := r.heldElsewhere(ctx, token, live)
		if err != nil {
			return remains{}, err
		}
		if held {
			r.noteRevoked(token.UID, p) // It goes with its own resource.
			continue
		}
		if err := r.revokePair(ctx, asker, issuer, p); err == nil {
			r.noteRevoked(token.UID, p)
		} else if failed == nil || isHopeless(failed) {
			living, failed = remainsOf(p), err
		}
	}
	return living, failed
}

// pairOf is the pair in a Secret, and the App that it is of as it is known here. app is that of the resource.
func pairOf(live *rotation.Pair, app github.App) (p pair, issuer github.App) {
	p, issuer = pair{
		app: app.Key(), access: live.AccessToken, refresh: live.RefreshToken,
		issued: live.State.IssuedAt, expires: live.State.ExpiresAt, verdict: live.State.Verdict, ended: live.State.AccessTokenEnded,
	}, app
	if live.State.App != "" && live.State.App != app.Key() {
		p.app = live.State.App
		issuer = github.App{Host: p.host()} // Its credentials are not known here any more.
	}
	return p, issuer
}

// heldElsewhere reports whether a pair is the copy of another resource's: to revoke it would end that one's chain.
func (r *Revoker) heldElsewhere(ctx context.Context, token *v1alpha1.GitHubUserToken, live *rotation.Pair) (bool, error) {
	if r.options.HeldElsewhere == nil {
		return false, nil
	}
	return r.options.HeldElsewhere(ctx, token, live)
}

// HasRevoked reports whether GitHub has revoked the pair of a state, of a resource that is being deleted.
func (r *Revoker) HasRevoked(uid types.UID, state *rotation.State) (revoked bool) {
	r.notes.Peek(uid, func(n *note) { revoked = n.revoked[tokens{state.AccessToken, state.RefreshToken}] })
	return revoked
}

func (r *Revoker) hasRevoked(uid types.UID, p pair) (revoked bool) {
	r.notes.Peek(uid, func(n *note) { revoked = n.revoked[p.tokens()] })
	return revoked
}

func (r *Revoker) noteRevoked(uid types.UID, p pair) {
	r.notes.With(uid, func(n *note) {
		if n.revoked == nil {
			n.revoked = map[tokens]bool{}
		}
		n.revoked[p.tokens()] = true
	})
}
