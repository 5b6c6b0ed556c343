package simulation

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// pairName is the name of every pair Secret; each resource has a namespace of its own.
const pairName = "pair"

var (
	rightApp = github.App{Host: "github.com", ClientID: "Iv1right"}
	wrongApp = github.App{Host: "github.com", ClientID: "Iv1wrong"}
)

// spec is a GitHubUserToken as it stands on the API server. It is never changed in place.
type spec struct {
	owner     rotation.Owner
	app       github.App
	pin       *rotation.UserPin
	suspended bool
	requested string
	retain    bool
	deleting  bool
}

func (s *spec) ref() rotation.Ref {
	return rotation.Ref{Namespace: s.owner.Namespace, Name: pairName}
}

// resource is a GitHubUserToken with its namespace, its seed Secret, and the person whose token it is.
type resource struct {
	number  int
	rng     *rand.Rand
	chances [faultCount]uint32

	namespace string
	// spec is nil while the resource does not exist.
	spec        *spec
	incarnation int
	account     string
	seed        credential.RefreshToken
	seedVersion string
	logins      int

	// Until when what is wrong stays wrong.
	denied, namespaceGone, misconfigured moment
	// damaged is the newest login whose pairs a person may have destroyed.
	damaged int
	// forgetful is the newest login that the chain may not know any more, because an old copy was written over it.
	forgetful int
	// backup is a copy of the pair Secret that a person has made.
	backup *rotation.Pair
	// retained are the incarnations that were deleted with their pair retained.
	retained map[string]bool
	// honoured are the values of refresh-requested-at for which a pair was issued and stored.
	honoured map[string]*issued
	// verdicts are those that were seen.
	verdicts map[rotation.Verdict]bool
	// appChanged says that the App was another one for a while.
	appChanged bool
	// loggingIn says that a person is about to log in anew.
	loggingIn bool

	rotations, writes int
}

func keyOf(ref rotation.Ref) string { return ref.Namespace }

// create makes the resource, anew.
func (w *world) create(res *resource) {
	res.incarnation++
	res.spec = &spec{
		owner: rotation.Owner{Namespace: res.namespace, Name: "token", UID: fmt.Sprintf("%s-%d", res.namespace, res.incarnation)},
		app:   rightApp,
	}
	if w.chance().IntN(3) == 0 {
		res.spec.pin = &rotation.UserPin{Login: res.account}
	}
	w.tellSpec(res)
}

// change edits the resource, if it exists.
func (w *world) change(res *resource, edit func(*spec)) {
	if res.spec == nil {
		return
	}
	next := *res.spec
	edit(&next)
	res.spec = &next
	w.tellSpec(res)
}

func (w *world) tellSpec(res *resource) {
	for _, l := range w.lives {
		l.watch.specChanged(res)
	}
}

// dropResource is the end of a resource whose finalizer was taken off.
func (w *world) dropResource(s *spec) {
	res := w.resources[s.owner.Namespace]
	if res.spec == nil || res.spec.owner.UID != s.owner.UID || !res.spec.deleting {
		return
	}
	w.tracef("GONE %s", res.spec.owner.UID)
	if !res.spec.retain {
		clear(res.retained) // The pairs that former ones have left go with this one.
	}
	res.retained[s.owner.UID] = res.spec.retain
	res.spec = nil
	w.tellSpec(res)
	for _, ref := range []rotation.Ref{s.ref(), s.owner.BackupRef()} {
		if o := w.api.secrets[ref]; o != nil {
			w.collectGarbage(ref)
		}
	}
}

// collectGarbage deletes a Secret whose owner is gone, some time later.
func (w *world) collectGarbage(ref rotation.Ref) {
	w.after(w.between(time.Second, 30*time.Second), func() {
		if o := w.api.secrets[ref]; o != nil && w.api.ownerGone(o.pair) && !o.pair.Deleting {
			_ = w.api.remove(garbageCollector, ref, "", "")
		}
	})
}

// logIn is a person authorizing the App and putting the refresh token into the seed Secret.
func (w *world) logIn(res *resource, user string) {
	app := rightApp
	p := w.gitHub.login(res, user, app.Key())
	res.seed = credential.NewRefreshToken(p.refresh)
	res.seedVersion = w.api.next()
	w.tracef("SEED %s: login %d of %s", res.namespace, p.login, user)
	for _, l := range w.lives {
		l.watch.seedChanged(res)
	}
}

// departs says whether a resource does not exist, or will soon not exist any more.
func (w *world) departs(owner rotation.Owner) bool {
	res := w.resources[owner.Namespace]
	return res.spec == nil || res.spec.owner != owner || res.spec.deleting
}
