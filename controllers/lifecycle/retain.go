package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/leftovers"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/compared"
)

// letGo leaves a pair behind for the next resource of its owner's name. What admission makes of that nobody could mend
// later: with an owner the garbage collector takes the Secret, and without its state nobody can tell any more whose it was.
// So it is tried first without being written, and our finalizer stays on the Secret until it was seen to be let go of.
// Whoever dies before that leaves a pair that is nobody's any more, and a resource that is still there; see leftovers.IsLeft. Whoever was
// stopped, and goes on when the resource is gone, has read a Secret that came from a backup since: that is let go of by nobody.
func (f *finalizer) letGo(ctx context.Context, token *v1alpha1.GitHubUserToken, pair, next *rotation.Pair) error {
	uid := token.UID
	next.State.RetainedBy = f.rotator.NewID()
	if now, err := f.api.Resource(ctx, scope.NameOf(token)); err != nil {
		return fmt.Errorf("look whether the resource is still there before its pair is retained: %w", err)
	} else if now == nil || now.UID != uid {
		return nil
	}
	would, err := f.api.Try(ctx, pair, next)
	switch {
	case err == nil:
		err = compared.Compare(pair, next, would)
	case errors.Is(err, rotation.ErrNotFound):
		return nil
	case errors.Is(err, rotation.ErrDenied):
		err = nil // The dry run may be all that is refused. Otherwise the write is as well.
	}
	if err != nil {
		return fmt.Errorf("see whether the pair can be retained: %w", err)
	}
	f.notes.With(uid, func(m *note) {
		m.left, m.leftTokens, m.leftAltered, m.leftUnanswered = next.WithoutTokens(), tokensIn(next), false, false
	})
	left, err := f.rotator.Store.Update(ctx, pair, next)
	if errors.Is(err, rotation.ErrNotFound) {
		return nil
	}
	f.noteAnswer(uid, err)
	if err != nil {
		return fmt.Errorf("retain the pair: %w", err)
	}
	return f.unprotect(ctx, uid, left)
}

// noteAnswer notes what the answer to a write has shown of it, or that none has come: then nobody has compared what is stored.
func (f *finalizer) noteAnswer(uid types.UID, err error) {
	switch {
	case err == nil, isPassing(err), errors.Is(err, rotation.ErrDenied):
	case errors.Is(err, rotation.ErrAltered):
		f.notes.With(uid, func(m *note) { m.leftAltered = true })
	default:
		f.notes.With(uid, func(m *note) { m.leftUnanswered = true })
	}
}

// unprotect takes our finalizer off a pair that was let go of.
func (f *finalizer) unprotect(ctx context.Context, uid types.UID, left *rotation.Pair) error {
	stored, err := f.api.Release(ctx, left)
	if err == nil && stored != nil {
		err = compared.Compare(left, left, stored)
	}
	f.noteAnswer(uid, err)
	if err != nil {
		return fmt.Errorf("take the finalizer off the retained pair: %w", err)
	}
	return nil
}

// leftBehind are the Secrets that an earlier try has let go of, under whatever name. They belong to nobody any more, and our
// finalizer may still be on them. Those that are known already are left out.
func (f *finalizer) leftBehind(ctx context.Context, token *v1alpha1.GitHubUserToken, known []rotation.Ref) (refs []rotation.Ref, err error) {
	pairs, err := f.observer.cache.SecretsFor(ctx, scope.NameOf(token))
	if err != nil {
		return nil, fmt.Errorf("look for Secrets that were let go of: %w", err)
	}
	for _, pair := range pairs {
		if leftovers.IsLeft(pair, token.Name) {
			refs = append(refs, pair.Ref)
		}
	}
	f.notes.Peek(token.UID, func(m *note) {
		if m.left != nil {
			refs = append(refs, m.left.Ref) // The cache may not show it yet.
		}
	})
	return slices.DeleteFunc(refs, func(ref rotation.Ref) bool { return slices.Contains(known, ref) }), nil
}

// amiss is what is to be stored of a Secret that this process has let go of, where admission has made something else of it;
// nil where that is what stands there, or somebody has stored another pair in it since. What says of itself that it was
// retained another process may have let go of, with something newer, unless an answer has shown that it is admission's work,
// or none has come, and it is this process's write by its name.
func (f *finalizer) amiss(uid types.UID, pair *rotation.Pair) (next *rotation.Pair) {
	f.notes.Peek(uid, func(m *note) {
		if m.left == nil || m.left.UID != pair.UID || m.leftTokens != tokensIn(pair) || pair.Controlled || pair.Deleting {
			return
		}
		isOurs := m.leftUnanswered && pair.State.RetainedBy == m.left.State.RetainedBy
		if pair.IsRetained() && !pair.StateLost && !m.leftAltered && !isOurs {
			return
		}
		next = pair.Clone()
		next.State, next.StateLost, next.Intent, next.Orphan = m.left.State.Clone(), false, m.left.Intent, true
		if compared.Compare(pair, next, pair) == nil {
			next = nil
		}
	})
	return next
}

// tokensIn names the tokens that a Secret holds, whatever its state says.
func tokensIn(pair *rotation.Pair) tokens {
	return tokens{pair.AccessToken.Fingerprint(), pair.RefreshToken.Fingerprint()}
}
