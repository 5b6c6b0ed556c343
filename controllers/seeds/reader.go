package seeds

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// ReaderOptions configure a Reader. All but Monotonic are required.
type ReaderOptions struct {
	// Source reads Secrets.
	Source Source
	// Versions knows which versions of them there are.
	Versions Versions
	// Monotonic is the clock by which reads are paced; see PacedError. May be nil: they are not.
	Monotonic func() time.Duration
}

// Reader reads seeds and client secrets. Make it with NewReader; it is safe for concurrent use.
type Reader struct {
	options  ReaderOptions
	findings *findings
	pace     pace
	// changed is told of each namespace in which a Secret was found to hold something else than before. May be nil.
	changed func(namespace string)
}

// NewReader makes a Reader.
func NewReader(options ReaderOptions) *Reader {
	return &Reader{options: options, findings: newFindings(options.Versions), pace: pace{now: options.Monotonic, paid: map[string]time.Duration{}}}
}

// Look finds out what the seed of a resource holds, when there is a reason to know: no pair yet, a changed
// reference, or a version of the Secret that the chain has not seen. Otherwise it returns the empty seed. pair
// is nil when there is none.
//
// A new spec is a reason of its own: it may name a Secret whose last change the watch let pass, because nobody
// named it then. It remains the caller's to say until Look has returned without an error. Of a version that was known before
// it was read that is not so, and while much is read of the Secrets of the namespace such a version is not read again.
func (r *Reader) Look(ctx context.Context, token *v1alpha1.GitHubUserToken, pair *rotation.Pair, newSpec bool) (scope.Seed, error) {
	if token.Spec.RefreshTokenRef == nil {
		return scope.Seed{}, nil
	}
	ref := seedOf(token)
	if newSpec {
		if found, ok := r.findings.confirmed(ref); ok && r.pace.isBusy(token.Namespace) {
			return found.seed, nil
		}
		return r.readSeed(ctx, token)
	}
	if latest, known := r.options.Versions.Version(ref.secret); isSettled(token, pair, latest, known) {
		return scope.Seed{}, nil
	}
	if found, ok := r.findings.get(ref); ok {
		return found.seed, nil
	}
	return r.readSeed(ctx, token)
}

// IsSettled reports whether a pair, nil for none, says what became of the seed as the watch has it.
func (r *Reader) IsSettled(token *v1alpha1.GitHubUserToken, pair *rotation.Pair) bool {
	latest, known := r.options.Versions.Version(seedOf(token).secret)
	return known && isSettled(token, pair, latest, known)
}

// isSettled reports whether the pair says already what became of the seed, so that there is no reason to look
// at it.
func isSettled(token *v1alpha1.GitHubUserToken, pair *rotation.Pair, latest string, known bool) bool {
	if pair == nil || !pair.Controlled || (!pair.State.HasToken() && pair.State.PendingSeed == "") {
		return false
	}
	if pair.LoginFromSeed() != "" {
		return false // What becomes of it depends on whether the seed still holds it.
	}
	ref := seedOf(token)
	switch {
	case known && latest == "":
		return true // The seed was deleted after its import, which changes nothing.
	case !ref.isIn(pair.State.SeedVersion):
		return false
	case !known:
		// After a start a seed of which the status tells is looked at before the watch has heard of it, so that the
		// report does not change to and fro.
		return !tellsOfSeed(token)
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
	ref := seedOf(token)
	secret, err := r.read(ctx, ref.secret, ref.key)
	if err != nil {
		return scope.Seed{}, credential.RefreshToken{}, fmt.Errorf("read the seed: %w", err)
	}
	found := find(ref, secret, r.findings.key).seed
	if found.Problem != nil {
		return found, credential.RefreshToken{}, nil
	}
	return found, credential.NewRefreshToken(valueOf(ref, secret).text), nil
}

func (r *Reader) readSeed(ctx context.Context, token *v1alpha1.GitHubUserToken) (scope.Seed, error) {
	found, _, err := r.Read(ctx, token)
	return found, err
}

// read reads a Secret live and remembers what stands under the keys. Errors: *PacedError, and those of the source.
func (r *Reader) read(ctx context.Context, name types.NamespacedName, keys ...string) (*Secret, error) {
	if err := r.pace.check(name.Namespace); err != nil {
		return nil, err
	}
	return r.readNow(ctx, name, keys...)
}

// readNow is read for whoever keeps to a pace of his own.
func (r *Reader) readNow(ctx context.Context, name types.NamespacedName, keys ...string) (*Secret, error) {
	before := r.findings.told(name)
	secret, err := r.options.Source.ReadSecret(ctx, name)
	if err != nil {
		return nil, err // The caller wraps it and says what was to be read.
	}
	r.pace.add(name.Namespace, secret.size())
	if r.findings.note(name, secret, before, keys...) && r.changed != nil {
		r.changed(name.Namespace)
	}
	return secret, nil
}

// Recheck finds out which of the named keys of a Secret hold something else than those who name it were last told, or
// may do so. That is what it is called for at each change of the Secret: most of them are of other keys, or of
// metadata. It reads the Secret unless somebody has done so since; size is how many bytes that were. first says that it is
// the first that is heard of the Secret: then nothing is read that nobody has looked at yet, as at a start.
func (r *Reader) Recheck(ctx context.Context, name types.NamespacedName, keys []string, first bool) (changed []string, size int, err error) {
	changed = r.findings.unknown(name, keys)
	if first && len(changed) == len(keys) {
		return changed, 0, nil
	}
	if slices.ContainsFunc(keys, func(key string) bool {
		_, ok := r.findings.get(reference{name, key})
		return !ok
	}) {
		secret, err := r.readNow(ctx, name, keys...)
		if err != nil {
			return nil, 0, err
		}
		size = secret.size()
	}
	return append(changed, r.findings.announce(name, keys)...), size, nil
}

// Forget drops what is known of a Secret that no resource names any more.
func (r *Reader) Forget(secret types.NamespacedName) {
	r.options.Versions.Forget(secret)
	r.findings.forget(secret)
}
