package rotation

import "errors"

// ErrAltered: the write was made, but what is stored is not what was written: admission has altered it on its way, and the
// API server has answered as if nothing were wrong. Package compared finds it out.
var ErrAltered = errors.New("an admission webhook or policy alters what the operator writes")

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
