package simulation

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/controllers/leftovers"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

// storedCode is a Secret that holds a device code.
type storedCode struct {
	code  credential.DeviceCode
	owner rotation.Owner
}

// KeepCode implements rotation.Codes.
func (s store) KeepCode(ctx context.Context, owner rotation.Owner, code credential.DeviceCode) (err error) {
	w, res, ref := s.life.world, s.life.world.resources[owner.Namespace], owner.CodeRef(code.Fingerprint())
	var gone bool
	if failed := s.call(ctx, false, func() { gone = !res.is(owner.UID) }); failed != nil {
		return failed
	}
	if gone {
		return rotation.ErrOwnerGone
	}
	failed := s.call(ctx, true, func() {
		switch {
		case w.now < res.namespaceGone:
			err = rotation.ErrTerminating
		case w.now < res.denied, w.cfg.FullQuota && !w.calm && w.hasChain(res):
			err = rotation.ErrDenied
		case w.api.codes[ref] != nil:
			err = rotation.ErrExists
		default:
			stored := &storedCode{code: code, owner: owner}
			if res.webhook.redactsAll(w.now) {
				stored.code, err = credential.NewDeviceCode("altered"), rotation.ErrAltered
			}
			w.api.setCode(ref, stored)
			if !res.is(owner.UID) {
				w.collectCodes(res, owner.UID)
			}
		}
	})
	if failed != nil {
		return failed
	}
	return err
}

// hasChain reports whether there is a chain beside which somebody logs in.
func (w *world) hasChain(res *resource) bool {
	o := w.secretOf(res)
	return o != nil && o.pair.State.RefreshToken != ""
}

// redactsAll reports whether a webhook puts other values in the place of whatever is stored.
func (h webhook) redactsAll(now moment) bool {
	return now < h.until && h.only == (rotation.Ref{}) && slices.Contains([]alteration{tokensRedacted, tokensEncrypted, everythingAltered}, h.how)
}

// Code implements rotation.Codes.
func (s store) Code(ctx context.Context, owner rotation.Owner, name credential.Fingerprint) (code credential.DeviceCode, err error) {
	failed := s.call(ctx, false, func() {
		stored := s.api().codes[owner.CodeRef(name)]
		if err = rotation.ErrNotFound; stored != nil && stored.code.Fingerprint() == name {
			code, err = stored.code, nil
		}
	})
	if failed != nil {
		return credential.DeviceCode{}, failed
	}
	return code, err
}

// RemoveCode implements lifecycle.API.
func (s store) RemoveCode(ctx context.Context, ref rotation.Ref) (err error) {
	failed := s.call(ctx, true, func() {
		if s.life.world.now < s.life.world.resources[ref.Namespace].denied {
			err = rotation.ErrDenied
			return
		}
		if weblogin.UIDOf(ref.Name) != "" {
			s.api().setBrought(ref, "")
			return
		}
		s.api().setCode(ref, nil)
	})
	if failed != nil {
		return failed
	}
	return err
}

// setCode stores a device code, or removes it, and tells all watches.
func (a *apiServer) setCode(ref rotation.Ref, code *storedCode) {
	if code == nil {
		delete(a.codes, ref)
	} else {
		a.codes[ref] = code
	}
	a.world.tracef("CODE %s: %t", ref.Name, code != nil)
	for _, l := range a.world.lives {
		l.watch.codeChanged(ref, code != nil)
	}
}

// dropCodes removes the codes of a namespace for which somebody has a reason.
func (a *apiServer) dropCodes(namespace string, unwanted func(*storedCode) bool) {
	var refs []rotation.Ref
	for ref, code := range a.codes {
		if ref.Namespace == namespace && unwanted(code) {
			refs = append(refs, ref)
		}
	}
	slices.SortFunc(refs, func(x, y rotation.Ref) int { return cmp.Compare(x.Name, y.Name) })
	for _, ref := range refs {
		a.setCode(ref, nil)
	}
}

// collectCodes deletes the codes of a resource that is gone, some time later, as the garbage collector does.
func (w *world) collectCodes(res *resource, uid string) {
	w.after(w.between(time.Second, 30*time.Second), func() {
		w.api.dropCodes(res.namespace, func(code *storedCode) bool { return code.owner.UID == uid })
	})
}

// codeChanged brings an event about the Secret of a device code.
func (wa *watch) codeChanged(ref rotation.Ref, there bool) {
	wa.deliver(&wa.pairs, keyOf(ref), func() {
		if there {
			wa.codes[ref] = true
		} else {
			delete(wa.codes, ref)
		}
		wa.life.queue.add(keyOf(ref))
	})
}

// CodesFor implements lifecycle.Cache.
func (wa *watch) CodesFor(_ context.Context, name types.NamespacedName) ([]leftovers.Code, error) {
	var found []leftovers.Code
	for ref := range wa.codes {
		if ref.Namespace == name.Namespace {
			found = append(found, leftovers.Code{Ref: ref})
		}
	}
	slices.SortFunc(found, func(a, b leftovers.Code) int { return strings.Compare(a.Ref.Name, b.Ref.Name) })
	return found, nil
}

// judgeCodes asks whether device codes are left that nobody can enter any more.
func (w *world) judgeCodes(res *resource, pair *rotation.Pair) {
	for ref := range w.api.codes {
		device, web := pair.State.Device, pair.State.Web
		if web != nil && web.Ended == "" && ref == pair.Owner.CodeRef(web.Verifier) {
			continue
		}
		if ref.Namespace == res.namespace && (device == nil || device.Ended != "" || ref != pair.Owner.CodeRef(device.DeviceCode)) {
			w.violate("%s: the device code in Secret %s is left", res.namespace, ref.Name)
		}
	}
}

// judgeData is asked when the operator writes a Secret: its data change with a new pair, and for nothing else. What somebody
// has put there to be imported may come along with a pair that is moved.
func (w *world) judgeData(res *resource, before *object, sent *rotation.Pair) {
	type tokens struct {
		access  credential.AccessToken
		refresh credential.RefreshToken
	}
	of := func(p *rotation.Pair) tokens { return tokens{p.AccessToken, p.RefreshToken} }
	switch {
	case sent == nil, sent.Ref == sent.Owner.BackupRef(): // Nobody mounts a backup.
	case before == nil && of(sent) == tokens{} && (!sent.DeviceCode.IsZero() && !res.codePasted || !sent.SeedToken.IsZero() && !res.pasted):
		w.violate("%s: a Secret was made with data and without a pair", res.namespace)
	case before == nil || of(before.pair) != of(sent):
	case before.pair.SeedToken != sent.SeedToken && (sent.SeedToken.IsZero() || !res.pasted), before.pair.DeviceCode != sent.DeviceCode,
		before.pair.TokenType != sent.TokenType:
		w.violate("%s: the data of Secret %s were changed without a new token", res.namespace, sent.Ref.Name)
	}
}
