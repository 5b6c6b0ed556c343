package seeds

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// ReaderOptions configure a Reader. All are required.
type ReaderOptions struct {
	// Source reads Secrets.
	Source Source
	// Versions knows which versions of them there are.
	Versions Versions
	// Memory keeps what was found, with the resource.
	Memory *memory.Store
}

// Reader reads seeds and client secrets. Make it with NewReader; it is safe for concurrent use.
type Reader struct {
	options ReaderOptions
	// notes holds, of each resource, the seed that it named when it was last read: one note, however often its
	// spec changes.
	notes memory.Slot[note]
}

// note is what was found under a reference.
type note struct {
	ref  reference
	seed scope.Seed
}

// NewReader makes a Reader.
func NewReader(options ReaderOptions) *Reader {
	return &Reader{options: options, notes: memory.NewSlot[note](options.Memory)}
}

// Look finds out what the seed of a resource holds, when there is a reason to know: no pair yet, a changed
// reference, or a version of the Secret that the chain has not seen. Otherwise it returns the empty seed. pair
// is nil when there is none.
//
// A new spec is a reason of its own: it may name a Secret whose last change the watch let pass, because nobody
// named it then. It remains the caller's to say until Look has returned without an error.
func (r *Reader) Look(ctx context.Context, token *v1alpha1.GitHubUserToken, pair *rotation.Pair, newSpec bool) (scope.Seed, error) {
	if token.Spec.RefreshTokenRef == nil {
		r.notes.Drop(token.UID)
		return scope.Seed{}, nil
	}
	ref := seedOf(token)
	if newSpec {
		found, value, err := r.read(ctx, token)
		if err == nil {
			r.options.Versions.Learn(ref.secret, value.version)
		}
		return found, err
	}
	latest, known := r.options.Versions.Version(ref.secret)
	if isSettled(token, pair, latest, known) {
		return scope.Seed{}, nil
	}
	if found, seen := r.remembered(token.UID, ref); seen && (!known || found.Version == ref.at(latest)) {
		return found, nil
	}
	found, _, err := r.read(ctx, token)
	return found, err
}

// isSettled reports whether the pair says already what became of the seed, so that there is no reason to look
// at it.
func isSettled(token *v1alpha1.GitHubUserToken, pair *rotation.Pair, latest string, known bool) bool {
	if pair == nil || !pair.Controlled || (!pair.State.HasToken() && pair.State.PendingSeed == "") {
		return false
	}
	ref := seedOf(token)
	switch {
	case known && latest == "":
		return true // The seed was deleted after its import, which changes nothing.
	case !ref.isIn(pair.State.SeedVersion):
		return false
	case !known:
		// After a start a seed that the status calls unusable is looked at before the watch has heard of it, so
		// that the report does not change to and fro.
		return !tellsOfUnusable(token)
	default:
		return pair.State.SeedVersion == ref.at(latest)
	}
}

// Read reads the seed of a resource live and remembers what was found. The token is zero when the seed has a
// problem, and both are when the spec names no seed.
func (r *Reader) Read(ctx context.Context, token *v1alpha1.GitHubUserToken) (scope.Seed, credential.RefreshToken, error) {
	if token.Spec.RefreshTokenRef == nil {
		return scope.Seed{}, credential.RefreshToken{}, nil
	}
	found, value, err := r.read(ctx, token)
	if err != nil || found.Problem != nil {
		return found, credential.RefreshToken{}, err
	}
	return found, credential.NewRefreshToken(value.text), nil
}

func (r *Reader) read(ctx context.Context, token *v1alpha1.GitHubUserToken) (scope.Seed, value, error) {
	ref := seedOf(token)
	read, err := r.value(ctx, ref)
	if err != nil {
		return scope.Seed{}, value{}, fmt.Errorf("read the seed: %w", err)
	}
	found := scope.Seed{Version: ref.at(read.version), Problem: problemOf(ref, read)}
	if found.Problem == nil {
		found.Fingerprint = credential.NewRefreshToken(read.text).Fingerprint()
	}
	r.notes.With(token.UID, func(n *note) { *n = note{ref: ref, seed: found} })
	return found, read, nil
}

// problemOf is why what was read is no refresh token; nil when it may be one.
func problemOf(ref reference, read value) *problem.Problem {
	trouble := &problem.Problem{Reason: v1alpha1.ReasonRefreshTokenMissing, Message: read.missing, Unauthorized: true, Stalled: true}
	if read.missing == "" {
		fault := malformed(read.text)
		if fault == "" {
			return nil
		}
		trouble.Reason = v1alpha1.ReasonRefreshTokenMalformed
		trouble.Message = fmt.Sprintf("The value of key %q in Secret %q is not a refresh token: %s", ref.key, ref.secret.Name, fault)
	}
	trouble.Message += ". Put the user's refresh token (ghr_…) there."
	return trouble
}

// remembered is what was last found, if it was found under this reference.
func (r *Reader) remembered(uid types.UID, ref reference) (found scope.Seed, seen bool) {
	r.notes.Peek(uid, func(n *note) {
		if n.ref == ref {
			found, seen = n.seed, true
		}
	})
	return found, seen
}

// Forget drops what is known of a Secret that no resource names any more. What was found in it goes with the
// resource that named it, or when that names another.
func (r *Reader) Forget(secret types.NamespacedName) { r.options.Versions.Forget(secret) }
