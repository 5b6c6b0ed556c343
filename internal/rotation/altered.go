package rotation

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/jsonfields"
)

// ErrAltered: the write was made, but what is stored is not what was written: admission has altered it on its way, and the
// API server has answered as if nothing were wrong.
var ErrAltered = errors.New("an admission webhook or policy alters what the operator writes")

// Compared is a Store that compares what is stored with what was written. With ErrAltered its Create and Update return
// the Secret as it is stored. Labels, annotations and keys that are not the pair's are of no concern.
type Compared struct{ Store }

// Create implements Store.
func (s Compared) Create(ctx context.Context, pair *Pair) (*Pair, error) {
	stored, err := s.Store.Create(ctx, pair)
	if err != nil {
		return stored, err
	}
	sent := new(*pair)
	sent.Controlled, sent.Orphan = true, false
	return stored, Compare(new(Pair), sent, stored)
}

// Update implements Store.
func (s Compared) Update(ctx context.Context, current, next *Pair) (*Pair, error) {
	stored, err := s.Store.Update(ctx, current, next)
	if err != nil {
		return stored, err
	}
	return stored, Compare(current, next, stored)
}

// Compare is ErrAltered with what is stored otherwise than it was sent; nil when nothing is. Data of which the writer knew
// nothing, as when it had only the metadata, are not compared.
func Compare(current, sent, stored *Pair) error {
	var altered []string
	differs := func(what string, is bool) {
		if is {
			altered = append(altered, what)
		}
	}
	differs("the owner reference", sent.Controlled && !stored.belongsTo(sent.Owner) || sent.Orphan && !stored.Orphan)
	differs("annotation "+v1alpha1.AnnotationState, stored.StateLost && !sent.StateLost || !jsonfields.Same(sent.State, stored.State))
	differs("annotation "+v1alpha1.AnnotationIntent, !jsonfields.Same(sent.Intent, stored.Intent))
	for _, key := range []struct {
		name                  string
		current, sent, stored credential.Fingerprint
	}{
		{v1alpha1.KeyAccessToken, current.AccessToken.Fingerprint(), sent.AccessToken.Fingerprint(), stored.AccessToken.Fingerprint()},
		{v1alpha1.KeyRefreshToken, current.RefreshToken.Fingerprint(), sent.RefreshToken.Fingerprint(), stored.RefreshToken.Fingerprint()},
		{v1alpha1.KeySeedRefreshToken, current.SeedToken.Fingerprint(), sent.SeedToken.Fingerprint(), stored.SeedToken.Fingerprint()},
		{v1alpha1.KeyDeviceCode, current.DeviceCode.Fingerprint(), sent.DeviceCode.Fingerprint(), stored.DeviceCode.Fingerprint()},
	} {
		known := key.current != "" || key.sent != ""
		differs("key "+key.name, known && key.sent != key.stored)
	}
	if len(altered) == 0 {
		return nil
	}
	return fmt.Errorf("%w: in Secret %s/%s, %s is not as it was written", ErrAltered, stored.Ref.Namespace, stored.Ref.Name, strings.Join(altered, ", "))
}

// unsent is a fence under which nothing was sent, since admission has altered it.
type unsent struct {
	// intent is what was written, and version that of the Secret in which something else is stored.
	intent  *Intent
	version string
}

// markAltered notes that nothing was sent under an intent, of which the Secret does not tell.
func (r *Rotator) markAltered(owner Owner, intent *Intent, stored *Pair) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.altered == nil {
		r.altered = map[string]unsent{}
	}
	r.altered[owner.UID] = unsent{intent: intent, version: stored.Version}
}

// before is the intent that stood in the Secret before a new one for the same token and App; nil when there was none. What
// admission has made of an intent of this process, or has taken away, is known as it was written.
func (r *Rotator) before(job Job, next *Intent) *Intent {
	isFor := func(i *Intent) bool { return i != nil && i.Spends == next.Spends && i.App == next.App }
	r.mu.Lock()
	own := r.altered[job.Owner.UID]
	r.mu.Unlock()
	var found *Intent
	if job.Pair != nil {
		found = job.Pair.Intent
	}
	switch {
	case isFor(own.intent) && (found == nil || job.Pair.Version == own.version):
		return own.intent
	case isFor(found):
		return found
	default:
		return nil
	}
}
